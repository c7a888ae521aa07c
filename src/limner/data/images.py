"""Read and write pictures: whole, upright, at their own bit depth, or not at all.

Pillow decodes PNG, JPEG, BMP and WebP; OpenCV takes 16-bit colour PNG, which Pillow cuts to 8 bit; tifffile takes TIFF.
Pictures that need not be decoded whole are read by `limner.data.windows`.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
import tifffile

from limner.core.errors import DataError, LimnerError
from limner.core.files import write_atomic, write_bytes
from limner.core.labels import Labels, LabelSpace
from limner.core.sample import Image
from limner.data.png_chunks import may_state_orientation
from limner.data.room import check_room
from limner.data.stacks import read_frame, stack_suffix
from limner.data.tiff_pages import all_series, check_whole

SUFFIXES: frozenset[str] = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".npy", ".dcm"})
TIFF_SUFFIXES = frozenset({".tif", ".tiff"})
ORIENTATION_TAG = 0x0112

# Pillow warns from 89 megapixels on, which slides exceed. What a header claims is compared with the memory that is free instead.
PIL.Image.MAX_IMAGE_PIXELS = None

_PIL_LAYOUTS = {  # Pillow mode: channels and dtype as `read_image` returns them
    "1": (1, "uint8"), "L": (1, "uint8"), "LA": (1, "uint8"), "La": (1, "uint8"), "I;16": (1, "uint16"),
    "I;16B": (1, "uint16"), "I;16L": (1, "uint16"), "I": (1, "uint16"), "F": (1, "float32"),
}  # fmt: skip


@dataclass(frozen=True)
class Header:
    """What a file says about its picture.

    Parameters
    ----------
    size_hw : height and width in pixels, after the EXIF orientation is applied.
    channels : number of channels as `read_image` returns them (alpha does not count, a palette counts 3).
    dtype : ``uint8``, ``uint16`` or ``float32``.
    orientation : EXIF orientation, 1 to 8; 1 is upright.
    """

    size_hw: tuple[int, int]
    channels: int
    dtype: str
    orientation: int = 1


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Turn whatever a decoder raises into a `DataError` that names the file."""
    try:
        yield
    except (LimnerError, MemoryError):
        raise
    except Exception as error:  # decoders raise anything from OSError to struct.error on damaged files
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else " ".join(str(error).split())[:160]
        raise DataError(
            f"{path.name} cannot be read: {reason or type(error).__name__}",
            expected="a whole picture", where=str(path),
            fix="copy or export the file again, or remove it together with its mask",
        ) from None  # fmt: skip


def read_image(path: Path) -> Image:
    """The pixels of a picture.

    Parameters
    ----------
    path : PNG, JPEG, BMP, WebP or TIFF file; an NPY array or DICOM file of one picture.

    Returns
    -------
    ``(H, W, C)`` uint8, uint16 or float32; EXIF orientation applied, palette as RGB, alpha dropped, 1-bit as 0 and 255.

    Raises
    ------
    DataError : truncated, unreadable, of another kind, a stack of pages, or with values that are not finite.
    MachineError : the header claims more than the memory that is free can hold.
    """
    if stack_suffix(path.name):
        return read_frame(path)
    check_suffix(path)
    with naming(path):
        if path.suffix.lower() in TIFF_SUFFIXES:
            return refuse_not_finite(read_tiff(path).as_image(), path)
        with PIL.Image.open(path) as file:
            check_room(path, (file.height, file.width), 1 if file.mode in ("1", "L") else 4)
            orientation = exif_orientation(file) if may_state_orientation(path) else 1
            deep = is_deep_color_png(path)
            if deep:
                file.load()  # OpenCV returns the upper part of a truncated file, Pillow refuses it
                pixels = _read_deep_png(path)
            else:
                pixels = _pil_pixels(file)
    return refuse_not_finite(upright(pixels, orientation), path)


def read_header(path: Path) -> Header:
    """Size, channels and depth without decoding the pixels.

    Raises
    ------
    DataError : not a picture, or a stack of pages.
    """
    if stack_suffix(path.name):
        image = read_frame(path)
        return Header((image.shape[0], image.shape[1]), image.shape[2], image.dtype.name)
    check_suffix(path)
    with naming(path):
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _tiff_header(path)
        with PIL.Image.open(path) as file:
            orientation = exif_orientation(file) if may_state_orientation(path) else 1
            width, height = file.size
            channels, dtype = _PIL_LAYOUTS.get(file.mode, (3, "uint8"))
            if is_deep_color_png(path):
                channels, dtype = (1 if png_depth_and_color(path)[1] == 4 else 3), "uint16"
    size_hw = (width, height) if orientation >= 5 else (height, width)
    return Header(size_hw, channels, dtype, orientation)


