"""What a training run works with, and what a validation finds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.training.checkpoint import Progress
from limner.training.loader import PatchLoader
from limner.training.place import Place


@dataclass(frozen=True)
class Validation:
    """What a validation found: `value` chooses the best epoch (higher is better, NaN = cannot tell)."""

    metric: str
    value: float
    scores: dict[str, float]
    silent: tuple[str, ...] = ()  # classes that the truth shows and the model never predicts
    pictures: tuple[float, ...] = ()  # score of each validation picture, NaN where undefined


def _ignore(*_: object) -> None:
    """What a run does with news that nobody asked for."""


@dataclass
class Run:
    """Everything a training run works with. Only the first process calls anything but `interrupted`.

    Parameters
    ----------
    model : any network of `limner.models`.
    loader : where batches come from.
    recipe : what to do.
    checkpoints : folder of ``last.safetensors``, ``best.safetensors`` and ``top-<step>.safetensors``.
    validate : scores a module on whole validation pictures.
    log : called with one event, a flat dict, to be kept.
    bfloat16 : compute in bfloat16 where autocast allows, else in float32.
    changed : called with the progress after a resume and after each validation.
    interrupted : asked before each step; True ends the run cleanly.
    place : which process of how many this is.
    scalars : called with the number of steps done and numbers to draw, after each step and each validation.
    pretrained : the encoder's weights were loaded, not drawn: it learns slower.
    halved : called with the number of parts and the reason when memory ran out and a step's patches were split further.
    """

    model: nn.Module
    loader: PatchLoader
    recipe: Recipe
    checkpoints: Path
    validate: Callable[[nn.Module], Validation]
    log: Callable[[dict[str, Any]], None]
    changed: Callable[[Progress], None]
    listener: Listener
    bfloat16: bool
    interrupted: Callable[[], bool] = field(default=lambda: False)
    place: Place = field(default_factory=Place)
    scalars: Callable[[int, Mapping[str, float]], None] = _ignore
    pretrained: bool = False
    halved: Callable[[int, str], object] = _ignore
