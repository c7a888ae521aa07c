"""Label maps as tiled TIFF: the same ids in any reader, with their colours, whole or not there."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from limner.core.errors import MachineError
from limner.core.labels import LabelSpace
from limner.data import label_tiff
from limner.data.label_tiff import write_label_tiff

THREE = LabelSpace(("background", "cell", "wall"))


@pytest.mark.parametrize("size", [(5, 7), (700, 1100), (512, 513)])
def test_other_readers_see_the_same_ids_and_colours(tmp_path, size):
    labels = np.random.default_rng(0).integers(0, 3, size).astype(np.uint8)
    asked = []
    write_label_tiff(tmp_path / "deep/a.tif", lambda *rows: (asked.append(rows), labels[slice(*rows)])[1], size, THREE)
    with Image.open(tmp_path / "deep/a.tif") as file:
        assert (
            file.mode == "P"
            and file.getpalette()[3:6] == list(THREE.colors[1])
            and np.array_equal(np.array(file), labels)
        )
    with tifffile.TiffFile(tmp_path / "deep/a.tif") as file:
        page = file.pages[0]
        assert page.is_tiled and page.tilewidth == 512 and page.compression == 8 and not file.is_bigtiff
        assert np.array_equal(page.asarray(), labels)
    assert asked == sorted(asked) and max(stop - start for start, stop in asked) <= 512
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.tif"]


def test_many_classes_and_large_files(tmp_path, monkeypatch):
    labels = np.arange(600, dtype=np.uint16).reshape(20, 30)
    monkeypatch.setattr(label_tiff, "CLASSIC_BYTES", 1000)
    write_label_tiff(tmp_path / "a.tif", lambda a, b: labels[a:b], (20, 30), THREE, dtype=np.uint16)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.is_bigtiff and np.array_equal(file.pages[0].asarray(), labels)


def test_nothing_is_left_when_writing_fails(tmp_path):
    def rows(start, stop):
        raise MachineError("no room")

    with pytest.raises(MachineError):
        write_label_tiff(tmp_path / "a.tif", rows, (20, 30), THREE)
    assert not list(tmp_path.iterdir())
