"""JSON that nobody vouches for: looked over before it is parsed, so that depth, size and numbers stay within bounds.

One pass over the signs finds which of them stand inside strings (an unescaped quote opens or closes one); brackets, commas and
numbers outside are then counted and examined without building anything.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from limner.core.errors import DataError
from limner.data.formats.json_numbers import LONGEST_INTEGER, Flaw
from limner.data.formats.json_scan import scan

_HALVES = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")  # escapes that may be half a character, or the zero sign
_UNWANTED = re.compile("[\0\ud800-\udfff]")
_MOST_PLACES = 100
_FIX = "export the file again, or correct it in an editor"


@dataclass(frozen=True)
class Document:
    """A JSON document, and what is odd about it.

    Parameters
    ----------
    value : the document.
    duplicates : places where a key occurs twice, such as ``annotations/3/id``; at most 100. The last value counts.
    odd_numbers : places whose value is no number of JSON, or too large for any use: NaN, Infinity, 1e400, an integer of more than
        20 digits; at most 100. The value there is its text, such as ``"NaN"``, which no reader takes for a number.
    """

    value: Any
    duplicates: tuple[str, ...] = ()
    odd_numbers: tuple[str, ...] = ()


class _Odd(str):
    """The text of a number that is none."""


def parse_json(text: str, path: Path) -> tuple[Any, tuple[str, ...]]:
    """The value of a JSON document, and where keys occur twice.

    Parameters
    ----------
    text : the document.
    path : the file; only for messages.

    Returns
    -------
    The value and `Document.duplicates`. Halves of characters (lone surrogates) and zero signs in strings are replaced by U+FFFD,
    because no file can be written with them.

    Raises
    ------
    DataError : not JSON; nested more than 100 deep; NaN, Infinity or a number beyond floats; an integer of more than 20
        digits; a string of more than 64 MiB; so many values that they would fill the memory. Line and column are named.
    """
    document = parse_document(text, path, is_strict=True)
    return document.value, document.duplicates


def parse_document(text: str, path: Path, *, is_strict: bool = False) -> Document:
    """Like `parse_json`, but numbers that are none do not cost the whole document, unless it `is_strict`."""
    flaw, odd = scan(text)
    if is_strict and odd is not None and (flaw is None or odd.position < flaw.position):
        flaw = odd
    if flaw is not None:
        raise _error(flaw, text, path)
    twice: list[tuple[dict[str, Any], str]] = []

    def build(members: list[tuple[str, Any]]) -> dict[str, Any]:
        built = dict(members)
        if len(built) != len(members):
            seen: set[str] = set()
            for key, _ in members:
                if key in seen and len(twice) < _MOST_PLACES:
                    twice.append((built, key))
                seen.add(key)
        return built

    hooks: dict[str, Any] = {"parse_constant": _refuse}  # a second lock, should the scan have missed one
    if odd is not None:
        hooks = {"parse_constant": _Odd, "parse_float": _float, "parse_int": _integer}
    try:
        value = json.loads(text, object_pairs_hook=build, **hooks)
    except json.JSONDecodeError as error:
        raise _error(Flaw(f"not JSON: {error.msg}", error.pos), text, path) from error
    except (RecursionError, ValueError) as error:
        raise _error(Flaw(f"not JSON: {error}", 0), text, path) from error
    duplicates, odd_numbers = tuple(_places(value, twice)), tuple(_odd_places(value)) if odd is not None else ()
    if _HALVES.search(text):
        value = _cleaned(value)
    return Document(value, duplicates, odd_numbers)


def _refuse(word: str) -> Any:
    raise ValueError(f"{word} is no number of JSON")


def _float(text: str) -> float | _Odd:
    value = float(text)
    return value if math.isfinite(value) else _Odd(text)


def _integer(text: str) -> int | _Odd:
    return int(text) if len(text.lstrip("-")) <= LONGEST_INTEGER else _Odd(text)


def _odd_places(document: Any) -> list[str]:
    """Where numbers that are none stand; all of them, wherever they stand, are made plain text."""
    places: list[str] = []
    stack: list[tuple[Any, str]] = [(document, "")]
    while stack:
        node, path = stack.pop()
        for key, child in reversed(list(node.items() if isinstance(node, dict) else enumerate(node))):
            if isinstance(child, _Odd):
                node[key] = str(child)
                places.append(f"{path}{key}")
            elif isinstance(child, dict | list):
                stack.append((child, f"{path}{key}/"))
    return places[:_MOST_PLACES]


def _places(value: Any, twice: list[tuple[dict[str, Any], str]]) -> Iterator[str]:
    """Paths of the objects that hold a key twice; objects that such a key replaced have none."""
    wanted = {id(owner) for owner, _ in twice}
    paths: dict[int, str] = {}
    stack: list[tuple[Any, str]] = [(value, "")] if twice else []
    while stack and len(paths) < len(wanted):
        node, path = stack.pop()
        if isinstance(node, dict):
            if id(node) in wanted:
                paths[id(node)] = path
            stack.extend((child, f"{path}{key}/") for key, child in node.items() if isinstance(child, dict | list))
        elif isinstance(node, list):
            stack.extend((child, f"{path}{i}/") for i, child in enumerate(node) if isinstance(child, dict | list))
    for owner, key in twice:
        yield f"{paths[id(owner)]}{key}" if id(owner) in paths else f".../{key}"


def _cleaned(value: Any) -> Any:
    """A copy whose strings can be written to any file; at most 100 levels deep, so that recursion is no danger."""
    if isinstance(value, str):
        return _UNWANTED.sub("�", value) if _UNWANTED.search(value) else value
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(item) for key, item in value.items()}
    return value


def _error(flaw: Flaw, text: str, path: Path) -> DataError:
    at = min(flaw.position, len(text))
    line = text.count("\n", 0, at) + 1
    column = at - text.rfind("\n", 0, at)
    excerpt = text[max(0, at - 20) : at + 20]
    near = f", near {excerpt!r}" if excerpt else ""
    return DataError(
        flaw.found, expected=flaw.expected, where=f"{path}, line {line}, column {column}{near}", fix=_FIX
    )  # fmt: skip
