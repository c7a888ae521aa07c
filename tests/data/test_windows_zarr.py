"""OME-Zarr folders: both versions of the metadata, all orders of axes, and what is refused."""

import importlib

import numpy as np
import pytest

from limner.core.errors import DataError, MachineError
from limner.data.windows import header_of, open_windows
from limner.data.windows_zarr import is_zarr
from tests.make_data import picture

zarr = pytest.importorskip("zarr")
SIZE = (37, 53)


def write(path, array, axes, *, new=True):
    """An image of one level in a folder."""
    group = zarr.open_group(str(path), mode="w", zarr_format=3 if new else 2)
    level = group.create_array("0", shape=array.shape, dtype=array.dtype, chunks=tuple(min(16, n) for n in array.shape))
    level[...] = array
    told = [{"version": "0.5" if new else "0.4", "axes": [{"name": a} for a in axes], "datasets": [{"path": "0"}]}]
    group.attrs.update({"ome": {"multiscales": told}} if new else {"multiscales": told})
    return path


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.parametrize("axes", ["yx", "cyx", "yxc", "tczyx", "zyx"])
def test_windows_are_those_of_the_array(tmp_path, new, axes):
    channels = 3 if "c" in axes else 1
    pixels = picture(1, SIZE, channels, "uint16")
    kept = "".join(axis for axis in axes if axis in "cyx")
    array = pixels if "c" in axes else pixels[..., 0]
    array = array.transpose(["yxc".index(axis) for axis in kept])
    array = array.reshape([dict(zip(kept, array.shape, strict=True)).get(axis, 1) for axis in axes])
    path = write(tmp_path / "a.ome.zarr", array, axes, new=new)
    windows, header = open_windows(path), header_of(path)
    assert (
        is_zarr(path) and windows.size_hw == header.size_hw == SIZE and windows.channels == header.channels == channels
    )
    assert windows.dtype == np.uint16 and header.dtype == "uint16"
    found = windows.read(slice(5, 30), slice(7, 51))
    assert found.dtype == np.uint16 and np.array_equal(found, pixels[5:30, 7:51])


def test_what_is_no_picture_is_refused(tmp_path):
    stack = write(tmp_path / "stack.zarr", np.zeros((4, 5, 7), np.uint8), "zyx")
    with pytest.raises(DataError, match="axes zyx"):
        open_windows(stack)
    with pytest.raises(DataError, match="int64"):
        open_windows(write(tmp_path / "long.zarr", np.zeros((5, 7), np.int64), "yx"))
    zarr.open_group(str(tmp_path / "empty.zarr"), mode="w")
    with pytest.raises(DataError, match="no image"):
        open_windows(tmp_path / "empty.zarr")
    (tmp_path / "folder.zarr").mkdir()
    with pytest.raises(DataError, match=r"folder\.zarr"):
        open_windows(tmp_path / "folder.zarr")


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "a.zarr", np.zeros((5, 7), np.uint8), "yx")
    real = importlib.import_module

    def absent(name, *rest):
        if name == "zarr":
            raise ModuleNotFoundError(name)
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(MachineError) as caught:
        open_windows(path)
    assert "limner[zarr]" in caught.value.fix
