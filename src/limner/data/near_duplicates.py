"""Find copies of a picture that were compressed, scaled, brightened, slightly cropped, mirrored or turned.

1. Every picture becomes a `Look`: gray, 64 x 64, mean 0, standard deviation 1.
2. Candidates: the 16 x 16 lowest coefficients of the cosine transform, each times the root of its frequency, compared by their
   cosine in all eight orientations (a mirroring changes signs of the coefficients, a turn swaps the axes). After Zauner 2010,
   "Implementation and benchmarking of perceptual image hash functions", with numbers in place of bits.
3. Verification: one look is laid over the other, and they are compared window by window. Copies agree everywhere; neighbouring
   slices and pictures of a series disagree in some places.
4. Series: where a picture is nearly as much alike to a third one as to its candidate, both are slices or frames of one series.

How the thresholds were measured: ``docs/decisions/0011-near-duplicates.md``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from limner.data.look import SIDE, Array, Look
from limner.data.look_agreement import agreement, differ_by_more_than_gain, same_values
from limner.data.look_alignment import lay_over
from limner.data.look_windows import coarse_structure, is_roughly_alike

LOW = 16  # cosine coefficients on each axis
ALIKE_CODES = 0.55  # cosine of two codes from which a pair is looked at more closely
MOST_PARTNERS = 5  # candidates of one picture that are verified, the most alike first: bounds the time
ROUGHLY = 0.5  # what must agree before one look is laid over the other, see `is_roughly_alike`
COPY = 0.80  # agreement of two looks from which they are copies
SURE = 0.985  # from here on whatever other pictures there are
STANDS_OUT = (
    0.5  # below, what two copies disagree in must be this part of what either disagrees in with any third picture
)
_BLOCK = 512  # rows of the table of likenesses that are in memory at a time
# the eight ways to lay a picture down: swap the axes, then mirror up and down, then left and right
ORIENTATIONS = tuple((bool(k & 4), bool(k & 2), bool(k & 1)) for k in range(8))

INVERSE = (0, 1, 2, 3, 4, 6, 5, 7)  # turning left undoes turning right; the others undo themselves

Pair = tuple[int, int]


def near_duplicates(
    looks: Mapping[str, Look], *, series: Mapping[str, str] | None = None
) -> tuple[tuple[str, ...], ...]:
    """Sets of names of pictures that are copies of each other.

    Parameters
    ----------
    looks : the look of each picture.
    series : of pictures of which it is known that they are slices of one volume or frames of one film, and which that is: they are
        not compared with each other.

    Returns
    -------
    Sets of at least two names, sorted, no name in two sets; empty when all pictures differ.

    Examples
    --------
    >>> near_duplicates({})
    ()
    """
    names = sorted(looks)
    pixels = [looks[name].pixels.astype(np.float32) for name in names]
    coarse = [coarse_structure(look) for look in pixels]
    grain = [looks[name].grain for name in names]
    scores = {
        (one, other): likeness_of(pixels[one], oriented(pixels[other], turn), max(grain[one], grain[other]))
        for one, other, turn in _candidates(pixels, _numbered(names, series or {}))
        if is_roughly_alike(coarse[one], oriented(coarse[other], turn), least=ROUGHLY)
    }
    leader = list(range(len(names)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for one, other in _copies(scores):
        a, b = find(one), find(other)
        leader[max(a, b)] = min(a, b)
    sets: dict[int, list[str]] = defaultdict(list)
    for index, name in enumerate(names):
        sets[find(index)].append(name)
    return tuple(tuple(members) for members in sets.values() if len(members) > 1)


def likeness_of(one: Array, other: Array, grain: float) -> float:
    """How much two looks ``(64, 64)`` of one orientation are alike when one may be a slight crop of the other.

    Parameters
    ----------
    one, other : the looks.
    grain : the larger `Look.grain` of the two.

    Returns
    -------
    The `agreement` once they are laid over each other; 0 where that is not possible.
    """
    moved = lay_over(one, other)
    if moved is None and differ_by_more_than_gain(one, other):
        moved = lay_over(same_values(one, other), other)
    return 0.0 if moved is None else agreement(one, moved, grain=grain)


def _copies(scores: Mapping[Pair, float]) -> Iterator[Pair]:
    """Pairs that are alike enough, and more than to others unless they are surely copies."""
    partners: dict[int, dict[int, float]] = defaultdict(dict)
    for (one, other), score in scores.items():
        partners[one][other] = partners[other][one] = score
    for (one, other), score in scores.items():
        if score >= SURE:
            yield one, other
        elif score >= COPY:
            both = partners[one].keys() & partners[other].keys()
            siblings = {third for third in both if min(partners[one][third], partners[other][third]) >= COPY}
            rivals = [
                rival for end in (one, other) for third, rival in partners[end].items()
                if third not in siblings and third not in (one, other)
            ]  # fmt: skip
            if 1 - score <= STANDS_OUT * (1 - max(rivals, default=0.0)):
                yield one, other


def oriented(pixels: Array, orientation: int) -> Array:
    """``(64, 64)`` pixels laid down in one of the eight `ORIENTATIONS`."""
    swap, down, across = ORIENTATIONS[orientation]
    turned = pixels.T if swap else pixels
    turned = turned[::-1] if down else turned
    return np.ascontiguousarray(turned[:, ::-1] if across else turned)


def codes(pixels: Sequence[Array]) -> Array:
    """``(N, 16, 16)`` cosine coefficients times the root of their frequency, those of each picture of length 1."""
    place = np.arange(SIDE) + 0.5
    basis = np.cos(np.pi / SIDE * np.arange(LOW)[:, None] * place).astype(np.float32)
    weight = np.sqrt(np.hypot(*np.mgrid[:LOW, :LOW])).astype(np.float32)
    found = np.stack([basis @ picture @ basis.T for picture in pixels]) * weight
    length = np.sqrt((found**2).sum(axis=(1, 2), keepdims=True))
    return np.asarray(found / np.maximum(length, 1e-12), np.float32)


def turned_codes(code: Array) -> list[Array]:
    """The codes ``(N, 16, 16)`` that the same pictures would have in each of the eight `ORIENTATIONS`."""
    signs = (-1.0) ** np.arange(LOW, dtype=np.float32)  # a mirrored cosine of odd frequency is its negative
    turned = []
    for swap, down, across in ORIENTATIONS:
        other = code.transpose(0, 2, 1) if swap else code
        other = other * signs[:, None] if down else other
        turned.append(np.ascontiguousarray(other * signs if across else other))
    return turned


def _numbered(names: Sequence[str], series: Mapping[str, str]) -> npt.NDArray[np.int64]:
    """A number for each picture, the same for all of one series."""
    keys = [series.get(name) or f"\0{name}" for name in names]
    order = {key: number for number, key in enumerate(dict.fromkeys(keys))}
    return np.array([order[key] for key in keys], np.int64)


def _candidates(pixels: Sequence[Array], series: npt.NDArray[np.int64]) -> list[tuple[int, int, int]]:
    """Pairs ``i < j`` of which one is among the most alike to the other, and the orientation in which `j` is most like `i`."""
    if len(pixels) < 2:
        return []
    code = codes(pixels)
    flat = code.reshape(len(code), -1)
    turned = [np.ascontiguousarray(other.reshape(len(code), -1).T) for other in turned_codes(code)]
    found: dict[Pair, int] = {}
    for start in range(0, len(flat), _BLOCK):
        rows = flat[start : start + _BLOCK]
        best = rows @ turned[0]
        which = np.zeros(best.shape, np.int8)
        for orientation in range(1, len(ORIENTATIONS)):
            likeness = rows @ turned[orientation]
            which[likeness > best] = orientation
            np.maximum(best, likeness, out=best)
        best[series[start : start + len(rows), None] == series[None]] = -1  # itself among them
        keep = min(MOST_PARTNERS, best.shape[1] - 1)
        nearest = np.argpartition(-best, keep - 1, axis=1)[:, :keep]
        for row, columns in enumerate(nearest.tolist()):
            for column in columns:
                if best[row, column] >= ALIKE_CODES:
                    one, other = start + row, column
                    found.setdefault((min(one, other), max(one, other)), _seen_from(which[row, column], one < other))
    return [(one, other, orientation) for (one, other), orientation in sorted(found.items())]


def _seen_from(orientation: int, is_first: bool) -> int:
    """How the second picture of a pair lies for the first, when it was seen by the first or the other way round."""
    return int(orientation) if is_first else INVERSE[int(orientation)]
