"""Ids for records that are written: those that were read are kept, new ones fill up from 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from limner.data.formats.fields import identifier


class Numbering:
    """Gives every record an id of its own.

    Parameters
    ----------
    reserved : ids that records have from the file they were read from; new ones keep clear of them.
    """

    def __init__(self, reserved: Iterable[Any] = ()) -> None:
        self._reserved = {key for key in map(identifier, reserved) if key is not None}
        self._given: set[str] = set()
        self._next = 1

    def give(self, own: Any = None) -> Any:
        """`own` as it is when it is an id that no record has yet; else the smallest number that nobody has or claims."""
        key = identifier(own)
        if key is not None and key not in self._given:
            self._given.add(key)
            return own
        while str(self._next) in self._given or str(self._next) in self._reserved:
            self._next += 1
        self._given.add(str(self._next))
        return self._next
