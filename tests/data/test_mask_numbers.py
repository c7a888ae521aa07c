"""Masks of object numbers are told from masks of classes."""

import numpy as np
import pytest
from PIL import Image

from limner.data.declared import Declared
from limner.data.mask_values import decide_reading
from tests.data.scenes import in_rows, scene
from tests.make_data import labels, save, soft


def decide(folder, maps, *, suffix=".png", **declared):
    paths = [save(folder / f"m{i}{suffix}", values) for i, values in enumerate(maps)]
    return decide_reading(paths, Declared(**declared))


def many(seed, count):
    return scene(seed, count=count, size_hw=(95, 107))


def colored(ids, seed):
    table = np.random.default_rng(seed).integers(1, 255, (int(ids.max()) + 1, 3)).astype(np.uint8)
    table[0] = 0
    return table[ids]


def test_few_objects_in_row_order_are_told_apart(tmp_path):
    reading, (finding,) = decide(
        tmp_path, [in_rows(scene(i, count=n)).astype(np.uint8) for i, n in enumerate((7, 5, 9, 4))]
    )
    assert reading.is_numbered and reading.label_space.kind == "instance" and finding.code == "MASK_VALUES"


@pytest.mark.parametrize("counts", [(3, 2, 4), (9, 9, 9, 9, 7)])
def test_small_counts_and_layers_that_come_back_are_classes(tmp_path, counts):
    """Nine layers of tissue are numbered from top to bottom in every picture as well."""
    reading, _ = decide(tmp_path, [in_rows(scene(i, count=n)).astype(np.uint8) for i, n in enumerate(counts)])
    assert not reading.is_numbered and reading.rule == "table"


def test_numbers_out_of_order_are_classes_unless_many(tmp_path):
    few, _ = decide(tmp_path / "few", [scene(i, count=n).astype(np.uint8) for i, n in enumerate((7, 5, 9, 4))])
    full, _ = decide(tmp_path / "full", [many(i, n).astype(np.uint8) for i, n in enumerate((25, 30, 22))])
    assert not few.is_numbered and full.is_numbered


def test_classes_with_gaps_that_come_back_are_not_told_apart(tmp_path):
    """Organs: up to 100, each one area, some in each slice."""
    rng = np.random.default_rng(0)
    maps = []
    for i in range(8):
        table = np.r_[0, rng.choice(np.arange(1, 101), 20, replace=False)].astype(np.uint8)
        maps.append(table[many(i, 20)])
    reading, (finding,) = decide(tmp_path, maps)
    assert not reading.is_numbered and reading.label_space.kind == "semantic" and "come back" in finding.message
    assert 'masks_are = "instances"' in finding.fix


def test_two_declared_classes_and_many_numbers(tmp_path):
    maps = [many(i, n).astype(np.uint16) for i, n in enumerate((25, 30, 22))]
    reading, _ = decide(tmp_path, maps, classes=("background", "cell"))
    assert reading.label_space.things == ("cell",)
    few = [in_rows(scene(i, count=n)).astype(np.uint8) for i, n in enumerate((7, 5, 9, 4))]
    assert decide(tmp_path / "few", few, classes=("background", "cell"))[0].is_numbered
    reading, findings = decide(tmp_path, maps, classes=("background", "cell", "dust"))
    assert not reading.is_numbered and any(finding.code == "UNKNOWN_VALUE" for finding in findings)


def test_colours_of_objects(tmp_path):
    maps = [scene(i, count=n) for i, n in enumerate((12, 9, 11))]
    reading, (finding,) = decide(tmp_path / "random", [colored(ids, i) for i, ids in enumerate(maps)])
    assert reading.is_numbered and finding.code == "MASK_COLOURS" and "each object (32 colours)" in finding.message
    maps = [many(i, n) for i, n in enumerate((25, 30, 22))]
    reading, _ = decide(tmp_path / "sum", [np.dstack([ids, ids * 0, ids * 0]).astype(np.uint8) for ids in maps])
    assert reading.is_numbered
    labels = [colored(ids % 4, 7) for ids in maps]
    assert not decide(tmp_path / "classes", labels)[0].is_numbered


def test_jpeg_numbers_are_refused(tmp_path):
    maps = [(many(i, n) * 8).astype(np.uint8) for i, n in enumerate((25, 30, 22))]
    reading, (finding, *_) = decide(tmp_path, maps, suffix=".jpg")
    assert (
        (finding.code, finding.level) == ("MASK_VALUES", "error") and "JPEG" in finding.fix and not reading.is_numbered
    )
    _, (finding, *_) = decide(tmp_path, maps, suffix=".jpg", masks_are="instances")
    assert (finding.code, finding.level) == ("MASK_VALUES", "error") and "JPEG" in finding.message


