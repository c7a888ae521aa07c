"""``values`` in limner.toml is obeyed to the letter, and refused with what is wrong."""

import numpy as np
import pytest

from limner.core.errors import DataError
from limner.data.dataset import open_dataset
from limner.data.declared import read_declared
from limner.data.mask_values import decide_reading
from tests.make_data import gray, labels, make_folder, palette, rgb, save


def declare(folder, text):
    folder.mkdir(exist_ok=True)
    (folder / "limner.toml").write_text(text, encoding="utf-8")
    return read_declared(folder)


def test_numbers_become_the_named_classes(tmp_path):
    declared = declare(tmp_path, 'values = {7 = "cell", 0 = "background", 9 = "ignore", 3 = "cell"}')
    assert declared.classes == ("background", "cell") and not declared.by_color
    ids = np.array([[0, 7, 9], [3, 0, 7]], np.uint8)
    reading, findings = decide_reading([save(tmp_path / "m.png", gray(ids))], declared)
    found, valid = reading.labels(tmp_path / "m.png")
    assert found.tolist() == [[0, 1, 0], [1, 0, 1]] and valid.tolist() == [[True, True, False], [True, True, True]]
    assert not findings and "7 = cell" in reading.words and "9 = not known" in reading.words


def test_inverted_masks_are_read_with_two_values(tmp_path):
    truth = make_folder(tmp_path, count=3, encode=lambda ids: gray((1 - ids) * 255))
    declare(tmp_path, '[values]\n255 = "background"\n0 = "vessel"')
    dataset = open_dataset(tmp_path)
    assert dataset.label_space.names == ("background", "vessel")
    for item, ids in zip(dataset.items, truth.values(), strict=True):
        assert np.array_equal(dataset.load(item).labels, ids)


@pytest.mark.parametrize("encode", [rgb, palette])
def test_colours_become_the_named_classes(tmp_path, encode):
    colors = ((0, 0, 0), (0, 200, 80), (200, 0, 80))
    text = 'classes = ["soil", "weed", "crop"]\nvalues = {"#c80050" = "weed", "#00C850" = "crop", "#000000" = "soil"}'
    declared = declare(tmp_path, text)
    ids = labels(0, classes=3)
    path = save(tmp_path / "m.png", encode(ids, colors))
    reading, findings = decide_reading([path], declared)
    assert np.array_equal(reading.labels(path)[0], np.array([0, 2, 1])[ids]) and not findings
    assert reading.label_space.colors == ((0, 0, 0), (200, 0, 80), (0, 200, 80))


def test_a_value_that_is_not_listed_is_an_error_with_its_place(tmp_path):
    declared = declare(tmp_path, 'values = {0 = "background", 1 = "cell"}')
    _, (finding,) = decide_reading([save(tmp_path / "m.png", gray(np.array([[0, 1, 1], [0, 4, 4]])))], declared)
    assert (finding.code, finding.level) == ("UNKNOWN_VALUE", "error")
    assert "4 in 2 pixels (the first at row 1, column 1" in finding.message and "values" in finding.fix


@pytest.mark.parametrize(
    "text, words",
    [
        ('values = ["a"]', "a table such as"),
        ('values = {x = "cell", 0 = "background"}', "whole numbers"),
        ('values = {"-1" = "cell", 0 = "background"}', "whole numbers"),
        ("values = {1 = 2, 0 = 3}", "the name of a class"),
        ('values = {1 = "", 0 = "background"}', "the name of a class"),
        ('values = {1 = "cell", "#000000" = "background"}', "not both"),
        ('values = {1 = "cell", 01 = "background"}', "each value once"),
        ('values = {1 = "cell", 0 = "nothing"}', "one class called background"),
        ('values = {0 = "background", 1 = "ignore"}', "one class called background"),
        ('classes = ["background", "cell"]\nvalues = {0 = "background", 1 = "cel"}', "cell"),
        ('classes = ["b", "c"]\ncolors = ["#000000", "#ff0000"]\nvalues = {"#000000" = "b"}', "not both"),
    ],
)
def test_what_cannot_be_obeyed_is_refused(tmp_path, text, words):
    with pytest.raises(DataError) as caught:
        declare(tmp_path, text)
    assert words in str(caught.value) and "limner.toml" in str(caught.value)
