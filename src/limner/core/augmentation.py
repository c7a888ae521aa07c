"""What a recipe may ask of its variations: ranges that mean something, shares that fit together, no wrong mirrors."""

from __future__ import annotations

from limner.core.errors import RecipeError
from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.core.sides import check_flips

LARGEST_SHIFT = 0.2  # of a corner: from a quarter on, the four corners of a patch may stop being a convex shape
RANGES = {
    "augmentation.rotation_degrees": (0.0, 180.0),
    "augmentation.scale_min": (0.05, 20.0),
    "augmentation.scale_max": (0.05, 20.0),
    "augmentation.perspective": (0.0, LARGEST_SHIFT),
    "augmentation.elastic_pixels": (0.0, 100.0),
    "augmentation.brightness": (0.0, 1.0),
    "augmentation.contrast": (0.0, 1.0),
    "augmentation.gamma": (0.0, 3.0),
    "augmentation.color": (0.0, 1.0),
    "augmentation.noise": (0.0, 1.0),
}


def check_augmentation(recipe: Recipe, label_space: LabelSpace) -> None:
    """Refuse variations that cannot be made as they are asked for, and mirrors where class names tell sides apart.

    Raises
    ------
    RecipeError : a value out of its range; more patches deformed than there are beside the exact ones; more than all patches
        mixed; flips with classes such as ``left kidney``.
    """
    for key, (low, high) in RANGES.items():
        if not low <= recipe.get(key) <= high:
            raise RecipeError(
                f"{key} = {recipe.get(key)}",
                expected=f"a number from {low:g} to {high:g}",
                where=key,
                fix=f"correct {key}",
            )
    part = recipe.augmentation
    if part.scale_min > part.scale_max:
        raise RecipeError(
            f"augmentation.scale_min = {part.scale_min:g} above augmentation.scale_max = {part.scale_max:g}",
            expected="the smallest zoom first",
            where="augmentation.scale_min",
            fix="exchange the two",
        )
    for key in ("elastic", "grid"):
        if getattr(part, key) > 1 - part.exact_share + 1e-9:
            raise RecipeError(
                f"augmentation.{key} = {getattr(part, key):g} of the patches to be deformed while "
                f"augmentation.exact_share = {part.exact_share:g} of them stay exact",
                expected="a sum of at most 1",
                where=f"augmentation.{key}",
                fix=f"--set augmentation.exact_share={1 - getattr(part, key):g}",
            )
    if part.perspective and part.exact_share == 1:
        raise RecipeError(
            f"augmentation.perspective = {part.perspective:g} while all patches stay exact",
            expected="augmentation.exact_share below 1",
            where="augmentation.perspective",
            fix="--set augmentation.exact_share=0.4",
        )
    if part.mosaic + part.cutmix > 1 + 1e-9:
        raise RecipeError(
            f"augmentation.mosaic = {part.mosaic:g} and augmentation.cutmix = {part.cutmix:g}",
            expected="a sum of at most 1: a patch is mixed in one way",
            where="augmentation.mosaic",
            fix=f"--set augmentation.cutmix={1 - part.mosaic:g}",
        )
    check_flips(recipe, label_space)
