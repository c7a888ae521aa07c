"""A run is a function of its recipe and seed: repeated, interrupted or continued, the weights are the same bytes."""

import json
import types

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from limner.core.errors import DataError, RecipeError
from limner.training import clock as clock_module
from limner.training import loop
from limner.training.loop import train
from tests.training import runs
from tests.training.runs import make_run, recipe, weights


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run of ten steps with its log."""
    folder = tmp_path_factory.mktemp("whole")
    run, log = make_run(folder, recipe())
    return folder, train(run, resume=False), log


def test_the_same_seed_gives_the_same_bytes(whole, tmp_path):
    folder, progress, _ = whole
    run, _ = make_run(tmp_path, recipe())
    again = train(run, resume=False)
    assert weights(tmp_path) == weights(folder)
    assert again.history[-1]["train_loss"] == progress.history[-1]["train_loss"] and again.best == progress.best


def test_another_seed_gives_others(whole, tmp_path):
    run, _ = make_run(tmp_path, recipe(seed=6))
    train(run, resume=False)
    assert weights(tmp_path) != weights(whole[0])


@pytest.mark.parametrize("pieces", [[3], [1, 1, 1, 1], [2, 3], [6], [9]])
def test_interrupted_and_continued_is_the_same(whole, tmp_path, pieces):
    folder, progress, _ = whole
    for number, piece in enumerate(pieces):
        run, _ = make_run(tmp_path, recipe(), stop_after=piece, model=runs.network(seed=77 + number))
        if number == 0:
            run.model.load_state_dict(runs.network().state_dict())
        part = train(run, resume=True)
        assert part.stopped == "" and part.step == sum(pieces[: number + 1])
        assert (tmp_path / "checkpoints" / "best.safetensors").is_file()  # a usable model is there at any time
    run, log = make_run(tmp_path, recipe(), model=runs.network(seed=99))  # other first weights: all comes from the file
    done = train(run, resume=True)
    assert log[0]["event"] == "resumed" and log[0]["step"] == sum(pieces)
    assert (done.step, done.stopped, done.best) == (progress.step, "epochs", progress.best)
    assert weights(tmp_path) == weights(folder)
    end = "last.safetensors"
    ours, theirs = (load_file(place / "checkpoints" / end) for place in (tmp_path, folder))
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)


def test_only_an_encoder_with_loaded_weights_learns_slower(whole, tmp_path):
    """What the recipe asks for is the default; plain and residual encoders have no weights to load."""
    asked, not_asked = recipe(encoder__pretrained=True), recipe(encoder__pretrained=False)
    found = {}
    for name, wanted, loaded in [("drawn", asked, False), ("loaded", asked, True), ("odd", not_asked, True)]:
        (tmp_path / name).mkdir()
        run, _ = make_run(tmp_path / name, wanted, pretrained=loaded)
        train(run, resume=False)
        found[name] = weights(tmp_path / name)
    assert found["drawn"] == weights(whole[0]) != found["loaded"] == found["odd"]


def test_a_checkpoint_that_does_not_say_goes_on_as_the_recipe_said(tmp_path):
    """Earlier versions gave each encoder of a recipe with ``pretrained`` groups of its own."""
    asked = recipe(encoder__pretrained=True)
    for name in ("whole", "earlier"):
        (tmp_path / name).mkdir()
    run, _ = make_run(tmp_path / "whole", asked, pretrained=True)
    train(run, resume=False)
    run, _ = make_run(tmp_path / "earlier", asked, pretrained=True, stop_after=4)
    train(run, resume=False)
    last = tmp_path / "earlier/checkpoints/last.safetensors"
    with safe_open(last, framework="pt") as file:
        progress = json.loads(file.metadata()["progress"])
    assert progress.pop("slow_encoder") is True
    save_file(load_file(last), last, metadata={"progress": json.dumps(progress)})
    run, _ = make_run(tmp_path / "earlier", asked, pretrained=False, stop_after=2, model=runs.network(seed=99))
    assert train(run, resume=True).step == 6
    run, _ = make_run(tmp_path / "earlier", asked, pretrained=False, model=runs.network(seed=98))
    train(run, resume=True)
    assert weights(tmp_path / "earlier") == weights(tmp_path / "whole")


def test_killed_between_checkpoints_repeats_the_lost_steps(whole, tmp_path):
    run, _ = make_run(tmp_path, recipe(), stop_after=3)
    train(run, resume=False)
    kept = (tmp_path / "checkpoints" / "last.safetensors").read_bytes()
    run, _ = make_run(tmp_path, recipe(), stop_after=4)
    train(run, resume=True)  # goes to step 7 and writes better or worse weights ...
    (tmp_path / "checkpoints" / "last.safetensors").write_bytes(kept)  # ... but its checkpoint was never written
    run, _ = make_run(tmp_path, recipe())
    train(run, resume=True)
    assert weights(tmp_path) == weights(whole[0])


def test_a_finished_run_is_not_trained_further(whole, tmp_path):
    folder, progress, _ = whole
    before = weights(folder)
    run, log = make_run(folder, recipe())
    again = train(run, resume=True)
    assert again.step == progress.step == 10 and again.stopped == "epochs" and weights(folder) == before
    assert [event["event"] for event in log] == ["resumed"]


def test_validations_are_spread_evenly_and_the_last_step_has_one(whole):
    _, progress, log = whole
    assert [row["step"] for row in progress.history] == [4, 6, 8, 10]
    assert [e["step"] for e in log if e["event"] == "validation"] == [4, 6, 8, 10]
    assert progress.history[-1]["epoch"] == round(10 / 3, 2)  # five pictures in batches of two


def test_the_best_weights_are_those_of_the_best_validation(tmp_path):
    seen = []

    def judge(module):
        seen.append({name: value.clone() for name, value in module.state_dict().items()})
        return loop.Validation("val_dice", [0.1, 0.7, 0.3, 0.69][len(seen) - 1], {"val_dice": 0.0})

    run, _ = make_run(tmp_path, recipe(), validate=judge)
    progress = train(run, resume=False)
    stored = load_file(tmp_path / "checkpoints" / "best.safetensors")
    assert progress.best["step"] == 6 and progress.since_best == 2
    assert all(torch.equal(seen[1][name], value) for name, value in stored.items())
    assert any(not torch.equal(seen[3][name], value) for name, value in stored.items())


def test_patience_stops_and_epochs_end(tmp_path):
    judge = runs.Judge([0.5, 0.4, 0.3, 0.2, 0.1])
    run, _ = make_run(tmp_path, recipe(schedule__patience=2), validate=judge)
    progress = train(run, resume=False)
    assert (progress.stopped, progress.step, progress.best["step"]) == ("patience", 8, 4)
    run, _ = make_run(tmp_path / "epochs", recipe(schedule__steps=0, schedule__epochs=2))
    assert train(run, resume=False).step == 6  # three steps an epoch


def test_an_undefined_score_is_no_best_for_long(tmp_path):
    run, _ = make_run(tmp_path, recipe(), validate=runs.Judge([float("nan"), 0.0, 0.0, float("nan")]))
    progress = train(run, resume=False)
    assert (progress.best["step"], progress.best["value"]) == (8, 0.0)


def test_a_class_that_is_not_predicted_raises_one_alarm_each_time_it_vanishes(tmp_path):
    notes, silent = runs.Notes(), [("liver",), ("liver",), ("liver",), (), ("liver",)]

    def judge(module):
        return loop.Validation("val_dice", 0.0, {"val_dice": 0.0}, silent.pop(0) if silent else ("liver",))

    run, log = make_run(tmp_path, recipe(), validate=judge, listener=notes)
    train(run, resume=False)
    steps = [row["step"] for row in log if row["event"] == "validation"]
    alarms = [note for note in notes.messages if note.startswith("alarm")]
    assert len(steps) == 4 and len(alarms) == 1 and "class 'liver'" in alarms[0]
    assert f"step {steps[1]}" in alarms[0]  # not while it warms up, and not twice
    assert log[-1]["silent"] == []


def test_a_loss_that_is_no_number_names_the_step_and_the_remedy(tmp_path):
    batches = runs.loader(tmp_path, recipe())
    good = batches.batch

    def poisoned(step):
        batch = good(step)
        if step == 3:
            batch.images[0, 0, 0, 0] = float("nan")
        return batch

    batches.batch = poisoned
    run, _ = make_run(tmp_path, recipe(), batches=batches)
    with pytest.raises(DataError, match="not-a-number at step 3") as caught:
        train(run, resume=False)
    assert "learning_rate" in caught.value.fix


def test_a_run_needs_a_length(tmp_path):
    run, _ = make_run(tmp_path, recipe(schedule__steps=0))
    with pytest.raises(RecipeError, match="neither epochs, steps nor a budget") as caught:
        train(run, resume=False)
    assert "--budget" in caught.value.fix


class Clock:
    """A clock that only moves when work is done."""

    now = 0.0

    def perf_counter(self):
        return self.now


@pytest.fixture
def clocked(tmp_path, monkeypatch):
    """A budgeted run whose steps take 1 s, from step 20 on `slow` seconds, and whose validations take 5 s."""

    def start(slow, **settings):
        clock = Clock()
        monkeypatch.setattr(clock_module, "time", types.SimpleNamespace(perf_counter=clock.perf_counter))
        part = recipe(schedule__steps=0, schedule__budget="100s", schedule__validations=10, **settings)
        run, log = make_run(tmp_path, part)
        forward, steps = run.model.forward, []

        def timed(x):
            if run.model.training:
                clock.now += 1.0 if len(steps) < 20 else slow
                steps.append(1)
            return forward(x)

        def validate(module):
            clock.now += 5.0
            return runs.scored_by_weights(module)

        run.model.forward, run.validate = timed, validate
        return train(run, resume=False), log, clock

    return start


def test_a_budget_becomes_steps(clocked):
    progress, log, clock = clocked(slow=1.0)
    assert progress.plan[0][0] == 0 and 70 <= progress.plan[0][1] <= 88  # 100 s less validations of 5 s
    assert progress.step == progress.plan[-1][1] and progress.stopped == "budget"
    assert 90 <= clock.now <= 103 and progress.seconds == pytest.approx(clock.now)
    assert [event["event"] for event in log].count("length") == 1
    assert progress.history[-1]["step"] == progress.step


def test_a_steady_machine_needs_no_revision(clocked):
    assert len(clocked(slow=1.0)[0].plan) == 1


def test_a_machine_that_slows_down_shortens_the_plan(clocked):
    progress, log, clock = clocked(slow=2.5)
    revised = [event for event in log if event["event"] == "revised"]
    assert revised and len(progress.plan) == 1 + len(revised) and progress.plan[-1][1] < progress.plan[0][1]
    assert progress.step == progress.plan[-1][1] and progress.stopped == "budget"
    assert clock.now <= 125


def test_a_machine_that_gets_faster_lengthens_it(clocked):
    progress, _, clock = clocked(slow=0.4)
    assert progress.step == progress.plan[-1][1] > progress.plan[0][1] and 80 <= clock.now <= 110


def test_epochs_bound_a_budget(clocked):
    progress, _, _ = clocked(slow=1.0, schedule__epochs=5)
    assert (progress.step, progress.stopped) == (15, "epochs")


def test_few_epochs_bound_a_budget(clocked):
    assert clocked(slow=1.0, schedule__epochs=2)[0].step == 6


@pytest.mark.parametrize("warmup", [12, 3])
def test_a_measured_length_written_down_gives_the_same_weights(clocked, tmp_path, warmup):
    progress, _, _ = clocked(slow=2.5, schedule__warmup_steps=warmup)
    fixed = recipe(
        schedule__warmup_steps=warmup, schedule__budget="100s",
        schedule__steps=progress.plan[0][1], schedule__revisions=tuple(progress.plan[1:]),
        schedule__validations=progress.validations,
    )  # fmt: skip
    run, _ = make_run(tmp_path / "again", fixed)
    assert train(run, resume=False).step == progress.step
    assert weights(tmp_path / "again") == weights(tmp_path)
