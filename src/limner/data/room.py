"""Whether a picture that a header claims fits into memory, asked before it is decoded."""

from __future__ import annotations

from pathlib import Path

from limner.core.errors import MachineError
from limner.core.memory import free_memory

COPIES = 2.5  # of a picture while it is decoded: the decoder's, the array, and what turning or cutting it takes
SMALL = 2**26  # bytes that no machine lacks


def check_room(path: Path, size_hw: tuple[int, int], pixel_bytes: float) -> None:
    """Refuse to decode a picture that memory cannot hold; a header costs a few bytes and may claim anything.

    Parameters
    ----------
    path : names the file.
    size_hw : height and width that it claims.
    pixel_bytes : of one pixel with all its channels.

    Raises
    ------
    MachineError : `COPIES` of it are more than what is free.
    """
    needed = size_hw[0] * size_hw[1] * pixel_bytes * COPIES
    if needed <= SMALL:
        return
    free = free_memory()
    if needed > free:
        raise MachineError(
            f"{path.name} claims {size_hw[1]:,} x {size_hw[0]:,} pixels, for which {needed / 2**20:,.0f} MiB are needed; "
            f"{free / 2**20:,.0f} MiB are free",
            expected="a picture that fits into memory, or one that is read by windows",
            where=str(path),
            fix="save it as tiled TIFF, which is read piece by piece, or free some memory",
        )
