"""From the packed answer of query masks to class scores, labels and objects at native size; NumPy alone.

Scores are those of the published semantic inference, ``sum over queries of score(class) * sigmoid(mask)``. Objects follow the
published panoptic inference with two refinements, so that objects may overlap in the picture and none is cut twice:

1. A query counts when its best class is not "no object" and that class's score reaches `score`.
2. Where masks of several queries hold (logit >= 0), the one with the largest score x sigmoid(mask) has the pixel; the published
   rule lets queries take part whose mask does not hold there, and leaves the pixel to nobody when one of these wins.
3. A query that is left with less than `overlap` of its own mask is given up as a whole, the least sure first, and its pixels
   go to those that remain, so that no object is cut by one that is not there any more; the published rule leaves them empty.
4. Each query of a thing is an object; those of one class of stuff are joined, and what is too small is taken away.

Cheng et al. 2021, arXiv:2107.06278, section 3.4 (MaskFormer), whose rules Mask2Former and EoMT share.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.labels import Labels, LabelSpace
from limner.core.objects import Objects, number_objects
from limner.core.query_answer import unpack
from limner.inference.resample import Taps, taps

Maps = npt.NDArray[np.float32]


@dataclass(frozen=True)
class QueryRules:
    """When a query counts.

    Parameters
    ----------
    score : least score of its class, in [0, 1].
    overlap : least share of its mask that it must keep, in [0, 1].
    min_area : objects of fewer native pixels are taken away.
    min_stuff : connected regions of stuff of fewer native pixels are taken away.
    """

    score: float = 0.5
    overlap: float = 0.8
    min_area: int = 0
    min_stuff: int = 0


@dataclass(frozen=True)
class _Axes:
    """How a mask is enlarged to native size, along rows and columns."""

    rows: Taps
    columns: Taps


@dataclass(frozen=True)
class _Claim:
    """One query that counts.

    Parameters
    ----------
    class_id : of the label space.
    score : of its class.
    mask : ``(h, w)`` logits, as the network gave them: enlarged ones of all queries would take gigabytes in a large picture.
    rows, columns : the native rectangle outside of which the mask does not hold.
    """

    class_id: int
    score: float
    mask: Maps
    rows: slice
    columns: slice


def class_scores(packed: Maps, label_space: LabelSpace, size_hw: tuple[int, int]) -> Maps:
    """Class scores ``(K, H, W)`` in [0, 1] of one picture, enlarged bilinearly to `size_hw`.

    Parameters
    ----------
    packed : ``(Q, h + r, w)`` float32.

    Returns
    -------
    One map for two classes: the score of the foreground, at most 1. Else one per class that add up to 1; the background has what
    the classes leave of 1. A picture in which no query shows anything is background.
    """
    num_classes = len(label_space) - 1
    masks, logits = (part[0] for part in unpack(packed[None], num_classes))
    classes = _softmax(logits)[:, :-1]
    queries, height, width = masks.shape
    small = (classes.T @ _sigmoid(masks).reshape(queries, -1)).reshape(num_classes, height, width)
    total = small.sum(0)
    if label_space.num_maps == 1:
        small = np.minimum(small, 1)
    else:
        background = np.maximum(1 - total, 0)
        small = np.concatenate([background[None], small]) / np.maximum(total, 1)
    axes = _Axes(taps(height, size_hw[0], "linear"), taps(width, size_hw[1], "linear"))
    whole = slice(0, size_hw[0]), slice(0, size_hw[1])
    return np.stack([_part(np.asarray(each, np.float32), axes, *whole) for each in small])


def decode_queries(
    packed: Maps, label_space: LabelSpace, size_hw: tuple[int, int], rules: QueryRules | None = None
) -> tuple[Labels, Objects]:
    """Labels ``(H, W)`` and objects of one picture by the rules at the top of this file.

    Parameters
    ----------
    packed : ``(Q, h + r, w)`` float32.
    label_space : its `things` are told apart.
    size_hw : native height and width.
    rules : None = `QueryRules`.

    Returns
    -------
    Class ids, uint8 (uint16 above 256 classes), 0 where no query has the pixel; objects in raster order, each scored by its
    class's score times the mean of its mask where it has the pixels. Every pixel of an object is labelled as its class.
    """
    rules = rules or QueryRules()
    found, axes = _claims(packed, len(label_space) - 1, size_hw, rules.score)
    things = set(label_space.thing_ids)
    winner, claims, scores = _settle(found, axes, size_hw, rules, things)
    class_of = np.array([0, *(claim.class_id for claim in claims)], np.uint8 if len(label_space) <= 256 else np.uint16)
    labels: Labels = np.asarray(class_of[winner], class_of.dtype)
    if rules.min_stuff > 1:
        for class_id in {claim.class_id for claim in claims} - things:
            labels[_small_regions(labels == class_id, rules.min_stuff)] = 0
    is_thing = np.array([False, *(claim.class_id in things for claim in claims)])
    ids = np.where(is_thing[winner], winner, 0)
    return labels, number_objects(ids, labels, scores=scores)


def _claims(packed: Maps, num_classes: int, size_hw: tuple[int, int], least: float) -> tuple[list[_Claim], _Axes]:
    """The queries that count, the surest first; of equally sure ones the first."""
    masks, logits = (part[0] for part in unpack(packed[None], num_classes))
    scores = _softmax(logits)
    best = scores.argmax(1)
    score = scores[np.arange(len(scores)), best]
    counts = (best < num_classes) & (score >= least) & (masks >= 0).any((1, 2))
    axes = _Axes(taps(masks.shape[1], size_hw[0], "linear"), taps(masks.shape[2], size_hw[1], "linear"))
    claims = []
    for query in np.flatnonzero(counts)[np.argsort(-score[counts], kind="stable")]:
        mask = np.asarray(masks[query], np.float32)
        rows = _reach(np.flatnonzero((mask >= 0).any(1)), axes.rows)
        columns = _reach(np.flatnonzero((mask >= 0).any(0)), axes.columns)
        claims.append(_Claim(int(best[query]) + 1, float(score[query]), mask, rows, columns))
    return claims, axes


class _Dealt:
    """Who has each pixel, and how sure of it.

    Parameters
    ----------
    claims : the surest first; claim i has number i + 1.
    axes : how their masks are enlarged.
    size_hw : native height and width.
    """

    def __init__(self, claims: list[_Claim], axes: _Axes, size_hw: tuple[int, int]) -> None:
        self.claims, self.axes = claims, axes
        self.winner = np.zeros(size_hw, np.int32)
        self.best = np.zeros(size_hw, np.float32)
        whole = slice(0, size_hw[0]), slice(0, size_hw[1])
        self.own = np.array([self.lay_down(number, *whole) for number in range(len(claims))], np.int64)
        self.left = np.bincount(self.winner.ravel(), minlength=len(claims) + 1)[1:]

    def lay_down(self, number: int, rows: slice, columns: slice) -> int:
        """Give a claim the pixels of a rectangle where it is surer than who has them; returns where its mask holds there.

        Of equals the one that was first keeps a pixel.
        """
        claim = self.claims[number]
        rows, columns = _common(rows, claim.rows), _common(columns, claim.columns)
        if rows.start >= rows.stop or columns.start >= columns.stop:
            return 0
        logits = _part(claim.mask, self.axes, rows, columns)
        holds = logits >= 0
        sure = _sigmoid(logits) * np.float32(claim.score)
        best = self.best[rows, columns]
        wins = holds & (sure > best)
        best[wins] = sure[wins]
        self.winner[rows, columns][wins] = number + 1
        return int(np.count_nonzero(holds))

    def give_up(self, number: int, alive: list[int]) -> None:
        """Deal the pixels of a claim to those of `alive`; only its own rectangle changes."""
        rows, columns = self.claims[number].rows, self.claims[number].columns
        winner = self.winner[rows, columns]
        before = np.bincount(winner.ravel(), minlength=len(self.claims) + 1)[1:]
        taken = winner == number + 1
        winner[taken], self.best[rows, columns][taken] = 0, 0
        for other in alive:
            self.lay_down(other, rows, columns)
        self.left = self.left - before + np.bincount(winner.ravel(), minlength=len(self.claims) + 1)[1:]


def _settle(
    claims: list[_Claim], axes: _Axes, size_hw: tuple[int, int], rules: QueryRules, things: set[int]
) -> tuple[npt.NDArray[np.int32], list[_Claim], Maps]:
    """Which claim has each pixel (0 = none, else its number from 1), the claims that remain, and a score by number.

    One claim is given up at a time, the least sure first, since others may then keep enough.
    """
    dealt = _Dealt(claims, axes, size_hw)
    alive = list(range(len(claims)))
    smallest = np.array([rules.min_area if claim.class_id in things else 0 for claim in claims], np.int64)
    while True:
        failing = (dealt.left == 0) | (dealt.left < rules.overlap * dealt.own) | (dealt.left < smallest)
        given_up = max((number for number in alive if failing[number]), default=None)
        if given_up is None:
            break
        alive.remove(given_up)
        dealt.give_up(given_up, alive)
    table = np.zeros(len(claims) + 1, np.int32)
    table[np.array(alive, np.intp) + 1] = np.arange(1, len(alive) + 1)
    winner = table[dealt.winner]
    sums = np.bincount(winner.ravel(), weights=dealt.best.ravel(), minlength=len(alive) + 1)
    counts = np.bincount(winner.ravel(), minlength=len(alive) + 1)
    scores = np.asarray(sums / np.maximum(counts, 1), np.float32)
    return winner, [claims[number] for number in alive], np.minimum(scores, np.float32(1))


def _common(one: slice, other: slice) -> slice:
    return slice(max(one.start, other.start), min(one.stop, other.stop))


def _reach(cells: npt.NDArray[np.intp], along: Taps) -> slice:
    """The output pixels that read any of `cells` (rising, at least one), from the first to the last."""
    found = np.flatnonzero((along.index[:, -1] >= cells[0]) & (along.index[:, 0] <= cells[-1]))
    return slice(int(found[0]), int(found[-1]) + 1) if len(found) else slice(0, 0)


def _part(small: Maps, axes: _Axes, rows: slice, columns: slice) -> Maps:
    """A rectangle of `small` enlarged bilinearly: the same numbers as that rectangle of the whole enlarged map."""
    top, bottom = axes.rows.needed(rows.start, rows.stop)
    left, right = axes.columns.needed(columns.start, columns.stop)
    read = np.ascontiguousarray(small[top:bottom, left:right].T)
    wide = np.ascontiguousarray(axes.columns.rows(read, left, columns.start, columns.stop).T)
    return axes.rows.rows(wide, top, rows.start, rows.stop)


def _small_regions(mask: npt.NDArray[np.bool_], least: int) -> npt.NDArray[np.bool_]:
    """The pixels of connected regions (8 neighbours) of fewer than `least` pixels."""
    _, regions, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    small = stats[:, cv2.CC_STAT_AREA] < least
    small[0] = False
    found: npt.NDArray[np.bool_] = small[regions]
    return found


def _softmax(logits: Maps) -> Maps:
    shifted = np.exp(logits - logits.max(-1, keepdims=True), dtype=np.float32)
    return np.asarray(shifted / shifted.sum(-1, keepdims=True), np.float32)


def _sigmoid(x: Maps) -> Maps:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x.astype(np.float32))), np.float32)
