"""Two processes on one machine train what one would train, and fail as one."""

import dataclasses
import os
import threading
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from timm.layers import BatchNormAct2d
from torch import nn

from limner.core.errors import DataError, RecipeError
from limner.training.distributed import Crew, PartLoader, convert_sync_batchnorm
from limner.training.launch import launch
from limner.training.loop import train
from limner.training.place import Place, find_place
from tests.training import runs
from tests.training.runs_light import Heard

# linear in the gradients, so that rounding stays rounding; a loss that is a mean over patches
LINEAR = {
    "optimizer__name": "sgd", "optimizer__learning_rate": 0.05, "optimizer__clip_norm": 0.0, "loss__dice": 0.0,
    "sampling__batch": 5,
}  # fmt: skip
TOLERANCE = 2e-6  # of weights of about 1 after ten steps, one process against two


class Troubled(nn.Module):
    """A network that fails in one process, in the step that follows so many."""

    def __init__(self, network, error, steps):
        super().__init__()
        self.network, self.error, self.steps = network, error, steps

    def forward(self, x):
        if self.training:
            self.steps -= 1
            if self.steps < 0:
                if isinstance(self.error, Exception):
                    raise self.error
                return self.network(x) * float(self.error)
        return self.network(x)


def loader(folder, recipe, place):
    made = PartLoader(
        runs.data(folder / "data"), recipe, channels=3, cache=folder / f"cache{place.rank}", listener=runs.Silent()
    )
    made.place = place
    return made


def work(job, place, listener):
    """Train each run of the job, a dict, one after the other; the answer is what the last came to."""
    for number, part in enumerate(job):
        os.environ["MASTER_PORT"] = str(int(os.environ["MASTER_PORT"]) + (number > 0))
        folder, recipe = part["folder"], runs.recipe(**part["settings"])
        network = (
            runs.network(dropout=0.0) if place.first else runs.network(seed=9, dropout=0.0)
        )  # the first one's counts
        if "trouble" in part and place.rank == part["rank"]:
            network = Troubled(network, part["trouble"], steps=3)
        elif "trouble" in part:
            network = Troubled(network, 1.0, steps=99)
        run, log = runs.make_run(
            folder, recipe, model=network, batches=loader(folder, recipe, place), place=place, listener=listener
        )
        if place.rank == part.get("rank", 0) and "stop_after" in part:  # one alone is told to stop
            asked = []
            run.interrupted = lambda asked=asked, part=part: asked.append(1) or len(asked) > part["stop_after"]
        progress = train(run, resume=part.get("resume", False))
        assert place.first or not log
    return dataclasses.asdict(progress)


def together(*job):
    heard, begin = Heard(), time.monotonic()
    try:
        return launch(work, job, devices=2, listener=heard, stop=threading.Event()), heard
    finally:
        assert time.monotonic() - begin < 100, "somebody was waited for"


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """One process and two: the whole run, and one that is stopped by the second process and continued, twice."""
    folder = tmp_path_factory.mktemp("pair")
    runs.make_folder(folder / "data", count=7)
    for name in ("one", "two", "pieces"):
        (folder / name).mkdir()
        (folder / name / "data").symlink_to(folder / "data")
    recipe = runs.recipe(**LINEAR)
    run, _ = runs.make_run(folder / "one", recipe, model=runs.network(dropout=0.0))
    alone = train(run, resume=False)
    answer, _ = together(
        {"folder": folder / "two", "settings": LINEAR},
        {"folder": folder / "pieces", "settings": LINEAR, "stop_after": 3, "rank": 1},
        {"folder": folder / "pieces", "settings": LINEAR, "stop_after": 4, "rank": 1, "resume": True},
        {"folder": folder / "pieces", "settings": LINEAR, "resume": True},
    )
    return folder, alone, answer


def weights(folder):
    return load_file(folder / "checkpoints" / "last.safetensors")


def test_two_processes_take_the_steps_of_one(pair):
    folder, alone, _ = pair
    ours, theirs = weights(folder / "two"), weights(folder / "one")
    assert ours.keys() == theirs.keys()
    largest = max(
        float((ours[name].double() - theirs[name].double()).abs().max()) for name in ours if name.startswith("model.")
    )
    assert 0 < largest < TOLERANCE  # not 0: the sums were taken in another order
    assert alone.step == 10


