"""Numbers of a run on an MLflow server, the one that ``MLFLOW_TRACKING_URI`` names."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from limner.core.errors import MachineError
from limner.core.files import write_text

SECONDS = 5.0  # between two messages to the server
MOST = 1000  # numbers in one message, MLflow's own limit for metrics
LONGEST = 500  # characters of a parameter that every server takes
EXPERIMENT = "limner"


class MLflowLog:
    """A run on the server; its number is kept in a file, so that a resumed run goes on in it.

    Numbers are sent in a thread every few seconds; a server that fails later costs curves and no training.

    Parameters
    ----------
    name : of the run.
    file : where its number is kept.
    parameters : what the run was started with.

    Raises
    ------
    MachineError : the server does not answer.
    """

    def __init__(self, name: str, file: Path, parameters: Mapping[str, Any]) -> None:
        self._waiting: list[Metric] = []
        self._sent = time.monotonic()
        self._sender = ThreadPoolExecutor(1)
        self.failure = ""
        try:
            self._client = MlflowClient()
            if file.is_file():
                self._run = file.read_text(encoding="utf-8").strip()
                self._client.update_run(self._run, status="RUNNING")
                return
            wanted = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
            known = self._client.get_experiment_by_name(wanted)
            experiment = known.experiment_id if known is not None else self._client.create_experiment(wanted)
            self._run = self._client.create_run(experiment, run_name=name).info.run_id
            texts = [Param(key, str(value)[:LONGEST]) for key, value in parameters.items()]
            for start in range(0, len(texts), 100):  # MLflow's own limit for parameters
                self._client.log_batch(self._run, params=texts[start : start + 100])
        except Exception as error:
            said = " ".join(str(error).split())[:200] or type(error).__name__
            raise MachineError(
                f"MLflow does not answer: {said}",
                expected="a server or a database at MLFLOW_TRACKING_URI",
                where="MLFLOW_TRACKING_URI",
                fix="start the server, correct the address, or leave out --log mlflow",
            ) from error
        write_text(file, self._run + "\n")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""
        now = int(time.time() * 1000)
        self._waiting += [Metric(_allowed(name), float(value), now, step) for name, value in values.items()]
        if time.monotonic() - self._sent > SECONDS or len(self._waiting) >= MOST - 100:
            self._send()

    def close(self, *, failed: bool) -> None:
        """Send what is left and mark the run as finished, or as failed."""
        self._send()
        status = "FAILED" if failed else "FINISHED"
        self._sender.submit(self._try, lambda: self._client.set_terminated(self._run, status))
        self._sender.shutdown()

    def _send(self) -> None:
        numbers, self._waiting, self._sent = self._waiting, [], time.monotonic()
        for start in range(0, len(numbers), MOST):
            part = numbers[start : start + MOST]
            self._sender.submit(self._try, lambda part=part: self._client.log_batch(self._run, metrics=part))

    def _try(self, call: Any) -> None:
        try:
            call()
        except Exception as error:  # whatever a server and the way to it may do
            self.failure = str(error) or type(error).__name__


def _allowed(name: str) -> str:
    """`name` with nothing but the characters that MLflow takes in the name of a metric."""
    return re.sub(r"[^\w .\-/]", "_", name)
