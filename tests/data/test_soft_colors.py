"""Colour masks that were smoothed, scaled or saved as JPEG mean what they meant before; exact colours stay exact."""

import numpy as np
import pytest
from PIL import Image

from limner.data.declared import Declared
from limner.data.mask_values import decide_reading
from limner.data.soft_colors import in_doubt
from tests.make_data import labels, palette, rgb, save

SIZE = (120, 168)
BRIGHT = ((0, 0, 0), (0, 200, 80), (220, 30, 180))


def write(folder, masks, suffix="png", **options):
    paths = []
    for i, mask in enumerate(masks):
        paths.append(folder / f"m{i}.{suffix}")
        mask.save(paths[-1], **options)
    return paths


def smoothed(picture):
    width, height = picture.size
    small = picture.resize((width // 2, height // 2), Image.Resampling.BILINEAR)
    return small.resize((width, height), Image.Resampling.BILINEAR)


def test_smoothed_colours_become_the_nearest_class(tmp_path):
    truth = [labels(i, SIZE, classes=3) for i in range(3)]
    paths = write(tmp_path, [smoothed(rgb(ids, BRIGHT)) for ids in truth])
    reading, findings = decide_reading(paths, Declared())
    assert {(f.code, f.level) for f in findings} == {("MASK_COLOURS", "fixed"), ("MASK_ANTIALIASED", "fixed")}
    assert reading.label_space.colors == BRIGHT
    for path, ids in zip(paths, truth, strict=True):
        found, valid = reading.labels(path)
        assert valid.all() and float((found != ids).mean()) < 0.02


def test_jpeg_colours_become_the_nearest_class(tmp_path):
    truth = [labels(i, SIZE, classes=3) for i in range(3)]
    paths = write(tmp_path, [rgb(ids, BRIGHT) for ids in truth], "jpg", quality=85)
    reading, findings = decide_reading(paths, Declared())
    assert "MASK_ANTIALIASED" in {f.code for f in findings} and len(reading.label_space) == 3
    wrong = [float((reading.labels(path)[0] != ids).mean()) for path, ids in zip(paths, truth, strict=True)]
    assert max(wrong) < 0.02


def test_declared_colours_are_snapped_to_as_well(tmp_path):
    truth = labels(0, SIZE, classes=3)
    paths = write(tmp_path, [smoothed(rgb(truth, BRIGHT))])
    declared = Declared(classes=("soil", "weed", "crop"), colors=(BRIGHT[0], BRIGHT[2], BRIGHT[1]))
    reading, _ = decide_reading(paths, declared)
    assert float((reading.labels(paths[0])[0] != np.array([0, 2, 1])[truth]).mean()) < 0.02


def test_a_class_colour_between_two_others_is_a_warning(tmp_path):
    colors = ((0, 0, 0), (250, 0, 0), (125, 0, 0))
    paths = write(tmp_path, [smoothed(rgb(labels(i, SIZE, classes=3), colors)) for i in range(3)])
    reading, findings = decide_reading(paths, Declared())
    (finding,) = [f for f in findings if f.code == "MASK_ANTIALIASED"]
    assert finding.level == "warning" and reading.label_space.names[1] in finding.message
    assert in_doubt([0, 0xFA0000, 0x7D0000]) == [2] and in_doubt([0, 0xFF0000, 0x00FF00]) == []


def test_thin_and_rare_classes_of_exact_colours_stay_classes(tmp_path):
    """A line of one pixel, a speck of nine, and ids in the red channel that differ by one."""
    ids = labels(0, SIZE, classes=2)
    ids[70, 10:150] = 2
    ids[100:103, 5:8] = 3
    paths = write(tmp_path, [rgb(ids, ((0, 0, 0), (0, 200, 80), (10, 20, 255), (255, 250, 0)))])
    reading, findings = decide_reading(paths, Declared())
    assert [f.code for f in findings] == ["MASK_COLOURS"] and len(reading.label_space) == 4
    paths = write(tmp_path, [rgb(labels(0, SIZE, classes=3), ((0, 0, 0), (1, 0, 0), (2, 0, 0)))])
    reading, _ = decide_reading(paths, Declared())
    assert np.array_equal(reading.labels(paths[0])[0], labels(0, SIZE, classes=3))


def test_a_photograph_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    yy, xx = np.mgrid[:80, :120]
    noise = rng.integers(0, 40, (80, 120, 3))
    photo = (np.stack([yy * 2, xx * 2, yy + xx], axis=2) + noise).clip(0, 255).astype(np.uint8)
    _, findings = decide_reading([save(tmp_path / "m.png", photo)], Declared())
    assert [(f.code, f.level) for f in findings] == [("MASK_VALUES", "error")]


def test_palettes_of_their_own_are_numbers(tmp_path):
    paths = []
    for i in range(5):
        colors = ((0, 0, 0), (10 + 40 * i, 90, 200 - 30 * i), (200, 15 * i, 40 + i))
        paths.append(save(tmp_path / f"m{i}.png", palette(labels(i, SIZE, classes=3), colors)))
    reading, (finding,) = decide_reading(paths, Declared())
    assert (finding.code, finding.level, finding.count) == ("MASK_COLOURS", "warning", 5)
    assert all(np.array_equal(reading.labels(p)[0], labels(i, SIZE, classes=3)) for i, p in enumerate(paths))


@pytest.mark.parametrize("inside", [255, 128])
def test_transparent_pixels_are_background(tmp_path, inside):
    """Colours and transparency in one file: the colours decide, what is transparent is black."""
    ids = labels(2, SIZE, classes=3)
    pixels = np.dstack([np.array(rgb(ids, BRIGHT)), np.where(ids > 0, inside, 0)]).astype(np.uint8)
    pixels[ids == 0, :3] = 77  # what an editor leaves below transparent pixels
    (path,) = write(tmp_path, [Image.fromarray(pixels)])
    reading, _ = decide_reading([path], Declared())
    assert np.array_equal(reading.labels(path)[0], ids) and "transparent is black" in reading.words


def test_colours_that_number_objects_are_a_warning(tmp_path):
    """Twelve objects in each mask, a colour of its own for each of all."""
    paths = []
    for i in range(3):
        pixels = np.zeros((60, 90, 3), np.uint8)
        for k in range(12):
            y, x = divmod(k, 4)
            pixels[y * 20 + 2 : y * 20 + 15, x * 22 + 3 : x * 22 + 18] = (17 * k + 5, 60 * i + 9, 200 - 13 * k)
        paths.append(save(tmp_path / f"m{i}.png", pixels))
    reading, (finding,) = decide_reading(paths, Declared())
    assert (finding.code, finding.level) == ("MASK_COLOURS", "warning")
    assert "each object (36 colours)" in finding.message
    assert reading.is_numbered
    reading, (finding,) = decide_reading(paths, Declared(masks_are="classes"))
    assert (finding.code, finding.level) == ("MASK_COLOURS", "warning") and "36 of 36 colours" in finding.message


def test_class_colours_that_differ_slightly_stay_apart(tmp_path):
    """Truck and car differ by six of 256 levels; an edge elsewhere must not join them."""
    colors = ((0, 0, 0), (0, 0, 142), (0, 0, 136), (220, 20, 60))
    truth = [np.pad(labels(i, SIZE, classes=4), ((0, 8), (0, 0))) for i in range(3)]
    pictures = [np.array(rgb(ids, colors)) for ids in truth]
    for pixels in pictures:
        pixels[-5:, 20:90] = colors[3]
        pixels[-6, 20:90] = (110, 10, 30)  # between a class and the ground
    paths = write(tmp_path, [Image.fromarray(pixels) for pixels in pictures])
    reading, findings = decide_reading(paths, Declared(classes=("ground", "car", "truck", "person"), colors=colors))
    assert "MASK_ANTIALIASED" in {f.code for f in findings}
    for path, ids in zip(paths, truth, strict=True):
        assert np.array_equal(reading.labels(path)[0][:-8], ids[:-8])


def test_the_declared_ignore_value_is_obeyed_where_palettes_disagree(tmp_path):
    truth, paths = [labels(i, SIZE, classes=3) for i in range(3)], []
    for i, ids in enumerate(truth):
        stored = np.array([0, 1, 2] if i else [0, 2, 1], np.uint8)[ids]
        stored[40:44] = 255
        mask = Image.fromarray(stored, "P")
        mask.putpalette(
            [0, 0, 0, *((255, 0, 0, 0, 255, 0) if i else (0, 255, 0, 255, 0, 0)), *[7] * 756, 224, 224, 192]
        )
        paths.append(save(tmp_path / f"m{i}.png", mask))
    reading, findings = decide_reading(paths, Declared(ignore=255))
    assert reading.label_space.colors == ((0, 0, 0), (0, 255, 0), (255, 0, 0)) and len(findings) == 1
    assert "#e0e0c0, of value 255, is not known" in reading.words
    for path, ids in zip(paths, truth, strict=True):
        found, valid = reading.labels(path)
        void = np.zeros(SIZE, bool)
        void[40:44] = True
        assert np.array_equal(valid, ~void)
        assert np.array_equal(found[valid], np.array([0, 2, 1])[ids][valid])
