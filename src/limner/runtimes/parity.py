"""Does another runtime say what the network says? Measured on tiles, judged by limits that stand here and nowhere else.

For logits a of the network and b of the other runtime:

    largest difference = max |a - b|        disagreement = share of pixels whose label differs
    difference of a map = mean |a - b| / (max a - min a)

Labels of query masks are compared at the size of the masks; all their maps count as maps that tell objects apart.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.bundle import Bundle
from limner.core.errors import BundleError
from limner.core.protocols import Predictor
from limner.data.many_channels import resize_channels
from limner.data.preprocess import to_network
from limner.runtimes.decision import Decision

Batch = npt.NDArray[np.float32]

# float32 sums in another order differ by some 1e-6 of the values that are summed, and a hundred layers add to that. A wrong
# pad, a lost layer or a changed weight moves logits by tenths of their spread: the limit lies between, far from both.
LARGEST_LOGIT = 1e-3  # absolute, or as a share of the spread of the logits where that is above 1
# A picture of 512 x 512 may differ in 26 pixels of 262,144, all of them where the score is at the threshold.
LARGEST_LABELS = 1e-4
# bfloat16 keeps 8 bits of 24: only pixels near the threshold change, and they must stay below a thousandth.
LARGEST_LABELS_BFLOAT16 = 1e-3
# Maps that tell objects apart are held to this where no pictures show what becomes of the objects. 8 bits round by at most 0.4 %
# of a value, layer by layer; a map that is lost differs by a tenth of its spread and more.
LARGEST_MAP_BFLOAT16 = 0.02  # mean difference, of the spread of the map where that is above 1
# INT8 moves logits and edges more than that; what counts is whether it hits the truth as well as before.
LARGEST_DICE_LOSS = 0.003
LARGEST_F1_LOSS = 0.01  # of objects at IoU 0.5: one object in a hundred

VECTORS = "parity.npz"
VECTOR_SHAPES = (
    (1, 1, 1),
    (1, 5, 7),
    (1, 37, 61),
    (3, 64, 48),
    (1, 96, 160),
)  # (N, H, W), odd sizes and a batch among them


@dataclass(frozen=True)
class Parity:
    """How far another runtime is from the network.

    Parameters
    ----------
    max_abs_logit_difference : None where it gave no numbers of the right shape, or not-a-number.
    logit_spread : largest minus smallest logit of the network on these tiles.
    label_disagreement : share of pixels, 0 to 1.
    tiles, pixels : that were compared.
    trouble : why there are no numbers; empty where there are.
    map_difference : of the map that tells objects apart and differs most; 0 where there is none.
    """

    max_abs_logit_difference: float | None
    logit_spread: float
    label_disagreement: float
    tiles: int
    pixels: int
    trouble: str = ""
    map_difference: float = 0.0

    def failures(
        self, *, logits: float | None = None, labels: float | None = None, maps: float | None = None
    ) -> list[str]:
        """What is above its limit, in words with both numbers; None = no limit."""
        found = []
        if self.max_abs_logit_difference is None:
            return [self.trouble]
        if logits is not None:
            limit = logits * max(1.0, self.logit_spread)
            if self.max_abs_logit_difference > limit:
                found.append(f"a logit differs by {self.max_abs_logit_difference:.3g} (at most {limit:.3g})")
        if labels is not None and self.label_disagreement > labels:
            found.append(f"{self.label_disagreement:.4%} of the pixels have another label (at most {labels:.2%})")
        if maps is not None and self.map_difference > maps:
            found.append(f"a map of objects differs by {self.map_difference:.2%} on average (at most {maps:.0%})")
        return found

    def as_dict(self) -> dict[str, Any]:
        """The figures that a bundle keeps."""
        return {
            "max_abs_logit_difference": self.max_abs_logit_difference,
            "label_disagreement": self.label_disagreement,
            "tiles": self.tiles,
        }


def failures_float32(parity: Parity) -> list[str]:
    """What is wrong with an export in float32; empty when it may be used."""
    return parity.failures(logits=LARGEST_LOGIT, labels=LARGEST_LABELS)


def failures_bfloat16(parity: Parity, *, maps: bool = True) -> list[str]:
    """What is wrong with a runtime that computes in bfloat16; empty when it may be used.

    Parameters
    ----------
    maps : also look at the maps that tell objects apart; not needed where the objects themselves are compared.
    """
    return parity.failures(labels=LARGEST_LABELS_BFLOAT16, maps=LARGEST_MAP_BFLOAT16 if maps else None)


def compare(
    reference: Predictor, candidate: Predictor, tiles: Iterable[Batch], *, threshold: float, classes: int | None = None
) -> Parity:
    """Both on the same tiles.

    Parameters
    ----------
    reference, candidate : the network, and what shall stand for it.
    tiles : batches ``(N, C, h, w)``, at least one.
    threshold : score above which a pixel of a network with one map is foreground.
    classes : maps that labels are decided from; those behind them tell objects apart. None = all.
    """
    pairs = ((tile, reference(tile)) for tile in tiles)
    return compare_logits(pairs, candidate, Decision(threshold, classes))


def compare_logits(pairs: Iterable[tuple[Batch, Batch]], candidate: Predictor, decision: Decision) -> Parity:
    """As `compare`, for tiles whose logits are known: pairs of a tile and its logits."""
    largest, low, high, different, pixels, number, trouble = 0.0, math.inf, -math.inf, 0, 0, 0, ""
    maps = _Maps()
    for tile, expected in pairs:
        found, why = _answer(candidate, tile, expected.shape)
        labels = decision.labels(expected)
        number, pixels = number + len(tile), pixels + labels.size
        low, high = min(low, float(expected.min())), max(high, float(expected.max()))
        if found is None:
            trouble, different = trouble or why, different + labels.size
            continue
        largest = max(largest, float(np.abs(found - expected).max()))
        different += int(np.count_nonzero(decision.labels(found) != labels))
        maps.add(decision.beside(expected), decision.beside(found))
    return Parity(
        None if trouble else largest, high - low, different / max(pixels, 1), number, pixels, trouble, maps.difference()
    )


class _Maps:
    """Mean difference and spread of each map that tells objects apart, over all tiles."""

    def __init__(self) -> None:
        self._sums = self._low = self._high = np.zeros(0)
        self._pixels = 0

    def add(self, expected: Batch, found: Batch) -> None:
        """One batch ``(N, T, h, w)`` of both."""
        if not expected.shape[1]:
            return
        axes = (0, 2, 3)
        sums, low, high = np.abs(found - expected).sum(axes, np.float64), expected.min(axes), expected.max(axes)
        first = not self._pixels
        self._sums = sums if first else self._sums + sums
        self._low = low if first else np.minimum(self._low, low)
        self._high = high if first else np.maximum(self._high, high)
        self._pixels += expected[:, 0].size

    def difference(self) -> float:
        """Of the map that differs most, as a share of its spread where that is above 1; 0 without maps."""
        shares = self._sums / max(self._pixels, 1) / np.maximum(1.0, self._high - self._low)
        return float(shares.max(initial=0.0))


def _answer(candidate: Predictor, tile: Batch, shape: tuple[int, ...]) -> tuple[Batch | None, str]:
    """What the candidate says of a tile, or why that cannot be compared."""
    size = f"{len(tile)} x {tile.shape[2]} x {tile.shape[3]}"
    try:
        found = candidate(tile)
    except Exception as error:  # every runtime raises classes of its own
        return None, f"for {size} pixels it stops: {' '.join(str(error).split())[:160]}"
    if found.shape != shape:
        return None, f"for {size} pixels it answers {found.shape} in place of {shape}"
    return (found, "") if np.isfinite(found).all() else (None, f"for {size} pixels it answers not-a-number")


def synthetic_tiles(
    channels: int, *, normalization: str, shapes: Sequence[tuple[int, int, int]] = VECTOR_SHAPES, seed: int = 0
) -> list[Batch]:
    """Smooth noise over the whole range of intensities, as a network sees it; nobody's picture.

    Parameters
    ----------
    channels, normalization : of the network's input.
    shapes : (N, H, W) of each batch.
    seed : the same seed gives the same tiles.
    """
    random, tiles = np.random.default_rng(seed), []
    for number, height, width in shapes:
        pictures = []
        for _ in range(number):
            coarse = random.uniform(0, 255, (-(-height // 12) + 1, -(-width // 12) + 1, channels)).astype(np.float32)
            smooth = resize_channels(coarse, (height, width), cv2.INTER_LINEAR)
            fine = random.normal(0, 12, smooth.shape).astype(np.float32)
            pictures.append(to_network(np.clip(smooth + fine, 0, 255), normalization=normalization))
        tiles.append(np.stack(pictures))
    return tiles


def write_vectors(file: Path, reference: Predictor, bundle: Bundle) -> None:
    """Write synthetic tiles with the network's logits and labels, so that a machine without torch can check an export.

    The file is an NPZ of plain arrays: ``tile_<i>`` ``(N, C, H, W)`` float32, ``logits_<i>`` ``(N, K, H, W)`` float32,
    ``labels_<i>`` ``(N, H, W)`` integers; for query masks at the size of the masks.
    """
    channels, decision, arrays = int(bundle.arguments["channels"]), Decision.of(bundle), dict[str, Any]()
    for i, tile in enumerate(synthetic_tiles(channels, normalization=bundle.contract.normalization)):
        logits = reference(tile)
        arrays |= {
            f"tile_{i}": tile,
            f"logits_{i}": logits,
            f"labels_{i}": decision.labels(logits),
        }
    with file.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def check_vectors(predictor: Predictor, bundle: Bundle) -> Parity:
    """Compare a predictor with the logits that the bundle holds for its synthetic tiles.

    Raises
    ------
    BundleError : the bundle has none, or they cannot be read.
    """
    return compare_logits(read_vectors(bundle.folder / VECTORS), predictor, Decision.of(bundle))


def read_vectors(file: Path) -> list[tuple[Batch, Batch]]:
    """Pairs of a tile and the network's logits.

    Raises
    ------
    BundleError : there is no such file, or it cannot be read.
    """
    try:
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            number = sum(name.startswith("tile_") for name in archive.files)
            pairs = [
                (np.asarray(archive[f"tile_{i}"], np.float32), np.asarray(archive[f"logits_{i}"], np.float32))
                for i in range(number)
            ]
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise BundleError(
            f"{file.name} cannot be read: {error}", expected="the test vectors that limner export writes",
            where=str(file), fix="export the model again",
        ) from None  # fmt: skip
    if not pairs or any(tile.ndim != 4 or logits.ndim != 4 for tile, logits in pairs):
        raise BundleError(
            f"{file.name} holds no tiles", expected="tiles (N, C, H, W) with their logits", where=str(file),
            fix="export the model again",
        )  # fmt: skip
    return pairs
