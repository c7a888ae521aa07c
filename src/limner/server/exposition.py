"""Counters, gauges and histograms, and the text in which Prometheus reads them.

The format is version 0.0.4 of the text exposition format (https://prometheus.io/docs/instrumenting/exposition_formats/): a line of
help and one of type for each family, then ``name{label="value"} number``; a histogram counts values up to each bound, cumulated.
"""

from __future__ import annotations

import bisect
import math
import threading
from collections.abc import Callable, Iterator, Sequence

MOST_SERIES = 300  # label values of one family; more are counted together, so that no client can fill the memory
OTHER = "other"

Key = tuple[str, ...]


class Family:
    """A number per combination of label values.

    Parameters
    ----------
    name, text : name and one sentence of help.
    labels : names of the labels.
    kind : ``counter`` only grows; ``gauge`` goes up and down.
    """

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, kind: str = "counter") -> None:
        self.name, self.help, self.labels, self.kind = name, text, tuple(labels), kind
        self._lock = threading.Lock()
        self._values: dict[Key, float] = {} if self.labels else {(): 0.0}

    def add(self, *values: str, amount: float = 1) -> None:
        """Add `amount` to the number of these label values."""
        with self._lock:
            key = bounded(values, self._values)
            self._values[key] = self._values.get(key, 0.0) + amount

    def set(self, *values: str, to: float) -> None:
        """Replace the number of these label values."""
        with self._lock:
            self._values[bounded(values, self._values)] = to

    def discard(self, unwanted: Callable[[Key], bool]) -> None:
        """Forget the label values that are no longer there; for gauges."""
        with self._lock:
            self._values = {key: value for key, value in self._values.items() if not unwanted(key)}

    def value(self, *values: str) -> float:
        """The number of these label values; 0 where there is none."""
        with self._lock:
            return self._values.get(values, 0.0)

    def lines(self) -> Iterator[str]:
        """The family as text, without line ends."""
        with self._lock:
            values = dict(self._values)
        yield from header(self.name, self.help, self.kind)
        for key, value in values.items():
            yield f"{self.name}{braces(self.labels, key)} {number(value)}"


class Histogram:
    """How often values fell up to each of some bounds, per combination of label values.

    Parameters
    ----------
    name, text, labels : as of `Family`.
    bounds : upper ends of the buckets, rising; one without end is added.
    """

    kind = "histogram"

    def __init__(self, name: str, text: str, labels: Sequence[str] = (), *, bounds: Sequence[float]) -> None:
        self.name, self.help, self.labels, self.bounds = name, text, tuple(labels), tuple(bounds)
        self._lock = threading.Lock()
        self._counts: dict[Key, list[int]] = {}
        self._sums: dict[Key, float] = {}

    def observe(self, *values: str, of: float) -> None:
        """Count one value."""
        with self._lock:
            key = bounded(values, self._counts)
            counts = self._counts.setdefault(key, [0] * (len(self.bounds) + 1))
            counts[bisect.bisect_left(self.bounds, of)] += 1
            self._sums[key] = self._sums.get(key, 0.0) + of

    def lines(self) -> Iterator[str]:
        """The family as text, without line ends."""
        with self._lock:
            series = {key: (list(counts), self._sums[key]) for key, counts in self._counts.items()}
        yield from header(self.name, self.help, self.kind)
        for key, (counts, total) in series.items():
            below = 0
            for bound, count in zip((*self.bounds, math.inf), counts, strict=True):
                below += count
                yield f"{self.name}_bucket{braces((*self.labels, 'le'), (*key, number(bound)))} {below}"
            yield f"{self.name}_sum{braces(self.labels, key)} {number(total)}"
            yield f"{self.name}_count{braces(self.labels, key)} {below}"


def bounded(values: Key, known: dict[Key, float] | dict[Key, list[int]]) -> Key:
    """`values`, or the catch-all once a family has `MOST_SERIES` combinations."""
    if values in known or len(known) < MOST_SERIES:
        return values
    return (OTHER,) * len(values)


def header(name: str, text: str, kind: str) -> Iterator[str]:
    """The two lines before a family."""
    escaped = text.replace("\\", r"\\").replace("\n", r"\n")
    yield f"# HELP {name} {escaped}"
    yield f"# TYPE {name} {kind}"


def braces(labels: Sequence[str], values: Sequence[str]) -> str:
    """Labels in braces, with quotes, backslashes and line ends escaped; nothing without labels.

    Examples
    --------
    >>> braces(("model",), ('a "b"',))
    '{model="a \\\\"b\\\\""}'
    """
    if not labels:
        return ""
    escaped = (value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"") for value in values)
    return "{" + ",".join(f'{label}="{value}"' for label, value in zip(labels, escaped, strict=True)) + "}"


def number(value: float) -> str:
    """A number as the format spells it: whole ones without a point, ``+Inf`` for the last bound."""
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 2**53 else repr(float(value))
