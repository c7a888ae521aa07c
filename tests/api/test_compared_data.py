"""Which data runs learnt from: what is another seed, and what is a picture that a model has seen."""

import json
import shutil

import numpy as np
import pytest

from limner.api.compare import compare
from limner.api.trained_on import TrainedOn, find_training
from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from tests.api.test_compare import NUMBER, make_run
from tests.make_data import gray, make_folder, picture, save, write_csv

FPN = (("model.architecture", "fpn"),)


def state(run, *, data="", labels="", tests="", origin=""):
    """What training writes about its data, beside the scores of `make_run`: `labels` of those that train, `tests` of the others."""
    known = {f"images/{number}.png": labels for number in range(100, 110)} if labels else {}
    known |= {f"images/{number}.png": tests for number in range(NUMBER)} if tests else {}
    (run / "model").mkdir()
    (run / "model/bundle.json").write_text(json.dumps({"training": {"data_checksum": data}}))
    (run / "origin.json").write_text(json.dumps({"data": str(origin), "began": {"labels": known}}))
    return run


def sets(found):
    return [(len(model["runs"]), model["seeds"]) for model in found.models]


def test_one_seed_twice_is_no_other_seed(tmp_path):
    old = make_run(tmp_path / "old", errors=0.3, seed=0)
    corrected = make_run(tmp_path / "corrected", errors=0.1, noise_seed=1, seed=0)
    found = compare([old, corrected])
    assert found.versus[0].of("dice").verdict == "better" and not any("only in their seed" in n for n in found.notes)
    assert any("same recipe, seed and training pictures" in note for note in found.notes)
    other = make_run(tmp_path / "fpn", errors=0.2, noise_seed=2, seed=0, changes=FPN)
    assert sets(compare([old, other, corrected])) == [(1, [0]), (1, [0]), (1, [0])]
    third = make_run(tmp_path / "third", errors=0.2, noise_seed=3, seed=1)
    found = compare([old, corrected, third])  # of which of the two it is another seed nobody can tell
    assert sets(found) == [(1, [0]), (1, [0]), (1, [1])]


def test_other_training_pictures_are_no_other_seed(tmp_path):
    before = [make_run(tmp_path / f"a{s}", errors=0.3, noise_seed=s, seed=s) for s in range(2)]
    after = [
        make_run(tmp_path / f"b{s}", errors=0.1, noise_seed=5 + s, seed=7 + s, train=range(200, 230)) for s in range(3)
    ]
    found = compare([before[0], *after, before[1]])
    assert sets(found) == [(2, [0, 1]), (3, [7, 8, 9])] and found.versus[0].of("dice").verdict == "better"
    assert any("differ in the names of the training pictures" in note for note in found.notes)
    assert any("trained on different pictures" in note for note in found.notes)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"data": "a"}, {"data": "b"}, "differ in the pictures they learnt from,"),
        ({"labels": "a"}, {"labels": "b"}, "differ in the labels they learnt from,"),
    ],
)
def test_other_pixels_or_labels_are_no_other_seed(tmp_path, first, second, words):
    one = state(make_run(tmp_path / "a", errors=0.3, seed=0), **first)
    other = state(make_run(tmp_path / "b", errors=0.1, noise_seed=1, seed=1), **second)
    found = compare([one, other])
    assert any(words in note for note in found.notes) and not any("only in their seed" in n for n in found.notes)
    shutil.copytree(one, tmp_path / "both/a")
    shutil.copytree(other, tmp_path / "both/b")
    with pytest.raises(DataError, match=words.rstrip(",")):
        compare([tmp_path / "both", other])


@pytest.mark.parametrize("second", [{}, {"labels": "a", "tests": "corrected"}])
def test_what_a_run_does_not_tell_or_has_not_learnt_from_is_no_difference(tmp_path, second):
    """A run of an earlier version does not tell its labels; those of test pictures teach nothing."""
    one = state(make_run(tmp_path / "both/a", errors=0.3, seed=0), labels="a", tests="b")
    other = state(make_run(tmp_path / "both/b", errors=0.1, noise_seed=1, seed=1), **second)
    assert any("only in their seed" in note for note in compare([one, other]).notes)
    third = make_run(tmp_path / "fpn", errors=0.2, noise_seed=2, seed=0, changes=FPN)
    assert sets(compare([tmp_path / "both", third])) == [(2, [0, 1]), (1, [0])]


def test_runs_of_one_folder_have_a_seed_each(tmp_path):
    for name, noise in (("a", 0), ("b", 1)):
        make_run(tmp_path / "runs" / name, errors=0.2, noise_seed=noise, seed=4)
    with pytest.raises(DataError, match="have the same seed"):
        compare([tmp_path / "runs", make_run(tmp_path / "c", seed=0, changes=FPN)])


def test_which_pictures_validate_may_follow_from_the_seed(tmp_path):
    """A split that the data bring without validation: each seed takes it from other training pictures."""
    runs = []
    for seed in range(2):
        run = make_run(tmp_path / str(seed), errors=0.2, noise_seed=seed, seed=seed)
        rows = [[f"images/{n}.png", "", "test", ""] for n in range(NUMBER)]
        rows += [[f"images/{n}.png", "", "val" if n % 5 == seed else "train", ""] for n in range(100, 110)]
        write_csv(run / "split.csv", rows)
        runs.append(run)
    other = make_run(tmp_path / "fpn", errors=0.2, noise_seed=2, seed=0, changes=FPN)
    assert sets(compare([*runs, other])) == [(2, [0, 1]), (1, [0])]


