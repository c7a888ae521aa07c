"""Presets are obeyed by the recipe, give reasons, and never mirror what must not be mirrored."""

import pytest

from limner.core.augmentation import check_augmentation
from limner.core.errors import RecipeError
from limner.core.labels import LabelSpace
from limner.core.presets import PRESETS, apply_preset, preset_changes, preset_reasons
from limner.core.recipe import Recipe

SPACE = LabelSpace(("background", "cell"))
SIDED = LabelSpace(("background", "left lung", "right lung"))


def test_the_four_kinds():
    assert set(PRESETS) == {"photo", "microscopy", "radiology", "aerial"}


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_can_be_obeyed_and_says_why(name):
    recipe = apply_preset(Recipe().override({"seed": 3}), name, SPACE)
    check_augmentation(recipe, SPACE)
    assert {key: recipe.get(key) for key in PRESETS[name]} == PRESETS[name]
    assert all(key.startswith("augmentation.") for key in PRESETS[name])
    assert set(preset_reasons(name)) == set(PRESETS[name]) and recipe.seed == 3
    assert all(recipe.reasons[key].startswith(f"{name}: ") and len(recipe.reasons[key]) > 15 for key in PRESETS[name])
    assert Recipe.from_toml(recipe.to_toml()) == recipe


@pytest.mark.parametrize("name", PRESETS)
def test_sides_in_class_names_go_before_the_preset(name):
    recipe = apply_preset(Recipe(), name, SIDED)
    assert not recipe.augmentation.flip_x and not recipe.augmentation.flip_y
    assert "left and right" in recipe.reasons["augmentation.flip_x"]
    check_augmentation(recipe, SIDED)
    assert preset_changes(name, SIDED) != PRESETS[name] or not PRESETS[name]["augmentation.flip_x"]


def test_presets_differ_where_pictures_do():
    assert not PRESETS["photo"]["augmentation.flip_y"] and PRESETS["aerial"]["augmentation.flip_y"]
    assert not PRESETS["radiology"]["augmentation.flip_x"] and PRESETS["radiology"]["augmentation.color"] == 0
    assert PRESETS["microscopy"]["augmentation.elastic"] > 0 == PRESETS["aerial"]["augmentation.elastic"]
    assert len({tuple(values.items()) for values in PRESETS.values()}) == 4


def test_an_unknown_preset_is_refused_with_the_nearest():
    with pytest.raises(RecipeError, match="did you mean 'microscopy'"):
        apply_preset(Recipe(), "microscope")
