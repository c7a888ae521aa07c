"""Files of several pictures: animations and stacks of pages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL.Image
import tifffile

from limner.core.errors import DataError
from limner.data.images import TIFF_SUFFIXES, naming


@dataclass(frozen=True)
class Frames:
    """How many pictures a file holds.

    Parameters
    ----------
    number : at least 1.
    size_hw : of each, known where there are several.
    """

    number: int
    size_hw: tuple[int, int] | None = None


def count_frames(path: Path) -> Frames:
    """Pictures in a file; smaller copies of a picture, and planes that are its channels, do not count.

    Raises
    ------
    DataError : damaged.
    """
    with naming(path):
        if path.suffix in TIFF_SUFFIXES:
            return _count_pages(path)
        if path.suffix == ".dcm":
            return Frames(1)
        with PIL.Image.open(path) as file:
            if (
                file.format == "MPO"
            ):  # a photograph with a preview, a depth or a brightness map behind it, as telephones write
                return Frames(1)
            number = int(getattr(file, "n_frames", 1))
            return Frames(number, (file.height, file.width)) if number > 1 else Frames(1)


def _count_pages(path: Path) -> Frames:
    with tifffile.TiffFile(path) as file:
        found = _series(file)
        full = [series for series in found if not series.keyframe.is_reduced] or found
        axes = "".join(axis for axis, size in zip(full[0].axes, full[0].shape, strict=True) if size > 1 or axis in "YX")
        if len(full) == 1 and axes in ("YX", "YXS", "SYX", "CYX", "YXC"):
            return Frames(1)
        sizes = {(series.keyframe.imagelength, series.keyframe.imagewidth) for series in full}
        number = sum(len(series.pages) for series in full)
        return Frames(number, max(sizes, key=lambda size: size[0] * size[1]))


def _series(file: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """The pictures of a TIFF; a chain of directories that leads back into itself ends where it does."""
    len(file.pages)  # follows the chain and finds such a loop; `series` alone would go round in it for ever
    return list(file.series)


def read_frames(path: Path) -> npt.NDArray[Any]:
    """All pictures of a file of one size, ``(F, H, W, C)`` uint8, uint16 or float32.

    Raises
    ------
    DataError : damaged, or frames that differ in size or kind.
    """
    with naming(path):
        pictures = _read_pages(path) if path.suffix in TIFF_SUFFIXES else _read_animation(path)
        if len({(picture.shape, picture.dtype) for picture in pictures}) != 1:
            raise DataError("the frames of the picture differ in size or kind", expected="frames of one size")
        return np.stack(pictures)


def _read_animation(path: Path) -> list[npt.NDArray[Any]]:
    pictures = []
    with PIL.Image.open(path) as file:
        for index in range(int(getattr(file, "n_frames", 1))):
            file.seek(index)
            pictures.append(np.array(file.convert("RGB")))
    return pictures


def _read_pages(path: Path) -> list[npt.NDArray[Any]]:
    pictures = []
    with tifffile.TiffFile(path) as file:
        for series in _series(file):
            if series.keyframe.is_reduced:
                continue
            for page in series.pages:
                if page is None:
                    raise DataError("a page of the picture is missing", expected="a whole file")
                pixels = page.asarray()
                if pixels.ndim not in (2, 3) or pixels.dtype.kind not in "buif":
                    raise DataError(f"a page of shape {pixels.shape}", expected="gray or colour pictures")
                pixels = pixels[..., None] if pixels.ndim == 2 else pixels
                pixels = pixels.astype(np.uint8) * 255 if pixels.dtype == np.bool_ else pixels
                pictures.append(pixels if pixels.dtype in (np.uint8, np.uint16) else pixels.astype(np.float32))
    return pictures
