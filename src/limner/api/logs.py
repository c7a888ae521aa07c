"""Where the numbers of a run are drawn beside its own files: TensorBoard, MLflow."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from limner.api.run_folder import RunFolder
from limner.core.choices import nearest
from limner.core.errors import MachineError, UsageError
from limner.core.protocols import Listener
from limner.core.recipe import Recipe

INSTALL = {"tensorboard": 'pip install "limner[log]"', "mlflow": "pip install mlflow"}


class Writer(Protocol):
    """Takes points of curves; `failure` says why some of them were lost."""

    failure: str

    def scalars(self, step: int, values: Mapping[str, float], /) -> None:
        """One point of each curve."""
        ...

    def close(self, *, failed: bool) -> None:
        """No more points."""
        ...


def require_logs(names: Sequence[str]) -> None:
    """Check that everything for `names` is there, without importing it.

    Raises
    ------
    UsageError : an unknown name, or no server is named for MLflow.
    MachineError : a package is missing; says what to install.
    """
    for name in names:
        if name not in INSTALL:
            raise UsageError(f"--log {name}", expected=f"one of {', '.join(INSTALL)}", fix=nearest(name, INSTALL))
        if importlib.util.find_spec(name) is None:
            raise MachineError(
                f"--log {name}, but {name} is not installed", expected=f"the package {name}", fix=INSTALL[name]
            )
        if name == "mlflow" and not os.environ.get("MLFLOW_TRACKING_URI"):
            raise UsageError(
                "--log mlflow, but no server is named",
                expected="the variable MLFLOW_TRACKING_URI",
                fix="export MLFLOW_TRACKING_URI=http://127.0.0.1:5000, or a path as in sqlite:////home/me/mlflow.db",
            )


@dataclass(frozen=True)
class Logs:
    """All writers of a run as one."""

    writers: tuple[Writer, ...] = ()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve, everywhere."""
        for writer in self.writers:
            writer.scalars(step, values)


@contextmanager
def open_logs(
    names: Sequence[str], folder: RunFolder, recipe: Recipe, listener: Listener, *, resumed: bool = False
) -> Iterator[Logs]:
    """The writers called `names`; they are closed at the end.

    Parameters
    ----------
    folder, recipe : of the run.
    resumed : the first point may lie before points that an earlier call has drawn; those are then dropped.

    Raises
    ------
    MachineError : a server does not answer.
    """
    writers: list[Writer] = []
    for name in dict.fromkeys(names):
        if name == "tensorboard":
            from limner.training.log_tensorboard import TensorBoardLog

            writers.append(TensorBoardLog(folder.path / "tensorboard", resumed=resumed))
        else:
            from limner.training.log_mlflow import MLflowLog

            writers.append(MLflowLog(folder.path.name, folder.path / "mlflow.txt", dict(recipe.items())))
    failed = True
    try:
        yield Logs(tuple(writers))
        failed = False
    finally:
        for writer in writers:
            writer.close(failed=failed)
            if writer.failure:
                listener.message(f"warning: some numbers did not reach the log: {writer.failure}")
