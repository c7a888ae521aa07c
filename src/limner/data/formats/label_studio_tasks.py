"""Tasks of Label Studio in their several exports: which picture, whose answers, which results.

Full export: tasks with ``data`` and ``annotations`` (``completions`` before version 1), each with a list ``result``. Short export
(JSON-MIN): one object a task, in which each question holds a list of values. Predictions: the same lists, with or without tasks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from limner.data.formats.label_studio_values import GEOMETRY, kind_of
from limner.data.images import SUFFIXES

_UPLOAD = re.compile(r"[0-9a-f]{8}-(?=.)")
_LOOKED_AT = 50  # tasks that tell what a file is
_NAMES = ("image", "img", "picture", "photo", "url")


@dataclass(frozen=True)
class Answers:
    """The results for one picture that are read.

    Parameters
    ----------
    results : each with its place: its index in the list, or (key, index) in a short export.
    record : the task without them, to be written again.
    note : how they were chosen among several; empty when there was no choice.
    where : place of the list.
    is_given : somebody answered, if only that nothing is there; False for open and for skipped tasks.
    """

    results: tuple[tuple[Any, Any], ...]
    record: dict[str, Any]
    note: str
    where: str
    is_given: bool = True


def tasks_of(document: Any) -> list[Any] | None:
    """The tasks of a document, a single one too; None when it is not of Label Studio."""
    if isinstance(document, dict):
        return [document] if isinstance(document.get("data"), dict) and _list_of(document) is not None else None
    if not isinstance(document, list):
        return None
    some = [task for task in document[:_LOOKED_AT] if isinstance(task, dict)]
    return document if any(is_task(task) or is_bare(task) or is_short(task) for task in some) else None


def _list_of(task: Mapping[str, Any]) -> str | None:
    """The key under which the answers of people are."""
    return next((key for key in ("annotations", "completions") if isinstance(task.get(key), list)), None)


def is_task(task: Mapping[str, Any]) -> bool:
    """A task of the full export, or one with predictions alone."""
    if isinstance(task.get("data"), dict) and isinstance(task.get("predictions"), list):
        return True
    key = _list_of(task)
    if key is None:
        return False
    entries = task[key]
    return isinstance(task.get("data"), dict) or any(isinstance(e, dict) and "result" in e for e in entries)


def is_bare(task: Mapping[str, Any]) -> bool:
    """Answers without a task around them, as models give them."""
    return isinstance(task.get("result"), list) and _list_of(task) is None


def is_short(task: Mapping[str, Any]) -> bool:
    """A task of the short export: no lists of answers, but at least one list of drawn values."""
    return _list_of(task) is None and "result" not in task and any(_drawn(value) for value in task.values())


def has_answers(task: Any) -> bool:
    """A person answered."""
    key = _list_of(task) if isinstance(task, dict) else None
    return key is not None and any(isinstance(entry, dict) and entry.get("result") for entry in task[key])


def _drawn(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return any(isinstance(entry, dict) and (GEOMETRY - {"format"}) & entry.keys() for entry in value)


def answers_of(task: Mapping[str, Any], where: str, *, predicted: bool) -> Answers:
    """The results of one task: of several people's answers the first that was not cancelled."""
    if is_bare(task):
        rest = {name: value for name, value in task.items() if name != "result"}
        return Answers(tuple(enumerate(task["result"])), {"kind": "bare", "task": rest}, "", f"{where}/result")
    if is_short(task):
        return _short_answers(task, where)
    key = "predictions" if predicted else _list_of(task) or "annotations"
    listed = task.get(key)
    entries = listed if isinstance(listed, list) else []
    usable = [i for i, entry in enumerate(entries) if isinstance(entry, dict) and isinstance(entry.get("result"), list)]
    valid = [i for i in usable if entries[i].get("was_cancelled") is not True]
    note = ""
    if len(valid) > 1:
        note = f"{len(valid)} {key} of this task; the first is taken, the others are kept aside"
    elif usable and not valid:
        note = "all answers of this task were cancelled; the picture is not used"
    if not valid:
        record: dict[str, Any] = {"kind": "task", "task": dict(task), "key": key, "chosen": None}
        return Answers((), record, note, where, is_given=not isinstance(listed, list))
    chosen = valid[0]
    emptied = [{**entry, "result": []} if i == chosen else entry for i, entry in enumerate(entries)]
    record = {"kind": "task", "task": {**task, key: emptied}, "key": key, "chosen": chosen}
    return Answers(tuple(enumerate(entries[chosen]["result"])), record, note, f"{where}/{key}/{chosen}/result")


def _short_answers(task: Mapping[str, Any], where: str) -> Answers:
    """Values of a short export as results of the full one."""
    results: list[tuple[Any, Any]] = []
    for key, values in task.items():
        if not _drawn(values):
            continue
        for index, value in enumerate(values):
            result: Any = value
            if isinstance(value, dict):
                named = next((name for name in value if name.endswith("labels") and kind_of(name, {})), "")
                sizes = {name: value[name] for name in ("original_width", "original_height") if name in value}
                result = {"type": named, "from_name": key, "value": value, **sizes}
            results.append(((key, index), result))
    rest = {key: [] if _drawn(value) else value for key, value in task.items()}
    return Answers(tuple(results), {"kind": "short", "task": rest}, "", where)


def picture_of(task: Mapping[str, Any]) -> str:
    """The name of the picture; empty when the task has none. Addresses lose all but the last part, uploads their prefix.

    Examples
    --------
    >>> picture_of({"data": {"image": "/data/upload/3/0a1b2c3d-cat%201.jpg"}})
    'cat 1.jpg'
    >>> picture_of({"data": {"id": "7", "photo": "s3://bucket/x/y.png?a=1"}}), picture_of({"result": []})
    ('y.png', '')
    """
    data = task.get("data")
    named: Mapping[str, Any] = data if isinstance(data, dict) else task
    keys = [*(key for key in _NAMES if key in named), *named]
    names = [_plain(named[key]) for key in keys if isinstance(named[key], str)]
    upload = task.get("file_upload")
    if isinstance(upload, str) and upload:
        names.insert(len(names), _UPLOAD.sub("", _plain(upload), count=1))
    with_suffix = [name for name in names if "." in name and f".{name.rpartition('.')[2].lower()}" in SUFFIXES]
    if with_suffix:
        return with_suffix[0]
    first = named.get(next((key for key in _NAMES if key in named), ""))
    return _plain(first) if isinstance(first, str) else ""


def _plain(address: str) -> str:
    """A relative path as it is; of an address or absolute path the last part."""
    text = address.strip().replace("\\", "/")
    try:
        parts = urlsplit(text)
        stated = parse_qs(parts.query, max_num_fields=100).get("d", [""])[0]  # files below the storage root
    except ValueError:  # an address with a broken host
        return text.rpartition("/")[2]
    if stated and "local-files" in parts.path:
        return stated.strip("/")
    is_address = bool(parts.scheme) or text.startswith("/")
    if not is_address:
        return _UPLOAD.sub("", text, count=1) if text.startswith("upload/") else text
    name = unquote(parts.path).rpartition("/")[2]
    return _UPLOAD.sub("", name, count=1) if "/upload/" in parts.path else name
