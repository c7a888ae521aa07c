"""The data's classes under a model's numbers: every mask is compared with what its names say."""

import json

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.core.labels import LabelSpace
from limner.data.checks.model_classes import fits
from limner.data.dataset import open_dataset
from tests.make_data import gray, labels, make_folder, picture, rgb, save, soft

MODEL = LabelSpace(("background", "cat", "dog"))


def declare(root, names, more=""):
    (root / "limner.toml").write_text(f"classes = {json.dumps(names)}\n{more}")


def read(root, model=MODEL):
    dataset = open_dataset(root, label_space=model, allow=("FEW_SAMPLES", "EMPTY_MASKS"))
    return dataset, {item.image.stem: dataset.load(item).labels for item in dataset.items}


def folder(root, names, encode=gray, more="", classes=None):
    """Masks whose numbers follow `names`; returns what the model should see, by stem."""
    own = make_folder(root, count=4, classes=classes or len(names), encode=encode, size_hw=(20, 24))
    declare(root, names, more)
    return {stem: np.array([MODEL.names.index(name) for name in names])[ids] for stem, ids in own.items()}


@pytest.mark.parametrize(
    ("names", "encode", "more"),
    [
        (["background", "dog", "cat"], gray, ""),
        (["background", "dog", "cat"], rgb, "colors = [[0, 0, 0], [0, 200, 80], [200, 0, 80]]\n"),
        (["background", "dog"], gray, ""),
        (["background", "dog"], lambda ids: gray(ids * 255), ""),
        (["background", "dog"], lambda ids: gray(ids * 255).convert("1"), ""),
        (["dog", "background", "cat"], gray, ""),
        (["background", "cat", "dog"], gray, ""),
        (["background", "cat"], gray, ""),
    ],
)
def test_names_decide_and_not_numbers(tmp_path, names, encode, more):
    truth = folder(tmp_path, names, encode, more)
    dataset, found = read(tmp_path)
    assert dataset.label_space.names == MODEL.names
    for stem, ids in truth.items():
        assert np.array_equal(found[stem], ids), stem
    pixels = {item.image.stem: dataset.facts[item.name].pixels for item in dataset.items}
    for stem, ids in truth.items():
        counts = {index: int((ids == index).sum()) for index in np.unique(ids).tolist()}
        assert {index: number for index, number in pixels[stem].items() if number} == counts
    if names not in (["background", "cat", "dog"], ["background", "cat"]):
        assert "numbered as the model does: 0 background, 1 cat, 2 dog" in dataset.reading.words


def test_soft_edges_an_empty_mask_and_pixels_that_are_not_known(tmp_path):
    make_folder(tmp_path / "soft", count=3, encode=soft, size_hw=(40, 56))
    save(tmp_path / "soft/images/none.png", picture(9))
    save(tmp_path / "soft/masks/none.png", labels(9) * 0)
    declare(tmp_path / "soft", ["background", "dog"])
    _, found = read(tmp_path / "soft")
    own = open_dataset(tmp_path / "soft", allow=("FEW_SAMPLES",))
    for item in own.items:
        assert np.array_equal(found[item.image.stem], 2 * own.load(item).labels)
    assert found["p.00"].any() and not found["none"].any()

    truth = folder(tmp_path / "ids", ["background", "dog", "cat"], more="ignore = 9\n")
    ids = labels(0, (20, 24), 3)
    ids[0, :5] = 9
    save(tmp_path / "ids/masks/p.00.png", ids)
    dataset, _ = read(tmp_path / "ids")
    sample = dataset.load(dataset.items[0])
    assert not sample.valid[0, :5].any() and np.array_equal(sample.labels[1:], truth["p.00"][1:])


def test_values_by_name(tmp_path):
    own = make_folder(tmp_path, count=3, classes=3, encode=lambda ids: gray(np.array([0, 10, 20], np.uint8)[ids]))
    (tmp_path / "limner.toml").write_text('[values]\n0 = "background"\n10 = "dog"\n20 = "cat"\n')
    _, found = read(tmp_path)
    assert all(np.array_equal(found[stem], np.array([0, 2, 1])[ids]) for stem, ids in own.items())


def test_objects_keep_their_class(tmp_path):
    for i in range(2):
        ids = np.zeros((20, 24), np.uint8)
        ids[2:6, 2:6], ids[2:6, 12:16], ids[10:15, 3:9] = 1, 1, 2
        numbers = np.zeros((20, 24), np.uint16)
        numbers[2:6, 2:6], numbers[2:6, 12:16], numbers[10:15, 3:9] = 1, 2, 3
        save(tmp_path / f"images/o{i}.png", picture(i, (20, 24)))
        save(tmp_path / f"masks/o{i}.png", ids)
        save(tmp_path / f"instances/o{i}.png", numbers)
    declare(tmp_path, ["background", "dog", "cat"])
    dataset, found = read(tmp_path)
    assert dataset.label_space.things == ("cat", "dog") and found["o0"][3, 3] == 2
    objects = dataset.load(dataset.items[0]).objects
    assert sorted(objects.classes.tolist()) == [1, 2, 2]


def test_drawn_regions_are_taken_by_name_though_classes_are_declared(tmp_path):
    regions = [("dog", [[1, 1], [9, 1], [9, 9], [1, 9]]), ("cat", [[12, 2], [20, 2], [20, 9], [12, 9]])]
    shapes = [{"label": name, "shape_type": "polygon", "points": points} for name, points in regions]
    for i in range(2):
        save(tmp_path / f"d{i}.png", picture(i, (20, 24)))
        tree = {
            "version": "5",
            "flags": {},
            "shapes": shapes,
            "imagePath": f"d{i}.png",
            "imageHeight": 20,
            "imageWidth": 24,
        }
        (tmp_path / f"d{i}.json").write_text(json.dumps(tree))
    declare(tmp_path, ["background", "dog", "cat"])
    dataset, found = read(tmp_path)
    assert dataset.label_space.names == MODEL.names and (found["d0"][5, 5], found["d0"][5, 15]) == (2, 1)


def test_unknown_names_go_by_number_and_moved_ones_are_refused(tmp_path):
    make_folder(tmp_path / "a", count=3, classes=3)
    declare(tmp_path / "a", ["background", "class 1", "class 2"])
    dataset, found = read(tmp_path / "a")
    assert dataset.label_space.names == ("background", "class 1", "class 2") and np.unique(found["p.00"]).max() == 2
    declare(tmp_path / "a", ["background", "dog", "horse"])
    with pytest.raises(
        DataError, match=r"does not know horse and has dog as number 2 in place of 1(.|\n)*limner\.toml"
    ):
        read(tmp_path / "a")
    assert not fits(("background", "cat", "horse"), MODEL, ""), "cat has the same number: the rest goes by number"
    assert fits(("void", "dog"), MODEL, "") and fits(("background", "dog"), MODEL, "")
