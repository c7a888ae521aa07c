"""A run's state in one file, whole or not there: tensors in safetensors, everything else as JSON in its header.

No pickle, so a checkpoint from a stranger cannot run code. Files are serialised in memory first: a full disk then shows as the
operating system's own error.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from limner.core.errors import DataError
from limner.core.files import write_bytes

BROKEN = (SafetensorError, RuntimeError, KeyError, TypeError, ValueError)


@dataclass
class Progress:
    """Where a run stands.

    Parameters
    ----------
    step : steps done.
    seconds : of the budget that are used, validation included.
    plan : see `Schedule`.
    validations : how many there will be over the whole run; 0 before it is decided.
    best : ``{"step", "epoch", "metric", "value"}`` of the validation whose weights are kept, or empty.
    peak : ``{"value", "pictures"}`` of the highest validation so far; the best is the latest that is not clearly worse.
    since_best : validations since the highest.
    falls, since_fall : how often the learning rate fell under ``plateau``; validations since the last fall or the highest.
    top : ``{"step", "value"}`` of the validations whose weights are kept beside the best, best first.
    alarmed : classes that the last validation did not see predicted at all, and that an alarm named.
    history : one row per validation.
    stopped : why it ended: ``budget``, ``patience``, ``epochs``, or empty while it runs.
    slow_encoder : the optimizer has groups of its own for an encoder that began with loaded weights; None in checkpoints of
        versions that did not say so, and had them wherever the recipe said ``encoder.pretrained``.
    """

    step: int = 0
    seconds: float = 0.0
    plan: list[tuple[int, int]] = field(default_factory=list)
    validations: int = 0
    best: dict[str, Any] = field(default_factory=dict)
    peak: dict[str, Any] = field(default_factory=dict)
    since_best: int = 0
    falls: int = 0
    since_fall: int = 0
    top: list[dict[str, Any]] = field(default_factory=list)
    alarmed: list[str] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)
    stopped: str = ""
    slow_encoder: bool | None = None

    def best_as_json(self) -> dict[str, Any]:
        """`best` with None for a value that is undefined because no validation picture shows a class."""
        return {key: None if value != value else value for key, value in self.best.items()}


def save_weights(model: nn.Module, path: Path) -> None:
    """All weights and buffers of `model` as safetensors; the same weights give the same bytes."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    write_bytes(path, save(tensors))


def save_checkpoint(
    path: Path, progress: Progress, model: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None
) -> None:
    """Write everything that the next step depends on."""
    tensors: dict[str, Tensor] = {}
    for prefix, module in (("model", model), ("average", average)):
        if module is not None:
            tensors |= {f"{prefix}.{name}": value for name, value in module.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        kept = {
            name: value for name, value in state.items() if value is not None
        }  # SGD's momentum before its first step
        tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in kept.items()}
    copied = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    header = {"progress": json.dumps(vars(progress))}
    write_bytes(path, save(copied, metadata=header))


def read_progress(path: Path) -> Progress:
    """Where the run of a checkpoint stands, without its tensors.

    Raises
    ------
    DataError : the file is damaged or no checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return _progress(file.metadata())
    except BROKEN as error:
        raise _unreadable(path, error) from None


def load_checkpoint(
    path: Path, model: nn.Module, optimizer: torch.optim.Optimizer, average: nn.Module | None
) -> Progress:
    """Restore what `save_checkpoint` wrote; the optimizer has to have the groups that it had then.

    Raises
    ------
    DataError : the file is damaged or belongs to another network.
    """
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
            progress = _progress(file.metadata())
        for prefix, module in (("model.", model), ("average.", average)):
            if module is not None:
                module.load_state_dict(
                    {name.removeprefix(prefix): v for name, v in tensors.items() if name.startswith(prefix)}
                )
    except BROKEN as error:
        raise _unreadable(path, error) from None
    whole = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            like = parameters[int(index)]
            # the same order in memory as the weight: another one sums in another order and ends with other bytes
            state.setdefault(int(index), {})[key] = (
                torch.empty_like(like).copy_(value) if value.shape == like.shape else value
            )
    optimizer.load_state_dict({**whole, "state": state})
    return progress


def _progress(header: dict[str, str]) -> Progress:
    values = json.loads(header["progress"])
    values["plan"] = [(int(a), int(b)) for a, b in values["plan"]]
    return Progress(**values)


def _unreadable(path: Path, error: Exception) -> DataError:
    return DataError(
        f"the checkpoint cannot be read ({error})",
        expected="a checkpoint of this run",
        where=str(path),
        fix="start the run again without --resume in a new folder",
    )
