"""A few pixels of another value are named and left out; they are neither a class nor do they change how the rest is read."""

import numpy as np
import pytest
from PIL import Image

from limner.data.declared import Declared
from limner.data.mask_values import decide_reading
from tests.make_data import gray, labels, rgb, save, soft

LARGE = (120, 168)


def write(folder, masks):
    return [save(folder / f"m{i}.png", mask) for i, mask in enumerate(masks)]


@pytest.mark.parametrize("top", [1, 255])
def test_single_pixels_of_another_value_are_not_known(tmp_path, top):
    truth = [labels(i, LARGE) for i in range(3)]
    stored = [(ids * top).astype(np.uint8) for ids in truth]
    stored[1][100, 4], stored[1][110, 40], stored[1][117, 9] = 3, 3, 3
    paths = write(tmp_path, [gray(ids) for ids in stored])
    reading, findings = decide_reading(paths, Declared(), root=tmp_path)
    (finding,) = [f for f in findings if f.code == "UNKNOWN_VALUE"]
    assert (finding.level, finding.files) == ("warning", ("m1.png",))
    assert "m1.png holds 3 in 3 pixels" in finding.message and "row 100, column 4" in finding.message
    for number, (path, ids) in enumerate(zip(paths, truth, strict=True)):
        found, valid = reading.labels(path)
        assert np.array_equal(found[valid], ids[valid]) and int((~valid).sum()) == (3 if number == 1 else 0)
    assert len(reading.label_space) == 2 and "stray" in reading.words


def test_a_small_area_is_a_class_and_no_stray(tmp_path):
    ids = [labels(i, LARGE) for i in range(3)]
    ids[0][100:105, 4:9] = 2
    reading, findings = decide_reading(write(tmp_path, [gray(i) for i in ids]), Declared())
    assert len(reading.label_space) == 3 and not findings


def test_soft_edges_are_no_strays(tmp_path):
    masks = [soft(labels(i, LARGE)) for i in range(3)]
    _, (finding,) = decide_reading(write(tmp_path, masks), Declared())
    assert finding.code == "MASK_ANTIALIASED"


def test_with_declared_classes_every_value_counts(tmp_path):
    ids = labels(0, LARGE)
    ids[100, 4] = 9
    _, (finding,) = decide_reading(write(tmp_path, [gray(ids)]), Declared(classes=("background", "liver", "fat")))
    assert (finding.code, finding.level) == ("UNKNOWN_VALUE", "error")
    assert "9 in 1 pixels (the first at row 100, column 4" in finding.message


def test_stray_colours_are_not_known(tmp_path):
    pixels = np.array(rgb(labels(0, LARGE)))
    pixels[100, 4], pixels[117, 9] = (7, 9, 250), (7, 9, 250)
    (path,) = write(tmp_path, [Image.fromarray(pixels)])
    reading, findings = decide_reading([path], Declared())
    found, valid = reading.labels(path)
    assert len(reading.label_space) == 2 and np.argwhere(~valid).tolist() == [[100, 4], [117, 9]]
    assert np.array_equal(found[valid], labels(0, LARGE)[valid])
    assert "#0709fa in 2 pixels" in next(f.message for f in findings if f.code == "UNKNOWN_VALUE")
