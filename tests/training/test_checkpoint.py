"""What is written is what is read, and a damaged file says so."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from limner.core.errors import DataError, LimnerError
from limner.core.recipe_parts import OptimizerPart
from limner.training.checkpoint import Progress, load_checkpoint, read_progress, save_checkpoint, save_weights
from limner.training.optimize import make_optimizer, set_rate
from tests.training import runs


def trained(seed, steps, order=torch.contiguous_format):
    """A network, optimizer and average after a few random steps."""
    model = runs.network(seed, dropout=0.0).to(memory_format=order)
    optimizer = make_optimizer(model, OptimizerPart(learning_rate=0.01), pretrained=False)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    for step in range(steps):
        torch.manual_seed(step)
        set_rate(optimizer, 1.0)
        optimizer.zero_grad()
        model(torch.rand(1, 3, 16, 16)).square().mean().backward()
        optimizer.step()
        average.update_parameters(model)
    return model, optimizer, average


PROGRESS = Progress(
    step=3,
    seconds=1.25,
    plan=[(0, 10), (4, 7)],
    validations=4,
    best={"step": 2, "value": 0.1},
    peak={"value": 0.3, "pictures": [0.2, 0.4]},
    since_best=1,
    falls=2,
    since_fall=3,
    top=[{"step": 2, "value": 0.25}],
    history=[{"step": 2, "val_dice": float("nan")}],
    stopped="patience",
    slow_encoder=False,
)


def test_round_trip_is_exact(tmp_path):
    path = tmp_path / "last.safetensors"
    model, optimizer, average = trained(1, 3)
    save_checkpoint(path, PROGRESS, model, optimizer, average)
    other, fresh, mean = trained(2, 0)
    progress = load_checkpoint(path, other, fresh, mean)
    assert repr(read_progress(path)) == repr(progress) and progress.slow_encoder is False
    assert progress.plan == PROGRESS.plan and progress.best == PROGRESS.best and progress.stopped == "patience"
    assert (progress.validations, progress.peak) == (4, PROGRESS.peak)
    assert (progress.step, progress.seconds, progress.since_best) == (3, 1.25, 1)
    assert (progress.falls, progress.since_fall, progress.top) == (2, 3, [{"step": 2, "value": 0.25}])
    assert progress.history[0]["val_dice"] != progress.history[0]["val_dice"]
    for a, b in ((model, other), (average, mean)):
        assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))
    old, new = optimizer.state_dict()["state"], fresh.state_dict()["state"]
    assert old.keys() == new.keys() and all(torch.equal(old[i][k], new[i][k]) for i in old for k in old[i])


@pytest.mark.parametrize("order", [torch.contiguous_format, torch.channels_last])
def test_one_more_step_after_loading_is_the_same_step(tmp_path, order):
    path = tmp_path / "last.safetensors"
    model, optimizer, average = trained(1, 3, order)
    save_checkpoint(path, PROGRESS, model, optimizer, average)
    other, fresh, mean = trained(2, 0, order)
    load_checkpoint(path, other, fresh, mean)
    for network, rule in ((model, optimizer), (other, fresh)):
        rule.zero_grad()
        network(torch.ones(1, 3, 16, 16)).square().mean().backward()
        rule.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


def test_the_same_weights_are_the_same_bytes(tmp_path):
    save_weights(runs.network(1), tmp_path / "a.safetensors")
    save_weights(runs.network(1), tmp_path / "b.safetensors")
    save_weights(runs.network(2), tmp_path / "c.safetensors")
    a, b, c = ((tmp_path / f"{name}.safetensors").read_bytes() for name in "abc")
    assert a == b != c
    assert load_file(tmp_path / "a.safetensors").keys() == runs.network(1).state_dict().keys()


@pytest.mark.parametrize("damage", ["truncated", "empty", "text", "headless", "other"])
def test_a_damaged_file_is_an_error_with_a_remedy(tmp_path, damage):
    path = tmp_path / "last.safetensors"
    model, optimizer, average = trained(1, 1)
    save_checkpoint(path, PROGRESS, model, optimizer, average)
    whole = path.read_bytes()
    if damage == "headless":
        save_file({"x": torch.ones(2)}, path)
    elif damage == "other":
        save_file({"model.x": torch.ones(2)}, path, metadata={"progress": json.dumps(vars(PROGRESS))})
    else:
        path.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"not weights at all"}[damage])
    with pytest.raises(LimnerError) as caught:
        load_checkpoint(path, *trained(2, 0))
    assert isinstance(caught.value, DataError)
    if damage != "other":
        with pytest.raises(DataError, match="cannot be read"):
            read_progress(path)
    assert "cannot be read" in caught.value.found and caught.value.where == str(path) and "--resume" in caught.value.fix
