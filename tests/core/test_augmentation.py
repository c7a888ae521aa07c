"""Variations that cannot be made as asked for are refused with a remedy that works."""

import pytest

from limner.core.augmentation import check_augmentation
from limner.core.errors import RecipeError
from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe, parse_settings

SPACE = LabelSpace(("background", "cell"))


def recipe(**changes):
    return Recipe().override({f"augmentation.{key}": value for key, value in changes.items()})


BAD = [
    {"elastic": 0.7}, {"grid": 1.0}, {"perspective": 0.1, "exact_share": 1.0}, {"mosaic": 0.6, "cutmix": 0.5},
    {"perspective": 0.3}, {"scale_min": 0.0}, {"scale_min": 2.0}, {"noise": -0.1}, {"gamma": -1.0}, {"rotation_degrees": 400.0},
    {"elastic_pixels": -1.0}, {"contrast": 1.5}, {"scale_max": float("nan")},
]  # fmt: skip


@pytest.mark.parametrize("changes", BAD, ids=str)
def test_refused(changes):
    with pytest.raises(RecipeError) as caught:
        check_augmentation(recipe(**changes), SPACE)
    error = caught.value
    assert error.expected and error.fix and any(error.where == f"augmentation.{key}" for key in changes)
    if error.fix.startswith("--set"):  # the remedy that is named is one
        check_augmentation(recipe(**changes).override(parse_settings([error.fix.removeprefix("--set ")])), SPACE)


@pytest.mark.parametrize(
    "changes",
    [{}, {"elastic": 0.6, "grid": 0.6}, {"mosaic": 0.5, "cutmix": 0.5}, {"perspective": 0.2}, {"exact_share": 1.0},
     {"scale_min": 1.2, "scale_max": 1.5}],
    ids=str,
)  # fmt: skip
def test_accepted(changes):
    check_augmentation(recipe(**changes), SPACE)


def test_wrong_mirrors_are_refused_too():
    with pytest.raises(RecipeError, match="mirror"):
        check_augmentation(recipe(), LabelSpace(("background", "left eye")))
