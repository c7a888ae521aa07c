"""TIFF files by windows: only the strips or tiles that a window touches are decoded, and those it may share are kept.

Striped and tiled, compressed and plain, classic and BigTIFF; of a pyramid the finest level. Channels may be interleaved, in planes
or in pages of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import tifffile

from limner.core.sample import Image
from limner.data.images import (
    Header,
    TiffPixels,
    flat_series,
    has_alpha,
    naming,
    palette_of,
    read_header,
    refuse_not_finite,
)
from limner.data.tiff_pages import check_whole

KEPT_ROWS = 8  # the next window begins at most so far above the end of the last one; what lies higher is forgotten
LARGEST_SEGMENT = 2**28  # bytes; files with larger strips are decoded as a whole, for which memory is looked at first


@dataclass(frozen=True)
class Segments:
    """The strips or tiles of one page.

    Parameters
    ----------
    offsets, counts : where each lies in the file; a count of 0 is a segment that was never written.
    decode : tifffile's function from the bytes of a segment to its pixels.
    extra : its further arguments, for JPEG.
    size_hw : height and width of a segment.
    image_hw : of the page.
    planes : of the page's channels: 1 when they are interleaved.
    samples : channels in a segment.
    dtype : of a pixel.
    raw : the pixels lie plainly one behind the other from the first offset on.
    nodata : value of pixels that were never written.
    """

    offsets: tuple[int, ...]
    counts: tuple[int, ...]
    decode: Any
    extra: dict[str, Any]
    size_hw: tuple[int, int]
    image_hw: tuple[int, int]
    planes: int
    samples: int
    dtype: np.dtype[Any]
    raw: bool
    nodata: float

    @classmethod
    def of(cls, page: tifffile.TiffPage) -> Segments:
        """Those of a page of an open file."""
        height, width = int(page.imagelength), int(page.imagewidth)
        tiled = bool(page.is_tiled)
        size_hw = (page.tilelength, page.tilewidth) if tiled else (min(page.rowsperstrip, height), width)
        interleaved = page.planarconfig == 1
        jpeg = int(page.compression) in (6, 7, 34892, 33007)
        stored = np.dtype(page.parent.byteorder + np.dtype(page.dtype).char)
        plain = int(page.compression) == 1 and int(page.predictor) == 1 and int(page.fillorder) == 1
        whole_bytes = page.bitspersample == stored.itemsize * 8 and page.dtype != np.bool_
        return cls(
            tuple(page.dataoffsets), tuple(page.databytecounts), page.decode,
            {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if jpeg else {},
            (int(size_hw[0]), int(size_hw[1])), (height, width), 1 if interleaved else int(page.samplesperpixel),
            int(page.samplesperpixel) if interleaved else 1, stored,
            bool(plain and whole_bytes and not tiled and page.is_contiguous), float(page.nodata or 0),
        )  # fmt: skip

    @property
    def largest(self) -> int:
        """Bytes that must be decoded at once."""
        rows = 1 if self.raw else self.size_hw[0]
        return rows * self.size_hw[1] * self.samples * self.dtype.itemsize


@dataclass
class TiffWindows:
    """The picture of a TIFF file; the file is open only while it is read.

    Parameters
    ----------
    path : the file.
    header : its size, channels and dtype as they are read.
    pages : one, or one for each channel.
    colormap, has_alpha, inverted : how its numbers are to be understood.
    """

    path: Path
    header: Header
    pages: tuple[Segments, ...]
    colormap: npt.NDArray[np.uint8] | None
    has_alpha: bool
    inverted: bool
    _kept: dict[tuple[int, int], npt.NDArray[Any]] = field(default_factory=dict, init=False)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.header.size_hw

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.header.channels

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """uint8, uint16 or float32."""
        return np.dtype(self.header.dtype)

    def read(self, rows: slice, columns: slice) -> Image:
        """The window ``(h, w, C)``.

        Raises
        ------
        DataError : damaged, or with values that are not finite.
        """
        with naming(self.path), self.path.open("rb") as file:
            parts = [self._page(file, number, rows, columns) for number in range(len(self.pages))]
        pixels = parts[0] if len(parts) == 1 else np.concatenate(parts, axis=2)
        if self.inverted and pixels.dtype.kind in "bu":
            pixels = ~pixels
        return refuse_not_finite(TiffPixels(pixels, self.colormap, self.has_alpha).as_image(), self.path)

    def _page(self, file: BinaryIO, number: int, rows: slice, columns: slice) -> npt.NDArray[Any]:
        page = self.pages[number]
        if page.raw:
            return _raw_window(file, page, rows, columns)
        height, width = page.size_hw
        across, down = -(-page.image_hw[1] // width), -(-page.image_hw[0] // height)
        out = np.empty(
            (rows.stop - rows.start, columns.stop - columns.start, page.planes * page.samples),
            page.dtype.newbyteorder("="),
        )
        for plane in range(page.planes):
            for y in range(rows.start // height, -(-rows.stop // height)):
                for x in range(columns.start // width, -(-columns.stop // width)):
                    index = (plane * down + y) * across + x
                    pixels = self._segment(file, number, index)
                    top, left = y * height, x * width
                    low, high = max(rows.start, top), min(rows.stop, top + height)
                    near, far = max(columns.start, left), min(columns.stop, left + width)
                    out[
                        low - rows.start : high - rows.start,
                        near - columns.start : far - columns.start,
                        plane * page.samples : (plane + 1) * page.samples,
                    ] = page.nodata if pixels is None else pixels[low - top : high - top, near - left : far - left]
        for key in [key for key in self._kept if key[0] == number]:
            if (key[1] // across % down + 1) * height < rows.stop - KEPT_ROWS:
                del self._kept[key]
        return out

    def _segment(self, file: BinaryIO, number: int, index: int) -> npt.NDArray[Any] | None:
        """Pixels ``(h, w, S)`` of a strip or tile; None where it was never written."""
        page = self.pages[number]
        if not page.counts[index]:
            return None
        if (number, index) not in self._kept:
            file.seek(page.offsets[index])
            pixels, _, _ = page.decode(file.read(page.counts[index]), index, **page.extra)
            self._kept[number, index] = pixels[0]
        return self._kept[number, index]


def _raw_window(file: BinaryIO, page: Segments, rows: slice, columns: slice) -> npt.NDArray[Any]:
    """A window of pixels that lie plainly in the file; read, not mapped: mapped pages would count as memory of the process."""
    height, width = page.image_hw
    planes: list[npt.NDArray[Any]] = []
    for plane in range(page.planes):
        row_bytes = width * page.samples * page.dtype.itemsize
        file.seek(page.offsets[0] + (plane * height + rows.start) * row_bytes)
        data = file.read((rows.stop - rows.start) * row_bytes)
        if len(data) < (rows.stop - rows.start) * row_bytes:
            raise ValueError(f"it ends in row {rows.start + len(data) // row_bytes}")
        values = np.frombuffer(data, page.dtype).reshape(-1, width, page.samples)
        planes.append(values[:, columns].astype(page.dtype.newbyteorder("=")))
    return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=2)


def open_tiff(path: Path) -> TiffWindows | None:
    """The picture of a TIFF file; None where only the whole can be read: turned pictures, depths that are converted by what all
    pixels hold, and compressed strips that are nearly the whole picture.

    Raises
    ------
    DataError : a stack of pages.
    """
    header = read_header(path)
    if header.orientation != 1:
        return None
    with tifffile.TiffFile(path) as file:
        series, axes = flat_series(file, path)
        with naming(path):
            check_whole(file, series)
        page = series.keyframe
        kind = np.dtype(page.dtype if page.dtype is not None else object)
        usual = kind in (np.dtype(bool), np.dtype(np.uint8), np.dtype(np.uint16)) or kind.kind == "f"
        pages = [one for one in series.pages if one is not None] if axes[0] == "C" else [page]
        volume = page.imagedepth != 1 or (
            axes[0] == "C" and len(pages) != dict(zip(series.axes, series.shape, strict=True))["C"]
        )
        if not usual or volume or axes == "YXC":
            return None
        listed = tuple(Segments.of(one.aspage()) for one in pages)
        if max(part.largest for part in listed) > LARGEST_SEGMENT:
            return None
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        samples = sum(part.planes * part.samples for part in listed)
        return TiffWindows(path, header, listed, palette_of(page), has_alpha(page, samples), inverted)
