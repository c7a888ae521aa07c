"""What a validation decides: which weights stay, and when the rate falls."""

import pytest
import torch
from safetensors.torch import load_file

from limner.core.errors import MachineError
from limner.training.loop import Validation, train
from tests.training import runs
from tests.training.runs import Judge, make_run, recipe, weights

NAN = float("nan")


def seen_by(judge):
    """The judge, remembering the weights that it saw."""
    seen = []

    def validate(module):
        seen.append({name: value.clone() for name, value in module.state_dict().items()})
        return judge(module)

    return validate, seen


def top(folder):
    return sorted(path.name for path in (folder / "checkpoints").glob("top-*"))


def test_the_weights_of_the_best_validations_are_kept(tmp_path):
    """Validations after steps 4, 6, 8 and 10; of two equal values the later is the better."""
    validate, seen = seen_by(Judge([0.3, 0.7, 0.1, 0.3]))
    run, _ = make_run(tmp_path, recipe(schedule__keep_top=2), validate=validate)
    progress = train(run, resume=False)
    assert progress.top == [{"step": 6, "value": 0.7}, {"step": 10, "value": 0.3}]
    assert top(tmp_path) == ["top-10.safetensors", "top-6.safetensors"]
    for name, which in (("top-6", 1), ("top-10", 3)):
        stored = load_file(tmp_path / "checkpoints" / f"{name}.safetensors")
        assert (
            all(torch.equal(seen[which][key], value) for key, value in stored.items())
            and stored.keys() == seen[0].keys()
        )


def test_an_undefined_value_is_never_among_the_best(tmp_path):
    run, _ = make_run(tmp_path, recipe(schedule__keep_top=3), validate=Judge([NAN, 0.2, NAN, 0.1]))
    assert [row["step"] for row in train(run, resume=False).top] == [6, 10]
    assert top(tmp_path) == ["top-10.safetensors", "top-6.safetensors"]


def test_none_is_kept_unless_asked_for(tmp_path):
    run, _ = make_run(tmp_path, recipe())
    assert train(run, resume=False).top == [] and top(tmp_path) == []


def test_the_same_files_stay_after_a_kill(tmp_path):
    for name, pieces in (("whole", []), ("pieces", [5, 2, 1])):
        for piece in [*pieces, None]:
            run, _ = make_run(tmp_path / name, recipe(schedule__keep_top=2), stop_after=piece)
            progress = train(run, resume=True)
    assert progress.stopped and len(top(tmp_path / "whole")) == 2
    assert [path.read_bytes() for path in sorted((tmp_path / "whole/checkpoints").glob("top-*"))] == [
        path.read_bytes() for path in sorted((tmp_path / "pieces/checkpoints").glob("top-*"))
    ]


PLATEAU = {
    "schedule__curve": "plateau", "schedule__plateau_patience": 2, "schedule__plateau_factor": 0.1, "schedule__floor": 0.05,
    "schedule__validations": 10, "schedule__warmup_steps": 0,
}  # fmt: skip


def rates(progress):
    """Rate of the step before each validation, relative to the peak."""
    return [round(row["learning_rate"] / 1e-3, 6) for row in progress.history]


def test_the_rate_falls_after_validations_without_a_better_one(tmp_path):
    """A validation after each of ten steps. Two after the first without a better one: a fall; then two more; then the floor."""
    values = [0.5, 0.4, 0.5, 0.6, 0.1, NAN, 0.2, 0.3, 0.3, 0.3]  # equal is not better
    run, log = make_run(tmp_path, recipe(**PLATEAU), validate=Judge(values))
    progress = train(run, resume=False)
    assert rates(progress) == [1, 1, 1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05]
    falls = [(event["step"], round(event["learning_rate"], 9)) for event in log if event["event"] == "plateau"]
    assert falls == [(3, 1e-4), (6, 5e-5)]  # at the floor nothing is told
    assert progress.falls == 4 and progress.since_best == 6


@pytest.mark.parametrize("pieces", [[3], [4, 1], [2, 5]])
def test_the_plateau_survives_a_resume(tmp_path, pieces):
    def judge():
        return lambda module: Validation("val_dice", value(module), {"val_dice": value(module)})

    def value(module):  # up, then down and up again
        return -abs(float(sum(p.detach().double().abs().sum() for p in module.parameters())) * 1e4 % 3 - 1.5)

    run, _ = make_run(tmp_path / "whole", recipe(**PLATEAU), validate=judge())
    whole = train(run, resume=False)
    for piece in [*pieces, None]:
        run, _ = make_run(tmp_path / "pieces", recipe(**PLATEAU), validate=judge(), stop_after=piece)
        progress = train(run, resume=True)
    assert whole.falls > 0 and rates(progress) == rates(whole)
    assert (progress.falls, progress.since_fall) == (whole.falls, whole.since_fall)
    assert weights(tmp_path / "pieces") == weights(tmp_path / "whole")


def test_a_validation_without_room_says_what_to_lower(tmp_path):
    def judge(module):
        raise torch.OutOfMemoryError("CUDA out of memory")

    run, _ = make_run(tmp_path, recipe(), validate=judge)
    with pytest.raises(MachineError, match="memory ran out in the validation after step 4") as caught:
        train(run, resume=False)
    assert "inference.tile" in caught.value.fix


def test_numbers_are_handed_to_other_logs(tmp_path):
    points = []
    run, _ = make_run(tmp_path, recipe(), scalars=lambda step, values: points.append((step, dict(values))))
    progress = train(run, resume=False)
    steps = [(step, values) for step, values in points if "train_loss" in values]
    assert [step for step, _ in steps] == list(range(1, 11)) and all(v["learning_rate"] > 0 for _, v in steps)
    mean = sum(values["train_loss"] for _, values in steps[:4]) / 4
    assert progress.history[0]["train_loss"] == pytest.approx(mean, abs=1e-6)
    assert [(step, values["val_dice"]) for step, values in points if "val_dice" in values] == [
        (row["step"], row["val_dice"]) for row in progress.history
    ]


def test_a_resumed_run_tells_its_history(tmp_path):
    run, _ = make_run(tmp_path, recipe(), stop_after=7)
    train(run, resume=False)
    told = []
    run, _ = make_run(tmp_path, recipe(), stop_after=0)
    run.changed = lambda progress: told.append(len(progress.history))
    train(run, resume=True)
    assert told == [2] and isinstance(run.listener, runs.Silent)
