"""Masks with transparency: the colours of several classes stay apart; the shape of one class is read whatever its colour."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from limner.data.checks import examine
from limner.data.declared import Declared
from limner.data.mask_values import decide_reading
from tests.make_data import labels, picture, save

SIZE = (41, 56)
COLORS = ((0, 0, 0), (220, 0, 0), (0, 200, 0))
DECLARED = {
    "nothing": Declared(),
    "colors": Declared(classes=("background", "red", "green"), colors=COLORS),
    "values": Declared(
        classes=("background", "red", "green"), by_color=True, values=((0, "background"), (0xDC0000, "red"), (0x00C800, "green"))
    ),
}  # fmt: skip


def on_nothing(ids, colors=COLORS, below=(9, 90, 200), opacity=255):
    """Colours on transparent ground, which keeps a colour of its own as editors leave it."""
    pixels = np.dstack([np.array(colors, np.uint8)[ids], np.where(ids > 0, opacity, 0).astype(np.uint8)])
    pixels[ids == 0, :3] = below
    return pixels


def shapes(count=8):
    """Ids 0, 1, 2 in most pictures, only 1 in the last but one, only 2 in the last, none in the first."""
    truth = [labels(i, SIZE, classes=3) for i in range(count)]
    truth[0] = truth[0] * 0
    truth[-2] = np.where(truth[-2] > 0, 1, 0)
    truth[-1] = np.where(truth[-1] > 0, 2, 0)
    return truth


def write(folder, pictures, suffix="png"):
    return [save(folder / f"m{i}.{suffix}", one) for i, one in enumerate(pictures)]


@pytest.mark.parametrize("declared", DECLARED.values(), ids=DECLARED)
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_colours_on_transparent_ground_stay_classes_where_a_file_shows_one(tmp_path, declared, suffix):
    truth = shapes()
    if suffix == "png":
        paths = write(tmp_path, [on_nothing(ids) for ids in truth])
    else:
        paths = [tmp_path / f"m{i}.tif" for i in range(len(truth))]
        for path, ids in zip(paths, truth, strict=True):
            tifffile.imwrite(path, on_nothing(ids), photometric="rgb", extrasamples=["unassalpha"])
    reading, findings = decide_reading(paths, declared)
    assert not any(f.level == "error" for f in findings) and "MASK_ALPHA" not in {f.code for f in findings}
    wanted = [tuple(COLORS[i] for i in (0, 2, 1)), COLORS][bool(declared.classes)]  # undeclared: by their RGB value
    for path, ids in zip(paths, truth, strict=True):
        found, valid = reading.labels(path)
        assert np.array_equal(np.array(wanted)[found], np.array(COLORS)[ids]) and valid.all()


def test_pixels_and_objects_are_counted_by_colour(tmp_path):
    for i, ids in enumerate(shapes()):
        save(tmp_path / f"images/p{i}.png", picture(i, SIZE))
        save(tmp_path / f"masks/p{i}.png", on_nothing(ids))
    found = examine(tmp_path)
    for i, ids in enumerate(shapes()):
        fact = found.facts[f"images/p{i}.png"]
        expected = {new: int((ids == old).sum()) for new, old in ((0, 0), (1, 2), (2, 1))}
        assert {k: n for k, n in fact.pixels.items() if n} == {k: n for k, n in expected.items() if n}
        assert {k for k, found in fact.objects.items() if found.count} == {k for k, n in expected.items() if k and n}


def test_numbers_of_objects_beside_such_masks_are_of_their_colours(tmp_path):
    for i, ids in enumerate(shapes()):
        save(tmp_path / f"images/p{i}.png", picture(i, SIZE))
        save(tmp_path / f"masks/p{i}.png", on_nothing(ids))
        numbers = ids.astype(np.uint16) + np.where(ids > 0, np.arange(SIZE[1]) // 28 * 40, 0)
        save(tmp_path / f"instances/p{i}.png", Image.fromarray(numbers.astype(np.uint16)))
    found = examine(tmp_path)
    assert found.reading.label_space.things == ("class_1", "class_2")
    assert not {f.code for f in found.findings} & {"INSTANCES_ON_BACKGROUND", "PIXELS_WITHOUT_OBJECT"}
    assert set(found.facts["images/p7.png"].objects) == {1} and set(found.facts["images/p6.png"].objects) == {2}


def test_gray_levels_on_transparent_ground_are_ids(tmp_path):
    truth = shapes()
    levels = ((0, 0, 0), (1, 1, 1), (2, 2, 2))
    for kind in ("LA", "RGBA"):  # also where a colour was left below transparent pixels
        pictures = [Image.fromarray(on_nothing(ids, levels)).convert(kind) for ids in truth]
        reading, findings = decide_reading(write(tmp_path, pictures), Declared())
        assert len(reading.label_space) == 3 and not findings
        assert all(np.array_equal(reading.labels(tmp_path / f"m{i}.png")[0], ids) for i, ids in enumerate(truth))


def test_one_colour_everywhere_is_a_shape_even_if_it_is_black(tmp_path):
    truth = [labels(i, SIZE) for i in range(3)] + [np.zeros(SIZE, np.uint8), np.ones(SIZE, np.uint8)]
    for color in ((0, 0, 0), (3, 40, 60)):
        paths = write(tmp_path, [on_nothing(ids, ((0, 0, 0), color)) for ids in truth])
        for declared in (Declared(), Declared(classes=("ground", "cell"), colors=((255, 255, 255), color))):
            reading, (finding,) = decide_reading(paths, declared)
            assert finding.code == "MASK_ALPHA"
            assert all(np.array_equal(reading.labels(path)[0], ids) for path, ids in zip(paths, truth, strict=True))
    reading, _ = decide_reading(paths, Declared(classes=("a", "b"), values=((0, "a"), (255, "b"))))
    assert all(np.array_equal(reading.labels(path)[0], ids) for path, ids in zip(paths, truth, strict=True))


def test_files_without_transparency_beside_others_are_read_by_colour(tmp_path):
    """Also where the colour is a dark one, and where an opaque black picture means that nothing is there."""
    ids = [labels(i, SIZE) for i in range(3)]
    dark = ((0, 0, 0), (0, 0, 70))
    plain = np.array(dark, np.uint8)[ids[1]]
    empty = np.dstack([np.zeros((*SIZE, 3), np.uint8), np.full(SIZE, 255, np.uint8)])
    paths = write(tmp_path, [on_nothing(ids[0], dark), plain, on_nothing(ids[2], dark), empty])
    reading, _ = decide_reading(paths, Declared())
    for path, truth in zip(paths, [*ids, ids[0] * 0], strict=True):
        assert np.array_equal(reading.labels(path)[0], truth)
    paths = paths[::2] + paths[3:]
    reading, _ = decide_reading(paths, Declared())
    assert [int(reading.labels(path)[0].sum()) for path in paths] == [int(ids[0].sum()), int(ids[2].sum()), 0]


def test_one_colour_does_not_say_which_of_three_declared_classes_it_is(tmp_path):
    paths = write(tmp_path, [on_nothing(labels(i, SIZE)) for i in range(3)])
    _, findings = decide_reading(paths, Declared(classes=("background", "red", "green")))
    assert ("MASK_COLOURS", "error") in {(f.code, f.level) for f in findings}


@pytest.mark.parametrize("stated", [0, bytes([0, 255, 255])])
def test_a_transparent_first_palette_entry_leaves_the_numbers_what_they_are(tmp_path, stated):
    truth = shapes()
    for i, ids in enumerate(truth):
        mask = Image.fromarray(ids.astype(np.uint8), "P")
        mask.putpalette([255, 255, 255, 0, 0, 255, 255, 0, 0])  # numbers not in the order of the colours
        mask.save(tmp_path / f"m{i}.png", transparency=stated)
    paths = [tmp_path / f"m{i}.png" for i in range(len(truth))]
    reading, findings = decide_reading(paths, Declared())
    assert reading.label_space.colors == ((0, 0, 0), (0, 0, 255), (255, 0, 0)) and not findings
    assert all(np.array_equal(reading.labels(path)[0], ids) for path, ids in zip(paths, truth, strict=True))


def test_another_transparent_palette_entry_is_background_by_colour(tmp_path):
    truth = shapes()
    for i, ids in enumerate(truth):
        mask = Image.fromarray(np.array([2, 0, 1], np.uint8)[ids], "P")
        mask.putpalette([220, 0, 0, 0, 200, 0, 255, 255, 255])
        mask.save(tmp_path / f"m{i}.png", transparency=2)
    reading, _ = decide_reading([tmp_path / f"m{i}.png" for i in range(len(truth))], DECLARED["colors"])
    assert all(np.array_equal(reading.labels(tmp_path / f"m{i}.png")[0], ids) for i, ids in enumerate(truth))


def test_transparency_of_sixteen_bits_is_cut_at_half(tmp_path):
    ids = labels(3, SIZE)
    pixels = np.dstack([np.full((*SIZE, 3), 700), np.where(ids, 60000, 20000)]).astype(np.uint16)
    tifffile.imwrite(tmp_path / "m.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    reading, (finding,) = decide_reading([tmp_path / "m.tif"], Declared())
    assert finding.code == "MASK_ALPHA" and np.array_equal(reading.labels(tmp_path / "m.tif")[0], ids)


def test_a_colour_that_is_in_no_declared_value_is_named_as_it_is(tmp_path):
    paths = write(tmp_path, [on_nothing(labels(0, SIZE))])
    declared = Declared(classes=("ground", "red"), by_color=True, values=((0xFFFFFF, "ground"), (0xDC0000, "red")))
    _, (finding,) = decide_reading(paths, declared)
    assert finding.code == "UNKNOWN_VALUE" and "#000000" in finding.message and "transparent" in finding.message
