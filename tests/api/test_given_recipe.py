"""What follows from the changes of a call in a recipe that is given: its length, its validations, the options of its network."""

import pytest

from limner.api.given_recipe import given_recipe, with_changes
from limner.api.network import make_network
from limner.api.run_folder import RunFolder
from limner.api.train import _changes
from limner.core.errors import RecipeError
from limner.core.labels import LabelSpace
from limner.core.named_recipes import named_recipe
from limner.core.recipe import Recipe
from limner.training.checkpoint import Progress
from tests.training.runs_light import Heard

TWO = LabelSpace(("background", "thing"))


def changed(given, settings, budget=None):
    heard = Heard()
    return with_changes(given, _changes(settings, budget, None, None, planned=False), heard).schedule, heard.messages


def measured(tmp_path, held, **settings):
    """The recipe that a run with a budget left in its folder."""
    folder = RunFolder(tmp_path)
    asked = Recipe().override({"schedule.budget": "1m"} | {f"schedule.{key}": value for key, value in settings.items()})
    folder.write_recipe(asked, Progress(step=80, plan=[(0, 90), (40, 80)], validations=held, stopped="budget"))
    return Recipe.read(folder.recipe)


@pytest.mark.parametrize(
    ("settings", "budget", "expected"),
    [
        ({"schedule.epochs": 100, "schedule.budget": "none"}, None, (0, 100, "none", 8)),
        ({"schedule.epochs": 100}, None, (0, 100, "1m", 8)),
        ({"schedule.budget": "2h"}, None, (0, 0, "2h", 8)),
        ({}, "2h", (0, 0, "2h", 8)),
        ({"schedule.steps": 33}, None, (33, 0, "1m", 8)),
        ({"schedule.epochs": 100, "schedule.steps": 33}, None, (33, 100, "1m", 8)),
        ({"schedule.epochs": 100, "schedule.validations": 3}, None, (0, 100, "1m", 3)),
        ({"schedule.budget": "none"}, None, (90, 0, "none", 8)),  # no other length is left
        ({"seed": 4}, None, (90, 0, "1m", 6)),
    ],
)
def test_a_length_that_is_set_goes_before_the_measured_one(tmp_path, settings, budget, expected):
    part, _ = changed(measured(tmp_path, 6), settings, budget)
    assert (part.steps, part.epochs, part.budget, part.validations) == expected
    assert part.revisions == (() if part.steps == 0 or "schedule.steps" in settings else ((40, 80),))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"split.folds": 5}, (0, 8)),
        ({"split.folds": 5, "schedule.steps": 33}, (33, 8)),
        ({"split.folds": 5, "schedule.validations": 3}, (0, 3)),
        ({"split.folds": 5, "schedule.budget": "none"}, (90, 8)),  # no other length is left
        ({"split.folds": 5, "split.fold": 2}, (90, 6)),  # one of them alone
        ({"split.folds": 0}, (90, 6)),
    ],
)
def test_folds_share_the_budget_that_the_steps_were_measured_for(tmp_path, settings, expected):
    part, heard = changed(measured(tmp_path, 6), settings)
    assert (part.steps, part.validations) == expected and bool(part.revisions) == (part.steps == 90)
    assert any("90 steps give way to split.folds" in text for text in heard) == (part.steps == 0)
    by_hand = Recipe().override({"schedule.budget": "1m", "schedule.steps": 90})
    assert changed(by_hand, {"split.folds": 5})[0].steps == 90


def test_what_follows_is_said_with_its_reason(tmp_path):
    given, heard = measured(tmp_path, 6), Heard()
    recipe = with_changes(given, {"schedule.epochs": 100}, heard)
    assert heard.messages[0] == "schedule.steps = 0: the recipe's 90 steps give way to schedule.epochs"
    assert recipe.reasons["schedule.steps"] in heard.messages[0] and recipe.reasons["schedule.epochs"] == "set by hand"
    assert with_changes(given, {"seed": 4}, heard) == given.override({"seed": 4}) and len(heard.messages) == 3


