"""Every way to store a mask gives the same ids, says how, and refuses what no rule explains."""

import numpy as np
import pytest
from PIL import Image

from limner.core.errors import DataError
from limner.data.declared import Declared
from limner.data.mask_values import decide_reading
from limner.data.masks import read_raw_mask
from tests.make_data import ENCODINGS, SIZE, gray, labels, palette, rgb, save, soft

CODES = {
    "0_1": set(), "1_bit": set(), "palette": set(), "colours": {"MASK_COLOURS"}, "alpha": {"MASK_ALPHA"},
    "0_255": {"MASK_VALUES"}, "0_7": {"MASK_VALUES"}, "16_bit": {"MASK_VALUES"}, "rgb_gray": {"MASK_VALUES"},
}  # fmt: skip


def write(folder, *masks):
    return [save(folder / f"m{i}.png", mask) for i, mask in enumerate(masks)]


def grid(*values):
    """One row of pixels, each value twice; no two columns of a mirrored row agree."""
    return np.repeat(np.array([values], np.uint8), 2, axis=0)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_two_classes_in_every_encoding(tmp_path, encoding):
    truth = [labels(i) for i in range(3)]
    paths = write(tmp_path, *(ENCODINGS[encoding](ids) for ids in truth))
    reading, findings = decide_reading(paths, Declared())
    for path, ids in zip(paths, truth, strict=True):
        found, valid = reading.labels(path)
        assert found.dtype == np.uint8 and np.array_equal(found, ids) and valid.all()
    assert {f.code for f in findings} == CODES[encoding]
    assert all(f.level == "fixed" for f in findings)
    assert reading.label_space.names == ("background", "foreground")


def test_mixed_0_1_and_0_255_is_decided_per_file(tmp_path):
    truth = [labels(i) for i in range(4)]
    paths = write(tmp_path, *(gray(ids * (255 if i % 2 else 1)) for i, ids in enumerate(truth)))
    reading, (finding,) = decide_reading(paths, Declared(), root=tmp_path)
    assert all(np.array_equal(reading.labels(p)[0], ids) for p, ids in zip(paths, truth, strict=True))
    assert (finding.code, finding.level, finding.files) == ("MASK_VALUES", "fixed", ("m1.png", "m3.png"))


def test_a_constant_mask_is_full_and_an_empty_one_is_empty(tmp_path):
    paths = write(tmp_path, gray(np.full(SIZE, 255)), gray(np.zeros(SIZE)), gray(labels(0) * 255))
    reading, _ = decide_reading(paths, Declared())
    assert [int(reading.labels(p)[0].sum()) for p in paths[:2]] == [40 * 56, 0]


def test_ids_stay_as_they_are_with_gaps_and_absent_classes(tmp_path):
    reading, findings = decide_reading(write(tmp_path, gray(grid(0, 1, 3)), gray(grid(0, 1, 1))), Declared())
    assert reading.labels(tmp_path / "m0.png")[0].tolist() == [[0, 1, 3], [0, 1, 3]]
    assert reading.label_space.names == ("background", "class_1", "class_2", "class_3") and not findings


def test_each_file_may_show_another_single_class(tmp_path):
    reading, _ = decide_reading(write(tmp_path, gray(grid(0, 1)), gray(grid(0, 2))), Declared())
    assert reading.labels(tmp_path / "m1.png")[0].tolist() == [[0, 2], [0, 2]]


def test_255_beside_small_ids_is_not_known(tmp_path):
    reading, (note,) = decide_reading(write(tmp_path, gray(grid(0, 1, 255, 2))), Declared())
    ids, valid = reading.labels(tmp_path / "m0.png")
    assert reading.ignore_value == 255 and len(reading.label_space) == 3 and note.level == "note"
    assert ids[0].tolist() == [0, 1, 0, 2] and valid[0].tolist() == [True, True, False, True]
    assert "2 pixels" in note.message


