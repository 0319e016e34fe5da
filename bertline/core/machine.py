"""What a process runs on: processor, cores, libraries and memory."""

import os
import platform
import resource
import sys
import time
from pathlib import Path

from threadpoolctl import threadpool_info

# Of the instruction sets that a Linux kernel lists, those by which numerical libraries choose
# their routines: sums come out in another order with each.
INSTRUCTION_SETS = (
    *("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "avx512_fp16"),
    *("amx_bf16", "amx_int8", "asimd", "sve", "bf16"),
)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def peak_memory_mib() -> int:
    """Return the most memory that this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def processor() -> str:
    """Return the model of the processor as Linux states it, or what Python knows of it."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def instruction_sets() -> list[str]:
    """Return those of INSTRUCTION_SETS that the processor has."""
    flags = (_cpuinfo("flags") or _cpuinfo("Features") or "").split()
    return [name for name in INSTRUCTION_SETS if name in flags]


def libraries() -> list[str]:
    """Return the loaded libraries of linear algebra and threads, with what they run on.

    Their routines are chosen by processor, or by variables such as OPENBLAS_CORETYPE.
    """
    found = set()
    for library in threadpool_info():
        parts = [library["internal_api"], library["version"] or ""]
        parts += [library.get("architecture", ""), f"on {library['num_threads']} threads"]
        found.add(" ".join(part for part in parts if part))
    return sorted(found)


def process_start() -> float:
    """Return when this process began, as times of files are given; now, where Linux is not asked.

    A script is compiled then, and its imports take seconds until this module is imported.
    """
    try:
        fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        began = int(fields[19]) / os.sysconf("SC_CLK_TCK")  # since the machine was started
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + began
    except OSError:
        return time.time()


def _cpuinfo(key: str) -> str | None:
    """Return the first value of a key of /proc/cpuinfo, or None where there is none."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == key:
                return value.strip()
    return None
