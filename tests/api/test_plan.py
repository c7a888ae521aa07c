"""What planning hands on: the split that the call asks for, and the share of the budget that one fold has."""

import numpy as np
import pytest
from PIL import Image

import limner
from limner.api import machine, train
from limner.core.errors import DataError, RecipeError, UsageError
from limner.core.recipe import Recipe
from limner.planning import planner
from tests.api import tiny
from tests.make_data import save, write_csv
from tests.training.runs_light import Heard


@pytest.fixture
def seconds(monkeypatch):
    """Budgets that plans were made for; the plan itself is what the call fixes."""
    found = []

    def make_plan(facts, machine, label_space, *, budget_seconds, start, overrides):
        found.append(budget_seconds)
        return start.override(overrides)

    monkeypatch.setattr(machine, "this_machine", lambda: None)
    monkeypatch.setattr(planner, "make_plan", make_plan)
    return found


@pytest.fixture
def given(tmp_path):
    root = tiny.make_data(tmp_path / "data", count=10, size_hw=(9, 14))
    rows = [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", "test" if i > 6 else "train", ""] for i in range(10)]
    write_csv(root / "splits.csv", rows)
    return root


def test_a_plan_for_folds_is_for_the_share_of_one(seconds, given):
    for changes, expected in (
        ({}, 600), ({"schedule.budget": "90s"}, 90), ({"split.folds": 3, "schedule.budget": "90s"}, 30),
        ({"split.folds": 3, "split.fold": 2, "schedule.budget": "90s"}, 90), ({"split.folds": 4, "schedule.budget": "none"}, 150),
    ):  # fmt: skip
        recipe = limner.plan(given, settings=changes)
        assert seconds[-1] == expected and recipe.schedule.budget == changes.get("schedule.budget", "10m")
    assert "fold 2 of 3" in limner.plan(given, settings={"split.folds": 3, "split.fold": 2}).reasons["split.rule"]


def test_a_given_split_is_obeyed_until_automatic_is_asked_for(seconds, given):
    plain = limner.plan(given)
    assert plain.split.rule == "given" and plain.reasons["split.rule"].startswith("given by splits.csv; 1 of 7")
    switched = limner.plan(given, settings={"split.rule": "automatic"})
    assert switched.split.rule == "automatic" and switched.reasons["split.rule"].startswith(
        "automatic, by picture, seed 0"
    )


def begun(data, out, recipe, **changes):
    """What training begins with, without a step of it, and what it says."""
    heard = Heard()
    call = train.Call(train.RunFolder(out), data, recipe, None, changes, False, (), False, False)
    return train._begin(call, train.Place(), heard), heard.messages


def test_training_says_which_split_it_obeys(given, tmp_path):
    automatic = Recipe().override({"split.rule": "automatic"})
    job, said = begun(given, tmp_path / "a", automatic)
    assert job.recipe.reasons["split.rule"] == job.split.rule and any(
        "is not used, since split.rule" in text for text in said
    )
    assert {item.name for item in job.split.part("test")} != {f"images/p.{i:02d}.png" for i in (7, 8, 9)}
    job, said = begun(given, tmp_path / "b", Recipe().override({"split.rule": "given"}))
    assert {item.name for item in job.split.part("test")} == {f"images/p.{i:02d}.png" for i in (7, 8, 9)}
    assert any(text.startswith("split: given by splits.csv") for text in said)
    (given / "splits.csv").unlink()
    with pytest.raises(RecipeError, match="data that bring a split"):
        begun(given, tmp_path / "c", Recipe().override({"split.rule": "given"}))


def test_a_resumed_run_keeps_its_split_with_its_rule(given, tmp_path):
    job, _ = begun(given, tmp_path / "run", Recipe().override({"split.rule": "given"}))
    call = train.Call(train.RunFolder(tmp_path / "run"), given, None, None, {}, True, (), False, False)
    again = train._begin(call, train.Place(), Heard())
    assert again.split == job.split and again.split.rule.startswith("given by splits.csv")
    text = (tmp_path / "run/split.csv").read_text()
    swapped = (
        text.replace("p.07.png,test", "p.07.png,TEST")
        .replace("p.00.png,train", "p.00.png,test")
        .replace(",TEST", ",train")
    )
    (tmp_path / "run/split.csv").write_text(swapped)
    again = train._begin(call, train.Place(), Heard())
    assert again.split.rule == "as written in split.csv" and "images/p.00.png" in {
        i.name for i in again.split.part("test")
    }


@pytest.fixture
def leaking(given):
    """Picture 3 trains and, as a copy of itself, tests."""
    save(given / "images/p.08.png", np.asarray(Image.open(given / "images/p.03.png")))
    return given


def test_a_leak_in_a_split_that_is_not_used_stops_nothing(seconds, leaking, tmp_path):
    automatic = {"split.rule": "automatic"}
    assert limner.plan(leaking, settings=automatic).split.rule == "automatic"
    for number, (recipe, changes) in enumerate(
        [(Recipe(), automatic), (Recipe().override(automatic), {}), (None, automatic)]
    ):
        job, _ = begun(leaking, tmp_path / str(number), recipe, **changes)
        part = {item.name: item.split for item in job.split.items}
        assert part["images/p.03.png"] == part["images/p.08.png"]
        call = train.Call(job.folder, leaking, None, None, {}, True, (), False, False)
        assert train._begin(call, train.Place(), Heard()).split == job.split
    with pytest.raises(DataError, match="SPLIT_LEAK"):
        begun(leaking, tmp_path / "given", Recipe())
    with pytest.raises(DataError, match="SPLIT_LEAK"):
        begun(leaking, tmp_path / "given", Recipe().override(automatic), **{"split.rule": "data"})


def test_a_plan_that_a_leak_stops_names_what_helps_a_plan(seconds, leaking):
    with pytest.raises(DataError, match="SPLIT_LEAK") as caught:
        limner.plan(leaking)
    assert "--set split.rule=automatic" in caught.value.fix and "limner train" in caught.value.fix
    assert [finding["code"] for finding in caught.value.details["findings"]].count("SPLIT_LEAK") == 1


def test_what_only_a_network_knows_is_refused_for_other_methods(given, tmp_path):
    with pytest.raises(UsageError, match="--folds with a method without a network"):
        limner.train(given, recipe="otsu", folds=3, log=[], out=tmp_path / "run")
    with pytest.raises(UsageError, match="--devices with a method without a network"):
        limner.train(given, recipe="otsu", devices=2, out=tmp_path / "run")