def test_two_cross_validations_are_compared(tmp_path):
    """The split that lies beside out-of-fold scores is that of one fold; no picture was scored by a model that learnt from it."""
    runs = [
        make_run(
            tmp_path / name, errors=errors, noise_seed=place, seed=0, changes=changes, test=range(20),
            train=range(5 + place, 20), split="out-of-fold",
        )
        for place, (name, errors, changes) in enumerate((("unet", 0.3, ()), ("fpn", 0.1, FPN)))
    ]  # fmt: skip
    for place, run in enumerate(runs):  # each kept another fold
        parts = [["val" if n // 5 == place else "train"] for n in range(20)]
        write_csv(run / "split.csv", [[f"images/{n}.png", "", *parts[n], ""] for n in range(20)])
    found = compare(runs)
    assert found.versus[0].of("dice").verdict == "better" and found.pictures == 20
    assert not any("trained on" in note for note in found.notes)


@pytest.fixture
def models(tmp_path):
    """Two folders of masks of the pictures in ``own``, each as a run trained on four of them; ``other`` has the same file names."""
    truth = make_folder(tmp_path / "own", count=6)
    shutil.copytree(tmp_path / "own", tmp_path / "other")
    for place, name in enumerate(truth):
        save(tmp_path / f"other/images/{name}.png", picture(50 + place))
    for shift, run in enumerate(("a", "b"), 1):
        for name, ids in truth.items():
            save(tmp_path / run / f"{name}.png", gray(np.roll(ids, shift, axis=0)))
        parts = ["train"] * 4 + ["test"] * 2
        rows = [[f"images/{name}.png", "", part, ""] for name, part in zip(truth, parts, strict=True)]
        write_csv(tmp_path / run / "split.csv", rows)
        facts = {"data_checksum": open_dataset(tmp_path / "own").checksum}
        (tmp_path / run / "evaluation").mkdir()
        (tmp_path / run / "evaluation/summary.json").write_text(json.dumps(facts))
        (tmp_path / run / "origin.json").write_text(json.dumps({"data": str(tmp_path / "own")}))
    return [tmp_path / "a", tmp_path / "b"]


def test_other_pictures_with_the_same_names_are_no_seen_pictures(models, tmp_path):
    found = compare(models, data=tmp_path / "other")
    assert found.pictures == 6
    notes = [note for note in found.notes if "4 of the scored pictures are called like" in note]
    assert len(notes) == 2 and not any("are too good" in note for note in found.notes if note not in notes)


def test_seen_pictures_are_refused_whatever_else_lies_beside_them(models, tmp_path):
    with pytest.raises(DataError, match=r"trained on 4 pictures .* of the 6 scored"):
        compare(models, data=tmp_path / "own")
    shutil.copyfile(tmp_path / "own/images/p.01.png", tmp_path / "other/images/p.01.png")
    with pytest.raises(DataError, match=r"trained on 1 picture \(images/p\.01\.png\) of the 6 scored"):
        compare(models, data=tmp_path / "other")
    found = compare(models, data=tmp_path / "other", split="all")
    assert any("was trained on 1 of the scored pictures" in note for note in found.notes)
    assert any("3 of the scored pictures are called like" in note for note in found.notes)


def test_a_bundle_alone_is_known_by_the_run_it_lies_in(tmp_path):
    run = state(make_run(tmp_path / "run", errors=0.3, seed=3), data="x", labels="y", origin=tmp_path)
    inner, whole = find_training(run / "model"), find_training(run)
    assert inner == whole and (whole.data_checksum, whole.origin) == ("x", tmp_path) and whole.labels_checksum
    assert whole.recipe.seed == 3 and len(whole.pictures) == 10
    for damaged in ("[]", "{", '{"training": 7}'):
        (run / "model/bundle.json").write_text(damaged)
        assert find_training(run).data_checksum == "d"  # a run is scored on the data that it learnt from
    assert find_training(tmp_path / "nowhere") == TrainedOn()


def test_patients_of_namesakes_are_not_those_of_these_pictures(models, tmp_path):
    for model in models:
        file = model / "split.csv"
        lines = file.read_text().splitlines()
        rows = [f"{line}patient {number // 2}" for number, line in enumerate(lines[1:])]
        file.write_text("\n".join([lines[0], *rows]) + "\n")
    assert "patient 1" in (models[0] / "split.csv").read_text()
    found = compare(models, data=tmp_path / "other")
    assert found.versus[0].of("dice").units == found.pictures == 6 and not any("groups" in note for note in found.notes)


def test_cross_validations_that_kept_other_folds_learnt_from_the_same(tmp_path):
    """With an inner validation the split that lies beside a whole run lacks the fold that its model has held out."""
    runs = []
    for seed in range(2):
        changes = {"split.folds": 2, "split.inner_val_share": 0.2}
        run = make_run(
            tmp_path / f"cv{seed}", errors=0.2, noise_seed=seed, seed=seed, changes=changes, split="out-of-fold"
        )
        fold_of = {f"images/{n}.png": n % 2 + 1 for n in range(NUMBER)}
        rows = [[name, "", "val" if fold > 9 else "train", ""] for name, fold in fold_of.items() if fold != seed + 1]
        write_csv(run / "split.csv", rows)
        listed = "".join(f"{name},,train,,{fold}\n" for name, fold in fold_of.items())
        (run / "folds.csv").write_text(f"image,mask,split,group,fold\n{listed}")
        runs.append(run)
        trained = find_training(run)
        assert trained.pictures == set(fold_of) and len(trained.learnt(fold_of)) == NUMBER // 2
        assert trained.labels_checksum == find_training(runs[0]).labels_checksum
    assert any("only in their seed" in note for note in compare(runs).notes)
