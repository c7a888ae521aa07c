"""What the training pictures look like, in a few numbers that a bundle keeps; `limner.api.input_kind` compares with them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from limner.core.bundle import InputContract
from limner.data.dataset import Dataset, Item
from limner.data.input_features import FLOORS, Features, input_features, nearest_distance
from limner.data.pixels import load_image
from limner.data.preprocess import match_channels
from limner.metrics.summary import unit_numbers

MOST_PICTURES = 64  # training pictures that are looked at, evenly spread
THREADS = 4
FEWEST = 3  # groups of pictures; fewer do not show how much pictures differ
# A distance may be (this + that / groups) times the largest between training pictures,
FURTHEST, FURTHEST_FOR_FEW = 1.25, 2.5
# and as many times the one that `MOST_SHARE` of them stay below: one odd picture excuses no other.
USUAL, USUAL_FOR_FEW = 2.0, 4.0
MOST_SHARE = 0.9
LEAST_DISTANCE = 0.9  # a distance that is always usual: about one standard deviation in every number


def learn_inputs(
    dataset: Dataset, items: Sequence[Item], contract: InputContract, *, held_out: Sequence[Item] = ()
) -> dict[str, Any] | None:
    """What the training pictures look like, for `Bundle.answers`; None without pictures.

    Parameters
    ----------
    dataset, items : the training pictures. Sizes, channels and depths are of all of them, looks of at most `MOST_PICTURES`.
    contract : of the model.
    held_out : the validation pictures; only their groups matter. Where these are those of training pictures, new pictures of known
        groups are what the model is for, and a picture is compared with others of its own group as well.
    """
    headers = [dataset.facts[item.name].header for item in items if item.name in dataset.facts]
    if not headers:
        return None
    by_area = sorted((header.size_hw for header in headers), key=lambda hw: (hw[0] * hw[1], hw))
    looked = [items[round(place)] for place in np.linspace(0, len(items) - 1, min(len(items), MOST_PICTURES))]
    dtypes = sorted({header.dtype for header in headers})
    low, high = _value_range(dataset, items, dtypes)

    def look(item: Item) -> Features:
        return input_features(match_channels(load_image(item), contract.channels), low=low, high=high)

    with ThreadPoolExecutor(THREADS) as pool:
        vectors = np.array(list(pool.map(look, looked)))
    shared = {item.group for item in items} & {item.group for item in held_out} - {""}
    units = unit_numbers(None if shared else [item.group for item in looked], len(looked))
    scale = np.maximum(vectors.std(axis=0), FLOORS)
    limit = distance_limit(vectors, units, scale)
    return {
        "channels": sorted({header.channels for header in headers}), "dtypes": dtypes,
        "smallest_hw": list(by_area[0]), "largest_hw": list(by_area[-1]), "low": low, "high": high,
        "scale": [round(float(value), 5) for value in scale], "limit": limit and round(limit, 4),
        "pictures": [] if limit is None else [[round(float(value), 4) for value in vector] for vector in vectors],
    }  # fmt: skip


def distance_limit(vectors: Any, units: Any, scale: Features) -> float | None:
    """The largest distance of a picture to the nearest training picture that is called usual; None for fewer than `FEWEST` groups.

    It follows from the distances of training pictures to the nearest one of another group.
    """
    numbers = np.unique(units)
    if len(numbers) < FEWEST:
        return None
    distances = [
        nearest_distance(vector, vectors[units != unit], scale) for vector, unit in zip(vectors, units, strict=True)
    ]
    furthest = (FURTHEST + FURTHEST_FOR_FEW / len(numbers)) * max(distances)
    usual = (USUAL + USUAL_FOR_FEW / len(numbers)) * float(np.quantile(distances, MOST_SHARE))
    return max(LEAST_DISTANCE, min(furthest, usual))


def _value_range(dataset: Dataset, items: Sequence[Item], dtypes: Sequence[str]) -> tuple[float, float]:
    """Values that count as 0 and 1: those of the format for 8 bit, else the range of the training pictures."""
    if dtypes == ["uint8"]:
        return 0.0, 255.0
    facts = [dataset.facts[item.name] for item in items if item.name in dataset.facts]
    known = [fact for fact in facts if math.isfinite(fact.lowest) and math.isfinite(fact.highest)]
    if not known:
        return 0.0, 1.0
    return float(np.median([fact.lowest for fact in known])), float(np.median([fact.highest for fact in known]))
