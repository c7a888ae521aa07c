"""Several processes of which one runs out of memory are started again, in smaller parts."""

import dataclasses
import json

import pytest

from limner.api import network
from limner.api.fit import Job, check_parts, fit
from limner.api.run_folder import RunFolder
from limner.core.errors import DataError, MachineError
from limner.core.files import write_text
from limner.core.recipe import Recipe
from limner.data.dataset import open_dataset
from limner.data.splits import make_split
from limner.training import launch, loader, loop
from limner.training.place import Place
from tests.api import tiny
from tests.training.runs_light import Heard


@pytest.fixture
def job(tmp_path):
    dataset = open_dataset(tiny.make_data(tmp_path / "data", count=4))
    recipe = Recipe().override({"sampling.batch": 7})
    write_text(tmp_path / "run/recipe.toml", recipe.to_toml())
    return Job(
        RunFolder(tmp_path / "run"), dataset, make_split(dataset, rule=recipe.split, seed=0), recipe, resume=False
    )


def no_memory():
    error = MachineError("memory ran out at step 4, with 4 patches at once", fix="less")
    error.__cause__ = MemoryError()
    return error


def started(monkeypatch, *outcomes):
    """Jobs that processes were started with; each start ends as the next of `outcomes` says."""
    jobs, left = [], list(outcomes)

    def start(work, job, *, devices, listener, stop):
        jobs.append(job)
        outcome = left.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    monkeypatch.setattr(launch, "launch", start)
    return jobs


def test_they_go_on_in_parts_of_half_the_size(monkeypatch, job):
    jobs, heard = started(monkeypatch, no_memory(), "progress"), Heard()
    assert fit(job, Place(devices=2), heard) == "progress"
    assert [(j.recipe.optimizer.accumulate, j.resume) for j in jobs] == [(1, False), (2, True)]
    text = job.folder.recipe.read_text()
    assert "accumulate = 2  # memory ran out at step 4, with 4 patches at once" in text
    assert json.loads((job.folder.path / "log.jsonl").read_text())["event"] == "memory"
    assert len(heard.messages) == 1 and "optimizer.accumulate = 2" in heard.messages[0]


def test_once_only(monkeypatch, job):
    jobs = started(monkeypatch, no_memory(), no_memory())
    with pytest.raises(MachineError, match="memory ran out at step 4"):
        fit(job, Place(devices=2), Heard())
    assert len(jobs) == 2


@pytest.mark.parametrize("devices, error", [(7, no_memory()), (2, MachineError("no space left", fix="free some"))])
def test_not_where_it_cannot_help(monkeypatch, job, devices, error):
    """One patch for each process cannot be halved; a full disk does not get emptier."""
    jobs = started(monkeypatch, error)
    with pytest.raises(MachineError) as caught:
        fit(job, Place(devices=devices), Heard())
    assert caught.value is error and len(jobs) == 1


def test_nothing_to_validate_on_is_refused(job):
    only = tuple(dataclasses.replace(item, split="train") for item in job.split.items)
    with pytest.raises(DataError, match="4 pictures to train and 0 to validate on"):
        check_parts(dataclasses.replace(job, split=dataclasses.replace(job.split, items=only)))


class Trained(Exception):
    """In place of training."""


def stopped(monkeypatch, job, settings, error=None, listener=None):
    """The run that `fit` would train, all its pictures being in a file; it ends with `error`."""
    runs = []

    def train(run, *, resume):
        assert list(job.folder.cache.iterdir())
        runs.append(run)
        raise error or Trained

    monkeypatch.setattr(loader, "CACHE_BYTES", 0)
    monkeypatch.setattr(loop, "train", train)
    recipe = Recipe().override(tiny.SETTINGS | settings)
    with pytest.raises(type(error) if error else Trained):
        fit(dataclasses.replace(job, recipe=recipe), Place(), listener or Heard())
    return runs


@pytest.mark.parametrize("error", [DataError("not a number", fix="less"), MemoryError(), KeyboardInterrupt()])
def test_no_end_leaves_decoded_pictures(monkeypatch, job, error):
    assert len(stopped(monkeypatch, job, {}, error)) == 1
    assert not job.folder.cache.exists()


def test_nor_does_a_disk_that_they_fill(monkeypatch, job):
    class Full(Heard):
        def progress(self, stage, done, total, text=""):
            if stage == "read" and done == 2:
                assert list(job.folder.cache.iterdir())
                raise OSError(28, "No space left on device")

    assert stopped(monkeypatch, job, {}, OSError(), Full()) == []
    assert not job.folder.cache.exists()


def test_nor_do_processes_that_are_killed(monkeypatch, job):
    write_text(job.folder.cache_of(1) / "pictures.bin", "decoded")
    started(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        fit(job, Place(devices=2), Heard())
    assert not job.folder.cache.exists()


def test_only_loaded_weights_make_an_encoder_slower(monkeypatch, job):
    monkeypatch.setattr(network, "load_pretrained", lambda *_, **__: "a licence")
    asked = {"encoder.pretrained": True}
    residual = asked | {"model.architecture": "residual-unet", "model.decoder_widths": []}
    plain = asked | {"encoder.name": "plain", "model.decoder_widths": [8], "model.options": {"encoder_widths": [4, 8]}}
    found = [stopped(monkeypatch, job, one)[0].pretrained for one in (asked, residual, plain)]
    assert found == [True, False, False]
