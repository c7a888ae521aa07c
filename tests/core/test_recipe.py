"""The recipe file and the recipe value are the same thing; what cannot be obeyed is refused by name."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limner.core.errors import RecipeError
from limner.core.recipe import Recipe, parse_settings

TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30)
NUMBER = st.floats(allow_nan=False)


@settings(max_examples=25)
@given(
    TEXT,
    TEXT,
    NUMBER,
    st.integers(0, 2**63 - 1),
    st.booleans(),
    st.lists(st.tuples(st.integers(0), st.integers(0)), max_size=3),
)
def test_every_value_survives_the_file(group, weights, rate, seed, flag, revisions):
    recipe = Recipe().override({
        "split.group_by": group, "encoder.weights": weights, "optimizer.learning_rate": rate, "seed": seed,
        "encoder.pretrained": flag, "schedule.revisions": revisions,
    })  # fmt: skip
    again = Recipe.from_toml(recipe.to_toml())
    assert again == recipe and again.split.group_by == group and again.schedule.revisions == tuple(revisions)


REASON = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), max_size=30)


@settings(max_examples=40)
@given(TEXT, REASON)
def test_reasons_travel_as_comments(value, reason):
    recipe = Recipe().override({"split.group_by": value, "seed": 3}, reason=reason)
    again = Recipe.from_toml(recipe.to_toml())
    words = " ".join(reason.split())
    assert again.reasons == ({"split.group_by": words, "seed": words} if words else {})


@pytest.mark.parametrize("value", ["a  # b", 'quote " and \\', "it's = # 'x'", "#", "[data]", "ünïcode\ttab", ""])
def test_awkward_texts(value):
    recipe = Recipe().override({"split.group_by": value}, reason='because = # of "this"')
    again = Recipe.from_toml(recipe.to_toml())
    assert again.split.group_by == value and again.reasons == {"split.group_by": 'because = # of "this"'}


def test_comments_by_hand_are_reasons_too():
    text = "seed = 4 # mine\n[split]\n group_by = 'a#b'   #  by   slide\nval_share = 0.3\n"
    recipe = Recipe.from_toml(text)
    assert (recipe.seed, recipe.split.group_by, recipe.split.val_share) == (4, "a#b", 0.3)
    assert recipe.reasons == {"seed": "mine"} or recipe.reasons == {"seed": "mine", "split.group_by": "by   slide"}


def test_the_file_lists_every_key_under_its_section():
    import tomllib

    tree = tomllib.loads(Recipe().to_toml())
    flat = {f"{a}.{b}" for a, part in tree.items() if isinstance(part, dict) for b in part} | {"seed"}
    assert flat == {key for key, _ in Recipe().items()} and len(flat) > 40
    assert tree["data"]["patch_hw"] == [256, 256] and tree["schedule"]["budget"] == "10m"


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("schedule.epoch", "schedule.epochs"), ("epochs", "schedule.epochs"), ("sampling.batch_size", "sampling.batch"),
        ("model.budget", "schedule.budget"), ("sed", "seed"), ("reasons", ""), ("data", ""), ("schedule.", ""), ("a.b.c", ""),
    ],
)  # fmt: skip
def test_unknown_keys_name_the_nearest(key, hint):
    with pytest.raises(RecipeError) as caught:
        Recipe().override({key: 1})
    assert caught.value.found == f"unknown key '{key}'" and hint in caught.value.fix and caught.value.where == key


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("schedule.epochs", 2.0, "int"), ("schedule.epochs", True, "int"), ("schedule.epochs", "2", "int"),
        ("data.scale", "half", "float"), ("data.scale", False, "float"), ("data.scale", None, "float"),
        ("encoder.pretrained", 1, "bool"), ("schedule.budget", 60, "str"), ("data.patch_hw", [1, 2, 3], "tuple[int, int]"),
        ("data.patch_hw", 64, "tuple[int, int]"), ("data.patch_hw", [1.5, 2], "int"), ("schedule.revisions", [[1]], "tuple"),
    ],
)  # fmt: skip
def test_values_of_another_kind_are_refused(key, value, kind):
    with pytest.raises(RecipeError) as caught:
        Recipe().override({key: value})
    assert kind in caught.value.expected and key in caught.value.found and key in caught.value.fix


def test_whole_numbers_become_floats_and_lists_tuples():
    recipe = Recipe().override({"data.scale": 1, "data.patch_hw": [96, 128], "model.decoder_widths": [1, 2, 3]})
    assert (
        type(recipe.data.scale) is float
        and recipe.data.patch_hw == (96, 128)
        and recipe.model.decoder_widths == (1, 2, 3)
    )
    assert recipe.get("data.patch_hw") == (96, 128) and recipe.reasons["data.scale"] == "set by hand"
    assert Recipe().data.patch_hw == (256, 256)  # the original is untouched
    with pytest.raises(dataclasses.FrozenInstanceError):
        recipe.seed = 1


def test_files_that_cannot_be_read(tmp_path):
    file = tmp_path / "r.toml"
    file.write_text("[schedule]\nepoch = 3\n")
    with pytest.raises(RecipeError, match=r"schedule\.epoch'") as caught:
        Recipe.read(file)
    assert caught.value.where == str(file) and "schedule.epochs" in caught.value.fix
    file.write_text("[schedule\n")
    with pytest.raises(RecipeError, match="not valid TOML"):
        Recipe.read(file)
    with pytest.raises(RecipeError, match="no recipe at"):
        Recipe.read(tmp_path / "none.toml")
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read"):
        Recipe.read(file)
    file.write_text("[loss]\ndice = 0.5\n")
    assert Recipe.read(file).loss.dice == 0.5


def test_settings_of_the_command_line():
    found = parse_settings([
        "schedule.epochs=6", " schedule.budget = none ", "data.patch_hw=[96, 128]", "encoder.pretrained=false",
        "optimizer.learning_rate=1e-4", 'split.group_by="a # b"', "split.group_by2=^(\\w+)_=\"", "encoder.weights=",
    ])  # fmt: skip
    assert found == {
        "schedule.epochs": 6, "schedule.budget": "none", "data.patch_hw": [96, 128], "encoder.pretrained": False,
        "optimizer.learning_rate": 1e-4, "split.group_by": "a # b", "split.group_by2": '^(\\w+)_="', "encoder.weights": "",
    }  # fmt: skip
    with pytest.raises(RecipeError, match=r"'schedule\.epochs'") as caught:
        parse_settings(["schedule.epochs"])
    assert caught.value.where == "--set" and caught.value.expected == "KEY=VALUE"
