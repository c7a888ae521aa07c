"""Folders of predictions that tell objects apart."""

import cv2
import numpy as np
import pytest

from limner import evaluate
from limner.api.predicted import Predicted
from limner.core.errors import DataError
from limner.core.objects import number_objects
from limner.core.sample import Sample
from limner.data.dataset import open_dataset
from tests.make_data import gray, picture, save

SIZE = (14, 19)
NAMES = ("images/a.png", "images/b.png", "images/c.png")


def ids_of(place):
    """Four objects, two of which touch."""
    ids = np.zeros(SIZE, np.uint16)
    ids[1:6, 1 + place : 5 + place] = 3
    ids[1:6, 5 + place : 9 + place] = 700
    ids[8:12, 2:7], ids[9:13, 12:17] = 9, 4
    return ids


def write_ids(path, ids):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), ids)


@pytest.fixture
def data(tmp_path):
    """Pictures with ids of objects beside the masks; classes by `limner.toml`."""

    def make(classes):
        root = tmp_path / "data"
        for place, name in enumerate(NAMES):
            ids = ids_of(place)
            save(root / name, picture(place, SIZE))
            save(root / name.replace("images", "masks"), gray(class_map(ids, classes)))
            write_ids(root / name.replace("images", "instances"), ids)
        names = ["background", "cell", "dot"][:classes]
        (root / "limner.toml").write_text(f"classes = {names}\nthings = {names[1:]}\n".replace("'", '"'))
        return root

    return make


def class_map(ids, classes):
    return np.where(ids > 0, np.where((ids == 9) & (classes == 3), 2, 1), 0).astype(np.uint8)


def segment(folder, root):
    dataset = open_dataset(root)
    predicted = Predicted(folder, dataset, dataset.items)
    found = [predicted.segment(Sample(item.name, np.zeros((*SIZE, 3), np.uint8))) for item in dataset.items]
    return predicted, found


@pytest.mark.parametrize("has_maps", [True, False])
def test_ids_beside_masks_or_alone(data, tmp_path, has_maps):
    root, pred = data(2), tmp_path / "pred"
    for place, name in enumerate("abc"):
        write_ids(pred / "instances" / f"{name}.png", ids_of(place))
        if has_maps:
            save(pred / f"{name}.png", gray(class_map(ids_of(place), 2)))
    predicted, found = segment(pred, root)
    for place, one in enumerate(found):
        expected = number_objects(ids_of(place).astype(np.int64), class_map(ids_of(place), 2))
        assert np.array_equal(one.objects.ids, expected.ids) and np.array_equal(one.labels, class_map(ids_of(place), 2))
    assert predicted.notes == () and predicted.missing == ()
    report = evaluate(pred, root, split="all", metrics="overlap", out=tmp_path / "out" if has_maps else None)
    assert [report.scores[name]["cell"].mean for name in ("ap", "pq", "f1_at_iou", "aji", "dice")] == [1] * 5
    if not has_maps:
        return
    assert (tmp_path / "out" / "per_object.csv").read_text().count("matched\n") == 12
    assert 'id="objects"' in (tmp_path / "out" / "report.html").read_text()


def test_plain_masks_are_scored_by_region(data, tmp_path):
    root, pred = data(2), tmp_path / "pred"
    for place, name in enumerate("abc"):
        save(pred / f"{name}.png", gray(class_map(ids_of(place), 2)))
    report = evaluate(pred, root, split="all", metrics="overlap")
    assert report.scores["dice"]["cell"].mean == 1
    assert report.objects["counts"]["cell"]["true"] == 12 and report.objects["counts"]["cell"]["predicted"] == 9
    assert any("do not tell objects apart" in note for note in report.notes)


def test_table_gives_classes_and_scores(data, tmp_path):
    root, pred = data(3), tmp_path / "pred"
    lines = ["image,id,class,score,area"]
    for place, name in enumerate("abc"):
        write_ids(pred / "instances" / f"{name}.png", ids_of(place))
        lines += [f"{name}.png,{i},{'dot' if i == 9 else 'cell'},{i / 1000},1" for i in (3, 4, 9, 700)]
    (pred / "objects.csv").write_text("\n".join(lines))
    _, found = segment(pred, root)
    assert found[1].objects.classes.tolist() == [1, 1, 2, 1]
    assert found[1].objects.scores.tolist() == pytest.approx([0.003, 0.7, 0.009, 0.004])
    assert np.array_equal(found[2].labels, class_map(ids_of(2), 3))


def write_table(pred, classes, names="abc"):
    """A table with the class of each id, and the ids themselves."""
    lines = ["image,id,class,score"]
    for place, name in enumerate("abc"):
        write_ids(pred / "instances" / f"{name}.png", ids_of(place))
        lines += [f"{name},{i},{one},0.5" for i, one in classes.items() if name in names]
    (pred / "objects.csv").write_text("\n".join(lines))


