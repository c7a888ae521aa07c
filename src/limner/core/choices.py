"""Look up a name in a plain table; the error names the nearest entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from limner.core.errors import RecipeError

T = TypeVar("T")


def nearest(name: str, names: Iterable[str]) -> str:
    """A hint such as ``did you mean 'unet'?``, or all names when nothing is near; empty for no names."""
    known = sorted(names)
    close = get_close_matches(name, known, n=3, cutoff=0.55)
    if close:
        return "did you mean " + " or ".join(repr(match) for match in close) + "?"
    return "known: " + ", ".join(known) if known else ""


def choose(table: Mapping[str, T], name: str, *, kind: str) -> T:
    """The entry of `table` called `name`.

    Raises
    ------
    RecipeError : there is no such entry; the message names the nearest ones.
    """
    try:
        return table[name]
    except KeyError:
        raise RecipeError(
            f"unknown {kind} '{name}'", expected=f"one of {', '.join(sorted(table))}", fix=nearest(name, table)
        ) from None
