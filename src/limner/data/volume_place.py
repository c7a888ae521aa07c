"""Do a volume and its mask lie on the same voxels? Each is turned by its own header, which is right only where both are true.

A mask that was computed as an array and saved without the picture's header (``Nifti1Image(mask, np.eye(4))``) holds the voxels in
the picture's order and says otherwise. Turned by what it says it would be mirrored, and nothing would show it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.data.stacks import VOLUME_SUFFIXES, medical_package, stack_suffix

LARGEST_SHIFT = 0.5  # of the smallest side of a voxel: headers are rounded


def check_same_place(image: Path, others: Iterable[Path]) -> None:
    """Refuse volumes that would be turned in different ways although their headers do not put them onto the same voxels.

    Volumes stored in one orientation are read in one order, whatever else their headers say.

    Parameters
    ----------
    image : the picture.
    others : its mask, further channels, numbers of objects; files that are no volumes are passed over.

    Raises
    ------
    DataError : names both files and how each is stored.
    MachineError : the extra for medical files is not installed.
    """
    if stack_suffix(image.name) not in VOLUME_SUFFIXES:
        return
    for other in others:
        if stack_suffix(other.name) not in VOLUME_SUFFIXES:
            continue
        first, second = _header(image), _header(other)
        if first is None or second is None:
            continue  # who reads it names it
        stored, corners = first
        stored_other, corners_other = second
        if stored == stored_other:
            continue
        side = np.linalg.norm(corners[1:4] - corners[0], axis=1).min()
        if np.abs(corners - corners_other).max() > LARGEST_SHIFT * side:
            one, two = (
                f"{path.parent.name}/{path.name}" for path in (image, other)
            )  # their names are as a rule the same
            raise DataError(
                f"{one} is stored {stored}, {two} {stored_other}, and their headers put them into different places",
                expected="one orientation, or headers of the same place", where=f"{image} and {other}",
                fix=f"save {two} again with the header of {one}: nibabel.Nifti1Image(array, image.affine)",
            )  # fmt: skip


def _header(path: Path) -> tuple[str, npt.NDArray[np.float64]] | None:
    """The stored orientation, such as RAS, and where (mm) the first voxel when turned, its neighbours and the last one lie."""
    nibabel: Any = medical_package("nibabel")
    try:
        volume = nibabel.load(path)
        affine, shape = np.asarray(volume.affine, np.float64), volume.shape[:3]
        turn = nibabel.io_orientation(affine)
        canonical = affine @ nibabel.orientations.inv_ornt_aff(turn, shape)
        codes = "".join(code or "?" for code in nibabel.aff2axcodes(affine))
    except Exception:  # nibabel raises anything from ImageFileError to struct.error on damaged files
        return None
    sizes = np.empty(3)
    sizes[turn[:, 0].astype(int)] = shape
    voxels = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], sizes - 1])
    return codes, voxels @ canonical[:3, :3].T + canonical[:3, 3]