def check_suffix(path: Path) -> None:
    """Refuse a file that is none of the kinds read here.

    Raises
    ------
    DataError : the suffix is not in `SUFFIXES`.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataError(
            f"{path.name} is of a kind that is not read", expected=", ".join(sorted(SUFFIXES)), where=str(path),
            fix="save it as PNG or TIFF",
        )  # fmt: skip


def exif_orientation(file: PIL.Image.Image) -> int:
    """EXIF orientation of an opened picture, 1 when there is none or it is not 1 to 8."""
    value = file.getexif().get(ORIENTATION_TAG, 1)
    return int(value) if value in range(1, 9) else 1


def upright(pixels: npt.NDArray[Any], orientation: int) -> npt.NDArray[Any]:
    """`pixels` ``(H, W, ...)`` turned and mirrored as an EXIF orientation asks.

    Examples
    --------
    >>> upright(np.array([[1, 2, 3]]), 6).tolist()
    [[1], [2], [3]]
    """
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)  # 5 is the transpose; 6, 7 and 8 are mirrored versions of it
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def png_depth_and_color(path: Path) -> tuple[int, int]:
    """Bit depth and colour type from the header of a PNG file; (0, 0) for other files."""
    with path.open("rb") as file:
        head = file.read(26)
    if len(head) < 26 or head[:8] != b"\x89PNG\r\n\x1a\n":
        return 0, 0
    depth, color = struct.unpack("BB", head[24:26])
    return depth, color


def is_deep_color_png(path: Path) -> bool:
    """True for PNG files with 16 bit per channel that Pillow would cut to 8 bit: RGB, RGBA and gray with alpha."""
    depth, color = png_depth_and_color(path)
    return depth == 16 and color in (2, 4, 6)


def write_labels(path: Path, labels: Labels, label_space: LabelSpace) -> None:
    """Write class ids as a palette PNG, or as a 16-bit gray PNG for more than 256 classes; whole or not.

    Parameters
    ----------
    path : where to; the parent folder is made.
    labels : ``(H, W)`` class ids; a value above 255 (not known, say) makes the file 16-bit, too.
    label_space : its colours become the palette.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    write_bytes(path, encode_labels(labels, label_space))


def encode_labels(labels: Labels, label_space: LabelSpace) -> bytes:
    """The bytes of the file that `write_labels` writes: the same wherever a label map goes."""
    if len(label_space) <= 256 and labels.max(initial=0) <= 255:
        picture = PIL.Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint8))
        picture.putpalette(label_space.palette())
    else:
        picture = PIL.Image.fromarray(np.ascontiguousarray(labels, dtype=np.uint16))
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()


def write_tiff(path: Path, image: Image) -> None:
    """Write ``(H, W, C)`` uint8, uint16 or float32 as TIFF, compressed without loss; not by way of a temporary name."""
    gray_or_many = image.shape[2] != 3
    tifffile.imwrite(
        path,
        image[..., 0] if image.shape[2] == 1 else image,
        photometric="minisblack" if gray_or_many else "rgb",
        planarconfig="contig" if image.shape[2] > 1 else None,
        compression="deflate",
    )


def write_image(path: Path, image: Image) -> None:
    """Write ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)`` uint8 in the format that the suffix names; whole or not at all.

    Raises
    ------
    MachineError, OutputError : the disk is full or the folder may not be written.
    """
    pixels = image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image
    picture = PIL.Image.fromarray(np.ascontiguousarray(pixels))
    kind = PIL.Image.registered_extensions()[path.suffix.lower()]
    write_atomic(path, lambda temporary: picture.save(temporary, format=kind))


@dataclass(frozen=True)
class TiffPixels:
    """One TIFF page as it is stored: ``(H, W, S)`` upright, and how to understand its numbers."""

    pixels: npt.NDArray[Any]
    colormap: npt.NDArray[np.uint8] | None  # (N, 3) for palette files
    has_alpha: bool

    def as_image(self) -> Image:
        """``(H, W, C)`` of a depth that networks are fed with."""
        if self.colormap is not None:
            colors: Image = self.colormap[self.pixels[..., 0]]
            return colors
        pixels = self.pixels[..., :-1] if self.has_alpha else self.pixels
        return _usual_depth(pixels)


def read_tiff(path: Path) -> TiffPixels:
    """Decode the only page, or the only multi-channel picture, of a TIFF file.

    Raises
    ------
    DataError : the file holds a stack of pages.
    """
    with tifffile.TiffFile(path) as file:
        series, axes = flat_series(file, path)
        page = series.keyframe
        height, width = max(1, page.imagelength), max(1, page.imagewidth)
        check_room(path, (height, width), series.size * np.dtype(series.dtype).itemsize / (height * width))
        check_whole(file, series)
        pixels = series.asarray()
        if "S" in axes or "C" in axes:
            pixels = np.moveaxis(pixels.squeeze(), axes.index("S" if "S" in axes else "C"), -1)
        else:
            pixels = pixels.reshape(series.shape[series.axes.index("Y")], series.shape[series.axes.index("X")], 1)
        return page_pixels(page, pixels)


