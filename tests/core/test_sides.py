"""Class names that carry a side are found, others are left alone, and wrong mirrors are refused."""

import pytest

from limner.core.errors import RecipeError
from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.core.sides import check_flips, sided_names

SIDED = [
    "left kidney", "kidney_left", "Kidney-Right", "LeftLung", "lungLeft", "RIGHT EYE", "left2", "eye (left)", "rightmost lane",
    "L_eye", "eye_R", "LKidney", "r.hand", "kidneys L", "Niere rechts",
]  # fmt: skip
FREE = [
    "background", "bright", "cleft", "copyright", "leftover", "L4", "L4 vertebra", "size L", "class R", "R", "l", "eye", "liver",
    "chain links", "LV", "RV", "upright", "lr", "eyelid",
]  # fmt: skip


@pytest.mark.parametrize("name", SIDED)
def test_sides_are_seen(name):
    assert sided_names(["liver", name]) == (name,)


@pytest.mark.parametrize("name", FREE)
def test_other_words_are_left_alone(name):
    assert sided_names(["stone", name]) == ()


def test_all_other_words_together():
    assert sided_names(FREE) == ()


@pytest.mark.parametrize(
    "pair", [("row_l", "row_r"), ("stent lt", "stent rt"), ("cortex_lh", "cortex_rh"), ("Lunge links", "Lunge rechts")]
)
def test_abbreviations_count_beside_their_opposite(pair):
    assert sided_names(["x", *pair]) == pair
    assert sided_names([pair[0], "x"]) == ()


def test_the_letters_alone_are_letters():
    assert sided_names([*"abcdefghijklmnopqrstuvwxyz"]) == ()


SPACE = LabelSpace(("background", "left kidney", "right kidney"))
OFF = {"augmentation.flip_x": False, "augmentation.flip_y": False, "inference.flips": ""}


@pytest.mark.parametrize(
    ("key", "value"), [("augmentation.flip_x", True), ("augmentation.flip_y", True), ("inference.flips", "x")]
)
def test_each_mirror_is_refused(key, value):
    with pytest.raises(RecipeError, match="tell left and right apart: 'left kidney', 'right kidney'") as caught:
        check_flips(Recipe().override({**OFF, key: value}), SPACE)
    assert key in caught.value.found and f"--set {key}=" in caught.value.fix and caught.value.where == key


def test_what_does_not_mirror_passes():
    check_flips(Recipe().override({**OFF, "augmentation.rotation_degrees": 180.0}), SPACE)
    check_flips(Recipe(), LabelSpace(("left", "kidney")))  # the background is not looked for
