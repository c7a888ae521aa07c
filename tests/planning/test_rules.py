"""Each decision has a reason, follows from the facts in the direction that one expects, and gives way to a person."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limner.core.errors import RecipeError
from limner.core.labels import LabelSpace
from limner.core.recipe import Recipe
from limner.core.sides import check_flips
from limner.data.fingerprint import ClassFacts, Fingerprint
from limner.planning.memory import Machine
from limner.planning.planner import make_plan
from limner.planning.rules import DETAIL_PIXELS, FIXED, LARGEST_SCALE, RULES

CELL = ClassFacts("cell", images=40, share=0.15, objects=400, width=(10.0, 14.0, 18.0, 25.0))
FACTS = Fingerprint(
    num_images=50, num_groups=50, median_hw=(500, 700), smallest_hw=(480, 640), largest_hw=(600, 800), channels=3,
    dtype="uint8", is_gray=False, intensity=(3.0, 100.0, 250.0), exposure_spread=0.05,
    classes=(CELL,), upright=0.02, sided=0.02,
)  # fmt: skip
MACHINE = Machine(cores=4, memory=16 * 2**30, gpu=False, bfloat16=False)


def planned(facts=None, machine=None, names=("background", "cell"), seconds=600.0, overrides=None, **changes):
    return make_plan(
        dataclasses.replace(facts or FACTS, **changes), machine or MACHINE, LabelSpace(names), budget_seconds=seconds,
        start=Recipe(), overrides=overrides or {},
    )  # fmt: skip


def with_memory(gib):
    return dataclasses.replace(MACHINE, memory=int(gib * 2**30))


def test_every_decision_has_a_reason_that_survives_the_file():
    recipe = planned()
    assert set(RULES) | set(FIXED) <= set(recipe.reasons)
    assert all(len(reason) > 10 for reason in recipe.reasons.values())
    again = Recipe.from_toml(recipe.to_toml())
    assert again == recipe and dict(again.reasons) == {
        key: " ".join(text.split()) for key, text in recipe.reasons.items()
    }


def test_the_same_facts_give_the_same_plan():
    assert planned() == planned()


@given(st.lists(st.floats(0.25, 256), min_size=2, max_size=6))
def test_more_memory_never_means_smaller_batches(memories):
    batches = [planned(machine=with_memory(gib)).sampling.batch for gib in sorted(memories)]
    assert batches == sorted(batches) and batches[0] >= 2


def test_memory_bounds_the_batch():
    # 1600 bytes a pixel, 40 % of 1 GiB: 268435 pixels, four patches of 256 x 256
    part = planned(machine=with_memory(1), seconds=1e6)
    assert math.prod(part.data.patch_hw) == 256 * 256 and part.sampling.batch == 4
    assert planned(machine=with_memory(64), seconds=1e6).sampling.batch == 16


SIZES = st.tuples(st.integers(1, 4000), st.integers(1, 4000))


@given(SIZES, st.floats(1, 500), st.floats(10, 1e5), st.integers(2, 5000))
def test_only_small_objects_are_enlarged_and_patches_fit_the_network(size, width, seconds, count):
    thin = dataclasses.replace(CELL, width=(width, width, width, width))
    recipe = planned(median_hw=size, classes=(thin,), seconds=seconds, num_images=count)
    assert 0 < recipe.data.scale <= LARGEST_SCALE
    assert recipe.data.scale <= 1 or width < DETAIL_PIXELS  # only small objects are worth enlarging
    assert all(side % 32 == 0 and side >= 32 for side in recipe.data.patch_hw)
    assert recipe.schedule.warmup_steps >= 3 and 0.8 <= recipe.optimizer.ema <= 0.999
    assert 1 <= recipe.sampling.patches_per_image <= 16


@given(st.floats(2, 60), st.floats(2, 60))
def test_thinner_objects_are_never_shrunk_more(one, other):
    scales = []
    for width in sorted((one, other)):
        thin = dataclasses.replace(CELL, width=(width,) * 4)
        scales.append(planned(median_hw=(3000, 4000), classes=(thin,), num_images=200).data.scale)
    assert scales[0] >= scales[1]


@given(st.floats(10, 1e4), st.floats(10, 1e4))
def test_more_time_never_means_smaller_pictures(one, other):
    scales = [planned(median_hw=(3000, 4000), num_images=300, seconds=s).data.scale for s in sorted((one, other))]
    assert scales[0] <= scales[1]


def test_small_pictures_are_taken_whole():
    recipe = planned(median_hw=(200, 300))
    assert recipe.data.scale == 1.0 and recipe.data.patch_hw == (224, 320) and recipe.sampling.patches_per_image == 1
    assert "whole picture" in recipe.reasons["data.patch_hw"]


@pytest.mark.parametrize(
    "names",
    [
        ("background", "left lung", "right_lung"),
        ("background", "Lunge-links", "Lunge-rechts"),
        ("background", "L_eye", "x"),
    ],
)
def test_names_that_tell_sides_apart_switch_every_mirror_off(names):
    recipe = planned(names=names, classes=(CELL, CELL))
    part = recipe.augmentation
    assert not part.flip_x and not part.flip_y  # upside down is a mirror and half a turn
    for key in ("augmentation.flip_x", "augmentation.flip_y"):
        assert "mirrored picture" in recipe.reasons[key] and repr(names[1]) in recipe.reasons[key]
    assert recipe.inference.flips == "" and part.rotation_degrees == 15.0
    assert "left and right" in recipe.reasons["augmentation.rotation_degrees"]
    check_flips(recipe, LabelSpace(names))


def test_parts_of_words_are_no_sides():
    recipe = planned(names=("background", "bright", "cleft"), classes=(CELL, CELL), median_hw=(300, 400))
    assert recipe.augmentation.flip_x and recipe.augmentation.flip_y and recipe.inference.flips == "xy"


def test_a_mirror_asked_for_against_the_names_is_refused():
    names = ("background", "left lung", "right lung")
    recipe = planned(names=names, classes=(CELL, CELL), median_hw=(300, 400), overrides={"augmentation.flip_y": True})
    assert recipe.augmentation.flip_y
    with pytest.raises(RecipeError, match=r"augmentation\.flip_y and inference\.flips would mirror"):
        check_flips(recipe, LabelSpace(names))


def test_pictures_with_a_right_way_up_are_not_turned():
    free = planned().augmentation
    assert free.flip_y and free.flip_x and free.rotation_degrees == 180
    upright = planned(upright=0.6)
    assert (
        not upright.augmentation.flip_y and upright.augmentation.flip_x and upright.augmentation.rotation_degrees == 15
    )
    assert "right way up" in upright.reasons["augmentation.flip_y"]
    assert not planned(sided=0.6).augmentation.flip_x


def test_intensities():
    assert planned().data.normalization == "fixed"
    assert (
        planned(dtype="uint16").data.normalization == "percentile"
        and "uint16" in planned(dtype="uint16").reasons["data.normalization"]
    )
    assert planned(dtype="float32").data.normalization == "percentile"
    assert planned(exposure_spread=0.3).data.normalization == "percentile"
    assert planned(is_gray=True).augmentation.color == 0 < planned().augmentation.color
    assert planned(channels=1, is_gray=True).data.channels == 1


def test_rare_classes_count_more():
    rare = dataclasses.replace(CELL, share=0.001)
    common = dataclasses.replace(CELL, share=0.3)
    recipe = planned(names=("background", "common", "rare"), classes=(common, rare))
    weights = recipe.loss.class_weights
    assert len(weights) == 3 and weights[2] == max(weights) == 5.0 and min(weights) >= 0.5
    assert planned().loss.class_weights == ()
    even = dataclasses.replace(CELL, share=0.33)
    assert planned(names=("background", "a", "b"), classes=(even, even)).loss.class_weights == ()


def test_rare_foreground_is_looked_for():
    shares = [
        planned(classes=(dataclasses.replace(CELL, share=s),)).sampling.foreground_share for s in (0.2, 0.05, 0.001)
    ]
    assert shares == [0.3, 0.5, 0.67]


def test_no_objects_at_all_can_be_planned():
    nothing = ClassFacts("cell", 0, 0.0, 0, (math.nan,) * 4)
    recipe = planned(classes=(nothing,))
    assert 0 < recipe.data.scale <= 1 and "no objects" in recipe.reasons["data.scale"]


def test_objects_that_are_rare_without_others_decide_the_scale():
    lesion = ClassFacts("lesion", images=10, share=0.0005, objects=12, width=(8.0, 12.0, 15.0, 20.0))
    big = {"median_hw": (2048, 2048), "smallest_hw": (2048, 2048), "largest_hw": (2048, 2048), "num_images": 200}
    alone, common = (
        planned(classes=(lesion,), **big),
        planned(classes=(dataclasses.replace(lesion, share=0.01),), **big),
    )
    assert alone.data.scale == common.data.scale and "12 px wide" in alone.reasons["data.scale"]
    beside = dataclasses.replace(CELL, width=(90.0, 100.0, 110.0, 120.0))
    assert (
        planned(classes=(beside, lesion), names=("background", "cell", "lesion"), **big).data.scale < alone.data.scale
    )


def test_what_a_person_fixes_stays_and_later_rules_see_it():
    recipe = planned(overrides={"data.scale": 0.25, "augmentation.flip_y": False, "model.architecture": "fpn"})
    assert recipe.data.scale == 0.25 and recipe.data.patch_hw == (128, 192)  # 125 x 175 in multiples of 32
    assert recipe.augmentation.rotation_degrees == 15
    assert {recipe.reasons[key] for key in ("data.scale", "augmentation.flip_y", "model.architecture")} == {
        "set by hand"
    }
    assert planned(overrides={"data.patch_hw": [64, 64]}, machine=with_memory(0.25), seconds=1e5).sampling.batch == 16
    with pytest.raises(RecipeError, match=r"unknown key 'data\.scales'"):
        planned(overrides={"data.scales": 1})


def test_machines():
    slow = Machine(cores=2, memory=2**30, gpu=False, bfloat16=False)
    assert dataclasses.replace(slow, cores=4).pixels_per_second == 2 * slow.pixels_per_second
    assert slow.pixels_per_second < dataclasses.replace(slow, bfloat16=True).pixels_per_second
    assert (
        dataclasses.replace(slow, gpu=True).pixels_per_second
        > dataclasses.replace(slow, bfloat16=True, cores=16).pixels_per_second
    )
    assert slow.largest_step == int(0.4 * 2**30 / 1600)
