"""No command replaces what it reads: not with --overwrite, not with --resume, and not through a mark that copies carry."""

import shutil

import numpy as np
import pytest

from limner.core.files import MARKER
from tests.cli.call import limner, refused
from tests.make_data import gray, labels, picture, save, write_csv


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """``data`` that convert wrote, ``runs/one`` and ``runs/two``, and ``masks`` that predict wrote; all carry the mark."""
    home = tmp_path_factory.mktemp("made")
    for i in range(10):
        ids = labels(i, (40, 56), 2)
        bright = picture(i, (40, 56)).astype(int) + 80 * ids[..., None]
        save(home / f"drawn/images/p.{i}.png", np.clip(bright, 0, 255).astype(np.uint8))
        save(home / f"drawn/masks/p.{i}.png", gray(ids))
    parts = [(f"images/p.{i}.png", f"masks/p.{i}.png", ("train", "val", "test")[i % 3], "") for i in range(10)]
    write_csv(home / "drawn/splits.csv", parts)
    for words in (
        ("convert", home / "drawn", home / "data"),
        ("train", home / "data", "--recipe", "otsu", "--out", home / "runs/one", "--seed", "1"),
        ("train", home / "data", "--recipe", "otsu", "--out", home / "runs/two", "--seed", "2"),
        ("predict", "otsu", home / "data/images", "--out", home / "masks"),
    ):
        done = limner(*words)
        assert done.code == 0, done.err
    return home


@pytest.fixture
def home(made, tmp_path, monkeypatch):
    shutil.copytree(made, tmp_path / "home")
    (tmp_path / "home" / MARKER).touch()
    (tmp_path / "home/runs" / MARKER).touch()
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def contents(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


CALLS = [
    "evaluate runs/one data --out runs/one",
    "evaluate runs/one/model data --out runs/one",
    "evaluate runs/one data --out runs",
    "evaluate runs/one data --out data",
    "evaluate runs/one data/images/../../data --out data",
    "evaluate masks data --split all --out masks",
    "evaluate otsu data --out .",
    "compare runs/one runs/two --out runs/two",
    "compare runs --out runs/two",
    "compare runs/one runs/two --data data --out data",
    "check data --out data",
    "check data --out .",
    "train data --recipe otsu --out data",
    "train data --recipe otsu --out .",
    "convert data/images data",
    "convert data .",
    "predict runs/one data/images --out runs/one",
    "predict otsu data --out data",
]


@pytest.mark.parametrize("call", CALLS)
def test_what_is_read_is_left_alone(home, call):
    before = contents(home)
    ways = [("--overwrite",), ("--resume",)] if call.split()[0] in ("train", "predict") else [("--overwrite",)]
    for words in ways:
        told = refused(limner(*call.split(), *words))
        assert "this call reads" in told or "overlaps with" in told, words
        assert contents(home) == before


def test_the_folder_of_another_command_is_not_trained_into(home):
    before = contents(home)
    assert "exists already" in refused(limner("train", "data", "--recipe", "otsu", "--out", "masks", "--resume"))
    assert contents(home) == before


def test_a_run_that_ended_before_it_began_is_begun(home):
    for name in ("split.csv", "origin.json"):
        shutil.copy(home / "runs/one" / name, home / name)
    (home / "new").mkdir()
    for name in (MARKER, "split.csv", "origin.json"):
        shutil.copy(home / "runs/one" / name, home / "new" / name)
    done = limner("train", "data", "--recipe", "otsu", "--out", "new", "--resume")
    assert done.code == 0 and (home / "new/train.json").is_file(), done.err


def test_outputs_inside_what_is_read_are_allowed(home):
    for call in (
        "evaluate runs/one data --out runs/one/evaluation-2",
        "evaluate runs/one data --out data/scores",
        "compare runs/one runs/two --out runs/one/compared",
        "predict runs/one data/images --out data/images/predicted",
        "check data --out data/report",
    ):
        for words in ((), ("--overwrite",)):
            done = limner(*call.split(), *words)
            assert done.code == 0, (call, done.err)
        shutil.rmtree(call.split()[-1])  # or the next call would read it


def test_results_are_deleted_only_for_new_ones(home):
    """A call that cannot be leaves the results of the earlier one."""
    assert limner("evaluate", "masks", "data", "--split", "all", "--out", "scores").code == 0
    save(home / "others/q.png", gray(labels(1, (40, 56), 2)))
    before = contents(home)
    assert "belongs to" in refused(
        limner("evaluate", "others", "data", "--split", "all", "--out", "scores", "--overwrite")
    )
    assert contents(home) == before
