"""JSON documents as text: one line, readable letters, no NaN."""

from __future__ import annotations

import json
from typing import Any


def to_json(value: Any) -> str:
    """`value` as JSON; letters stay what they are unless one of them is half a character, which no file can hold.

    Examples
    --------
    >>> to_json({"name": "猫"}), to_json(chr(0xD800))
    ('{"name": "猫"}\\n', '"\\\\ud800"\\n')
    """
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value, allow_nan=False)
    return text + "\n"
