"""A model must not be praised for pictures it has learnt from, and not be blamed for namesakes of them."""

import dataclasses
import html
import json
import re
import shlex
import shutil

import pytest

from limner.api.seen_before import what_was_seen
from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.data.dataset import open_dataset
from limner.data.splits import split_checksum
from tests.cli.call import limner
from tests.data.imagined import imagined
from tests.make_data import labels, make_folder, picture, save, write_csv

CONTRACT = InputContract(1, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5)
STEMS = [f"p{i}" for i in range(6)]
PARTS = ["train", "train", "train", "val", "test", "test"]
TOO_GOOD = "its scores are too good"


def bundle_of(folder, dataset, architecture="unet", **training):
    facts = {"data_checksum": dataset.checksum, **training}
    return Bundle(folder, architecture, {}, LabelSpace(("background", "cell")), CONTRACT, facts)


def run_of(folder, dataset, parts=PARTS, **training):
    """A run folder with nothing but its split, and its bundle."""
    folder.mkdir()
    rows = [[item.name, "", part, ""] for item, part in zip(dataset.items, parts, strict=True)]
    write_csv(folder / "split.csv", rows)
    return folder, bundle_of(folder / "model", dataset, **training)


def scored(dataset, *stems):
    return tuple(item for item in dataset.items if item.image.stem in stems)


def test_the_same_data_have_the_split_of_the_run_and_what_it_learnt_from_is_said(tmp_path):
    dataset = imagined(STEMS)
    run, bundle = run_of(tmp_path / "run", dataset)
    for model in (run, run / "model"):
        seen = what_was_seen(model, bundle, dataset)
        assert [item.split for item in seen.split_of(dataset).items] == PARTS
        assert seen.notes(scored(dataset, "p4", "p5")) == ()
        assert seen.notes(dataset.items) == (
            f"The model was trained on 3 of the 6 scored pictures and chosen by 1 more: {TOO_GOOD}.",
        )
        assert seen.notes(scored(dataset, "p3")) == (
            f"The model was chosen by 1 of the 1 scored pictures: {TOO_GOOD}.",
        )
    tuned = what_was_seen(run, dataclasses.replace(bundle, architecture="classical/otsu"), dataset)
    assert tuned.notes(scored(dataset, "p3")) == (), "validation chooses nothing about a classical method"


def test_a_picture_that_was_added_does_not_hide_what_is_known_of_the_others(tmp_path):
    run, bundle = run_of(tmp_path / "run", imagined(STEMS))
    grown = imagined([*STEMS, "new"])
    seen = what_was_seen(run, bundle, grown)
    split = seen.split_of(grown)
    assert {item.image.stem for item in split.part("test")} == {"p4", "p5", "new"}
    assert {item.image.stem for item in split.part("train")} == {"p0", "p1", "p2"}
    assert seen.notes(split.part("test")) == ("1 of the 3 scored pictures were not there when the model was trained.",)
    assert "trained on 3 of the 7" in seen.notes(grown.items)[0]
    given = imagined([*STEMS, "new"], splits=["test"] * 6 + ["train"])
    part = {item.image.stem: item.split for item in what_was_seen(run, bundle, given).split_of(given).items}
    assert part == dict(zip(STEMS, PARTS, strict=True)) | {"new": "train"}, "what it learnt from goes before the data"


def test_other_data_with_the_same_names_are_other_data(tmp_path):
    run, bundle = run_of(tmp_path / "run", imagined(STEMS))
    other = imagined(STEMS, digests=[f"other {i}" for i in range(6)])
    seen = what_was_seen(run, bundle, other)
    assert not seen.is_whole and not seen.parts
    (note,) = seen.notes(other.items)
    assert (
        note.startswith("4 of the 6 scored pictures are called like pictures")
        and f"if the pictures are the same, {TOO_GOOD}" in note
    )
    assert what_was_seen(run, bundle, imagined(["x", "y"])).notes(imagined(["x", "y"]).items) == ()


