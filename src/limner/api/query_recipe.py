"""What a recipe has to say where its network answers query masks: whole pictures at one size, and objects by queries."""

from __future__ import annotations

from typing import Any

from limner.core.errors import RecipeError
from limner.core.object_head import QUERIES
from limner.core.recipe import Recipe

PREFIX = "query/"  # of the architectures, see `limner.models.query_masks`
SIZE_HW = (512, 512)  # where nobody says another
PARTS = ("augmentation.mosaic", "augmentation.cutmix")  # put pieces of objects side by side


def is_query(recipe: Recipe) -> bool:
    """Whether the network of a recipe answers query masks."""
    return recipe.model.architecture.startswith(PREFIX)


def with_queries(recipe: Recipe) -> Recipe:
    """`recipe` with all that follows from its architecture; the same recipe where that has no queries.

    Raises
    ------
    RecipeError : objects by queries of a network that has none.
    """
    if not is_query(recipe):
        if recipe.objects.head == QUERIES:
            raise RecipeError(
                f"objects.head = '{QUERIES}' with {recipe.model.architecture}", expected="a network with query masks",
                where="objects.head", fix="use --set model.architecture=query/mask2former, or another objects.head",
            )  # fmt: skip
        return recipe
    size_hw = recipe.data.resize_hw if any(recipe.data.resize_hw) else SIZE_HW
    options = {**recipe.model.options, "input_hw": size_hw}
    changes: dict[str, Any] = {
        "objects.head": QUERIES,
        "data.scale": 1.0,
        "data.resize_hw": size_hw,
        "data.patch_hw": size_hw,
        "model.options": options,
        "inference.tile": 0,
        "inference.flips": "",
        **dict.fromkeys(PARTS, 0.0),
    }
    if not recipe.encoder.weights and not options.get("weights"):
        changes["encoder.pretrained"] = False  # a random encoder has nothing that a slower rate would keep
    needed = {key: value for key, value in changes.items() if recipe.get(key) != value}
    return recipe.override(needed, reason="query masks see whole pictures at one size") if needed else recipe
