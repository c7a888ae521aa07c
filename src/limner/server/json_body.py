"""JSON that a client sends: bounded in depth, numbers and values before anything is built from it."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

from limner.core.errors import DataError
from limner.data.formats.safe_json import parse_json
from limner.server.refused import Refused

MOST_VALUES = 10_000  # of a document that holds no tensors


def parse_body(data: bytes, *, most_values: int = MOST_VALUES) -> dict[str, Any]:
    """The object of a JSON body.

    Parameters
    ----------
    data : UTF-8 text, at most as long as the server takes bodies.
    most_values : how many values it may hold, about; looked at before parsing.

    Raises
    ------
    Refused : 422; no UTF-8, no JSON, no object, nested too deep, a number that is none or beyond floats, a key twice.
    """
    separators = data.count(b",") + data.count(b"[") + data.count(b"{")
    if separators > most_values:
        raise Refused(
            422, "json", f"the JSON holds more than {most_values:,} values", limit={"values": most_values}
        )  # fmt: skip
    try:
        document, duplicates = parse_json(data.decode("utf-8"), Path("body"))
    except UnicodeDecodeError as error:
        raise Refused(422, "json", f"the JSON is not UTF-8: {error.reason} at byte {error.start}") from None
    except DataError as error:
        raise Refused(422, "json", f"{error.found} ({error.where.partition(', near')[0]})") from None
    if duplicates:
        raise Refused(422, "json", f"the JSON has a key twice: {duplicates[0][:100]!r}")
    if not isinstance(document, dict):
        raise Refused(422, "json", "the JSON is not an object")
    return document


def picture_bytes(text: object, *, where: str) -> bytes:
    """The file that a base64 text stands for. Addresses are never followed: they are no base64.

    Raises
    ------
    Refused : 422; not a text, not base64, empty.
    """
    if not isinstance(text, str):
        raise Refused(422, "image", f"{where} is not a text with a picture in base64")
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Refused(
            422,
            "image",
            f"{where} is not base64; a picture file encoded in base64 is needed, addresses are not followed",
        ) from None
    if not data:
        raise Refused(422, "image", f"{where} is empty")
    return data


def number_of(table: dict[str, Any], name: str, *, low: float = 0, high: float = 1) -> float | None:
    """A number of a table within bounds; None where it is left out or null.

    Raises
    ------
    Refused : 422; no number, or out of bounds.
    """
    value = table.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refused(422, "parameter", f"{name} is {str(value)[:40]!r}; a number from {low} to {high} is needed")
    return float(value)
