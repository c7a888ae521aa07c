"""What this machine offers the planner."""

from __future__ import annotations

import os

from limner.planning.memory import Machine


def main_memory() -> int:
    """Bytes of main memory; the limit of a container counts where there is one."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 8 * 2**30
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(name, encoding="ascii") as file:  # noqa: PTH123 - a kernel file, no path arithmetic
                total = min(total, int(file.read()))
        except (OSError, ValueError):
            continue
    return total


def usable_cores() -> int:
    """Processor cores that this process may use; ``OMP_NUM_THREADS`` may say fewer, as Ray does for each of its workers."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return min(cores, int(asked)) if asked.isdecimal() and int(asked) else cores


def this_machine() -> Machine:
    """Cores, memory and instructions of this machine; the GPU's memory when there is one."""
    import torch

    from limner.runtimes.precision import has_fast_bfloat16

    gpu = torch.cuda.is_available()
    memory = torch.cuda.get_device_properties(0).total_memory if gpu else main_memory()
    return Machine(cores=usable_cores(), memory=memory, gpu=gpu, bfloat16=has_fast_bfloat16())
