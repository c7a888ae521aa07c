"""A training run small enough to be repeated in a test: a two-level network, a handful of 40 x 56 pictures."""

from dataclasses import dataclass, field

import torch

from limner.core.protocols import Silent
from limner.core.recipe import Recipe
from limner.data.dataset import open_dataset
from limner.models.unet import UNet
from limner.training.loader import PatchLoader
from limner.training.loop import Run, Validation
from tests.make_data import make_folder

SETTINGS = {
    "seed": 5, "model.architecture": "unet", "encoder.pretrained": False, "data.patch_hw": (32, 32),
    "sampling.batch": 2, "schedule.budget": "none", "schedule.epochs": 0, "schedule.steps": 10,
    "schedule.validations": 4, "schedule.warmup_steps": 2, "optimizer.ema": 0.8, "optimizer.precision": "float32",
}  # fmt: skip


def recipe(**settings):
    """The tiny recipe; double underscores in names stand for dots."""
    return Recipe().override(SETTINGS | {key.replace("__", "."): value for key, value in settings.items()})


def data(folder, **arguments):
    """A checked data set of five pairs, of which one is partly unknown (value 255)."""
    if not folder.exists():
        make_folder(folder, count=5, **arguments)
    return open_dataset(folder)


def network(seed=5, dropout=0.2):
    torch.manual_seed(seed)
    config = UNet.Config(
        encoder="plain", encoder_widths=(4, 6), decoder_widths=(4,), upsampling="transposed", norm="none",
        level_dropout=(dropout,) * 3, initializer="he_uniform", head_kernel=1,
    )  # fmt: skip
    return config.build(channels=3, maps=1)


def loader(folder, recipe, channels=3):
    return PatchLoader(data(folder / "data"), recipe, channels=channels, cache=folder / "cache", listener=Silent())


@dataclass
class Judge:
    """A validation whose value is made up: 0.1, 0.2, ... of the calls, or what `values` says."""

    values: list[float] = field(default_factory=list)
    calls: int = 0

    def __call__(self, module):
        value = self.values[min(self.calls, len(self.values) - 1)] if self.values else 0.1 * (self.calls + 1)
        self.calls += 1
        return Validation("val_dice", value, {"val_dice": value})


def scored_by_weights(module):
    """A validation that depends on nothing but the weights, as a real one does."""
    value = float(sum(p.detach().double().abs().sum() for p in module.parameters())) % 1.0
    return Validation("val_dice", value, {"val_dice": value}, ("foreground",) if value < 0.5 else ())


class Notes(Silent):
    def __init__(self):
        self.messages = []

    def message(self, text):
        self.messages.append(text)


def make_run(
    folder, recipe, *, validate=scored_by_weights, stop_after=None, model=None, batches=None, listener=None, **options
):
    """A run in `folder`; it is interrupted before step `stop_after` of this call."""
    asked, log = [], []

    def interrupted():
        asked.append(1)
        return stop_after is not None and len(asked) > stop_after

    run = Run(
        model=model or network(), loader=batches or loader(folder, recipe), recipe=recipe, checkpoints=folder / "checkpoints",
        validate=validate, log=log.append, changed=lambda progress: None, listener=listener or Silent(), bfloat16=False,
        interrupted=interrupted, **options,
    )  # fmt: skip
    return run, log


def weights(folder):
    """Bytes of the best weights."""
    return (folder / "checkpoints" / "best.safetensors").read_bytes()
