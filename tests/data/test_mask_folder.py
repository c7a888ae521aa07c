"""Converting writes ids, keeps the split and the classes, and reads back as the same labels."""

import hashlib

import numpy as np
import pytest
from PIL import Image

from limner.api.check import check
from limner.api.convert import convert
from limner.core.errors import DataError, OutputError, UsageError
from limner.data.dataset import open_dataset
from limner.data.images import read_image
from tests.make_data import LAYOUTS, gray, labels, make_folder, palette, save


def digest(folder):
    return {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_converts_and_originals_stay(tmp_path, layout):
    source, target = tmp_path / "in", tmp_path / "out"
    truth = make_folder(source, layout=layout, encode=lambda ids: gray(ids * 255))
    before = digest(source)
    result = convert(source, target)
    assert digest(source) == before
    masks = {path.stem: np.array(Image.open(path)) for path in (target / "masks").rglob("*.png")}
    assert masks.keys() == truth.keys() and all(np.array_equal(masks[stem], truth[stem]) for stem in truth)
    assert result["images"] == 6 and result["classes"] == {"foreground": 6} and result["out"] == str(target)
    assert [w["code"] for w in result["warnings"]] == ["FEW_SAMPLES", "MASK_VALUES"]
    again = open_dataset(target)
    splits = {item.image.stem: item.split for item in open_dataset(source).items}
    assert {item.image.stem: item.split for item in again.items} == splits
    assert not [f for f in again.findings if f.code == "MASK_VALUES"]


def test_classes_colours_and_unknown_pixels_survive(tmp_path):
    ids = labels(0, classes=3)
    ids[0, :4] = 255
    for stem in ("a", "b"):
        save(tmp_path / f"in/images/{stem}.png", gray(labels(1)))
        save(tmp_path / f"in/masks/{stem}.png", palette(ids))
    (tmp_path / "in/limner.toml").write_text('classes = ["background", "cell", "wall"]\nspacing = 0.5')
    convert(tmp_path / "in", tmp_path / "out")
    again = open_dataset(tmp_path / "out")
    assert again.label_space.names == ("background", "cell", "wall") and again.spacing == (0.5, 0.5)
    sample = again.load(again.items[0])
    assert np.array_equal(sample.labels[sample.valid], ids[ids < 255]) and int((~sample.valid).sum()) == 4


def test_a_dry_run_counts_and_writes_nothing(tmp_path):
    make_folder(tmp_path / "in", count=12, classes=3)
    save(tmp_path / "in/masks/p.00.png", labels(0) * 0)
    result = convert(tmp_path / "in", tmp_path / "out", dry_run=True)
    assert not (tmp_path / "out").exists() and "out" not in result
    assert (result["format"], result["images"], result["images_without_objects"]) == ("folders", 12, 1)
    assert result["classes"] == {"class_1": 11, "class_2": 11} and result["refused"] == result["missing_images"] == []


def test_refusals(tmp_path):
    make_folder(tmp_path / "in", count=2)
    with pytest.raises(UsageError, match="--to"):
        convert(tmp_path / "in", tmp_path / "out", to="mask")
    with pytest.raises(OutputError, match="overlaps"):
        convert(tmp_path / "in", tmp_path / "in" / "out")
    (tmp_path / "in/masks/p.00.png").unlink()
    with pytest.raises(DataError, match="UNPAIRED_IMAGE"):
        convert(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_check_writes_a_contact_sheet_and_changes_nothing(tmp_path):
    make_folder(tmp_path / "in", count=12)
    before = digest(tmp_path / "in")
    report = check(tmp_path / "in", out=tmp_path / "out")
    assert not report.blocking and digest(tmp_path / "in") == before
    sheet = read_image(tmp_path / "out" / "contact_sheet.png")
    assert sheet.shape == (2 * 164, 8 * 164, 3) and len(np.unique(sheet)) > 20
    assert (tmp_path / "out" / "check.json").is_file()
    with pytest.raises(OutputError, match="exists already"):
        check(tmp_path / "in", out=tmp_path / "out")
