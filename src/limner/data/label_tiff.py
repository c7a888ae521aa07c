"""Label maps too large for PNG: tiled, compressed TIFF, written from rows that need not be in memory together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile

from limner.core.files import write_atomic
from limner.core.labels import Labels, LabelSpace
from limner.core.objects import Instances

LARGE_PIXELS = 100_000_000  # above it a label map is TIFF
TILE = 512
CLASSIC_BYTES = 2**32 - 2**26  # of a classic TIFF, with room for what is not pixels


def write_label_tiff(
    path: Path,
    rows: Callable[[int, int], Labels | Instances],
    size_hw: tuple[int, int],
    label_space: LabelSpace | None,
    *,
    dtype: npt.DTypeLike = np.uint8,
) -> None:
    """Write class ids with their palette, or object ids, whole or not at all; BigTIFF where needed.

    Parameters
    ----------
    path : where to; the parent folder is made.
    rows : from the first row and the one behind the last to their labels ``(n, W)``; called in rising order.
    size_hw : of the label map.
    label_space : its colours become the palette, for 8 bit; None = gray.
    dtype : uint8; or uint16 for many classes and uint32 for object ids, which have no palette.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    kind = np.dtype(dtype)
    height, width = size_hw

    def tiles() -> Iterator[npt.NDArray[np.generic]]:
        for top in range(0, height, TILE):
            band = rows(top, min(top + TILE, height))
            for left in range(0, width, TILE):
                part = band[:, left : left + TILE]
                tile = np.zeros((TILE, TILE), kind)
                tile[: part.shape[0], : part.shape[1]] = part
                yield tile

    palette = None
    if kind == np.uint8 and label_space is not None:
        palette = np.array(label_space.palette(), np.uint16).reshape(256, 3).T * 257

    def save(temporary: Path) -> None:
        with tifffile.TiffWriter(temporary, bigtiff=height * width * kind.itemsize > CLASSIC_BYTES) as file:
            file.write(
                tiles(),
                shape=size_hw,
                dtype=kind,
                tile=(TILE, TILE),
                photometric="minisblack" if palette is None else "palette",
                colormap=palette,
                compression="zlib",  # tag 8, which every reader knows; tifffile calls the older number "deflate"
                metadata=None,
                maxworkers=1,
            )

    write_atomic(path, save)
