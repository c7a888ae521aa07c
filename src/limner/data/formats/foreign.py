"""Values of a foreign file: walked over whatever they are, shown in a message, compared with one another."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from limner.data.formats.ledger import Ledger

IGNORED = "__ignore__"  # the class by which labelme says that pixels are not known; we do so in every format
LONGEST = 80  # characters of a foreign name or value that a message repeats
_LONGEST_PLAIN = 1000  # characters of an answer that is no text


def entries(value: Any) -> list[tuple[str, Any]]:
    """Key and value of a JSON object, index and value of a list; nothing for anything else.

    Examples
    --------
    >>> entries({"b": 1}), entries([5]), entries("x")
    ([('b', 1)], [('0', 5)], [])
    """
    if isinstance(value, dict):
        return list(value.items())
    if isinstance(value, list):
        return [(str(index), item) for index, item in enumerate(value)]
    return []


def as_dict(value: Any) -> dict[str, Any]:
    """`value` when it is a JSON object, else an empty one."""
    return value if isinstance(value, dict) else {}


def plain(value: Any) -> str:
    """An answer as text: text as it is, nothing as an empty one, all else as JSON writes it.

    Examples
    --------
    >>> plain("a "), plain(None), plain(3), plain(True), plain([1, "b"])
    ('a ', '', '3', 'true', '[1, "b"]')
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False)[:_LONGEST_PLAIN]
    except (TypeError, ValueError):  # not of JSON, or an integer of too many digits
        return ""


def shown(value: Any) -> str:
    """A value in a message: short, whatever it is.

    Examples
    --------
    >>> shown({"a": 1}), shown([1, 2]), shown("x" * 100)[:6], shown(None), shown(1.5)
    ('an object', 'a list', "'xxxxx", 'nothing', '1.5')
    """
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, (list, tuple)):
        return "a list"
    if isinstance(value, str):
        return repr(short(value))
    return short(plain(value))


def short(name: str) -> str:
    """A foreign name, cut where it is long."""
    return name if len(name) <= LONGEST else name[: LONGEST - 3] + "..."


def warn_of_copies(ledger: Ledger, objects: Iterable[tuple[Any, str]], image: str) -> None:
    """Warn when objects of one picture are exact copies of earlier ones; they are kept.

    Parameters
    ----------
    ledger : of the file.
    objects : what is compared (JSON values), and the place of the object.
    image : name of the picture.
    """
    seen: set[str] = set()
    total, copies = 0, []
    for value, where in objects:
        total += 1
        key = json.dumps(value, sort_keys=True)
        if key in seen:
            copies.append(where)
        seen.add(key)
    if copies:
        count = f"{len(copies)} of {total} objects"
        message = f"{count} of {shown(image)} are exact copies of earlier ones; they are kept"
        ledger.warn("duplicate-object", message, copies[0])


def json_text(document: Any, *, indent: int | None = None) -> str:
    """JSON as browsers write it: no spaces unless it is indented, letters as they are (halves of characters escaped)."""
    separators = (",", ":") if indent is None else (",", ": ")
    text = json.dumps(document, ensure_ascii=False, separators=separators, indent=indent, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # half a character out of a file name
        text = json.dumps(document, separators=separators, indent=indent, allow_nan=False)
    return text
