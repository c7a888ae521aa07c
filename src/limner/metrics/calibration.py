"""Are the scores honest: of all pixels answered with a score of 0.8, are 80 % right? And a temperature that makes them so.

    ECE = sum over bins of (pixels of the bin / all pixels) |share right - mean confidence|     15 bins of equal width
    Brier = mean of (score - truth)^2,  truth 0 or 1                                            for one yes/no map

The confidence of an answer is the score of what was answered: the score itself where the class was predicted, one minus
the score where it was not. Sums add up over pictures. The background is most of many pictures and easy; it makes both
numbers small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError, ShapeError

Scores = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

BINS = 15
COLDEST, HOTTEST = 0.05, 20.0  # temperatures looked at: beyond, scores are as good as 0 and 1, or all alike
SMALLEST = 1e-7  # scores are held this far from 0 and 1 before their logarithm is taken
ROUNDING = 1e-6  # scores may lie so far beyond 0 and 1: weighted means of single precision do
BLOCK = 2**20  # scores that are worked on at once, in double precision: all those of a large picture take gigabytes
HALVINGS = 40  # of the range of the logarithm of the temperature: exact to eleven digits


@dataclass(frozen=True)
class Reliability:
    """Pixels by the confidence of their answer; bin i holds confidences from i / 15 to below (i + 1) / 15.

    Parameters
    ----------
    pixels : ``(15,)`` int64, answers in each bin.
    confidence : ``(15,)`` float64, sum of their confidences.
    right : ``(15,)`` int64, how many of them are right.
    squares : sum of (score - truth)^2 over all pixels.
    """

    pixels: npt.NDArray[np.int64]
    confidence: npt.NDArray[np.float64]
    right: npt.NDArray[np.int64]
    squares: float

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.pixels + other.pixels, self.confidence + other.confidence, self.right + other.right,
            self.squares + other.squares,
        )  # fmt: skip

    @property
    def total(self) -> int:
        """All pixels."""
        return int(self.pixels.sum())

    @property
    def ece(self) -> float:
        """Expected calibration error: in [0, 1], 0 is best; NaN without pixels.

        References
        ----------
        Naeini et al. 2015, AAAI; Guo et al. 2017, arXiv:1706.04599.
        """
        return float(np.abs(self.right - self.confidence).sum()) / self.total if self.total else math.nan

    @property
    def brier(self) -> float:
        """Mean squared distance of scores from the truth: in [0, 1], 0 is best; NaN without pixels.

        References
        ----------
        Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2.
        """
        return self.squares / self.total if self.total else math.nan

    def rows(self) -> list[dict[str, float | int | None]]:
        """One row per bin with ``from to n confidence accuracy``; the last two are means, None in an empty bin."""
        return [
            {
                "from": index / BINS, "to": (index + 1) / BINS, "n": int(pixels),
                "confidence": float(confidence / pixels) if pixels else None,
                "accuracy": float(right / pixels) if pixels else None,
            }
            for index, (pixels, confidence, right) in enumerate(
                zip(self.pixels, self.confidence, self.right, strict=True)
            )
        ]  # fmt: skip


def no_reliability() -> Reliability:
    """No pixels at all; the neutral element of adding."""
    return Reliability(np.zeros(BINS, np.int64), np.zeros(BINS), np.zeros(BINS, np.int64), 0.0)


def reliability(scores: Scores, pred_mask: Mask, target_mask: Mask, *, valid: Mask | None = None) -> Reliability:
    """Sort the answers about one class by their confidence.

    Parameters
    ----------
    scores : float, any axes, in [0, 1] but for rounding: how sure the class is there.
    pred_mask : bool, the same shape: what was answered, whatever the threshold.
    target_mask : bool, the same shape: what is true.
    valid : bool, the same shape; False pixels are left out. None: all are valid.

    Raises
    ------
    ShapeError : the arrays differ in shape.
    DataError : a score that is not in [0, 1], or is not a number.

    Examples
    --------
    >>> found = reliability(np.array([0.9, 0.9, 0.2]), np.array([True, True, False]), np.array([True, False, False]))
    >>> round(found.ece, 3), round(found.brier, 3)
    (0.333, 0.287)
    """
    if not scores.shape == pred_mask.shape == target_mask.shape or (valid is not None and valid.shape != scores.shape):
        raise ShapeError(
            f"scores of shape {scores.shape} for masks of shape {pred_mask.shape} and {target_mask.shape}",
            expected="the same shape", fix="bring scores and prediction back to the size of the picture",
        )  # fmt: skip
    if valid is not None:
        scores, pred_mask, target_mask = scores[valid], pred_mask[valid], target_mask[valid]
    score = scores.astype(np.float64).ravel()
    if score.size and not (score.min() >= -ROUNDING and score.max() <= 1 + ROUNDING):
        raise DataError("scores that are not in [0, 1]", expected="scores after sigmoid or softmax")
    score = np.clip(score, 0, 1)
    pred, target = pred_mask.astype(bool, copy=False).ravel(), target_mask.astype(bool, copy=False).ravel()
    confidence = np.where(pred, score, 1 - score)
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    return Reliability(
        np.bincount(place, minlength=BINS).astype(np.int64), np.bincount(place, confidence, BINS).astype(np.float64),
        np.bincount(place[pred == target], minlength=BINS).astype(np.int64), float(((score - target) ** 2).sum()),
    )  # fmt: skip


def to_logits(scores: Scores) -> npt.NDArray[np.float64]:
    """Logits that give these scores: of the sigmoid for one map ``(1, ...)``, of the softmax (up to a constant) for several.

    Parameters
    ----------
    scores : ``(K, ...)`` in [0, 1]; held `SMALLEST` away from 0 and 1.
    """
    kept = np.clip(scores.astype(np.float64), SMALLEST, 1 - SMALLEST)
    logits = np.log(kept) - np.log1p(-kept) if scores.shape[0] == 1 else np.log(kept)
    return np.asarray(logits, np.float64)


def fit_temperature(logits: Scores, labels: npt.NDArray[np.integer], *, valid: Mask | None = None) -> float:
    """The temperature T for which sigmoid or softmax of ``logits / T`` explains the labels best.

    Parameters
    ----------
    logits : ``(K, ...)``; one map: the sigmoid's, for class 1 against 0; several: the softmax's. See `to_logits`.
    labels : ``(...)`` class ids.
    valid : ``(...)`` bool, False pixels are left out. None: all are valid.

    Returns
    -------
    In [0.05, 20]; above 1 the scores were too sure, below 1 too timid. The end of the range where the labels ask for
    more, such as 0.05 where every answer is right; 1.0 without pixels. The class with the highest score stays the same.

    Raises
    ------
    ShapeError : the arrays do not fit.
    DataError : an id without a map, or logits that are not finite.

    Notes
    -----
    The negative log-likelihood is convex in 1 / T, so its derivative changes sign once; that place is halved in on a
    logarithmic scale. Fit on pictures that did not train the weights.

    References
    ----------
    Guo et al. 2017, arXiv:1706.04599, section 4.2.

    Examples
    --------
    >>> sure = np.array([[4.0, 4.0, 4.0, 4.0]])  # 98 % sure each time, right three times of four
    >>> round(fit_temperature(sure, np.array([1, 1, 1, 0])), 3)
    3.641
    """
    maps = logits.shape[0] if logits.ndim else 0
    if not maps or logits.shape[1:] != labels.shape or (valid is not None and valid.shape != labels.shape):
        raise ShapeError(f"logits of shape {logits.shape}", expected=f"(K, *{labels.shape})")
    flat, ids = logits.reshape(maps, -1).astype(np.float64), labels.ravel()
    if valid is not None:
        flat, ids = flat[:, valid.ravel()], ids[valid.ravel()]
    if not ids.size:
        return 1.0
    if not np.isfinite(flat).all() or int(ids.min()) < 0 or int(ids.max()) >= max(2, maps):
        raise DataError("logits that are not finite, or ids without a map", expected=f"ids 0 to {max(2, maps) - 1}")
    if maps == 1:
        flat = np.concatenate([np.zeros_like(flat), flat])  # a sigmoid is a softmax with a logit that is always 0
    flat -= flat.max(axis=0)
    true = flat[ids, np.arange(ids.size)].mean()
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        weights = np.exp(flat / math.exp(middle))
        expected = float(((weights * flat).sum(axis=0) / weights.sum(axis=0)).mean())
        low, high = (middle, high) if expected > true else (low, middle)  # too sure: hotter
    return math.exp((low + high) / 2)


def apply_temperature(
    scores: Scores, temperature: float, *, out: npt.NDArray[np.float32] | None = None
) -> npt.NDArray[np.float32]:
    """Scores of the same network at another temperature; only scores are needed, no logits.

    Parameters
    ----------
    scores : ``(K, ...)`` after sigmoid (one map) or softmax (several).
    temperature : > 0; 1 changes nothing.
    out : where the answer goes, ``(K, ...)`` contiguous; may be `scores`. None = a new array.

    Returns
    -------
    ``(K, ...)`` float32. The highest class stays the highest; a threshold t of one map has to become
    ``apply_temperature([[t]], temperature)`` to decide the same, 0.5 stays 0.5.

    Raises
    ------
    ValueError : `temperature` is not above 0.
    """
    if not temperature > 0:
        raise ValueError(f"temperature {temperature}: expected a number above 0")
    maps = scores.shape[0]
    found = np.empty(scores.shape, np.float32) if out is None else out
    before, after = scores.reshape(maps, -1), found.reshape(maps, -1)
    step = max(1, BLOCK // max(1, maps))
    for start in range(0, before.shape[1], step):
        after[:, start : start + step] = _at_temperature(before[:, start : start + step], temperature)
    return found


def _at_temperature(scores: Scores, temperature: float) -> npt.NDArray[np.float64]:
    logits = to_logits(scores) / temperature
    if scores.shape[0] == 1:
        return np.asarray(1 / (1 + np.exp(-logits)))
    weights = np.exp(logits - logits.max(axis=0))
    return np.asarray(weights / weights.sum(axis=0))


DEFINITIONS: dict[str, str] = {
    "ece": "Expected calibration error per picture: mean distance between the confidence of the answers about the class and the "
    "share of them that is right, in 15 bins of equal width over all valid pixels; undefined, skipped and counted where no "
    "pixel is valid.",
    "brier": "Mean of (score - truth)^2 over all valid pixels per picture, truth 0 or 1; undefined, skipped and counted where no "
    "pixel is valid.",
}