def test_capitals_of_a_class_do_not_matter(data, tmp_path):
    root, pred = data(3), tmp_path / "pred"
    write_table(pred, {3: "Cell", 4: "CELL", 9: "Dot ", 700: "cell"})
    predicted, found = segment(pred, root)
    assert found[1].objects.classes.tolist() == [1, 1, 2, 1] and predicted.objects.notes == ()
    assert np.array_equal(found[2].labels, class_map(ids_of(2), 3))


def test_capitals_that_tell_classes_apart_are_not_guessed(data, tmp_path):
    root, pred = data(3), tmp_path / "pred"
    (root / "limner.toml").write_text('classes = ["background", "dot", "Dot"]\nthings = ["dot", "Dot"]\n')
    write_table(pred, {3: "dot", 4: "DOT", 9: "Dot", 700: "dot"})
    predicted, found = segment(pred, root)
    assert sorted(found[0].objects.classes.tolist()) == [1, 1, 2]
    (note,) = predicted.objects.notes
    assert note == "3 predicted objects were left out: objects.csv calls them DOT, and the classes are dot, Dot."


def test_objects_of_unknown_classes_are_counted(data, tmp_path):
    root, pred = data(3), tmp_path / "pred"
    write_table(pred, {3: "cell", 4: "debris", 9: "dot"}, names="ab")
    predicted, found = segment(pred, root)
    dataset = open_dataset(root)
    predicted.segment(
        Sample(dataset.items[0].name, np.zeros((*SIZE, 3), np.uint8))
    )  # drawn for a report, not counted twice
    assert [len(one.objects) for one in found] == [2, 2, 0]
    assert predicted.objects.notes == (
        "2 predicted objects were left out: objects.csv calls them debris, and the classes are cell, dot.",
        "6 predicted objects were left out: objects.csv does not list them.",
    )


def test_a_table_of_other_classes_alone_is_refused(data, tmp_path):
    root, pred = data(3), tmp_path / "pred"
    write_table(pred, {3: "neuron", 4: "glia"})
    with pytest.raises(DataError, match=r"objects\.csv names the classes glia, neuron; expected .*cell, dot"):
        segment(pred, root)
    (root / "limner.toml").write_text('classes = ["background", "cell"]\nthings = ["cell"]\n')
    for place, name in enumerate(NAMES):
        save(root / name.replace("images", "masks"), gray(class_map(ids_of(place), 2)))
    _, found = segment(pred, root)  # of one class alone, every object is of it
    assert [len(one.objects) for one in found] == [4, 4, 4]


def test_without_a_table_masks_give_the_classes(data, tmp_path):
    root, pred = data(3), tmp_path / "pred"
    for place, name in enumerate("abc"):
        save(pred / f"{name}.png", gray(class_map(ids_of(place), 3)))
        if name != "b":
            write_ids(pred / "instances" / f"{name}.tif", ids_of(place))
    predicted, found = segment(pred, root)
    assert found[0].objects.classes.tolist() == [1, 1, 2, 1] and found[0].objects.scores is None
    assert found[1].objects is None and predicted.notes == ("1 predicted masks have no ids of objects in instances/.",)


def test_ids_of_a_data_set_without_things_are_passed_over(data, tmp_path):
    root, pred = data(2), tmp_path / "pred"
    (root / "limner.toml").write_text('classes = ["background", "cell"]\ntask = "semantic"\n')
    for place, name in enumerate("abc"):
        save(pred / f"{name}.png", gray(class_map(ids_of(place), 2)))
        write_ids(pred / "instances" / f"{name}.png", ids_of(place))
    _, found = segment(pred, root)
    assert found[0].objects is None and np.array_equal(found[0].labels, class_map(ids_of(0), 2))


@pytest.mark.parametrize(
    ("name", "ids", "table", "message"),
    [
        ("a.png", ids_of(0)[:-1], "", "13 x 19"),
        ("a.jpg", ids_of(0).astype(np.uint8), "", "JPEG"),
        ("a.png", ids_of(0), "image,id,class,score\na.png,x,cell,1", r"objects\.csv"),
        ("a.png", ids_of(0), "image,number\na.png,1", r"objects\.csv"),
    ],
)
def test_what_cannot_be_read_is_named(data, tmp_path, name, ids, table, message):
    root, pred = data(2), tmp_path / "pred"
    write_ids(pred / "instances" / name, ids)
    if table:
        (pred / "objects.csv").write_text(table)
    with pytest.raises(DataError, match=message):
        segment(pred, root)
