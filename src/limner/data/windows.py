"""Pictures of files that are read by windows: TIFF, NPY arrays, OME-Zarr; other files are decoded whole, once.

All of them have what `limner.core.protocols.Source` asks for, and give the pixels that `limner.data.images.read_image` gives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.protocols import Source
from limner.core.sample import Image
from limner.data.images import TIFF_SUFFIXES, Header, naming, read_header, read_image, refuse_not_finite
from limner.data.stacks import MOST_COLORS, check_npy, stack_suffix
from limner.data.windows_tiff import open_tiff
from limner.data.windows_zarr import ZarrWindows, is_zarr


@dataclass(frozen=True)
class RawWindows:
    """Rows of numbers that lie in a file one behind the other.

    Parameters
    ----------
    path, offset : the file and its first pixel.
    shape : ``(H, W, C)``.
    stored : dtype with byte order.
    """

    path: Path
    offset: int
    shape: tuple[int, int, int]
    stored: np.dtype[np.generic]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.shape[0], self.shape[1]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.shape[2]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """In the machine's byte order."""
        return self.stored.newbyteorder("=")

    def read(self, rows: slice, columns: slice) -> Image:
        """The window ``(h, w, C)``; read, not mapped: mapped pages would count as memory of the process.

        Raises
        ------
        DataError : the file ends too early, or holds values that are not finite.
        """
        _height, width, channels = self.shape
        count = (rows.stop - rows.start) * width * channels
        with naming(self.path):
            offset = self.offset + rows.start * width * channels * self.stored.itemsize
            values = np.fromfile(self.path, self.stored, count, offset=offset)
            if values.size < count:
                raise ValueError(f"it ends in row {rows.start + values.size // (width * channels)}")
        window = values.reshape(-1, width, channels)[:, columns].astype(self.dtype, copy=False)
        return refuse_not_finite(window, self.path)


@dataclass(frozen=True)
class WholePicture:
    """A picture of a kind that can only be decoded as a whole; it stays in memory.

    Parameters
    ----------
    pixels : ``(H, W, C)``.
    """

    pixels: Image

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return int(self.pixels.shape[2])

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of the array."""
        return self.pixels.dtype

    def read(self, rows: slice, columns: slice) -> Image:
        """A view of the window ``(h, w, C)``."""
        return self.pixels[rows, columns]


def open_windows(path: Path) -> Source:
    """The picture of a file, to be read by windows.

    Parameters
    ----------
    path : any file that `read_image` reads, or an OME-Zarr folder.

    Raises
    ------
    DataError : unreadable, of another kind, or a stack of pictures.
    MachineError : OME-Zarr without the extra ``zarr``; a file that can only be decoded as a whole, for which memory is short.
    """
    if is_zarr(path):
        return ZarrWindows.open(path)
    if path.suffix.lower() in TIFF_SUFFIXES:
        with naming(path):
            found: Source | None = open_tiff(path)
    else:
        found = _open_npy(path) if stack_suffix(path.name) == ".npy" else None
    return found if found is not None else WholePicture(read_image(path))


def header_of(path: Path) -> Header:
    """Size, channels and depth of a file or an OME-Zarr folder without decoding pixels.

    Raises
    ------
    DataError, MachineError : see `open_windows`.
    """
    windows: Source | None = None
    if is_zarr(path):
        windows = ZarrWindows.open(path)
    elif stack_suffix(path.name) == ".npy":
        windows = _open_npy(path)
    if windows is None:
        return read_header(path)
    return Header(windows.size_hw, windows.channels, windows.dtype.name)


def _open_npy(path: Path) -> RawWindows | None:
    """An array of one picture in row order; None for other arrays, which are read whole."""
    with naming(path):
        check_npy(path)
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    picture = array.ndim == 2 or (array.ndim == 3 and array.shape[2] <= MOST_COLORS)
    plain = array.dtype.newbyteorder("=") in (np.uint8, np.uint16, np.float32) and array.flags.c_contiguous
    if not (picture and plain and array.size and isinstance(array, np.memmap)):
        return None
    channels = array.shape[2] if array.ndim == 3 else 1
    return RawWindows(path, int(array.offset), (array.shape[0], array.shape[1], channels), array.dtype)
