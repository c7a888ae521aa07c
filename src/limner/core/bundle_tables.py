"""The tables of a bundle that describe it: its classes, its training, what it learnt about its answers. Held against what may
stand there, for a bundle may come from anybody, and what is read of them must not surprise those who read it.

What is not named here is shown to people and used for nothing else; it may be anything that JSON holds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

from limner.core.answers import CONFIDENCE, INPUTS, POSTPROCESS
from limner.core.bundle_checks import checked_table
from limner.core.labels import LabelSpace

LOOK_NUMBERS = 10  # that describe a picture: limner.data.input_features.FEATURES

Check = Callable[[Any], bool]


def checked_classes(value: Any) -> LabelSpace:
    """The classes.

    Raises
    ------
    DataError, TypeError, ValueError, KeyError : names that are no texts, colours that no picture shows, or no such table.
    """
    table = checked_table(value, "classes")
    for name in ("names", "things"):
        _require(table, name, _list_of(_is_word), "classes", may_be_absent=name == "things")
    _require(table, "colors", _list_of(_list_of(_is_shade, length=3)), "classes")
    return LabelSpace.from_dict(table)


def checked_training(value: Any) -> dict[str, Any]:
    """What is known of the training.

    Raises
    ------
    TypeError, ValueError : no table, or an entry that others compute with is of another kind; it is named.
    """
    table = checked_table(value, "training")
    known: dict[str, Check] = {
        "spacing_mm": _list_of(lambda side: _is_number(side) and side > 0, length=2), "mirrored": _is_axes,
        "precision": _is_word, "data": _is_word, "best": _is_table, "scores": _is_scores,
    }  # fmt: skip
    for name, check in known.items():
        _require(table, name, check, "training")
    return table


def checked_licences(value: Any) -> tuple[str, ...]:
    """The licences.

    Raises
    ------
    ValueError : no list of texts.
    """
    _require({"licences": value}, "licences", _list_of(_is_word), "the bundle")
    return tuple(value)


def checked_answers(value: Any) -> dict[str, Any]:
    """What the model learnt about its answers, by topic; rules are left to `limner.core.postprocess.read_rules`.

    Raises
    ------
    TypeError, ValueError : a topic holds something else than others read of it; it is named.
    """
    topics = checked_table(value, "answers")
    for topic, check in {INPUTS: _check_inputs, CONFIDENCE: _check_confidence, POSTPROCESS: _check_table}.items():
        if topics.get(topic):
            check(checked_table(topics[topic], f"answers.{topic}"))
        elif topics.get(topic) not in (None, {}):
            raise TypeError(f"answers.{topic} is no table")
    return topics


def _check_inputs(table: dict[str, Any]) -> None:
    """As `limner.api.learn_inputs` writes it and `limner.api.input_kind` reads it."""
    size, numbers = _list_of(_is_count, length=2), _list_of(_is_number, length=LOOK_NUMBERS)
    known: dict[str, Check] = {
        "channels": _list_of(_is_count), "dtypes": _list_of(_is_word), "smallest_hw": size, "largest_hw": size,
        "low": _is_number, "high": _is_number, "pictures": _list_of(numbers),
        "scale": _list_of(lambda unit: _is_number(unit) and unit > 0, length=LOOK_NUMBERS),
    }  # fmt: skip
    where = f"answers.{INPUTS}"
    for name, check in known.items():
        _require(table, name, check, where, may_be_absent=False)
    _require(table, "limit", _is_number, where, may_be_absent=not table["pictures"])


def _check_confidence(table: dict[str, Any]) -> None:
    """As `limner.api.confidence` writes and reads it: a line through points from left to right."""
    where = f"answers.{CONFIDENCE}"
    for name in ("x", "y"):
        _require(table, name, _list_of(_is_number), where, may_be_absent=False)
    x, y = table["x"], table["y"]
    if not x or len(x) != len(y) or any(left > right for left, right in itertools.pairwise(x)):
        raise ValueError(f"{where}.x and .y are no line through points")
    known: dict[str, Check] = {
        "pictures": _is_count, "from": _is_word, "error": _is_number, "plain_error": _is_number,
        "constant_error": _is_number,
    }  # fmt: skip
    for name, check in known.items():
        _require(table, name, check, where)


def _check_table(table: dict[str, Any]) -> None:
    """Nothing more than a table."""


def _require(table: dict[str, Any], name: str, check: Check, where: str, *, may_be_absent: bool = True) -> None:
    """Check one entry of a table.

    Raises
    ------
    ValueError : it is absent (None counts as absent) and may not be, or it is something else; it is named.
    """
    value = table.get(name)
    if value is None and may_be_absent:
        return
    if value is None or not check(value):
        raise ValueError(f"{where}.{name} is {str(value)[:40]}" if value is not None else f"{where} lacks {name}")


def _list_of(check: Check, *, length: int | None = None) -> Check:
    """Whether a value is a list of such entries, of any length or of one."""
    return lambda value: isinstance(value, list) and length in (None, len(value)) and all(map(check, value))


def _is_word(value: Any) -> bool:
    return isinstance(value, str)


def _is_table(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _is_shade(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 255


def _is_axes(value: Any) -> bool:
    return isinstance(value, str) and set(value) <= set("xy")


def _is_scores(value: Any) -> bool:
    """``{"split": text, metric: {class: number or null}}``; only what a server hands on is looked at."""
    if not isinstance(value, dict) or not isinstance(value.get("split", ""), str):
        return False
    handed_on = [value[name] for name in ("dice", "iou") if name in value]
    return all(
        isinstance(scores, dict) and all(one is None or _is_number(one) for one in scores.values())
        for scores in handed_on
    )
