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
from limner.core.sample import Image
from limner.data.images import (
    TIFF_SUFFIXES,
    TiffPixels,
    exif_orientation,
    is_deep_color_png,
    naming,
    page_pixels,
    refuse_not_finite,
    upright,
)
from limner.data.png_chunks import may_state_orientation
from limner.data.tiff_pages import all_series, check_whole

_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX")  # modes of Pillow
_GRAY = ("1", "L", "LA")


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
        found = all_series(file)
        full = [series for series in found if not series.keyframe.is_reduced] or found
        axes = "".join(axis for axis, size in zip(full[0].axes, full[0].shape, strict=True) if size > 1 or axis in "YX")
        if len(full) == 1 and axes in ("YX", "YXS", "SYX", "CYX", "YXC"):
            return Frames(1)
        sizes = {(series.keyframe.imagelength, series.keyframe.imagewidth) for series in full}
        number = sum(len(series.pages) for series in full)
        return Frames(number, max(sizes, key=lambda size: size[0] * size[1]))


def read_frames(path: Path) -> npt.NDArray[Any]:
    """All pictures of a file of one size, ``(F, H, W, C)`` uint8, uint16 or float32, each as `read_image` gives a file of its own.

    Raises
    ------
    DataError : damaged, frames that differ in size or kind, or values that are not finite.
    """
    with naming(path):
        pictures = _read_pages(path) if path.suffix in TIFF_SUFFIXES else _read_animation(path)
        if len({(picture.shape, picture.dtype) for picture in pictures}) != 1:
            raise DataError("the frames of the picture differ in size or kind", expected="frames of one size")
        return refuse_not_finite(np.stack(pictures), path)


def _read_animation(path: Path) -> list[Image]:
    pictures = []
    with PIL.Image.open(path) as file:
        if file.mode not in _EIGHT_BIT or is_deep_color_png(path):
            raise DataError("an animation of 16 bit", expected="8 bit", fix="save its frames as pages of a TIFF")
        orientation = exif_orientation(file) if may_state_orientation(path) else 1
        mode = "L" if file.mode in _GRAY else "RGB"  # of the first frame: Pillow may give later ones another
        for index in range(int(getattr(file, "n_frames", 1))):
            file.seek(index)
            frame = np.array(file.convert(mode))
            pictures.append(upright(frame[..., None] if frame.ndim == 2 else frame, orientation))
    return pictures


def _read_pages(path: Path) -> list[Image]:
    pages: list[TiffPixels] = []
    with tifffile.TiffFile(path) as file:
        for series in all_series(file):
            if series.keyframe.is_reduced:
                continue
            check_whole(file, series)
            for page in series.pages:
                if page is None:
                    raise DataError("a page of the picture is missing", expected="a whole file")
                pages.append(_read_page(series.keyframe if page.is_virtual else page.aspage(), page.asarray()))
    pictures = [page.as_image() for page in pages]
    if len({page.pixels.dtype for page in pages}) == 1 and len({picture.dtype for picture in pictures}) > 1:
        pictures = [picture.astype(np.float32) for picture in pictures]  # some pages hold numbers beyond 16 bit
    return pictures


def _read_page(page: tifffile.TiffPage, stored: npt.NDArray[Any]) -> TiffPixels:
    if stored.ndim not in (2, 3) or stored.dtype.kind not in "buif":
        raise DataError(f"a page of shape {stored.shape}", expected="gray or colour pictures")
    if stored.ndim == 2:
        stored = stored[..., None]
    elif page.axes.startswith("S"):  # one plane for each channel
        stored = np.moveaxis(stored, 0, -1)
    return page_pixels(page, stored)