@pytest.mark.parametrize("levels", [(0, 85, 170, 255), (0, 127, 255), (0, 128, 255)])
def test_evenly_spread_gray_levels_are_classes_in_order(tmp_path, levels):
    reading, (finding,) = decide_reading(write(tmp_path, gray(grid(*levels))), Declared())
    assert reading.labels(tmp_path / "m0.png")[0][0].tolist() == list(range(len(levels)))
    assert (finding.code, finding.level) == ("MASK_VALUES", "fixed")


def test_soft_edges_are_cut_at_half(tmp_path):
    truth = [labels(i, (80, 112)) for i in range(3)]
    paths = write(tmp_path, *(soft(ids) for ids in truth))
    reading, (finding,) = decide_reading(paths, Declared())
    assert (finding.code, finding.level, finding.count) == ("MASK_ANTIALIASED", "fixed", 3)
    assert max(float((reading.labels(p)[0] != ids).mean()) for p, ids in zip(paths, truth, strict=True)) < 0.01
    stored = np.array(Image.open(paths[0]))
    assert np.array_equal(reading.labels(paths[0])[0], stored > 127)


def test_jpeg_masks_are_cut_at_half(tmp_path):
    truth = labels(0, (80, 112))
    gray(truth * 255).save(tmp_path / "m.jpg", quality=80)
    reading, (finding,) = decide_reading([tmp_path / "m.jpg"], Declared())
    assert finding.code == "MASK_ANTIALIASED"
    assert float((reading.labels(tmp_path / "m.jpg")[0] != truth).mean()) < 0.005


def test_a_smooth_picture_is_refused_with_a_remedy(tmp_path):
    ramp = (np.add.outer(np.arange(60), np.arange(90)) * 1.7).astype(np.uint8)
    _, (finding,) = decide_reading(write(tmp_path, gray(ramp)), Declared(), root=tmp_path)
    assert (finding.code, finding.level, finding.files) == ("MASK_VALUES", "error", ("m0.png",))
    assert "classes" in finding.fix and "m0.png" in finding.message


def test_object_numbers_are_one_class_with_a_warning(tmp_path):
    numbers = np.zeros((60, 90), np.uint16)
    for i in range(70):
        y, x = divmod(i, 14)
        numbers[y * 12 + 2 : y * 12 + 10, x * 6 + 1 : x * 6 + 5] = i + 1
    reading, (finding,) = decide_reading(write(tmp_path, Image.fromarray(numbers)), Declared())
    assert finding.level == "warning" and np.array_equal(reading.labels(tmp_path / "m0.png")[0], numbers > 0)


def test_a_value_outside_the_declared_classes_is_counted(tmp_path):
    declared = Declared(classes=("background", "liver", "spleen"))
    reading, (finding,) = decide_reading(
        write(tmp_path, gray(grid(0, 1, 7)), gray(grid(0, 1, 2))), declared, root=tmp_path
    )
    assert (finding.code, finding.level, finding.files) == ("UNKNOWN_VALUE", "error", ("m0.png",))
    assert "m0.png holds 7 in 2 pixels" in finding.message
    with pytest.raises(DataError, match="value 7 in 2 pixels"):
        reading.labels(tmp_path / "m0.png")


def test_declared_classes_may_be_absent_and_ignore_is_obeyed(tmp_path):
    declared = Declared(classes=("background", "a", "b", "c"), ignore=2)
    reading, findings = decide_reading(write(tmp_path, gray(grid(0, 1, 2))), declared)
    ids, valid = reading.labels(tmp_path / "m0.png")
    assert len(reading.label_space) == 4 and not findings
    assert ids[0].tolist() == [0, 1, 0] and valid[0].tolist() == [True, True, False]


def test_declared_two_classes_read_0_255(tmp_path):
    reading, (finding,) = decide_reading(
        write(tmp_path, gray(grid(0, 255, 255))), Declared(classes=("background", "liver"))
    )
    assert reading.labels(tmp_path / "m0.png")[0][0].tolist() == [0, 1, 1] and finding.level == "fixed"
    assert reading.label_space.names == ("background", "liver")


