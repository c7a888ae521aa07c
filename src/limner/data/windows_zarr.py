"""OME-Zarr folders, read by windows: the finest level of an image with one time and one plane.

Read with the package zarr, which the extra ``zarr`` brings; `limner` starts without it.

References
----------
Moore et al. 2021, doi:10.1038/s41592-021-01326-w; the specification of OME-NGFF, "multiscales".
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from limner.core.errors import DataError, MachineError
from limner.core.sample import Image
from limner.data.images import naming, refuse_not_finite

ZARR_SUFFIX = ".zarr"
OUTER = frozenset("tz")  # axes that must have one element


def is_zarr(path: Path) -> bool:
    """Whether `path` is a folder with the suffix of OME-Zarr."""
    return path.suffix.lower() == ZARR_SUFFIX and path.is_dir()


@dataclass(frozen=True)
class ZarrWindows:
    """The finest level of an OME-Zarr image.

    Parameters
    ----------
    path : the folder.
    array : a zarr array.
    axes : one letter for each of its axes, out of ``tczyx``.
    """

    path: Path
    array: Any
    axes: str

    @classmethod
    def open(cls, path: Path) -> ZarrWindows:
        """The image in the folder `path`.

        Raises
        ------
        DataError : no image, several times or planes, or another dtype than uint8, uint16 and float32.
        MachineError : the extra ``zarr`` is not installed.
        """
        with naming(path):
            array, axes = _finest_level(path)
        sizes = dict(zip(axes, array.shape, strict=True))
        many = {axis: size for axis, size in sizes.items() if axis in OUTER and size > 1}
        if many or not {"x", "y"} <= sizes.keys() or set(axes) - set("tczyx"):
            raise DataError(
                f"{path.name} has the axes {axes} of shape {tuple(array.shape)}",
                expected="one picture: y, x and perhaps channels",
                where=str(path),
                fix="save each time and plane as an image of its own",
            )
        if array.dtype.name not in ("uint8", "uint16", "float32"):
            raise DataError(
                f"{path.name} holds {array.dtype.name}", expected="uint8, uint16 or float32", where=str(path),
                fix="convert it to one of them",
            )  # fmt: skip
        return cls(path, array, axes)

    def _size(self, axis: str) -> int:
        return int(self.array.shape[self.axes.index(axis)]) if axis in self.axes else 1

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self._size("y"), self._size("x")

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self._size("c")

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """In the machine's byte order."""
        stored: np.dtype[np.generic] = np.dtype(self.array.dtype.name)
        return stored

    def read(self, rows: slice, columns: slice) -> Image:
        """The window ``(h, w, C)``.

        Raises
        ------
        DataError : a damaged chunk, or values that are not finite.
        """
        key = tuple({"y": rows, "x": columns, "c": slice(None)}.get(axis, 0) for axis in self.axes)
        with naming(self.path):
            window = np.asarray(self.array[key]).astype(self.dtype, copy=False)
        kept = "".join(axis for axis in self.axes if axis not in OUTER)
        if "c" not in kept:
            window, kept = window[..., None], kept + "c"
        return refuse_not_finite(
            np.ascontiguousarray(window.transpose([kept.index(axis) for axis in "yxc"])), self.path
        )


def _finest_level(path: Path) -> tuple[Any, str]:
    try:
        zarr = importlib.import_module("zarr")
    except ModuleNotFoundError:
        raise MachineError(
            "OME-Zarr is read with the package zarr, which is not installed",
            expected="the extra zarr",
            where=str(path),
            fix="pip install 'limner[zarr]'",
        ) from None
    group = zarr.open_group(str(path), mode="r")
    attributes = dict(group.attrs)
    listed = attributes.get("ome", attributes).get("multiscales")  # under "ome" since version 0.5
    if not listed:
        raise DataError(
            f"{path.name} has no image", expected="an OME-Zarr image with multiscales", where=str(path),
            fix="give the folder of one image; plates and label folders hold several",
        )  # fmt: skip
    first = listed[0]
    array = group[first["datasets"][0]["path"]]
    named = [
        axis["name"] if isinstance(axis, dict) else str(axis) for axis in first.get("axes", "tczyx"[-array.ndim :])
    ]
    return array, "".join(named)
