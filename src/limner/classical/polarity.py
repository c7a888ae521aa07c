"""Which side of a threshold is the object.

A picture shows its objects on something, and that something reaches the border: the class that holds most of the border's
pixels is the background. Where this is wrong for a kind of picture, ``bright`` or ``dark`` says it outright.

Three classes or more may cut one bell curve into shades. Its halves lie 2.6 of their own standard deviations apart, those of
an even distribution 3.5: a class nearer than 3 to the background is a shade of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from limner.classical.gray import Gray, Mask
from limner.core.choices import choose

POLARITIES = {
    "auto": "the class that holds most of the border is background",
    "bright": "the darkest class is background",
    "dark": "the brightest class is background",
    "brightest": "the brightest class alone is the object",
    "darkest": "the darkest class alone is the object",
}
ONE_CLASS = {"brightest": -1, "darkest": 0}  # place of the class; of two classes they say the same as bright and dark

SHADE = 3.0  # standard deviations


def choose_object(classes: npt.NDArray[Any], gray: Gray | None = None, *, polarity: str = "auto") -> Mask:
    """The pixels that are not background.

    Parameters
    ----------
    classes : ``(H, W)`` class numbers from 0, in order of brightness.
    gray : ``(H, W)`` the brightness; with it and three classes or more, shades of the background are background too, as
        long as one class is left.
    polarity : one of `POLARITIES`. Between two classes with equally much border ``auto`` takes the one with more pixels for
        background, and of two equal ones the darker.

    Returns
    -------
    ``(H, W)`` bool, the pixels of the object; all False where there is one class alone.

    Raises
    ------
    RecipeError : unknown polarity.

    Examples
    --------
    >>> choose_object(np.array([[1, 1, 1, 1], [1, 0, 0, 1], [1, 1, 1, 1]]))[1].tolist()
    [False, True, True, False]
    """
    choose(POLARITIES, polarity, kind="polarity")
    sizes = np.bincount(classes.ravel())
    shown = np.flatnonzero(sizes)
    if len(shown) < 2:
        return np.zeros(classes.shape, bool)
    if polarity in ONE_CLASS:
        return np.asarray(classes == shown[ONE_CLASS[polarity]])
    if polarity == "auto":
        border = np.bincount(border_values(classes), minlength=len(sizes))
        background = max(shown.tolist(), key=lambda k: (border[k], sizes[k], -k))
    else:
        background = int(shown[0] if polarity == "bright" else shown[-1])
    shades = {background} if gray is None else _shades(classes, gray, background, shown.tolist())
    return np.isin(classes, sorted(shades), invert=True)


def _shades(classes: npt.NDArray[Any], gray: Gray, background: int, shown: list[int]) -> set[int]:
    """`background` and its neighbours in brightness that are too near to be something else; never all classes."""
    means, deviations = {}, {}
    for k in shown:
        values = gray[classes == k].astype(np.float64)
        means[k], deviations[k] = float(values.mean()), float(values.std())
    first = last = shown.index(background)
    while last - first + 1 < len(shown) - 1:
        gaps = {}
        for inner, outer in ((first, first - 1), (last, last + 1)):
            if 0 <= outer < len(shown):
                a, b = shown[inner], shown[outer]
                gaps[outer] = abs(means[a] - means[b]) / max((deviations[a] + deviations[b]) / 2, 1e-6)
        nearest = min(gaps, key=lambda outer: gaps[outer])
        if gaps[nearest] >= SHADE:
            break
        first, last = min(first, nearest), max(last, nearest)
    return set(shown[first : last + 1])


def border_values(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values of the outermost pixels of ``(H, W)``, each once.

    Examples
    --------
    >>> border_values(np.arange(12).reshape(3, 4)).tolist()
    [0, 1, 2, 3, 8, 9, 10, 11, 4, 7]
    """
    height, width = plane.shape
    rows = plane[[0, -1]] if height > 1 else plane
    sides = plane[1:-1, [0, -1]] if width > 1 else plane[1:-1]
    return np.concatenate([rows.ravel(), sides.ravel()])


def is_bright_object(gray: Gray, threshold: float, *, polarity: str = "auto") -> bool:
    """Whether the object lies above `threshold`, by the rule of `choose_object`."""
    bright = gray > threshold
    return bool((choose_object(bright.astype(np.uint8), polarity=polarity) & bright).any())
