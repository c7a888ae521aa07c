"""Curves for TensorBoard and MLflow: what is needed is asked for before training, and what is written can be read."""

import importlib.util
import sys
import types

import pytest

from limner.api import logs
from limner.api.logs import open_logs, require_logs
from limner.api.run_folder import RunFolder
from limner.core.errors import MachineError, UsageError
from limner.core.recipe import Recipe
from tests.cli.call import limner, refused
from tests.training.runs_light import Heard

READ = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "cells").mkdir()
    return RunFolder(tmp_path / "cells")


def test_an_unknown_log_names_the_known():
    with pytest.raises(UsageError, match="--log tensorbord; expected one of tensorboard, mlflow") as caught:
        require_logs(["tensorbord"])
    assert "did you mean 'tensorboard'" in caught.value.fix


@pytest.mark.parametrize("name, line", [("tensorboard", 'pip install "limner[log]"'), ("mlflow", "pip install mlflow")])
def test_a_missing_package_is_told_before_training(tmp_path, monkeypatch, name, line):
    monkeypatch.setattr(logs.importlib.util, "find_spec", lambda wanted: None if wanted == name else types.ModuleType)
    told = refused(limner("train", tmp_path / "no data", "--log", name))
    assert f"{name} is not installed" in told and line in told


def test_mlflow_needs_an_address(monkeypatch):
    monkeypatch.setattr(logs.importlib.util, "find_spec", lambda wanted: types.ModuleType)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(UsageError, match=r"no server is named.*MLFLOW_TRACKING_URI"):
        require_logs(["mlflow"])
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:5000")
    require_logs(["mlflow", "tensorboard"])


def curves(path):
    """Every curve that TensorBoard would draw: ``{name: [(step, value), ...]}``."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(path))
    events.Reload()
    return {
        tag: [(event.step, round(event.value, 6)) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


@READ
@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is None, reason="tensorboard is not installed")
def test_tensorboard_reads_what_was_written(folder):
    with open_logs(["tensorboard", "tensorboard"], folder, Recipe(), Heard()) as opened:
        for step in (1, 2, 3):
            opened.scalars(step, {"train_loss": 1 / step})
        opened.scalars(3, {"val_dice": 0.25})
    with open_logs(["tensorboard"], folder, Recipe(), Heard(), resumed=True) as opened:
        opened.scalars(3, {"train_loss": 9.0})  # the run goes on from step 2: step 3 is done again
        opened.scalars(4, {"val_dice": 0.75})
    with open_logs(["tensorboard"], folder, Recipe(), Heard()) as opened:
        opened.scalars(4, {"test_dice/macro": 0.5})  # after the end; nothing is dropped
    assert curves(folder.path / "tensorboard") == {
        "train_loss": [(1, 1.0), (2, 0.5), (3, 9.0)], "val_dice": [(4, 0.75)], "test_dice/macro": [(4, 0.5)],
    }  # fmt: skip


class Server:
    """What an MLflow server keeps."""

    def __init__(self, broken=()):
        self.runs, self.experiments, self.broken, self.calls = {}, {}, set(broken), []


@pytest.fixture
def server(monkeypatch):
    """MLflow's client, as far as it is used, in front of a dict."""
    kept = Server()

    class Client:
        def __getattribute__(self, name):
            if name in kept.broken:
                raise ConnectionError("no route\nto host")
            return object.__getattribute__(self, name)

        def get_experiment_by_name(self, name):
            number = kept.experiments.get(name)
            return None if number is None else types.SimpleNamespace(experiment_id=number)

        def create_experiment(self, name):
            return kept.experiments.setdefault(name, str(len(kept.experiments)))

        def create_run(self, experiment, run_name):
            number = f"run{len(kept.runs)}"
            kept.runs[number] = {"name": run_name, "params": {}, "metrics": [], "status": "RUNNING"}
            return types.SimpleNamespace(info=types.SimpleNamespace(run_id=number))

        def update_run(self, number, status):
            kept.runs[number]["status"] = status

        def log_batch(self, number, metrics=(), params=()):
            assert len(metrics) <= 1000 and len(params) <= 100  # what a server takes
            kept.runs[number]["metrics"] += [(m.key, m.value, m.step) for m in metrics]
            kept.runs[number]["params"] |= {p.key: p.value for p in params}

        def set_terminated(self, number, status):
            kept.runs[number]["status"] = status

    def record(*names):
        return lambda *values: types.SimpleNamespace(**dict(zip(names, values, strict=True)))

    entities = types.ModuleType("mlflow.entities")
    entities.Metric, entities.Param = record("key", "value", "timestamp", "step"), record("key", "value")
    tracking = types.ModuleType("mlflow.tracking")
    tracking.MlflowClient = Client
    for module in (types.ModuleType("mlflow"), entities, tracking):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.delitem(sys.modules, "limner.training.log_mlflow", raising=False)
    yield kept
    sys.modules.pop("limner.training.log_mlflow", None)


def test_mlflow_gets_parameters_and_numbers(folder, server):
    recipe = Recipe().override({"optimizer.learning_rate": 0.02})
    with open_logs(["mlflow"], folder, recipe, Heard()) as opened:
        for step in range(1, 1300):  # more than one message holds
            opened.scalars(step, {"train_loss": 1 / step, "test_dice/liver:left": 0.5})
    (run,) = server.runs.values()
    assert (run["name"], run["status"], list(server.experiments)) == ("cells", "FINISHED", ["limner"])
    assert run["params"] == {key: str(value)[:500] for key, value in recipe.items()}
    assert [(step, value) for key, value, step in run["metrics"] if key == "train_loss"] == [
        (step, 1 / step) for step in range(1, 1300)
    ]
    assert {key for key, _, _ in run["metrics"]} == {"train_loss", "test_dice/liver_left"}


def test_a_resumed_run_goes_on_in_its_mlflow_run(folder, server):
    with pytest.raises(KeyError), open_logs(["mlflow"], folder, Recipe(), Heard()) as opened:
        opened.scalars(1, {"train_loss": 1.0})
        raise KeyError
    assert [run["status"] for run in server.runs.values()] == ["FAILED"]
    with open_logs(["mlflow"], folder, Recipe(), Heard(), resumed=True) as opened:
        opened.scalars(2, {"train_loss": 2.0})
    assert [run["status"] for run in server.runs.values()] == ["FINISHED"]
    assert [step for _, _, step in server.runs["run0"]["metrics"]] == [1, 2]


def test_a_server_that_does_not_answer_is_told_before_training(folder, server):
    server.broken.add("create_run")
    with (
        pytest.raises(MachineError, match="MLflow does not answer: no route to host") as caught,
        open_logs(["mlflow"], folder, Recipe(), Heard()),
    ):
        pass
    assert caught.value.where == "MLFLOW_TRACKING_URI" and "--log mlflow" in caught.value.fix


def test_a_server_that_fails_later_costs_no_training(folder, server):
    heard = Heard()
    with open_logs(["mlflow"], folder, Recipe(), heard) as opened:
        server.broken.add("log_batch")
        opened.scalars(1, {"train_loss": 1.0})
    assert heard.messages == ["warning: some numbers did not reach the log: no route\nto host"]
