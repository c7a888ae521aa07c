"""Single values of JSON and XML records, taken as what they mean: ids that are numbers or strings, sizes, names, answers."""

from __future__ import annotations

import re
from typing import Any

_WHOLE = re.compile(r"[+-]?[0-9]{1,15}(\.0*)?")
_LARGEST_WHOLE = 2**53  # above it a float no longer tells neighbours apart
_LARGEST_ID = 10**40
LONGEST_SIDE = 2**24


def whole(value: Any) -> int | None:
    """A whole number out of an integer, a float without fraction or a string of digits; None for all else.

    Examples
    --------
    >>> whole(7), whole(7.0), whole(" 7 "), whole("7.5"), whole(True), whole(float("nan"))
    (7, 7, 7, None, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(float(value)) if _WHOLE.fullmatch(value.strip()) else None
    if isinstance(value, int):
        return value if abs(value) <= _LARGEST_WHOLE else None
    if isinstance(value, float) and value.is_integer() and abs(value) <= _LARGEST_WHOLE:
        return int(value)
    return None


def identifier(value: Any) -> str | None:
    """An id as text, the same for 7, 7.0 and "7"; None when it is neither a whole number nor a string.

    Examples
    --------
    >>> identifier(7), identifier("7"), identifier("a 1"), identifier(None)
    ('7', '7', 'a 1', None)
    """
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST_ID:
        return str(value)
    return None


def name_of(value: Any) -> str:
    """A name as it stands; numbers as their digits; empty for all else."""
    return value if isinstance(value, str) else identifier(value) or ""


def size_of(height: Any, width: Any) -> tuple[int, int] | None:
    """Height and width; None when one is missing, not a whole number, not above 0 or beyond any picture."""
    size = whole(height), whole(width)
    if size[0] is None or size[1] is None:
        return None
    return (size[0], size[1]) if min(size[0], size[1]) > 0 and max(size[0], size[1]) <= LONGEST_SIDE else None


def is_true(value: Any) -> bool:
    """The answer yes: True, a number that is not 0, "true", "yes" or "1"."""
    if isinstance(value, str):
        return value.strip().lower() in ("true", "yes", "1")
    return isinstance(value, int | float) and value != 0
