"""Mask files as they are stored, and the one reading that turns all files of a data set into class ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import PIL.Image

from limner.core.errors import DataError
from limner.core.labels import Color, Labels, LabelSpace
from limner.data.id_facts import IdFacts
from limner.data.images import (
    TIFF_SUFFIXES,
    check_suffix,
    exif_orientation,
    is_deep_color_png,
    naming,
    png_depth_and_color,
    read_image,
    read_tiff,
    upright,
)
from limner.data.raw_ids import RawIds
from limner.data.stacks import read_frame_values, stack_suffix

MaskKind = Literal["1-bit", "index", "palette", "gray", "colour", "alpha"]
UNKNOWN, IGNORED = -1, -2
_NO_PALETTE: tuple[Color, ...] = ()


@dataclass(frozen=True)
class RawMask:
    """A mask as the file has it, upright.

    Parameters
    ----------
    values : ``(H, W)`` whole numbers: 0/1 for 1-bit, indices for palette, gray levels, ``r << 16 | g << 8 | b`` for
        colour, 0 to 255 for alpha.
    kind : how the file is stored; three equal channels count as gray.
    palette : the colours of a palette file, its transparent entry black; of an alpha file the one colour of its opaque pixels;
        else empty.
    has_alpha : the file stores transparency.
    objects : those of the same picture, where files tell them apart; what is wrong with these files where they cannot be read.
    """

    values: npt.NDArray[Any]
    kind: MaskKind
    palette: tuple[Color, ...] = _NO_PALETTE
    has_alpha: bool = False
    objects: RawIds | DataError | None = None


def read_raw_mask(path: Path, *, alpha: bool = False, frame: int | None = None) -> RawMask:
    """The numbers in a mask file.

    Parameters
    ----------
    path : the file.
    frame : which mask of a stack; None where the file holds one.
    alpha : take the transparency of files that store one, whatever their colours. Without it only of those whose opaque pixels
        all have one colour, which is then the palette.

    Raises
    ------
    DataError : truncated, unreadable, fractional numbers, or a stack of pages.
    """
    if stack_suffix(path.name):
        values = read_frame_values(path, frame, is_single=frame is None)
        if values.dtype == np.bool_:
            return RawMask(values.astype(np.uint8), "1-bit")
        return RawMask(_whole(values, path), "gray")
    check_suffix(path)
    with naming(path):
        if path.suffix.lower() in TIFF_SUFFIXES:
            return _raw_tiff(path, alpha)
        with PIL.Image.open(path) as file:
            orientation = exif_orientation(file)
            if is_deep_color_png(path):
                return _from_channels(read_image(path), has_alpha=False, alpha=False)
            raw = _raw_pil(file, path, alpha)
    return RawMask(upright(raw.values, orientation), raw.kind, raw.palette, raw.has_alpha)


def _raw_pil(file: PIL.Image.Image, path: Path, alpha: bool) -> RawMask:
    if file.mode == "1":
        return RawMask(np.array(file).astype(np.uint8), "1-bit")
    if file.mode == "P":
        return _raw_palette(file, path, alpha)
    if file.mode in ("L", "I;16", "I;16B", "I;16L", "I"):
        values = np.array(file)
        depth, color = png_depth_and_color(path)
        if color == 0 and depth in (2, 4):  # Pillow stretches 2 and 4 bit to 0..255; the stored ids are meant
            return RawMask(values // (85 if depth == 2 else 17), "index")
        return RawMask(values.astype(values.dtype.newbyteorder("=")), "gray")
    if file.mode in ("LA", "RGBA"):
        return _from_channels(np.array(file), has_alpha=True, alpha=alpha)
    if file.mode == "F":
        return RawMask(_whole(np.array(file), path), "gray")
    return _from_channels(np.array(file.convert("RGB")), has_alpha=False, alpha=False)


def _raw_palette(file: PIL.Image.Image, path: Path, alpha: bool) -> RawMask:
    values = np.array(file)
    flat = file.getpalette() or []
    palette = tuple((flat[i], flat[i + 1], flat[i + 2]) for i in range(0, len(flat) - 2, 3))
    used = np.unique(values)
    if used[-1] >= len(palette):
        raise DataError(
            f"{path.name} uses palette entry {used[-1]} of {len(palette)}",
            expected="a whole palette",
            where=str(path),
        )
    has_alpha = "transparency" in file.info
    if has_alpha:
        clear = _clear_entries(file.info["transparency"])
        shown = [palette[v] for v in used if v not in clear]
        if alpha or any(v in clear for v in used if v) or len(set(shown)) < len(shown):
            return _from_channels(np.array(file.convert("RGBA")), has_alpha=True, alpha=alpha)
        if 0 in clear:  # the usual background; the other numbers mean what they mean in files without transparency
            palette = ((0, 0, 0), *palette[1:])
    if all(palette[v] == (v, v, v) for v in used) and len(used) > 1:
        return RawMask(values, "gray", has_alpha=has_alpha)  # a gray ramp: the index is the gray level
    return RawMask(values, "palette", palette, has_alpha)


def _clear_entries(stated: int | bytes) -> set[int]:
    """The palette entries that are less than half opaque, as Pillow states them: one entry, or the opacity of each."""
    return {stated} if isinstance(stated, int) else {i for i, opacity in enumerate(stated) if opacity < 128}


def _raw_tiff(path: Path, alpha: bool) -> RawMask:
    tiff = read_tiff(path)
    pixels = _whole(tiff.pixels, path)
    if tiff.colormap is not None:
        return RawMask(pixels[..., 0], "palette", tuple((int(r), int(g), int(b)) for r, g, b in tiff.colormap))
    if pixels.dtype == np.bool_:
        return RawMask(pixels[..., 0].astype(np.uint8), "1-bit")
    return _from_channels(pixels, has_alpha=tiff.has_alpha, alpha=alpha)


def _whole(pixels: npt.NDArray[Any], path: Path) -> npt.NDArray[Any]:
    """Whole numbers of at least 0 that may be stored as fractions or with a sign."""
    if pixels.dtype.kind in "bu":
        return pixels
    rounded = np.nan_to_num(np.round(pixels), nan=-1, posinf=-1, neginf=-1)
    if (rounded != pixels).any() or rounded.min() < 0:
        raise DataError(
            f"{path.name} holds numbers that are no class ids (fractions, negative or not finite)",
            expected="whole numbers from 0", where=str(path), fix="export the mask with one whole number per class",
        )  # fmt: skip
    return rounded.astype(np.int64)


def _from_channels(pixels: npt.NDArray[Any], *, has_alpha: bool, alpha: bool) -> RawMask:
    """Gray where the colour channels agree; transparency where all that is opaque has one colour; else colour."""
    opaque = is_opaque(pixels[..., -1]) if has_alpha else None
    colors = pixels[..., :-1] if has_alpha else pixels
    if colors.shape[2] == 2 or colors.shape[2] > 3:
        raise ValueError(f"{colors.shape[2]} channels; a mask has 1 (ids) or 3 (colours)")
    if opaque is not None:
        colors = np.where(opaque[..., None], colors, 0)  # editors leave any colour below transparent pixels
    values = colors[..., 0]
    is_gray = all(np.array_equal(values, colors[..., i]) for i in range(1, colors.shape[2]))
    if not is_gray:
        eight = colors if colors.dtype == np.uint8 else colors >> 8
        values = eight[..., 0].astype(np.int32) << 16 | eight[..., 1].astype(np.int32) << 8 | eight[..., 2]
    if opaque is not None:
        shown = values[opaque]
        has_one = not opaque.all() and opaque.any() and bool((shown == shown[0]).all())
        if alpha or has_one:
            return RawMask(pixels[..., -1], "alpha", _palette_of(int(shown[0]), is_gray) if has_one else (), True)
    return RawMask(values, "gray" if is_gray else "colour", has_alpha=has_alpha)


def _palette_of(value: int, is_gray: bool) -> tuple[Color, ...]:
    return ((value, value, value) if is_gray else (value >> 16, value >> 8 & 255, value & 255),)


def is_opaque(opacity: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where a transparency channel is more than half opaque."""
    return np.asarray(opacity.astype(np.int64) * 2 > scale_of(int(opacity.max(initial=0))))


