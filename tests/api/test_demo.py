"""The demo deletes the results of an earlier one only when it can begin."""

import pytest

from limner.api import demo as verb
from limner.api.demo import DATA, demo
from limner.api.one_run import TrainResult
from limner.core.errors import MachineError, OutputError, UsageError
from limner.core.files import MARKER, prepare_output, write_text
from tests.cli.call import limner


@pytest.fixture
def earlier(tmp_path):
    folder = prepare_output(tmp_path / "limner-demo", overwrite=False)
    write_text(folder / "run/report.html", "old")
    return folder


def test_a_call_that_cannot_be_deletes_nothing(earlier, monkeypatch):
    with pytest.raises(UsageError, match="'soon' is not a duration"):
        demo(out=earlier, budget="soon", overwrite=True)
    with pytest.raises(OutputError, match="exists already"):
        demo(out=earlier)

    def missing(extra):
        raise MachineError(f"no {extra}")

    monkeypatch.setattr(verb, "require", missing)
    with pytest.raises(MachineError, match="no train"):
        demo(out=earlier, overwrite=True)
    assert (earlier / "run/report.html").read_text() == "old"


def test_the_folder_is_replaced_once_the_data_are_read(earlier, monkeypatch):
    class Reached(Exception):
        pass

    def trains(data, *, budget, out, listener):
        assert (data, budget, out) == (DATA, "2s", earlier / "run")
        raise Reached

    monkeypatch.setattr(verb, "require", lambda extra: None)
    monkeypatch.setattr(verb, "train", trains)
    with pytest.raises(Reached):
        demo(out=earlier, budget="2s", overwrite=True)
    assert [path.name for path in earlier.iterdir()] == [MARKER]


def test_an_interrupted_training_ends_the_demo(tmp_path, monkeypatch):
    def trains(data, *, budget, out, listener):
        listener.message("interrupted at step 7; the best model so far is there")
        return TrainResult(out, out / "model", 0.5, 7, 3.1, "interrupted", {"step": 5}, {})

    monkeypatch.setattr(verb, "require", lambda extra: None)
    monkeypatch.setattr(verb, "train", trains)
    monkeypatch.setattr(verb, "predict", lambda *a, **k: pytest.fail("predicts with a model that was not judged"))
    told = limner("demo", "--out", tmp_path / "new")
    assert told.code == 130 and "interrupted at step 7" in told.err and "report" not in told.out + told.err
    with pytest.raises(KeyboardInterrupt):
        demo(out=tmp_path / "other")
