"""Class names of a YOLO data set: from ``data.yaml`` or ``classes.txt`` in the folder of the labels or above it.

Of the YAML only the value of ``names`` is read, in the four forms that tools write: a list or a mapping, in block or in flow style.
No YAML library is needed for that, and no tag, anchor or included file is ever followed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from limner.core.errors import DataError
from limner.data.formats.fields import whole
from limner.data.formats.safe_text import read_text

FILES = ("data.yaml", "data.yml", "dataset.yaml", "dataset.yml", "classes.txt", "obj.names")
LEVELS = 4  # labels/train/a.txt: the folder itself, labels/, the root; one more for nested folders
LARGEST = 2**20
MOST_CLASSES = 100_000
_KEY = re.compile(r"^names[ \t]*:[ \t]*(.*)$", re.MULTILINE)
_PAIR = re.compile(r"""^\s*("[0-9]+"|'[0-9]+'|[0-9]+)\s*:(?:\s+(.*))?$""", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"0": "\0", "a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", "e": "\x1b"}


@dataclass(frozen=True)
class Names:
    """What class indices mean.

    Parameters
    ----------
    file : where they were found; None when nowhere.
    names : index to name.
    problem : why a file that was found could not be used; empty when it could.
    """

    file: Path | None
    names: dict[int, str]
    problem: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The names in the order of their indices."""
        return tuple(dict.fromkeys(self.names[index] for index in sorted(self.names)))


def find_names(labels: Path) -> Names:
    """The names for a label file: the nearest file of `FILES`, looking upwards."""
    folder = labels.absolute().parent
    for place in (folder, *folder.parents)[:LEVELS]:
        for name in FILES:
            path = place / name
            if path.is_file() and path != labels:
                return _read(path)
    return Names(None, {})


def _read(path: Path) -> Names:
    try:
        if path.stat().st_size > LARGEST:
            return Names(path, {}, f"{path.name} has more than a million bytes")
        text = read_text(path)
    except DataError as error:
        return Names(path, {}, error.found)
    if path.suffix in (".yaml", ".yml"):
        names = names_of_yaml(text)
        return Names(path, names, "" if names else f"{path.name} has no list or mapping under names")
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    return Names(path, dict(enumerate(lines)), "" if lines else f"{path.name} is empty")


def names_of_yaml(text: str) -> dict[int, str]:
    """Index to name out of the ``names`` of a YAML document; empty when there is none.

    Examples
    --------
    >>> names_of_yaml("nc: 2\\nnames: ['a b', c]  # two")
    {0: 'a b', 1: 'c'}
    >>> names_of_yaml("names:\\n  0: cat\\n  2: 'dog'\\ntrain: x")
    {0: 'cat', 2: 'dog'}
    >>> names_of_yaml("names:\\n- cat\\n- dog\\n")
    {0: 'cat', 1: 'dog'}
    """
    found = _KEY.search(text)
    if found is None:
        return {}
    start = _without_comment(found[1])
    if start[:1] in ("[", "{"):
        lines = text[found.start(1) :][:LARGEST].splitlines()
        inside = _flow("\n".join(_without_comment(line) for line in lines))
        return {} if inside is None else _numbered(inside, in_list=start[0] == "[")
    if start:
        return {}
    items = list(_block(text[found.end() :]))
    return _numbered([item for _, item in items], in_list=bool(items) and items[0][0])


def _block(text: str) -> Iterator[tuple[bool, str]]:
    """The lines below a key: whether each is an item of a list, and what it says."""
    indent: int | None = None
    for line in text.splitlines()[:MOST_CLASSES]:
        content = _without_comment(line)
        if not content:
            continue
        depth = len(line) - len(line.lstrip())
        is_item = content.startswith("-") and content[1:2] in ("", " ", "\t")
        if (depth == 0 and not is_item) or (indent is not None and depth < indent):
            return
        indent = depth if indent is None else indent
        yield is_item, content[1:].strip() if is_item else content


def _flow(text: str) -> list[str] | None:
    """The parts between commas of ``[...]`` or ``{...}`` at the start of `text`; None when it does not end."""
    parts: list[str] = []
    part, quote, escaped, depth = "", "", False, 0
    for sign in text:
        if quote:
            part += sign
            if escaped:
                escaped = False
            elif sign == "\\" and quote == '"':
                escaped = True
            elif sign == quote:
                quote = ""
        elif sign in "'\"" and not part.strip(" \t\r\n:0123456789"):
            quote, part = sign, part + sign
        elif sign in "[{":
            depth += 1
            if depth > 1:
                return None
        elif sign in "]}":
            return [*parts, part] if part.strip() else parts
        elif sign == ",":
            parts.append(part)
            part = ""
        else:
            part += sign
    return None


def _numbered(items: list[str], *, in_list: bool) -> dict[int, str]:
    """Items of a list by their place, ``index: name`` pairs by their index; what is neither is passed over."""
    if in_list:
        return {index: _scalar(item) for index, item in enumerate(items)}
    names: dict[int, str] = {}
    for item in items:
        pair = _PAIR.match(item)
        index = whole(pair[1].strip("\"'")) if pair else None
        if pair is not None and index is not None and index < MOST_CLASSES:
            names[index] = _scalar(pair[2] or "")
    return names


def _scalar(text: str) -> str:
    """A plain or quoted word."""
    text = _without_comment(text)
    if len(text) >= 2 and text[0] == text[-1] == "'":
        return text[1:-1].replace("''", "'")
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _ESCAPE.sub(_unescaped, text[1:-1])
    return text


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "uUx":
        number = int(code[1:], 16) if len(code) > 1 else ord(code)
        return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\N{REPLACEMENT CHARACTER}"
    return _ESCAPES.get(code, code)


def _without_comment(text: str) -> str:
    """A line without what follows a ``#`` that stands outside quotes at the start or after a space."""
    quote = ""
    for index, sign in enumerate(text):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "'\"" and (index == 0 or text[index - 1] in " \t:[{,-"):
            quote = sign
        elif sign == "#" and (index == 0 or text[index - 1] in " \t"):
            return text[:index].strip()
    return text.strip()
