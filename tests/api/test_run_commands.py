"""What a run says to type is typed: in folders with blanks, and on a split that leaks."""

import shlex
import shutil
from pathlib import Path

import pytest

import limner as package
from limner.api import folds, train_classical
from limner.api.one_run import TrainResult
from limner.api.plan import plan
from limner.api.run_commands import going_on, repeating
from limner.api.run_folder import RunFolder
from limner.core.errors import DataError
from limner.core.recipe import Recipe
from tests.api import tiny
from tests.cli.call import limner
from tests.make_data import write_csv
from tests.training.runs_light import Heard

LEAKS = "--allow-leaks"


@pytest.fixture(scope="module")
def leaking(tmp_path_factory):
    """Ten pictures in a folder with a blank and a quote; one picture trains and tests."""
    root = tiny.make_data(tmp_path_factory.mktemp("home of 'mine'") / "my cells", count=10, size_hw=(24, 33))
    for kind in ("images", "masks"):
        shutil.copy(root / kind / "p.00.png", root / kind / "p.09.png")
    parts = ["test" if i > 7 else "val" if i > 5 else "train" for i in range(10)]
    write_csv(root / "splits.csv", [[f"images/p.{i:02d}.png", f"masks/p.{i:02d}.png", parts[i], ""] for i in range(10)])
    return root


def test_the_words_are_those_that_were_meant():
    folder = RunFolder(Path("my runs/it's 1"))
    for allowed, more in ((True, [LEAKS]), (False, [])):
        assert shlex.split(going_on("a b", folder, allow_leaks=allowed)) == [
            "limner", "train", "a b", "--out", "my runs/it's 1", "--resume", *more,
        ]  # fmt: skip
        assert shlex.split(repeating("a b", folder, allow_leaks=allowed)) == [
            "limner", "train", "a b", "--recipe", "my runs/it's 1/recipe.toml", "--out", "NEW_FOLDER", *more,
        ]  # fmt: skip


def test_the_command_of_a_method_repeats_it(leaking, tmp_path, monkeypatch):
    said, real = [], train_classical.judge_and_report
    monkeypatch.setattr(
        train_classical,
        "judge_and_report",
        lambda *a, command, **k: (said.append(command), real(*a, command=command, **k))[1],
    )
    first = package.train(leaking, recipe="otsu", out=tmp_path / "one run", allow_leaks=True)
    words = shlex.split(said[0])
    told = limner(*(tmp_path / "again" if word == "NEW_FOLDER" else word for word in words[1:]))
    assert words[0] == "limner" and told.code == 0, told.err
    names = ("recipe.toml", "evaluation/per_image.csv")
    assert all((first.run / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


def test_the_command_of_a_fold_is_allowed_what_the_whole_was(leaking, tmp_path, monkeypatch):
    said = []

    def runs(job, place, listener, *, again, repeat):
        said.append((job.folder.path.name, shlex.split(again), shlex.split(repeat)))
        stopped = "epochs" if len(said) < 2 else "interrupted"
        return TrainResult(job.folder.path, job.folder.model, 1.0, 2, 0.5, stopped, {"step": 2}, {})

    monkeypatch.setattr(folds, "run_job", runs)
    recipe, run = Recipe().override(tiny.SETTINGS), tmp_path / "my run"
    result = package.train(leaking, recipe=recipe, folds=2, out=run, allow_leaks=True, listener=Heard())
    assert result.stopped == "interrupted" and [name for name, _, _ in said] == ["fold1", "fold2"]
    for name, again, repeat in said:
        assert again == ["limner", "train", str(leaking), "--out", str(run), "--resume", LEAKS]
        recipe = str(run / name / "recipe.toml")
        assert repeat == ["limner", "train", str(leaking), "--recipe", recipe, "--out", "NEW_FOLDER", LEAKS]


def test_a_plan_names_commands_that_a_shell_reads(leaking, tmp_path):
    with pytest.raises(DataError, match="SPLIT_LEAK") as caught:
        plan(leaking)
    command = caught.value.fix.partition("; ")[2].partition(" plans by itself")[0]
    assert shlex.split(command) == ["limner", "train", str(leaking), LEAKS]
    out = tmp_path / "the recipe.toml"
    told = limner("plan", leaking, "-o", out, "--set", "split.rule=automatic")
    assert shlex.split(told.out.partition("train with: ")[2]) == [
        "limner", "train", str(leaking), "--recipe", str(out),
    ]  # fmt: skip
