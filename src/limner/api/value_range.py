"""Which values of the pictures become black and white, where a recipe says it for pictures of 8 bits and the pictures have more."""

from __future__ import annotations

import math
from collections.abc import Sequence

from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset, Item
from limner.data.preprocess import FULL_RANGE

KEY = "data.intensity_range"


def with_value_range(recipe: Recipe, dataset: Dataset, items: Sequence[Item], listener: Listener) -> Recipe:
    """`recipe` with the range of the training pictures where they are not of 8 bits and its own is that of 8 bits.

    The range of 8 bits would turn pictures of 16 bits into one white area, and those of 0 to 1 into a black one. A range that has a
    reason in the recipe was decided, by hand or here, and stays; "percentile" needs none. Where some pictures are of 8 bits no one
    range suits all: the recipe's stays, and that is said.

    Parameters
    ----------
    items : all training pictures and no others; their lowest and highest value are the range.
    """
    data = recipe.data
    if data.normalization == "percentile" or data.intensity_range != FULL_RANGE or recipe.reasons.get(KEY):
        return recipe
    facts = [dataset.facts[item.name] for item in items if item.name in dataset.facts]
    dtypes = sorted({fact.header.dtype for fact in facts})
    low = min((fact.lowest for fact in facts if math.isfinite(fact.lowest)), default=0.0)
    high = max((fact.highest for fact in facts if math.isfinite(fact.highest)), default=0.0)
    if dtypes in ([], ["uint8"]) or not low < high or (low, high) == FULL_RANGE:
        return recipe
    if "uint8" in dtypes:
        listener.message(
            f"warning: the training pictures are {' and '.join(dtypes)}, and {KEY} = [0, 255] suits those of 8 bits alone; "
            "--set data.normalization=percentile stretches each picture by itself"
        )
        return recipe
    # "measured": it follows from the pictures, and which of them train may follow from the seed
    reason = f"measured: lowest and highest value of the training pictures, which are {' and '.join(dtypes)}"
    listener.message(
        f"{KEY} = [{low:g}, {high:g}]: {reason}; --set data.normalization=percentile stretches each picture by itself"
    )
    return recipe.override({KEY: (low, high)}, reason=reason)
