"""Masks of any tool: which file belongs to which picture, and what its numbers mean."""

import dataclasses
import io

import numpy as np
import pytest
from PIL import Image

from limner.api.predicted import Predicted
from limner.core.errors import DataError
from limner.core.sample import Sample
from limner.data.dataset import open_dataset
from tests.make_data import gray, labels, picture, save, write_csv

SIZE = (12, 17)
NAMES = ("images/a.png", "images/b.png", "images/deep/c.d.png")


def make_data(root, *, classes=2, names=NAMES, encode=gray, toml=""):
    """Pictures, masks with `classes` classes, and what they show; every mask shows every class."""
    truth = {}
    for i, name in enumerate(names):
        truth[name] = labels(i, SIZE, classes)
        for index in range(classes):
            truth[name][-1, index] = index
        save(root / name, picture(i, SIZE))
        save(root / name.replace("images", "masks", 1), encode(truth[name]))
    if toml:
        (root / "limner.toml").write_text(toml)
    return truth


def read(folder, data):
    """What `Predicted` makes of all pictures."""
    dataset = open_dataset(data)
    predicted = Predicted(folder, dataset, dataset.items)
    found = {}
    for item in dataset.items:
        found[item.name] = predicted.segment(Sample(item.name, np.zeros((*SIZE, 3), np.uint8))).labels
    return predicted, found


def same(found, truth):
    return found.keys() == truth.keys() and all(np.array_equal(found[name], truth[name]) for name in truth)


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def pred(tmp_path):
    return tmp_path / "pred"


PLACES = {
    "flat": lambda stem, folder: f"{stem}.png",
    "as in the data": lambda stem, folder: f"{folder}{stem}.png",
    "masks folder": lambda stem, folder: f"masks/{folder}{stem}.png",
    "images folder": lambda stem, folder: f"images/{folder}{stem}.png",
    "deeper": lambda stem, folder: f"experiment/7/predictions/{folder}{stem}.png",
    "_mask": lambda stem, folder: f"{stem}_mask.png",
    "_pred": lambda stem, folder: f"{folder}{stem}_pred.png",
    "-prediction": lambda stem, folder: f"{stem}-prediction.png",
    "suffix kept": lambda stem, folder: f"{folder}{stem}.png.png",
    "tif": lambda stem, folder: f"{stem}.tif",
    "one bmp each": lambda stem, folder: f"{stem}.bmp",
}


@pytest.mark.parametrize("place", PLACES)
def test_places_and_names_of_other_tools(data, pred, place):
    truth = make_data(data)
    for name, ids in truth.items():
        folder, _, file = name.removeprefix("images/").rpartition("/")
        save(pred / PLACES[place](file.removesuffix(".png"), f"{folder}/" if folder else ""), ids)
    predicted, found = read(pred, data)
    assert same(found, truth) and not predicted.extra and not predicted.missing and not predicted.notes


def npy(ids):
    content = io.BytesIO()
    np.save(content, ids)
    return content.getvalue()


@pytest.mark.parametrize(
    "array",
    [lambda ids: ids, lambda ids: ids > 0, lambda ids: ids.astype(float), lambda ids: ids[None].astype(np.int64)],
)
def test_arrays(data, pred, array):
    truth = make_data(data)
    pred.mkdir()
    for stem, ids in zip(("a", "b", "c.d"), truth.values(), strict=True):
        (pred / f"{stem}.npy").write_bytes(npy(array(ids)))
    assert same(read(pred, data)[1], truth)


def test_names_that_end_like_masks_are_names_first(data, pred):
    names = ("images/a.png", "images/a_pred.png", "images/a.b.png")
    truth = make_data(data, names=names)
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), ids)
    assert same(read(pred, data)[1], truth)


def test_one_stem_in_two_folders(data, pred):
    names = ("images/left/p.png", "images/right/p.png")
    truth = make_data(data, names=names)
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), ids)
    assert same(read(pred, data)[1], truth)
    save(pred / "p.png", truth[names[0]])
    with pytest.raises(DataError, match=r"p\.png fits 2 pictures: images/left/p\.png, images/right/p\.png"):
        read(pred, data)