def without_alpha(raw: RawMask) -> RawMask:
    """The colour, or gray level, of a mask of kind alpha on a ground of 0; other masks as they are."""
    if raw.kind != "alpha" or not raw.palette:
        return raw
    kind: MaskKind = "gray" if len(set(raw.palette[0])) == 1 else "colour"
    return RawMask(on_zero(raw.values, raw.palette[0]), kind, has_alpha=True, objects=raw.objects)


def on_zero(opacity: npt.NDArray[Any], color: Color) -> npt.NDArray[np.int64]:
    """The number of a colour where the mask is opaque, else 0: the gray level, or ``r << 16 | g << 8 | b``."""
    red, green, blue = color
    number = red if red == green == blue else red << 16 | green << 8 | blue
    return np.where(is_opaque(opacity), number, 0)


@dataclass(frozen=True)
class MaskStats:
    """What one mask file holds, counted once.

    Parameters
    ----------
    path, size_hw, kind, palette, has_alpha : see `RawMask`; of the palette only.
    values : the different values, ascending.
    counts : pixels of each value.
    flat : pixels of each value whose four neighbours have the same value; few in smooth pictures, many in maps of ids.
    num_values : how many different values there are; more than ``len(values)`` when the file is no mask at all.
    solid : share of the values above 0 of which one connected area holds nearly all pixels, as a number of an object does; 0
        when there are fewer than two, or so many that the file is no mask.
    is_in_order : the values above 0 rise in the order of their first pixels, by rows or by columns, as numbered areas do.
    objects : see `RawMask`, counted.
    """

    path: Path
    size_hw: tuple[int, int]
    kind: MaskKind
    palette: tuple[Color, ...]
    has_alpha: bool
    values: tuple[int, ...]
    counts: tuple[int, ...]
    flat: tuple[int, ...]
    num_values: int
    solid: float = 0.0
    is_in_order: bool = False
    objects: IdFacts | DataError | None = None


