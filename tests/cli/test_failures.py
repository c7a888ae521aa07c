"""Training that cannot go on says at which step and what to do, and leaves the folder usable."""

import errno
import json
import re

import pytest
import torch
from safetensors.torch import load_file

from limner.api import train as train_api
from limner.cli.show import explained
from limner.core.recipe import Recipe
from limner.training import step as step_module
from tests.api import tiny
from tests.cli.call import limner, refused

REAL = step_module.compound_loss


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return tiny.make_data(tmp_path_factory.mktemp("failures") / "data")


def diverging(monkeypatch, after, factor):
    """From the step after so many, the loss is multiplied."""
    calls = []

    def loss(*arguments):
        calls.append(1)
        return REAL(*arguments) * (factor if len(calls) > after else 1.0)

    monkeypatch.setattr(step_module, "compound_loss", loss)


@pytest.mark.parametrize("factor, word", [(float("nan"), "not-a-number"), (float("inf"), "infinite")])
def test_a_loss_that_diverges_leaves_the_last_good_model(data, tmp_path, monkeypatch, factor, word):
    diverging(monkeypatch, 30, factor)  # 40 steps with validations after 21 and 40
    run = tmp_path / "run"
    told = limner("train", data, "--out", run, "--json", *tiny.words())
    text = refused(told)
    assert f"the loss became {word} at step 30" in text and "lower optimizer.learning_rate from 0.02" in text
    assert told.document["error"]["kind"] == "DataError"
    assert f"the best model so far, of step 21, is in {run / 'model'}" in told.err
    assert (run / "model/weights.safetensors").read_bytes() == (run / "checkpoints/best.safetensors").read_bytes()
    assert not (run / "train.json").exists() and len((run / "history.csv").read_text().splitlines()) == 2
    stored = torch.cat([p.flatten() for p in _tensors(run / "checkpoints/best.safetensors")])
    assert bool(torch.isfinite(stored).all())
    assert limner("predict", run, data / "images/p.00.png", "--out", tmp_path / "out").code == 0
    monkeypatch.setattr(step_module, "compound_loss", REAL)
    done = limner("train", data, "--out", run, "--resume")  # no checkpoint yet: the run begins again, and is well
    assert done.code == 0 and json.loads((run / "train.json").read_text())["steps"] == 40


def _tensors(path):
    return [value.double() for value in load_file(path).values()]


def test_without_a_validation_there_is_no_model(data, tmp_path, monkeypatch):
    diverging(monkeypatch, 5, float("nan"))
    told = limner("train", data, "--out", tmp_path / "run", *tiny.words())
    assert "at step 5" in refused(told) and "best model" not in told.err
    assert not (tmp_path / "run/model").exists()


def test_memory_that_runs_out_is_written_into_the_recipe(data, tmp_path, monkeypatch):
    failed = []

    def loss(logits, *arguments):
        if len(logits) > 2:
            failed.append(len(logits))
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB")
        return REAL(logits, *arguments)

    monkeypatch.setattr(step_module, "compound_loss", loss)
    run = tmp_path / "run"
    done = limner("train", data, "--out", run, *tiny.words())
    assert done.code == 0 and failed == [4], done.err
    assert "memory ran out at step 0 with 4 patches at once; going on in parts of half the size" in done.err
    recipe = Recipe.read(run / "recipe.toml")
    assert recipe.optimizer.accumulate == 2
    assert recipe.reasons["optimizer.accumulate"] == "memory ran out at step 0 with 4 patches at once"
    events = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    assert [(e["step"], e["accumulate"]) for e in events if e["event"] == "memory"] == [(0, 2)]
    again = limner("train", data, "--out", tmp_path / "again", "--recipe", run / "recipe.toml")
    assert again.code == 0 and failed == [4]  # it fits from the start
    ours, theirs = ((folder / "model/weights.safetensors").read_bytes() for folder in (run, tmp_path / "again"))
    assert ours == theirs
    assert limner("train", data, "--out", run, "--resume").code == 0


def test_memory_that_does_not_suffice_in_parts_either(data, tmp_path, monkeypatch):
    def loss(*arguments):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory: you tried to allocate"
        )

    monkeypatch.setattr(step_module, "compound_loss", loss)
    text = refused(limner("train", data, "--out", tmp_path / "run", *tiny.words()))
    assert "memory ran out at step 0, with 2 patches at once" in text and "data.patch_hw" in text


@pytest.mark.parametrize(
    "error, words",
    [
        (OSError(errno.EIO, "Input/output error", "/data/x.png"), "Input/output error; .*\nwhere: /data/x.png\nfix:"),
        (ConnectionResetError("peer is gone"), "peer is gone"),
        (MemoryError(), "memory ran out;"),
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 3 GiB\nmore"),
            r"memory ran out \(CUDA out of memory.*GiB\);",
        ),
    ],
)
def test_what_the_system_refuses_is_a_paragraph(data, tmp_path, monkeypatch, error, words):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(train_api, "open_dataset", fail)
    told = limner("train", data, "--out", tmp_path / "run", "--json")
    assert re.search(words, refused(told)) and told.document["error"]["kind"] == "MachineError"
    shown = limner("train", data, "--out", tmp_path / "run", "--json", "--debug")
    assert (shown.code, shown.document) == (told.code, told.document)
    before, _, paragraph = shown.err.partition("\nerror: ")
    assert f"error: {paragraph}" == refused(told) + "\n"  # the traceback comes first, the rest is as it was
    assert "Traceback" in before and "in fail\n    raise error" in before and type(error).__name__ in before


def test_a_wrong_call_stays_one_with_a_traceback(data, tmp_path):
    call = ("train", data, "--out", tmp_path / "run", "--folds", "1", "--json")
    told, shown = limner(*call), limner(*call, "--debug")
    assert "Traceback" in shown.err and shown.err.endswith(refused(told, code=2) + "\n")
    assert (shown.code, shown.document) == (2, told.document)


def test_a_bug_is_raised_as_it_is(data, tmp_path, monkeypatch):
    def fail(*arguments, **options):
        raise RuntimeError("shapes differ")

    monkeypatch.setattr(train_api, "open_dataset", fail)
    for more in ([], ["--debug"]):
        with pytest.raises(RuntimeError, match="shapes differ"):
            limner("train", data, "--out", tmp_path / "run", *more)


def test_every_library_that_runs_out_of_memory_is_understood():
    assert "memory ran out" in explained(RuntimeError("bfc_arena.cc: Failed to allocate memory for a buffer")).found
    assert "memory ran out" in explained(RuntimeError("std::bad_alloc")).found


def test_a_bug_is_not_dressed_up():
    assert explained(RuntimeError("shapes differ")) is None and explained(BrokenPipeError(32, "Broken pipe")) is None


def test_two_files_are_both_named():
    error = explained(OSError(errno.EXDEV, "Invalid cross-device link", "a", None, "b"))
    assert error.where == "a and b"