def test_one_stem_with_two_suffixes(data, pred):
    truth = make_data(data, names=("images/a.png",))
    other = labels(7, SIZE)
    save(data / "images/a.bmp", picture(7, SIZE))
    save(data / "other/a.png", other)
    write_csv(
        data / "splits.csv", [["images/a.png", "masks/a.png", "test", ""], ["images/a.bmp", "other/a.png", "test", ""]]
    )
    save(pred / "a.png.png", truth["images/a.png"])
    save(pred / "a.bmp.png", other)
    assert same(read(pred, data)[1], {"images/a.bmp": other, "images/a.png": truth["images/a.png"]})


@pytest.mark.parametrize("second", ["a_mask.png", "a.npy", "old/a.png", "a.tif"])
def test_two_files_for_one_picture_are_named(data, pred, second):
    truth = make_data(data)
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), ids)
    (pred / "old").mkdir()
    if second.endswith("npy"):
        (pred / second).write_bytes(npy(truth[NAMES[0]]))
    else:
        save(pred / second, truth[NAMES[0]])
    with pytest.raises(DataError, match=r"2 files for the picture images/a\.png: .*a") as caught:
        read(pred, data)
    assert second in caught.value.found and "a.png" in caught.value.found


def test_stray_files_are_named_and_missing_ones_are_empty(data, pred):
    truth = make_data(data)
    save(pred / "a.png", truth[NAMES[0]])
    save(pred / "thumbs/logo.png", truth[NAMES[0]])
    save(pred / "overlays/a.png", picture(0, SIZE))
    save(pred / "scores/a.tif", np.zeros((1, *SIZE), np.float32))
    (pred / "notes.txt").write_text("x")
    predicted, found = read(pred, data)
    assert (
        predicted.missing == NAMES[1:]
        and not found[NAMES[1]].any()
        and np.array_equal(found[NAMES[0]], truth[NAMES[0]])
    )
    assert predicted.extra == ("thumbs/logo.png",) and "thumbs/logo.png" in predicted.notes[0]


def test_another_size_is_refused_with_both(data, pred):
    truth = make_data(data)
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), ids[:-2] if name == NAMES[1] else ids)
    with pytest.raises(DataError, match=r"b\.png is 10 x 17 .* images/b\.png is 12 x 17"):
        read(pred, data)


def deep(ids):
    return Image.fromarray(ids.astype("uint16") * 65535)


def colours(*table):
    return lambda ids: Image.fromarray(np.array(table, np.uint8)[ids])


def indexed(*table):
    def encode(ids):
        image = Image.fromarray(ids, "L")
        image.putpalette([channel for color in table for channel in color] + [0] * (768 - 3 * len(table)))
        return image

    return encode


TWO = {
    "0/1": gray,
    "0/255": lambda ids: gray(ids * 255),
    "0/7": lambda ids: gray(ids * 7),
    "1 bit": lambda ids: gray(ids * 255).convert("1"),
    "16 bit": deep,
    "three gray channels": lambda ids: gray(ids * 255).convert("RGB"),
    "one colour": colours((0, 0, 0), (200, 30, 10)),
    "palette": indexed((9, 9, 9), (200, 30, 10)),
}


@pytest.mark.parametrize("encoding", TWO)
def test_encodings_of_two_classes(data, pred, encoding):
    truth = make_data(data)
    truth[NAMES[1]][:] = 0  # nothing predicted here: all files have to agree, not each by itself
    truth[NAMES[2]][:] = 1
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), TWO[encoding](ids))
    assert same(read(pred, data)[1], truth)


DECLARED = ((0, 0, 0), (10, 200, 30), (220, 5, 90))
TOML = 'classes = ["background", "x", "y"]\ncolors = [[0, 0, 0], [10, 200, 30], [220, 5, 90]]\n'


@pytest.mark.parametrize(
    "encode", [gray, colours(*DECLARED), indexed(*DECLARED), indexed((1, 2, 3), (4, 5, 6), (7, 8, 9))]
)
def test_encodings_of_declared_classes(data, pred, encode):
    truth = make_data(data, classes=3, toml=TOML)
    truth[NAMES[0]][:] = 0  # a colour file without colours
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), encode(ids))
    assert same(read(pred, data)[1], truth)