def test_numbers_of_eight_bits_that_wrap_are_told(tmp_path):
    ids = scene(0, count=300, size_hw=(331, 345), cell_hw=(16, 17))
    _, findings = decide(tmp_path, [(ids & 255).astype(np.uint8), (ids[::-1] & 255).astype(np.uint8)])
    assert {finding.code for finding in findings} == {"MASK_VALUES", "WRAPPED_IDS"}


@pytest.mark.parametrize("mark", [255, 65535])
def test_boundaries_in_masks_of_numbers_are_not_known(tmp_path, mark):
    maps = []
    for i, n in enumerate((25, 30, 22)):
        ids = many(i, n)
        ids[:, 1:][ids[:, 1:] != ids[:, :-1]] = mark
        maps.append(ids.astype(np.uint16))
    reading, findings = decide(tmp_path, maps)
    assert reading.is_numbered and reading.ignore_value == mark
    assert "INSTANCE_BOUNDARY" in {finding.code for finding in findings}


def test_palettes_with_a_boundary_as_in_pascal_voc(tmp_path):
    """Objects 1, 2, 3 and a void of 255 around them: class ids, unless they are declared to be numbers of objects."""
    paths = []
    for i in range(3):
        ids = scene(i, count=3 + i)
        edge = np.zeros(ids.shape, bool)
        edge[:, 1:] |= ids[:, 1:] != ids[:, :-1]
        picture = Image.fromarray(np.where(edge, 255, ids).astype(np.uint8), "L")
        picture.putpalette(np.random.default_rng(0).integers(0, 255, 768).astype(np.uint8).tolist())
        paths.append(save(tmp_path / f"m{i}.png", picture))
    assert decide_reading(paths, Declared())[0].label_space.kind == "semantic"
    reading, findings = decide_reading(paths, Declared(masks_are="instances"))
    assert reading.label_space.kind == "instance" and reading.ignore_value == 255
    assert [finding.code for finding in findings] == ["INSTANCE_BOUNDARY"]


def test_huge_numbers_cost_nothing(tmp_path):
    maps = [many(i, n).astype(np.int64) * 2**38 for i, n in enumerate((25, 30, 22))]
    reading, _ = decide(tmp_path, maps, suffix=".tif")
    assert reading.rule in ("nonzero", "half")


@pytest.mark.parametrize(("top", "dtype"), [(150, np.uint8), (300, np.uint16), (65534, np.uint16)])
def test_declared_to_be_classes_large_numbers_are_ids(tmp_path, top, dtype):
    rng = np.random.default_rng(0)
    maps = [many(i, 20) for i in range(5)]
    tables = [np.r_[0, rng.choice(np.arange(1, top), 19, replace=False), top].astype(dtype) for _ in maps]
    maps = [table[ids] for table, ids in zip(tables, maps, strict=True)]
    _, (finding,) = decide(tmp_path, maps)
    assert 'masks_are = "classes"' in finding.fix
    reading, findings = decide(tmp_path, maps, masks_are="classes")
    assert not findings and len(reading.label_space) == top + 1
    for i, ids in enumerate(maps):
        found, valid = reading.labels(tmp_path / f"m{i}.png")
        assert np.array_equal(found, ids) and valid.all()


@pytest.mark.parametrize(("top", "mark"), [(150, 255), (3000, 65535)])
def test_the_usual_number_beside_large_ids_is_not_known(tmp_path, top, mark):
    ids = np.r_[np.arange(20), top].astype(np.uint16)[many(3, 20)]
    ids[:7] = mark
    reading, (note,) = decide(tmp_path, [ids], masks_are="classes")
    found, valid = reading.labels(tmp_path / "m0.png")
    assert (note.code, note.level) == ("MASK_VALUES", "note") and str(mark) in note.message
    assert len(reading.label_space) == top + 1 and np.array_equal(valid, ids != mark)
    assert np.array_equal(found[valid], ids[valid])


def test_photographs_and_soft_edges_are_no_ids_even_if_declared(tmp_path):
    rng = np.random.default_rng(0)
    _, (finding, *_) = decide(
        tmp_path / "noise", [rng.integers(0, 256, (40, 57)).astype(np.uint8)], masks_are="classes"
    )
    assert (finding.code, finding.level) == ("MASK_VALUES", "error")
    edges = [np.array(soft(labels(i, (80, 112)))) for i in range(3)]
    reading, _ = decide(tmp_path / "soft", edges, masks_are="classes")
    assert reading.rule == "half" and len(reading.label_space) == 2
