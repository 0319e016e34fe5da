"""What the machine is, and what it can do at most: matrix products and copies of memory."""

import os
import platform
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks.contender import Clock
from bertline.core import machine

SIZE = 2048  # rows and columns of the matrices multiplied: 16 MiB each in fp32, and more in time
ROUNDS = 8  # of which the fastest counts: a peak is what nothing disturbs
COPIED = 256 << 20  # bytes, many times a cache of the processor
PACKAGES = (
    *("torch", "transformers", "accelerate", "sentence-transformers", "bertopic", "umap-learn"),
    *("hdbscan", "numba", "scikit-learn", "numpy"),
)


def peaks(clock: Clock, *, size: int = SIZE, copied: int = COPIED) -> dict[str, Any]:
    """Measure the most GFLOP/s of matrix products in fp32 and bf16, and GB/s of copies.

    As a contender: on the threads that torch is set to. A copy reads and writes each byte.
    """
    figures = {}
    with clock.timing():
        for name, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
            one, other = (torch.randn(size, size).to(dtype) for _ in range(2))
            out = torch.empty(size, size, dtype=dtype)
            seconds = _fastest(lambda a=one, b=other, c=out: torch.mm(a, b, out=c))  # type: ignore[misc]
            figures[f"{name}_gflops"] = 2 * size**3 / seconds / 1e9
        source = torch.ones(copied, dtype=torch.uint8)
        target = torch.empty_like(source)
        figures["copy_gb"] = 2 * copied / _fastest(lambda: target.copy_(source)) / 1e9
    return {"items": 1, **figures}


def _fastest(action: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some calls, after one that warms up."""
    action()
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        action()
        found.append(time.perf_counter() - started)
    return min(found)


def facts() -> dict[str, Any]:
    """Return processor, memory, system and versions."""
    capabilities = torch.cpu.get_capabilities()
    sets = ("avx2", "avx512_f", "avx512_bf16", "amx_bf16")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "processor": machine.processor(),
        "cores": machine.cores(),
        "instruction_sets": [name for name in sets if capabilities.get(name)],
        "native_bf16": bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16")),
        "memory_gib": round(memory, 1),
        "system": _system(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _system() -> str:
    """Return the distribution and the kernel."""
    release = Path("/etc/os-release")
    name = ""
    if release.exists():
        lines = release.read_text(encoding="utf-8").splitlines()
        stated = dict(line.split("=", 1) for line in lines if "=" in line)
        name = stated.get("PRETTY_NAME", "").strip('"') + ", "
    return f"{name}{platform.system()} {platform.release()} {platform.machine()}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"