def test_files_of_the_training_are_known_again_in_another_folder(tmp_path):
    make_folder(tmp_path / "data", count=4)
    dataset = open_dataset(tmp_path / "data")
    run, bundle = run_of(tmp_path / "run", dataset, ["train", "val", "test", "train"])
    (run / "origin.json").write_text(json.dumps({"data": str(tmp_path / "data")}))
    shutil.copytree(tmp_path / "data", tmp_path / "copy")
    save(tmp_path / "copy/images/p.03.png", picture(77))
    copy = open_dataset(tmp_path / "copy")
    seen = what_was_seen(run, bundle, copy)
    assert set(seen.parts) == {"images/p.00.png", "images/p.01.png", "images/p.02.png"}
    first, second = seen.notes(copy.items)
    assert "trained on 1 of the 4" in first and "chosen by 1 more" in first and second.startswith("1 of the 4")
    save(tmp_path / "data/images/p.03.png", picture(78))  # the very folder, changed since
    changed = open_dataset(tmp_path / "data")
    assert "trained on 2 of the 4" in what_was_seen(run, bundle, changed).notes(changed.items)[0]


def test_a_bundle_without_its_run(tmp_path):
    dataset = imagined(STEMS)
    alone = what_was_seen(tmp_path, bundle_of(tmp_path, dataset), dataset)
    assert "pictures of these data; which, is not known" in alone.notes(dataset.items)[0]
    assert what_was_seen(tmp_path, bundle_of(tmp_path, dataset), imagined(["a", "b"])).notes(dataset.items) == ()
    assert what_was_seen(tmp_path, None, dataset).notes(dataset.items) == ()
    given = imagined(STEMS, splits=PARTS)
    known = what_was_seen(tmp_path, bundle_of(tmp_path, given, split_checksum=split_checksum(given.items)), given)
    assert known.notes(scored(given, "p4", "p5")) == () and "trained on 3 of the 6" in known.notes(given.items)[0]


HELD = ["p1", "p4"]


def fold_of(folder, grown=()):
    """A fold that held two of the pictures out: its dataset without and with what was added since, its run and its bundle."""
    dataset = imagined([*STEMS, *grown])
    kept = [item for item in dataset.items if item.image.stem in STEMS and item.image.stem not in HELD]
    parts = ["train", "val", "train", "test"]
    folder.mkdir(parents=True)
    write_csv(folder / "split.csv", [[item.name, "", part, ""] for item, part in zip(kept, parts, strict=True)])
    return dataset, bundle_of(folder / "model", imagined(STEMS))


def list_folds(path):
    names = [f"images/{stem}.png" for stem in STEMS]
    path.write_text("image,mask,split,group,fold\n" + "".join(f"{name},,train,pond,1\n" for name in names))


@pytest.mark.parametrize("place", ["beside", "above", "alone"])
def test_what_a_fold_held_out_was_there_and_is_in_no_part(tmp_path, place):
    run = tmp_path / "fold1"
    for grown in ((), ("new",)):
        shutil.rmtree(run, ignore_errors=True)
        dataset, bundle = fold_of(run, grown)
        if place == "alone":
            began = {"held_out": [f"images/{stem}.png" for stem in HELD]}
            (run / "origin.json").write_text(json.dumps({"data": str(tmp_path), "began": began}))
        else:
            list_folds((run if place == "beside" else tmp_path) / "folds.csv")
        seen = what_was_seen(run, bundle, dataset)
        split = seen.split_of(dataset)
        assert seen.is_whole and {item.image.stem for item in split.part("test")} == {"p5", *grown}
        assert {item.image.stem for item in split.items if not item.split} == set(
            HELD
        ) and "2 that are in no" in split.rule
        assert not any("not there" in note for note in seen.notes(scored(dataset, *HELD, "p5")))
        assert any("1 of the 7 scored pictures were not there" in n for n in seen.notes(dataset.items)) == bool(grown)
        assert "trained on 2 of" in seen.notes(dataset.items)[0] and "chosen by 1 more" in seen.notes(dataset.items)[0]
        assert place == "alone" or {i.group for i in split.items if i.image.stem in HELD} == {"pond"}


