"""Keep freed memory in the process, so that the next step does not wait for the system to hand out zeroed pages again."""

from __future__ import annotations

import ctypes
import platform

MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1  # names of mallopt(3)
LARGEST = 2**31 - 1


def keep_freed_memory() -> bool:
    """Tell glibc to serve large blocks from its heap and not to give freed ones back; True where that is possible.

    A training step on a CPU asks for the same large feature maps again and again. By default glibc maps each from the system
    and unmaps it after use, and the page faults take a fifth of the step (`benchmarks/speed.py`). The price: memory
    once used stays with the process until it ends. Other C libraries, macOS and Windows are left alone.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(MMAP_THRESHOLD, LARGEST)) and bool(mallopt(TRIM_THRESHOLD, LARGEST))
