"""Times, versions and machine facts of one run of a stage, kept apart from its results.

They differ between two runs that give the same bytes, so a receipt is no DVC output; it lies in
`metrics/receipts/`, in git, beside the figures it explains.
"""

import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from stages import files


@contextmanager
def receipt(target: Path | None, stage: str) -> Iterator[dict[str, Any]]:
    """Yield a dictionary for the stage's own facts; write it with the common ones at the end.

    Nothing is written if the block fails or `target` is None.
    """
    started = time.monotonic()
    facts: dict[str, Any] = {}
    yield facts
    if target is None:
        return
    common = {
        "stage": stage,
        "seconds": round(time.monotonic() - started, 2),
        "peak_memory_mib": _peak_memory_mib(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "packages": _packages(),
    }
    files.write_json(target, common | facts)


def _peak_memory_mib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _packages() -> dict[str, str]:
    """Return name and version of every distribution that this process has imported from."""
    by_module = metadata.packages_distributions()
    imported = {name.partition(".")[0] for name in sys.modules}
    names = {distribution for module in imported for distribution in by_module.get(module, ())}
    return {name: metadata.version(name) for name in sorted(names, key=str.lower)}