def test_a_fold_without_a_list_of_folds_on_the_same_data(tmp_path):
    dataset, bundle = fold_of(tmp_path / "fold2")
    (tmp_path / "folds.csv").write_text("image,mask,split,group,fold\nother.png,,train,,1\n")  # of other pictures
    seen = what_was_seen(tmp_path / "fold2", bundle, dataset)
    assert [item.image.stem for item in seen.split_of(dataset).part("test")] == ["p5"]
    assert not any("not there" in note for note in seen.notes(dataset.items))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A classical run on ten pictures with a test of its own."""
    home = tmp_path_factory.mktemp("trained")
    make_folder(home / "data", count=10)
    outcome = limner("train", home / "data", "--recipe", "otsu", "--out", home / "run", "--budget", "5s")
    assert outcome.code == 0, outcome.err
    return home


def test_evaluate_says_it(trained, tmp_path):
    def found(model, data, *options):
        return limner("evaluate", model, data, "--metrics", "overlap", *options, "--json").document

    def told(document):
        return [note for note in document["notes"] if "trained" in note]

    plain = found(trained / "run", trained / "data")
    assert plain["split"] == "test" and not told(plain)
    assert TOO_GOOD in told(found(trained / "run", trained / "data", "--split", "all"))[0]
    shutil.copytree(trained / "data", tmp_path / "data")
    save(tmp_path / "data/images/new.png", picture(50))
    save(tmp_path / "data/masks/new.png", labels(50))
    grown = found(trained / "run", tmp_path / "data")
    assert (grown["split"], grown["samples"]) == ("test", plain["samples"] + 1)
    assert told(grown) == [
        f"1 of the {plain['samples'] + 1} scored pictures were not there when the model was trained."
    ]
    shutil.copytree(trained / "run/model", tmp_path / "bundle")
    alone = found(tmp_path / "bundle", trained / "data")
    assert (alone["split"], alone["samples"]) == ("all", 10) and "which, is not known" in told(alone)[0]
    assert "which, is not known" in limner("evaluate", tmp_path / "bundle", trained / "data").out


def test_pictures_without_any_object_can_be_scored(trained, tmp_path):
    for i in range(3):
        save(tmp_path / f"none/images/n{i}.png", picture(90 + i))
        save(tmp_path / f"none/masks/n{i}.png", labels(i) * 0)
    for model in (trained / "run", "otsu"):
        outcome = limner("evaluate", model, tmp_path / "none", "--out", tmp_path / f"out{model == 'otsu'}", "--json")
        assert outcome.code == 0, outcome.err
        assert outcome.document["empty_cases"]["foreground"]["n"] == 3
    page = (tmp_path / "outTrue/report.html").read_text()
    assert "nothing to learn" not in page and "false alarms can be counted" in page


def test_a_method_is_compared_on_what_the_run_has_not_seen(trained, tmp_path):
    """The data bring no split of their own: the pictures are those of the run's test, whatever comes first."""
    masks = tmp_path / "masks"
    shutil.copytree(trained / "data/masks", masks)
    for order in ((trained / "run", "otsu", masks), (masks, trained / "run")):
        outcome = limner("compare", *order, "--data", trained / "data", "--json")
        assert outcome.code == 0, outcome.err
        assert outcome.document["pictures"] == 2 and not [n for n in outcome.document["notes"] if "too good" in n]
    refused = limner("compare", trained / "run", "otsu", "--data", trained / "data", "--split", "tset")
    assert refused.code == 2 and "did you mean 'test'" in refused.err


def test_scores_of_validation_pictures_say_so_in_their_file(trained, tmp_path):
    run = tmp_path / "run"
    outcome = limner("train", trained / "data", "--recipe", "otsu", "--out", run, "--set", "split.test_share=0")
    assert outcome.code == 0, outcome.err
    summary = json.loads((run / "evaluation/summary.json").read_text())
    sentence = "There are no test pictures: the scores are those of the validation pictures, which chose nothing here."
    assert summary["split"] == "val" and sentence in summary["notes"]
    assert (run / "report.html").read_text().count("There are no test pictures") == 1


def test_the_command_of_a_report_can_be_typed(trained, tmp_path):
    data = tmp_path / "my data"
    shutil.copytree(trained / "data", data)
    options = ("--metrics", "overlap", "--tolerance", "1.5", "--compat")
    assert limner("evaluate", "otsu", data, *options, "--out", tmp_path / "out").code == 0
    page = html.unescape((tmp_path / "out/report.html").read_text())
    words = shlex.split(next(line for line in re.findall(r"limner evaluate [^<\n]*", page)))
    assert words == [*map(str, ("limner", "evaluate", "otsu", data, "--split", "all", *options)), "--out", "NEW_FOLDER"]