def test_the_wished_validations_are_known_unless_somebody_changed_them(tmp_path):
    given = measured(tmp_path, 7, validations=20)
    assert given.schedule.validations == 7 and "7 of 20" in given.reasons["schedule.validations"]
    assert changed(given, {}, "2h")[0].validations == 20
    assert changed(given, {"schedule.epochs": 5, "schedule.budget": "none"})[0].validations == 8  # not four per epoch
    edited = Recipe.from_toml(given.to_toml().replace("validations = 7", "validations = 12"))
    assert changed(edited, {}, "2h")[0].validations == 12
    earlier = given.override({"schedule.validations": 7}, reason="measured: what a budget of 1m held on this machine")
    assert changed(earlier, {}, "2h")[0].validations == 8
    kept = measured(tmp_path, 20, validations=20)
    assert "20 of 20" in kept.reasons["schedule.validations"] and changed(kept, {}, "2h")[0].validations == 20


@pytest.mark.parametrize("name", ["brain-tumour-unet", "pets-unet", "tongue-deeplabv3plus"])
def test_a_validation_after_every_epoch_stays_one(name):
    given = named_recipe(name)
    part, heard = changed(given, {"schedule.epochs": 20})
    assert part.validations == 20 and heard == ["schedule.validations = 20: after every epoch, as in the recipe"]
    assert changed(given, {"schedule.epochs": 20, "schedule.validations": 7})[0].validations == 7
    assert changed(given, {"optimizer.name": "sgd"})[0].validations == given.schedule.epochs
    other = given.override({"schedule.validations": 9})
    assert changed(other, {"schedule.epochs": 20})[0].validations == 9


@pytest.mark.parametrize("name", ["brain-tumour-unet", "spleen-unet", "workshop-unet", "pets-unet"])
@pytest.mark.parametrize("architecture", ["fpn", "residual-unet", "attention-unet", "unetpp"])
def test_another_network_in_a_teaching_recipe(name, architecture):
    given, heard = named_recipe(name), Heard()
    recipe = with_changes(given, {"model.architecture": architecture}, heard)
    network, arguments, _ = make_network(recipe, TWO)
    plain = architecture in ("attention-unet", "unetpp")
    assert arguments.get("encoder", "own") == {"fpn": "tf_efficientnet_lite0", "residual-unet": "own"}.get(
        architecture, "plain"
    )
    assert ("encoder_widths" in recipe.model.options) is plain and sum(p.numel() for p in network.parameters()) > 1000
    assert any("described unet, not " + architecture in text for text in heard.messages)
    assert recipe.optimizer == given.optimizer and recipe.data == given.data


def test_options_of_ones_own_are_obeyed():
    given = named_recipe("workshop-unet")
    options = {"encoder_widths": [4, 8], "norm": "batch"}
    recipe = with_changes(given, {"model.architecture": "attention-unet", "model.options": options}, Heard())
    assert recipe.model.options == {"encoder_widths": (4, 8), "norm": "batch"}
    recipe = with_changes(given, {"model.architecture": "fpn", "encoder.name": "resnet18"}, Heard())
    assert recipe.encoder.name == "resnet18" and recipe.model.options == {}
    assert with_changes(given, {"model.architecture": "unet"}, Heard()).model == given.model
    with pytest.raises(RecipeError, match="fnp"):
        with_changes(given, {"model.architecture": "fnp"}, Heard())


def test_the_advice_against_channel_attention_works():
    changes = {"model.architecture": "deeplabv3plus-enhanced", "encoder.name": "tf_efficientnet_lite0"}
    recipe = Recipe().override(changes | {"encoder.pretrained": False})
    with pytest.raises(RecipeError) as caught:
        make_network(recipe, TWO)
    assert "--set 'model.options={eca=false}'" in caught.value.fix
    make_network(recipe.override({"model.options": {"eca": False}}), TWO)


def test_which_recipe_a_call_names(tmp_path):
    recipe = Recipe().override({"seed": 3})
    (tmp_path / "r.toml").write_text(recipe.to_toml())
    assert given_recipe(recipe) is recipe and given_recipe(tmp_path / "r.toml") == recipe
    assert given_recipe(None) is None is given_recipe("auto")
    assert given_recipe("pets-unet") == named_recipe("pets-unet")
