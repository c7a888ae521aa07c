"""What a bundle states, held against what it may state: a bundle may come from anybody."""

from __future__ import annotations

import math
from pathlib import PurePosixPath
from typing import Any

from limner.core.object_head import checked_head

NORMALIZATIONS = ("fixed", "percentile", "unit")
MOST_CHANNELS = 4096
SCALES = (1e-3, 1e2)  # working size / native size
LARGEST_SIDE = 2**16  # of a tile, and of the one working size for all pictures


def checked_contract(table: Any) -> dict[str, Any]:
    """The fields of an `InputContract`, lists as tuples.

    Raises
    ------
    TypeError, ValueError : a field is missing, unknown, of another kind or out of bounds; it is named.
    """
    known = {
        "channels": _whole(0, MOST_CHANNELS), "scale": _number(*SCALES), "normalization": _word(NORMALIZATIONS),
        "intensity_range": _rising, "tile": _whole(0, LARGEST_SIDE), "overlap": _number(0, 0.99), "flips": _flips,
        "threshold": _number(0, 1), "resize_hw": _resize, "temperature": _number(1e-6, 1e6),
    }  # fmt: skip
    fields = dict(checked_table(table, "input"))
    objects = checked_head(fields.pop("objects", None))
    for name, value in fields.items():
        if name not in known:
            raise ValueError(f"input.{name} is not known")
        if not known[name](value):
            raise ValueError(f"input.{name} is {str(value)[:40]}")
    plain = {name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()}
    return plain | {"objects": objects}


def checked_table(value: Any, name: str) -> dict[str, Any]:
    """`value`, which is a table.

    Raises
    ------
    TypeError : it is something else.
    """
    if not isinstance(value, dict):
        raise TypeError(f"{name} is no table")
    return value


def inside(name: str) -> str:
    """`name`, which stays inside the folder of the bundle.

    Raises
    ------
    ValueError : it leads out, or no system takes it.

    Examples
    --------
    >>> inside("openvino/model.xml")
    'openvino/model.xml'
    """
    path = PurePosixPath(name)
    if not path.name or path.is_absolute() or ".." in path.parts or set(name) & set("\\:") or not name.isprintable():
        raise ValueError(f"{name[:80]!r} lies outside of the bundle")
    return name


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _number(low: float, high: float) -> Any:
    return lambda value: _is_number(value) and low <= value <= high


def _whole(low: int, high: int) -> Any:
    return lambda value: type(value) is int and low <= value <= high


def _word(words: tuple[str, ...]) -> Any:
    return lambda value: isinstance(value, str) and value in words


def _flips(value: Any) -> bool:
    return isinstance(value, str) and set(value) <= set("xy") and len(set(value)) == len(value)


def _rising(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value)) and value[0] <= value[1]


def _resize(value: Any) -> bool:
    whole = _whole(0, LARGEST_SIDE)
    return isinstance(value, list) and len(value) == 2 and all(map(whole, value)) and bool(value[0]) == bool(value[1])
