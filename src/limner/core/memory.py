"""How much main memory is free for the taking, asked of the kernel; nothing is installed for it."""

from __future__ import annotations

from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUPS = (  # (limit, used) of the container or service that this process runs in: version 2, then version 1
    (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory.current"), Path("/sys/fs/cgroup/memory.stat")),
    (
        Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.usage_in_bytes"),
        Path("/sys/fs/cgroup/memory/memory.stat"),
    ),
)
UNKNOWN = 8 * 2**30  # where the system does not say
RAN_OUT = (  # as PyTorch, CUDA, cuBLAS, NumPy, C++ and ONNX Runtime say it
    "alloc_failed",
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "unable to allocate",
    "bad_alloc",
    "failed to allocate memory",
)


def free_memory() -> int:
    """Bytes that a process may still take without the system swapping or killing it; `UNKNOWN` where nobody tells.

    The least of what Linux calls available and of what the container's limit leaves; pages that only cache files count as
    free.

    References
    ----------
    proc_meminfo(5), MemAvailable; the kernel's documentation of control groups, "memory.max", "memory.current", "memory.stat".
    """
    free = _available()
    for limit, used, stat in CGROUPS:
        bound, taken = _number(limit), _number(used)
        if bound is not None and taken is not None:
            free = min(free, max(0, bound - taken + _field(stat, "inactive_file")))
    return free


def ran_out(error: BaseException) -> bool:
    """Whether an error says that memory ran out; libraries in C++ say so in a `RuntimeError`."""
    return isinstance(error, MemoryError) or any(words in str(error).lower() for words in RAN_OUT)


def _available() -> int:
    kilobytes = _field(MEMINFO, "MemAvailable:")
    return kilobytes * 1024 if kilobytes else UNKNOWN


def _number(path: Path) -> int | None:
    """The number in a kernel file; None where there is none, or it says ``max``."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def _field(path: Path, name: str) -> int:
    """The number behind `name` in a kernel file of lines; 0 where there is none."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return 0
    words = next((line.split() for line in lines if line.startswith(name)), [])
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