def test_only_the_first_process_writes(pair):
    folder, alone, answer = pair
    assert sorted(path.name for path in (folder / "two").iterdir()) == sorted(
        path.name for path in (folder / "one").iterdir()
    )
    assert answer["stopped"] == "epochs" and [row["step"] for row in answer["history"]] == [
        row["step"] for row in alone.history
    ]
    # a mean over the steps since the validation before; those of the other rows are cut short by the resumes
    assert answer["history"][-1]["train_loss"] == pytest.approx(alone.history[-1]["train_loss"], abs=1e-5)


def test_a_stop_of_one_stops_all_and_going_on_is_exact(pair):
    folder, _, _ = pair
    ours, theirs = weights(folder / "pieces"), weights(folder / "two")
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert runs.weights(folder / "pieces") == runs.weights(folder / "two")


@pytest.mark.parametrize("world", [2, 3])
def test_the_parts_of_all_processes_are_the_batch_of_one(tmp_path, world):
    recipe = runs.recipe(sampling__batch=5)
    whole = runs.loader(tmp_path, recipe).batch(4)
    parts = [loader(tmp_path, recipe, Place(rank=rank, devices=world)).batch(4) for rank in range(world)]
    assert sum(len(part.images) for part in parts) == 5
    for rank, part in enumerate(parts):
        assert np.array_equal(part.images, whole.images[rank::world]) and np.array_equal(
            part.target, whole.target[rank::world]
        )


@pytest.mark.parametrize(
    "trouble, rank, kind, words",
    [
        (ValueError("a bug"), 1, RuntimeError, "ValueError: a bug"),
        (float("nan"), 1, DataError, "not-a-number at step 3"),
    ],
    ids=["bug", "nan"],
)
def test_what_goes_wrong_in_one_process_ends_all(tmp_path, trouble, rank, kind, words):
    runs.make_folder(tmp_path / "data", count=3)
    job = {"folder": tmp_path, "settings": LINEAR, "trouble": trouble, "rank": rank}
    with pytest.raises(kind, match=words):
        together(job)


def test_a_batch_is_not_shared_among_more_processes_than_it_has_patches(tmp_path):
    run, _ = runs.make_run(tmp_path, runs.recipe(sampling__batch=2), place=Place(devices=3, starter="own"))
    with pytest.raises(RecipeError, match="a batch of 2 for 3 processes"):
        train(run, resume=False)
    run, _ = runs.make_run(tmp_path, runs.recipe(optimizer__accumulate=0))
    with pytest.raises(RecipeError, match="accumulate = 0"):
        train(run, resume=False)


@pytest.mark.parametrize("variables", [{"SLURM_NTASKS": "8"}, {"SLURM_NTASKS": "8", "SLURM_LOCALID": "3"}])
def test_a_batch_script_without_srun_is_one_process(monkeypatch, variables):
    """The scheduler tells a script of all tasks that it may start; none of them is started here."""
    common = {"SLURM_JOB_ID": "77", "SLURM_JOB_NAME": "train.sh", "SLURM_PROCID": "0", "SLURM_NODELIST": "node[01-04]"}
    for name, value in (common | variables).items():
        monkeypatch.setenv(name, value)
    crew = Crew(find_place(), bfloat16=False)
    assert crew.fabric.world_size == 1 and crew.mean(3.0) == 3.0 and crew.from_first("own") == "own"


def test_norms_that_share_statistics_keep_names_weights_and_activations():
    """On several GPUs norms are exchanged; timm's hold an activation that must not be lost."""
    torch.manual_seed(1)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), BatchNormAct2d(4), nn.Conv2d(4, 2, 3), nn.BatchNorm2d(2))
    network(torch.rand(5, 3, 7, 9))  # statistics of its own
    network.eval()
    x = torch.rand(2, 3, 7, 9)
    before, names = network(x), list(network.state_dict())
    owners = {id(p) for p in network.parameters()}
    shared = convert_sync_batchnorm(network)
    assert [type(m).__name__ for m in shared] == ["Conv2d", "SyncBatchNormAct", "Conv2d", "SyncBatchNorm"]
    assert list(shared.state_dict()) == names and {id(p) for p in shared.parameters()} == owners
    assert torch.equal(shared(x), before)