@dataclass(frozen=True)
class MaskReading:
    """How mask files become class ids; one for a whole data set.

    Parameters
    ----------
    label_space : the classes.
    ignore_value : value in files whose pixels are not known, or None.
    words : the rule as a sentence.
    source : the numbers meant: the stored values, the colours they stand for, or the transparency.
    rule : ``table`` (each value has an id), ``nonzero`` (above 0 is class 1), or ``half`` (above half of the scale).
    table : for the rule ``table``: (value, id), by value.
    is_numbered : the rule is ``nonzero``, and each value above 0 is the number of an object.
    """

    label_space: LabelSpace
    ignore_value: int | None
    words: str
    source: Literal["value", "colour", "alpha"] = "value"
    rule: Literal["table", "nonzero", "half"] = "nonzero"
    table: tuple[tuple[int, int], ...] = ()
    is_numbered: bool = False

    def labels(self, path: Path) -> tuple[Labels, npt.NDArray[np.bool_]]:
        """Class ids ``(H, W)`` of a mask file, and where they are known.

        Raises
        ------
        DataError : unreadable, or a value that this reading does not know; the message counts its pixels.
        """
        return self.labels_of(read_raw_mask(path, alpha=self.source == "alpha"), path)

    def labels_of(self, raw: RawMask, path: Path) -> tuple[Labels, npt.NDArray[np.bool_]]:
        """Class ids and known pixels of a mask that is read already; `path` is for messages. Raises as `labels`."""
        values = self.meant(raw.values, raw.kind, raw.palette)
        ids = self.ids(values, scale_of(int(values.max())))
        if (ids == UNKNOWN).any():
            strange, counts = np.unique(values[ids == UNKNOWN], return_counts=True)
            raise DataError(
                f"{path.name} holds the value {self.show(int(strange[0]))} in {counts[0]} pixels",
                expected=f"one of the {len(self.label_space)} classes {', '.join(self.label_space.names)}",
                where=str(path), fix="correct the mask, or declare all classes in limner.toml",
            )  # fmt: skip
        known = np.maximum(ids, 0)
        labels: Labels = known.astype(np.uint8) if len(self.label_space) <= 256 else known.astype(np.uint16)
        return labels, ids >= 0

    def meant(self, values: npt.NDArray[Any], kind: MaskKind, palette: Sequence[Color]) -> npt.NDArray[Any]:
        """The numbers that `source` is about, from values as a file stores them."""
        if self.source == "colour":
            return as_colors(values, kind, palette)
        return on_zero(values, palette[0]) if self.source == "value" and kind == "alpha" and palette else values

    def ids(self, values: npt.NDArray[Any], scale: int) -> npt.NDArray[np.int32]:
        """The id of each value; `UNKNOWN` and `IGNORED` for others. `scale` is the largest value the file can mean."""
        if self.rule == "table":
            known = np.array([value for value, _ in self.table], dtype=np.int64)
            targets = np.array([target for _, target in self.table], dtype=np.int32)
            place = np.minimum(np.searchsorted(known, values), len(known) - 1)
            ids = np.where(known[place] == values, targets[place], UNKNOWN).astype(np.int32)
        elif self.rule == "nonzero":
            ids = (values > 0).astype(np.int32)
        else:
            ids = (values.astype(np.int64) * 2 > scale).astype(np.int32)
        if self.ignore_value is not None:
            ids[values == self.ignore_value] = IGNORED
        return ids

    def count(self, stats: MaskStats) -> dict[int, int]:
        """Pixels of each id in a surveyed file, `UNKNOWN` and `IGNORED` among them."""
        values = self.meant(np.array(stats.values), stats.kind, stats.palette)
        pixels: dict[int, int] = {}
        for index, number in zip(self.ids(values, scale_of(int(values.max()))).tolist(), stats.counts, strict=True):
            pixels[index] = pixels.get(index, 0) + number
        return pixels

    def show(self, value: int) -> str:
        """A value as people write it."""
        return f"#{value:06x}" if self.source == "colour" else str(value)


def as_colors(values: npt.NDArray[Any], kind: MaskKind, palette: Sequence[Color]) -> npt.NDArray[np.int64]:
    """Values of any kind of file as ``r << 16 | g << 8 | b``."""
    if kind == "colour":
        return values.astype(np.int64)
    if kind == "palette":
        colors: npt.NDArray[np.int64] = np.array([r << 16 | g << 8 | b for r, g, b in palette], dtype=np.int64)[values]
        return colors
    if kind == "alpha" and palette:
        values = on_zero(values, palette[0])
        if len(set(palette[0])) > 1:
            return values
    gray = values.astype(np.int64) * (255 if kind == "1-bit" else 1)
    gray = gray >> 8 if gray.size and gray.max() > 255 else gray
    return gray * 0x010101


def scale_of(largest: int) -> int:
    """The largest value that a file with this maximum can mean: 1, 255 or 65535.

    Examples
    --------
    >>> scale_of(1), scale_of(6), scale_of(300)
    (1, 255, 65535)
    """
    return 1 if largest <= 1 else 255 if largest <= 255 else 65535
