"""People in the files of annotation tools: the number of an account is kept, names and addresses are not handed on."""

from __future__ import annotations

from typing import Any

_LISTS = frozenset({"annotators", "comment_authors", "reviewers"})
_PERSONAL = frozenset({"email", "first_name", "last_name", "username", "initials", "avatar", "phone"})


def without_people(value: Any) -> Any:
    """A copy of a JSON value in which accounts are numbers, as tools write them in their shorter exports.

    Parameters
    ----------
    value : at most 100 levels deep. Accounts are what stands under ``created_by``, ``completed_by`` and the like, and in the lists
        ``annotators``, ``reviewers``, ``comment_authors``; what a task itself is about is left alone.

    Examples
    --------
    >>> without_people({"id": 1, "completed_by": {"id": 7, "email": "a@b.c"}, "created_by": {"email": "a@b.c", "x": 2}})
    {'id': 1, 'completed_by': 7, 'created_by': {'x': 2}}
    """
    if isinstance(value, list):
        return [without_people(entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {
        key: entry
        if key == "data"
        else _account(entry)
        if key.endswith("_by") or key in _LISTS
        else without_people(entry)
        for key, entry in value.items()
    }


def _account(value: Any) -> Any:
    if isinstance(value, list):
        return [_account(entry) for entry in value]
    if isinstance(value, str) and "@" in value:
        return ""
    if not isinstance(value, dict):
        return value
    if isinstance(value.get("id"), int):
        return value["id"]
    return {key: entry for key, entry in value.items() if key not in _PERSONAL}


def without_addresses(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Copies of plain XML elements (see `xml_records`) in which the elements ``email`` are empty.

    Examples
    --------
    >>> without_addresses([{"tag": "email", "attrib": {}, "text": "a@b.c", "children": []}])
    [{'tag': 'email', 'attrib': {}, 'text': '', 'children': []}]
    """
    return [
        {
            **record,
            "text": "" if record["tag"] == "email" else record["text"],
            "children": without_addresses(record["children"]),
        }
        for record in records
    ]