def page_pixels(page: tifffile.TiffPage, stored: npt.NDArray[Any]) -> TiffPixels:
    """The decoded numbers ``(H, W, S)`` of a page as they are meant: white is bright, upright, with its palette."""
    if page.photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        stored = ~stored if stored.dtype.kind in "bu" else stored
    return TiffPixels(upright(stored, _tiff_orientation(page)), palette_of(page), has_alpha(page, stored.shape[2]))


def palette_of(page: tifffile.TiffPage) -> npt.NDArray[np.uint8] | None:
    """The colours ``(N, 3)`` of a palette page; None for other pages."""
    if page.photometric != tifffile.PHOTOMETRIC.PALETTE or page.colormap is None:
        return None
    return (np.asarray(page.colormap) >> 8).astype(np.uint8).T


def has_alpha(page: tifffile.TiffPage, samples: int) -> bool:
    """Whether the last of so many stored channels is transparency."""
    return any(int(kind) in (1, 2) for kind in page.extrasamples or ()) and samples in (2, 4)


def flat_series(file: tifffile.TiffFile, path: Path) -> tuple[tifffile.TiffPageSeries, str]:
    """The one picture of a TIFF and its axes of more than one element; smaller copies of it do not count."""
    found = all_series(file)
    full = [series for series in found if not series.keyframe.is_reduced]
    series = (full or found)[0]
    axes = "".join(axis for axis, size in zip(series.axes, series.shape, strict=True) if size > 1 or axis in "YX")
    pages = len(file.pages)
    if len(full) > 1 or axes not in ("YX", "YXS", "SYX", "CYX", "YXC"):
        raise DataError(
            f"{path.name} is a stack of {pages} pages (axes {series.axes}, shape {tuple(series.shape)})",
            expected="one picture per file", where=str(path), fix="save each page as its own file",
        )  # fmt: skip
    return series, axes


def _tiff_header(path: Path) -> Header:
    with tifffile.TiffFile(path) as file:
        series, axes = flat_series(file, path)
        page = series.keyframe
        sizes = dict(zip(series.axes, series.shape, strict=True))
        channels = sizes["S" if "S" in axes else "C"] if len(axes) == 3 else 1
        if has_alpha(page, channels):
            channels -= 1
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE:
            channels = 3
        kind = np.dtype(series.dtype)
        dtype = (
            "uint8"
            if kind in (np.dtype(bool), np.dtype(np.uint8)) or (channels == 3 and page.colormap is not None)
            else "uint16"
        )
        dtype = "float32" if kind.kind == "f" else dtype
        orientation = _tiff_orientation(page)
        size_hw = (sizes["X"], sizes["Y"]) if orientation >= 5 else (sizes["Y"], sizes["X"])
        return Header(size_hw, channels, dtype, orientation)


def _tiff_orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(ORIENTATION_TAG)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def _pil_pixels(file: PIL.Image.Image) -> Image:
    if file.mode == "1":
        return (np.array(file, dtype=np.uint8) * 255)[..., None]
    if file.mode in ("LA", "La", "RGBA", "RGBa"):
        return np.array(file)[..., :-1]  # colours below a transparent pixel are kept, not blended
    if file.mode in _PIL_LAYOUTS:
        return _usual_depth(np.array(file))[..., None]
    return np.array(file.convert("RGB"))


def _read_deep_png(path: Path) -> Image:
    # imdecode instead of imread: the latter cannot open names outside ASCII on every system
    pixels = cv2.imdecode(np.fromfile(path, dtype=np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("the PNG data cannot be decoded")
    if png_depth_and_color(path)[1] == 4:
        return pixels[..., :1]
    return pixels[..., 2::-1]


def _usual_depth(pixels: npt.NDArray[Any]) -> Image:
    """uint8 and uint16 as they are, 0/1 as 0/255, other whole numbers as uint16 where they fit, the rest as float32."""
    if pixels.dtype == np.bool_:
        return pixels.astype(np.uint8) * 255
    if pixels.dtype in (np.uint8, np.uint16):
        return pixels.astype(pixels.dtype.newbyteorder("="))
    if pixels.dtype.kind in "iu" and pixels.size and pixels.min() >= 0 and pixels.max() < 2**16:
        return pixels.astype(np.uint16)
    return pixels.astype(np.float32)


def refuse_not_finite(image: Image, path: Path) -> Image:
    """`image` as it is.

    Raises
    ------
    DataError : it holds NaN or infinity, or no pixel at all.
    """
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        count = int((~np.isfinite(image)).sum())
        raise DataError(
            f"{path.name} holds {count} values that are not finite (NaN or infinity)", expected="finite numbers",
            where=str(path), fix="replace them before saving the file",
        )  # fmt: skip
    if 0 in image.shape:
        raise DataError(f"{path.name} has no pixels", expected="at least 1 x 1", where=str(path), fix="remove the file")
    return image
