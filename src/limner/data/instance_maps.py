"""Read maps of object numbers: files in which every object has a number, or a colour, of its own.

The numbers themselves mean nothing; they only tell one object from another. So a colour is a number too, and it makes no
difference whether it is a random one or ``R + 256 G + 65536 B``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError
from limner.data.areas import area_sizes, join, neighbours, runs_of
from limner.data.images import TIFF_SUFFIXES, naming, read_tiff
from limner.data.masks import read_raw_mask
from limner.data.raw_ids import RawIds, Remarks
from limner.data.stacks import read_frame_values, stack_suffix

LOSSY_SUFFIXES = (".jpg", ".jpeg")
MARKS = (0xFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)  # the largest number of 8, 16, 31 and 32 bits, where it marks boundaries
LEAST_TOUCHING = 0.8  # share of the objects that a boundary touches
CRUMB_PIXELS, CRUMB_SHARE = 16, 0.1  # smaller areas of a number are no object of their own
LEAST_SPLIT = 0.1  # share of the numbers in several areas from which on 8 bits were too few
SHORTEST_RUN = 2  # pixels of one number side by side, on average
MANY_PIXELS = 1024  # of smaller files this says nothing
_EXACT = {"float16": 2**11, "float32": 2**24, "float64": 2**53}  # up to here a format holds every whole number

Values = npt.NDArray[Any]


def read_ids(path: Path, *, frame: int | None = None) -> RawIds:
    """The objects in a file of object numbers.

    Parameters
    ----------
    path : PNG, TIFF or any other lossless picture, NPY or NIfTI.
    frame : which map of a stack; None where the file holds one.

    Raises
    ------
    DataError : unreadable; JPEG, which changes numbers; a photograph; numbers that are not whole, too large for the format to
        tell them apart, or below -1.
    """
    if path.suffix.lower() in LOSSY_SUFFIXES:
        raise DataError(
            f"{path.name} is a JPEG, which changes the numbers of objects along every edge", expected="PNG or TIFF",
            where=str(path), fix="export the numbers again as 16-bit PNG; what JPEG lost cannot be restored",
        )  # fmt: skip
    values, by_color = _stored(path, frame)
    if values.size == 0:
        raise DataError(
            f"{path.name} has no pixels", expected="a map of object numbers", where=str(path), fix="save it again"
        )
    starts = np.count_nonzero(values[:, 1:] != values[:, :-1]) + len(values)
    if starts * SHORTEST_RUN > values.size and values.size > MANY_PIXELS:
        raise DataError(
            f"{path.name} changes its number at every other pixel, as a photograph does", expected="one number for each object",
            where=str(path), fix="export the numbers of objects, not a picture of them",
        )  # fmt: skip
    return clean_ids(values, by_color=by_color)


def _stored(path: Path, frame: int | None) -> tuple[Values, bool]:
    """The numbers in a file ``(H, W)``, and whether they are colours."""
    if stack_suffix(path.name):
        try:
            values = read_frame_values(path, frame, is_single=frame is None)
        except IndexError:
            raise DataError(
                f"{path.name} has no map {frame} (counted from 0)", expected="as many maps as pictures", where=str(path),
                fix="save them again, in the same order",
            ) from None  # fmt: skip
        return _checked(values, path), False
    if path.suffix.lower() in TIFF_SUFFIXES:
        with naming(path):
            tiff = read_tiff(path)
        if tiff.pixels.shape[2] == 1:
            return _checked(tiff.pixels[..., 0], path), False
    raw = read_raw_mask(path)
    return raw.values, raw.kind == "colour"


def _checked(values: Values, path: Path) -> Values:
    """Whole numbers of at least -1, as integers."""
    if values.dtype.kind in "bu":
        return values.astype(np.uint8) if values.dtype == np.bool_ else values
    problem = "" if values.dtype.kind in "if" else f"values of type {values.dtype.name}"
    if values.dtype.kind == "f":
        whole = np.nan_to_num(np.round(values), nan=0.5, posinf=0.5, neginf=0.5)
        if (whole != values).any():
            problem = "numbers that are not whole"
        elif (limit := _EXACT.get(values.dtype.name, 2**24)) < float(np.abs(values).max(initial=0)):
            problem = f"numbers above {limit:,}, of which {values.dtype.name} merges neighbours"
        else:
            values = values.astype(np.int64)
    if not problem and int(values.min(initial=0)) < -1:
        problem = f"the number {int(values.min())}"
    if problem:
        raise DataError(
            f"{path.name} holds {problem}", expected="whole numbers, 0 = no object, -1 = not known", where=str(path),
            fix="export the numbers as 16-bit PNG, or as TIFF of 32-bit whole numbers",
        )  # fmt: skip
    return values


def clean_ids(values: Values, *, by_color: bool = False) -> RawIds:
    """Objects from numbers as stored.

    Parameters
    ----------
    values : ``(H, W)`` whole numbers; 0 is no object, -1 is not known. Of colours ``r << 16 | g << 8 | b`` black is no object;
        where there is no black, the commonest colour is not.
    by_color : the numbers are colours.

    Returns
    -------
    One object per number, however many areas it has; except where 8 bits were too few for the objects, see `wrapped_numbers`.
    """
    ids, numbers = _compact(values)
    if by_color and len(numbers) and 0 not in numbers:
        background = int(np.bincount(ids.ravel()).argmax())  # index into `numbers`
        ids, numbers = _moved_first(ids, background), np.r_[0, np.delete(numbers, background)]
    elif 0 not in numbers:
        ids, numbers = ids + np.int32(1), np.r_[0, numbers]
    elif int(numbers[0]) < 0:  # -1 stands before 0: swap them
        ids, numbers = _moved_first(ids, 1), np.r_[0, np.delete(numbers, 1)]
    mark = None if by_color else boundary_number(ids, numbers)
    if mark is not None:
        place = int(np.flatnonzero(numbers == mark)[0])
        unknown = ids == place
        table = np.arange(len(numbers), dtype=np.int32)
        table[place], table[place + 1 :] = 0, table[place + 1 :] - 1
        return RawIds(table[ids], unknown, Remarks(boundary=mark))
    split = wrapped_numbers(ids, numbers) if values.dtype == np.uint8 and not by_color else []
    if split:
        return RawIds(split_areas(ids, split), None, Remarks(split=len(split)))
    return RawIds(ids, None, Remarks(by_color=by_color))


def _compact(values: Values) -> tuple[npt.NDArray[np.int32], Values]:
    """The place of each number in the rising table of all numbers, and that table."""
    _, lengths, heads = runs_of(values)
    numbers, place = np.unique(heads, return_inverse=True)
    return np.repeat(place.astype(np.int32), lengths).reshape(values.shape), numbers.astype(np.int64)


def _moved_first(ids: npt.NDArray[np.int32], place: int) -> npt.NDArray[np.int32]:
    """Places after the entry `place` of a table became its first."""
    table = np.arange(int(ids.max(initial=0)) + 1, dtype=np.int32)
    table[:place] += 1
    table[place] = 0
    return table[ids]


def boundary_number(ids: npt.NDArray[np.int32], numbers: Values) -> int | None:
    """-1, or the largest number of 8, 16 or 32 bits where it lies around the objects; its pixels are not known.

    Parameters
    ----------
    ids : ``(H, W)`` places in `numbers`.
    numbers : rising from 0, except for a -1 behind the 0.

    Returns
    -------
    None when the number below is used as well (then it is the last of many objects), or less than `LEAST_TOUCHING` of the
    objects touch it.
    """
    if len(numbers) > 1 and numbers[1] == -1:
        return -1
    if len(numbers) < 3 or int(numbers[-1]) not in MARKS or numbers[-2] == numbers[-1] - 1:
        return None
    last = np.int32(len(numbers) - 1)
    touching = np.zeros(len(numbers), bool)
    for one, other in ((ids[1:], ids[:-1]), (ids[:, 1:], ids[:, :-1])):
        touching[one[other == last]] = True
        touching[other[one == last]] = True
    return int(numbers[-1]) if touching[1:last].mean() >= LEAST_TOUCHING else None


def wrapped_numbers(ids: npt.NDArray[np.int32], numbers: Values) -> list[int]:
    """Places of numbers that several objects share, since there were more objects than 8 bits have numbers.

    That is so when 255 is used and at least a tenth of the numbers lie in several areas, or when all 255 are used. Areas of fewer
    than 16 pixels and of less than a tenth of the number's largest area do not count.
    """
    if int(numbers[-1]) != 0xFF:
        return []
    several = [
        place for place, sizes in area_sizes(ids).items()
        if np.count_nonzero(sizes >= max(CRUMB_PIXELS, CRUMB_SHARE * int(sizes.max()))) > 1
    ]  # fmt: skip
    is_full = len(numbers) == 256
    return several if is_full or len(several) >= max(2, LEAST_SPLIT * (len(numbers) - 1)) else []


def split_areas(ids: npt.NDArray[np.int32], places: list[int]) -> npt.NDArray[np.int32]:
    """Each connected area (corners connect) of the ids `places` becomes an object; crumbs stay with the largest area."""
    chosen = np.zeros(int(ids.max()) + 1, bool)
    chosen[places] = True
    areas = _areas(np.where(chosen[ids], ids, 0))
    sizes = np.bincount(areas.ravel())
    sizes[0] = 0
    owner = np.zeros(len(sizes), np.int32)
    owner[areas.ravel()] = ids.ravel()
    largest = np.zeros(len(chosen), np.int64)
    np.maximum.at(largest, owner, sizes)
    is_own = sizes >= np.maximum(CRUMB_PIXELS, CRUMB_SHARE * largest[owner])
    order = np.lexsort((sizes, owner))
    is_own[order[np.flatnonzero(np.diff(owner[order], append=-1))]] = False  # the largest keeps the id
    is_own[0] = False
    table = owner.copy()
    table[is_own] = len(chosen) + np.arange(int(is_own.sum()), dtype=np.int32)
    return np.where(areas > 0, table[areas], ids).astype(np.int32)


def _areas(ids: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """``(H, W)`` numbers 1, 2, ... of the connected areas of equal ids; 0 where the id is 0."""
    starts, lengths, values = runs_of(ids)
    one, other = neighbours(starts, lengths, ids.shape[1])
    same = (values[one] == values[other]) & (values[one] > 0)
    least = join(len(starts), one[same], other[same])
    is_area = np.zeros(len(least), bool)
    is_area[least[values > 0]] = True
    table = np.where(values > 0, np.cumsum(is_area)[least], 0).astype(np.int32)
    return np.repeat(table, lengths).reshape(ids.shape)
