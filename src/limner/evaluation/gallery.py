"""Pictures of a report, drawn at the size they are shown at: picture, truth, prediction, mistakes, and a close-up.

A picture is made smaller first and drawn on afterwards, so that outlines stay crisp, one pixel wide; labels are made smaller so
that the smallest object keeps a pixel.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.labels import LabelSpace
from limner.evaluation.error_map import KINDS, ErrorCounts, LabelArray, Mask, find_errors, label_objects
from limner.evaluation.inspection import LARGEST
from limner.evaluation.pictures import Picture, error_picture, overlay, to_display, triptych, two_outlines

WIDTH, HEIGHT = 440, 660  # pixels of a panel
FILE_SIDE = 1024  # pixels of a panel of a picture file
TINY = 14  # pixels across, where shown: objects below need a close-up
CLOSE_UP = 0.25  # side of the close-up, as a share of the picture's
DARK = 110  # 99th percentile of an 8-bit picture below which it is brightened

Window = tuple[slice, slice]  # rows and columns at native size


@dataclass(frozen=True)
class Case:
    """One picture to look at.

    Parameters
    ----------
    name : of the picture.
    image : ``(H, W, C)`` of any depth.
    target, pred : ``(H, W)`` class ids.
    dice : see `limner.evaluation.ranking.picture_scores`; NaN when undefined.
    kind : ``best``, ``median`` or ``worst``.
    valid : ``(H, W)`` bool, or None: all valid.
    """

    name: str
    image: npt.NDArray[Any]
    target: npt.NDArray[np.integer]
    pred: npt.NDArray[np.integer]
    dice: float
    kind: str = ""
    valid: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class DrawnCase:
    """A `Case`, ready to be shown; holds small pictures only.

    Parameters
    ----------
    name, kind, dice : as in `Case`.
    size : of the picture, in words.
    dark : whether it was brightened to be seen.
    panels : ``(what, picture)``: picture, truth, prediction, mistakes.
    close_up : the same for the part with most mistakes; empty where the panels show enough.
    errors : wrong pixels by kind and class.
    triptych, overlay : for files, at most `FILE_SIDE` a panel.
    """

    name: str
    kind: str
    dice: float
    size: str
    dark: bool
    panels: tuple[tuple[str, Picture], ...]
    close_up: tuple[tuple[str, Picture], ...]
    errors: ErrorCounts
    triptych: Picture
    overlay: Picture

    @property
    def mistakes(self) -> str:
        """What the wrong pixels are, in words, the most frequent kind first."""
        if not self.errors.total:
            return "no wrong pixel"
        ranked = sorted(zip(self.errors.pixels, KINDS, strict=True), key=lambda pair: -pair[0])
        shares = [(pixels / self.errors.total, kind.title) for pixels, kind in ranked if pixels]
        parts = [f"{share:.0%} {title}" if share >= 0.005 else f"< 1% {title}" for share, title in shares]
        return f"{self.errors.total:,} wrong pixel{'s' * (self.errors.total > 1)}: {', '.join(parts[:3])}"


@dataclass(frozen=True)
class DrawnSuspect:
    """A label that may be wrong, with the picture to judge it by.

    Parameters
    ----------
    name : of the picture.
    reason : why it is suspected, in words.
    panels : ``(what, picture)``: the whole picture, and the part where label and prediction differ most.
    """

    name: str
    reason: str
    panels: tuple[tuple[str, Picture], ...]


def draw_case(case: Case, label_space: LabelSpace) -> DrawnCase:
    """All panels of `case`; a picture above `LARGEST` pixels is looked at, and its mistakes are counted, at a smaller size."""
    native = f"{case.target.shape[1]} x {case.target.shape[0]} pixels"
    case, step = _manageable(case)
    native += f", looked at in 1 : {step}" if step > 1 else ""
    kinds, errors = find_errors(case.pred, case.target, valid=case.valid, num_classes=len(label_space))
    image = to_display(case.image)
    dark = image.size > 0 and float(np.percentile(image, 99)) < DARK
    image = to_display(image, stretch=True) if dark else image
    height, width = case.target.shape
    right = (case.target > 0) & (case.pred == case.target) & (True if case.valid is None else case.valid)
    window = _close_up(kinds, case, shown_size((height, width))[1] / width)
    layers = (image, case.target, case.pred, kinds, right)
    file_scale = min(1.0, FILE_SIDE / max(height, width))
    small = _resize(layers, (max(1, round(height * file_scale)), max(1, round(width * file_scale))))
    return DrawnCase(
        name=case.name, kind=case.kind, dice=case.dice, size=native, dark=dark,
        panels=_panels(layers, label_space, window=window),
        close_up=() if window is None else _panels(tuple(layer[window] for layer in layers), label_space),
        errors=errors, triptych=triptych(small[0], small[1], small[2], label_space),
        overlay=overlay(small[0], small[2], label_space),
    )  # fmt: skip


def _manageable(case: Case) -> tuple[Case, int]:
    """Every n-th row and column of a picture that is too large; and n."""
    step = math.ceil(math.sqrt(case.target.size / LARGEST)) if case.target.size > LARGEST else 1
    if step == 1:
        return case, 1
    thin = np.s_[::step, ::step]
    valid = None if case.valid is None else case.valid[thin]
    image, target, pred = case.image[thin], case.target[thin], case.pred[thin]
    return dataclasses.replace(case, image=image, target=target, pred=pred, valid=valid), step


def draw_suspect(
    name: str,
    reason: str,
    image: npt.NDArray[Any],
    target: LabelArray,
    pred: LabelArray,
    *,
    valid: Mask | None = None,
) -> DrawnSuspect:
    """Outlines of label and prediction on the whole picture and on the part where they differ most.

    Parameters
    ----------
    name : of the picture.
    reason : why the label is suspected, in words.
    image : ``(H, W, C)`` of any depth.
    target, pred : ``(H, W)`` class ids; the label, and the prediction of a model that did not learn from it.
    valid : ``(H, W)`` bool, or None: all valid.
    """
    shown = to_display(image)
    if shown.size and float(np.percentile(shown, 99)) < DARK:
        shown = to_display(shown, stretch=True)
    wrong = (target != pred) & (np.ones(target.shape, np.bool_) if valid is None else valid)
    window = densest(wrong)
    panels = [("whole picture", _outlined(shown, target, pred, window))]
    if window is not None:
        panels.append(("largest difference", _outlined(shown[window], target[window], pred[window])))
    return DrawnSuspect(name, reason, tuple(panels))


def _outlined(image: Picture, target: LabelArray, pred: LabelArray, window: Window | None = None) -> Picture:
    native = target.shape[0], target.shape[1]
    image, target, pred = _resize((image, target, pred), shown_size(native))
    return framed(two_outlines(image, target, pred), window, native)


def _panels(
    layers: tuple[npt.NDArray[Any], ...], label_space: LabelSpace, window: Window | None = None
) -> tuple[tuple[str, Picture], ...]:
    native = layers[0].shape[0], layers[0].shape[1]
    image, target, pred, kinds, right = _resize(layers, shown_size(native))
    return (
        ("picture", framed(image, window, native)), ("truth", overlay(image, target, label_space)),
        ("prediction", overlay(image, pred, label_space)), ("mistakes", error_picture(image, kinds, right > 0)),
    )  # fmt: skip


def shown_size(size_hw: tuple[int, int]) -> tuple[int, int]:
    """Height and width of a panel: at most `WIDTH` and `HEIGHT`; small pictures are enlarged by a whole number."""
    height, width = size_hw
    scale = min(WIDTH / max(1, width), HEIGHT / max(1, height))
    if scale >= 1:
        return height * int(scale), width * int(scale)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _resize(layers: tuple[npt.NDArray[Any], ...], size_hw: tuple[int, int]) -> tuple[npt.NDArray[Any], ...]:
    """The picture, then label maps, at another size."""
    image, size_wh = layers[0], (size_hw[1], size_hw[0])
    shrinks = size_hw[0] < image.shape[0] or size_hw[1] < image.shape[1]
    shown = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
    return (np.asarray(shown, np.uint8), *(resize_ids(ids, size_hw) for ids in layers[1:]))


def resize_ids(ids: npt.NDArray[Any], size_hw: tuple[int, int]) -> npt.NDArray[np.uint16]:
    """Class ids at another size; when made smaller, the larger id wins, so that nothing but background is lost.

    Parameters
    ----------
    ids : ``(H, W)`` class ids below 65536, or bool.
    size_hw : wanted height and width, >= 1.

    Examples
    --------
    >>> ids = np.zeros((6, 9), np.uint8)
    >>> ids[4, 7] = 3
    >>> resize_ids(ids, (2, 3)).tolist()
    [[0, 0, 0], [0, 0, 3]]
    """
    values = ids.astype(np.uint16)
    height, width = values.shape
    for axis, (wanted, now) in enumerate(zip(size_hw, (height, width), strict=True)):
        if wanted < now:  # output cell i holds the input pixels from i * now // wanted to the start of the next cell
            values = np.maximum.reduceat(values, np.arange(wanted) * now // wanted, axis=axis)
        else:
            values = np.take(values, np.arange(wanted) * now // wanted, axis=axis)
    return np.ascontiguousarray(values)


def _close_up(kinds: npt.NDArray[np.uint8], case: Case, scale: float) -> Window | None:
    """The part with most mistakes, where the middle object is below `TINY` pixels as shown; None where it is larger."""
    ids, count = label_objects(np.where((case.target > 0) | (case.pred > 0), 1, 0))
    if not count or scale >= 1:
        return None
    across = float(np.median(2 * np.sqrt(np.bincount(ids.ravel())[1:] / np.pi)))
    return densest(kinds > 0) if across * scale < TINY else None


def densest(wrong: Mask) -> Window | None:
    """The window of `CLOSE_UP` of the picture's sides with most `wrong` pixels; None where none is wrong, or nothing is gained."""
    height, width = wrong.shape
    tall, wide = (min(n, max(48, round(n * CLOSE_UP))) for n in (height, width))
    if not wrong.any() or (tall > 0.7 * height and wide > 0.7 * width):
        return None
    sums = cv2.integral(wrong.astype(np.uint8))
    inside = sums[tall:, wide:] - sums[:-tall, wide:] - sums[tall:, :-wide] + sums[:-tall, :-wide]
    top, left = (int(v) for v in np.unravel_index(int(inside.argmax()), inside.shape))
    return slice(top, top + tall), slice(left, left + wide)


def framed(image: Picture, window: Window | None, native_hw: tuple[int, int]) -> Picture:
    """A white frame with a black rim around the window of the close-up; `image` may be shown at another size than it has."""
    if window is None:
        return image
    drawn = image.copy()
    top, bottom = (round(edge * image.shape[0] / native_hw[0]) for edge in (window[0].start, window[0].stop))
    left, right = (round(edge * image.shape[1] / native_hw[1]) for edge in (window[1].start, window[1].stop))
    for color, width in (((0, 0, 0), 4), ((255, 255, 255), 2)):
        cv2.rectangle(drawn, (left, top), (right - 1, bottom - 1), color, width)
    return drawn