def test_colours_black_first_and_declared_colours_in_their_order(tmp_path):
    ids = labels(0, classes=3)
    paths = write(tmp_path, rgb(ids, ((9, 9, 9), (250, 0, 0), (0, 0, 250))), rgb(ids * 0, ((9, 9, 9),)))
    colors = ((9, 9, 9), (0, 0, 250), (250, 0, 0))
    reading, _ = decide_reading(paths, Declared(classes=("background", "blue", "red"), colors=colors))
    assert np.array_equal(reading.labels(paths[0])[0], np.array([0, 2, 1])[ids])
    reading, _ = decide_reading(write(tmp_path, rgb(ids)), Declared())
    assert reading.label_space.colors == ((0, 0, 0), (0, 200, 80), (200, 0, 80))
    assert np.array_equal(reading.labels(paths[0])[0], ids)


def test_an_undeclared_colour_is_an_error(tmp_path):
    declared = Declared(classes=("background", "a"), colors=((0, 0, 0), (0, 200, 80)))
    _, findings = decide_reading(write(tmp_path, rgb(labels(0, classes=3))), declared)
    assert ("UNKNOWN_VALUE", "error") in {(f.code, f.level) for f in findings} and "#c80050" in findings[-1].message


def test_palettes_that_disagree_are_read_by_colour(tmp_path):
    ids = labels(1)
    paths = write(tmp_path, palette(ids, ((0, 0, 0), (255, 0, 0))), palette(1 - ids, ((255, 0, 0), (0, 0, 0))))
    reading, _ = decide_reading(paths, Declared())
    assert all(np.array_equal(reading.labels(path)[0], ids) for path in paths)


def test_palette_colours_become_class_colours(tmp_path):
    reading, findings = decide_reading(write(tmp_path, palette(labels(0, classes=3))), Declared())
    assert reading.label_space.colors == ((0, 0, 0), (220, 20, 60), (0, 128, 255)) and not findings


def test_raw_kinds(tmp_path):
    kinds = {
        name: read_raw_mask(save(tmp_path / f"{name}.png", encode(labels(0)))).kind
        for name, encode in ENCODINGS.items()
    }
    assert kinds == {
        "0_1": "gray", "0_255": "gray", "0_7": "gray", "1_bit": "1-bit", "16_bit": "gray", "palette": "palette",
        "rgb_gray": "gray", "colours": "colour", "alpha": "alpha",
    }  # fmt: skip


def test_exif_orientation_turns_masks_as_well(tmp_path):
    file = gray(np.array([[1, 2, 3]]))
    exif = file.getexif()
    exif[0x0112] = 6
    file.save(tmp_path / "m.png", exif=exif)
    assert read_raw_mask(tmp_path / "m.png").values.tolist() == [[1], [2], [3]]


def test_the_declared_ignore_value_is_obeyed_beside_255_and_beside_soft_edges(tmp_path):
    reading, (note,) = decide_reading(write(tmp_path, gray(grid(0, 1, 7, 255, 2))), Declared(ignore=7))
    ids, valid = reading.labels(tmp_path / "m0.png")
    assert note.level == "note" and ids[0][valid[0]].tolist() == [0, 1, 2]
    assert valid[0].tolist() == [True, True, False, False, True]
    truth = [labels(i, (80, 112)) for i in range(3)]
    pictures = [np.array(soft(ids)) for ids in truth]
    for pixels in pictures:
        pixels[60:70] = 77
    paths = write(tmp_path, *(gray(pixels) for pixels in pictures))
    reading, (finding,) = decide_reading(paths, Declared(ignore=77))
    assert finding.code == "MASK_ANTIALIASED"
    for path, pixels in zip(paths, pictures, strict=True):
        found, valid = reading.labels(path)
        assert np.array_equal(valid, pixels != 77) and np.array_equal(found[valid], (pixels > 127)[valid])
