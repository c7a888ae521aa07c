"""Durations as people write them: ``90s``, ``10m``, ``1h30m``."""

from __future__ import annotations

import re

from limner.core.errors import UsageError

_PATTERN = re.compile(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?")


def parse_duration(text: str) -> float:
    """Seconds in `text`; a bare number is seconds.

    Raises
    ------
    UsageError : not a duration, or zero.

    Examples
    --------
    >>> parse_duration("1h30m"), parse_duration("90s"), parse_duration("2.5m")
    (5400.0, 90.0, 150.0)
    """
    match = _PATTERN.fullmatch(text.strip().lower())
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    total = hours * 3600 + minutes * 60 + seconds
    if total <= 0:
        raise UsageError(f"'{text}' is not a duration", expected="90s, 10m or 1h30m", fix="write it as in 10m")
    return total


def format_duration(seconds: float) -> str:
    """`seconds` in the shortest usual form, rounded to whole seconds.

    Examples
    --------
    >>> format_duration(5400), format_duration(75), format_duration(4)
    ('1h30m', '1m15s', '4s')
    """
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, secs = divmod(rest, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{secs}s" if secs or whole == 0 else ""]
    return "".join(parts)