def test_a_palette_in_another_order_is_read_by_its_colours(data, pred):
    truth = make_data(data, classes=3, toml=TOML)
    turned = indexed((220, 5, 90), (0, 0, 0), (10, 200, 30))
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), turned(np.array([1, 2, 0], np.uint8)[ids]))
    predicted, found = read(pred, data)
    assert same(found, truth) and "colours of the classes" in predicted.notes[0]


def test_the_values_of_the_data_s_own_masks(data, pred):
    levels = np.array([0, 85, 170], np.uint8)
    truth = make_data(data, classes=3, encode=lambda ids: gray(levels[ids]))
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), gray(levels[ids]))
    predicted, found = read(pred, data)
    assert same(found, truth) and "own masks" in predicted.notes[0]
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), gray(ids))
    assert same(read(pred, data)[1], truth)


def test_ids_and_own_values_that_both_fit(data, pred):
    """Masks that count from 1: where no 0 occurs, predictions count from 1, too."""
    truth = make_data(data)
    dataset = open_dataset(data)
    own = dataclasses.replace(dataset.reading, rule="table", table=((1, 0), (2, 1)))
    dataset = dataclasses.replace(dataset, reading=own)
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), ids + 1)
    found = Predicted(pred, dataset, dataset.items)
    for name, ids in truth.items():
        assert np.array_equal(found.segment(Sample(name, np.zeros((*SIZE, 3), np.uint8))).labels, ids)
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), ids)
    found = Predicted(pred, dataset, dataset.items)
    assert np.array_equal(found.segment(Sample(NAMES[0], np.zeros((*SIZE, 3), np.uint8))).labels, truth[NAMES[0]])


def write_all(pred, truth, encode):
    for name, ids in truth.items():
        save(pred / name.removeprefix("images/"), encode(ids))


@pytest.mark.parametrize(
    ("classes", "change", "message"),
    [
        (2, lambda ids: gray(ids * 9 + (np.arange(17) == 3)), r"a\.png holds the value"),
        (3, lambda ids: gray(ids + 1), r"a\.png holds the value 3; expected class ids 0 to 2"),
        (3, lambda ids: gray(np.arange(12 * 17).reshape(12, 17) + ids), "different values up to .* as scores do"),
        (3, colours((0, 0, 0), (1, 2, 3), (220, 5, 90)), r"a\.png holds the colour #010203"),
    ],
)
def test_numbers_that_mean_nothing_are_named(data, pred, classes, change, message):
    truth = make_data(data, classes=classes, toml=TOML if classes == 3 else "")
    write_all(pred, truth, change)
    with pytest.raises(DataError, match=message):
        read(pred, data)


def test_files_that_disagree_are_both_named(data, pred):
    truth = make_data(data)
    write_all(pred, truth, gray)
    save(pred / "b.png", gray(truth[NAMES[1]] * 255))
    with pytest.raises(DataError, match=r"b\.png holds the value 255, a\.png 1"):
        read(pred, data)


def test_scores_and_stacks_of_maps_are_refused(data, pred):
    truth = make_data(data)
    write_all(pred, truth, gray)
    (pred / "b.png").unlink()
    save(pred / "b.tif", truth[NAMES[1]] * np.float32(0.37))
    with pytest.raises(DataError, match=r"b\.tif"):
        read(pred, data)


def test_a_stack_of_masks_for_a_stack_of_pictures(data, pred):
    ids = np.stack([labels(i, SIZE) for i in range(3)])
    data.mkdir()
    np.save(data / "train_x.npy", np.stack([picture(i, SIZE) for i in range(3)]))
    np.save(data / "train_y.npy", ids)
    pred.mkdir()
    np.save(pred / "train_x.npy", ids)
    found = read(pred, data)[1]
    assert len(found) == 3 and all(np.array_equal(found[name], ids[i]) for i, name in enumerate(sorted(found)))
    np.save(pred / "train_x.npy", ids[:2])
    with pytest.raises(DataError, match="holds 2 masks"):
        read(pred, data)
