"""Choose a method's options on labelled pictures: the setting with the largest mean Dice.

First all combinations of the options that depend on one another (plane, polarity, number of classes, a fixed threshold), then one
option after another, around and around until no change helps. A change has to help by more than the standard error of its gain over
pictures, since less may be chance. Large pictures are halved for this; the untouched setting and the best ones then meet at full
size, where the same rule decides, so that tuning does not lose against leaving all as it is, on the pictures looked at.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from limner.classical.gain import defined_or_less, is_better, mean
from limner.classical.gray import Mask
from limner.classical.options import TIDYING, Options, Value
from limner.classical.segmenter import ClassicalSegmenter
from limner.classical.training_copies import Copy, choose_copies, on_copy
from limner.core.errors import DataError
from limner.core.labels import Labels
from limner.core.protocols import Listener, Silent
from limner.core.sample import Sample

PICTURES, SIDE = 24, 512  # at most so many pictures, halved until no side is longer
SLOW_PICTURES, SLOW_SIDE = 8, 256  # of slow methods
SWEEPS = 3
FINALISTS = 3
SEARCH_SHARE = 0.6  # of the budget; the rest is for the full size

Dice = Callable[[Labels, Sample], float]


@dataclass(frozen=True)
class Try:
    """One setting that was compared.

    Parameters
    ----------
    options : of the method, all of them.
    dice : mean over the pictures where it is defined; NaN where it is defined on none.
    pictures : how many were looked at.
    full_size : False on halved copies.
    seconds : since the start of tuning.
    """

    options: dict[str, Value]
    dice: float
    pictures: int
    full_size: bool
    seconds: float


@dataclass(frozen=True)
class Tuned:
    """What tuning came to.

    Parameters
    ----------
    options : the chosen setting, all options.
    score : its mean Dice on the training pictures looked at.
    default_score : that of the setting that tuning started from, on the same pictures.
    tried : everything that was compared, in order.
    stopped : ``patience`` when no change helped any more, ``budget`` when time ran out.
    """

    options: dict[str, Value]
    score: float
    default_score: float
    tried: tuple[Try, ...]
    stopped: str

    @property
    def num_settings(self) -> int:
        """Different settings compared."""
        return len({_key(each.options) for each in self.tried})


def tune(
    method: ClassicalSegmenter,
    samples: Sequence[Sample],
    *,
    dice: Dice,
    budget_seconds: float = math.inf,
    pictures: int = PICTURES,
    side: int = SIDE,
    listener: Listener | None = None,
) -> Tuned:
    """The options of `method` that suit labelled pictures best.

    Parameters
    ----------
    method : options that it already carries stay as they are; the others are decided.
    samples : labelled training pictures, at least one with an object; may be a sequence that loads on access. At most `pictures` of
        them count, evenly spaced over the sequence, and at most 8 by a slow method; see `choose_copies`.
    dice : from ``(H, W)`` labels 0 and 1 and the sample to its score; NaN where it is not defined.
    budget_seconds : without it the result is the same every time; when time runs out, the best setting until then is taken.
    side : pictures are halved until no side is longer than this, 256 for a slow method.
    listener : hears of progress.

    Raises
    ------
    DataError : no picture shows an object.
    """
    if method.is_slow:
        pictures, side = min(pictures, SLOW_PICTURES), min(side, SLOW_SIDE)
    chosen = choose_copies(samples, pictures, side)
    copies = list(chosen.values())
    if not any(copy.has_object for copy in copies):
        raise DataError(
            f"none of {len(samples)} training pictures shows an object",
            expected="at least one that does",
            fix="label objects, or correct the split",
        )
    search = Search(method, copies, dice, budget_seconds, listener or Silent())
    search.run()
    if any(copy.halvings for copy in copies):
        search.meet_at_full_size(samples[index] for index in chosen)
    return search.result()


class OutOfTime(Exception):
    """The budget ended within a setting."""


class Search:
    """The settings tried so far, and how to try another.

    Parameters
    ----------
    method, dice, budget_seconds, listener : see `tune`.
    copies : the pictures that settings are compared on.
    """

    def __init__(
        self, method: ClassicalSegmenter, copies: Sequence[Copy], dice: Dice, budget_seconds: float, listener: Listener
    ) -> None:
        self.method, self.copies, self.dice, self.listener = method, copies, dice, listener
        self.known = {name: option for name, option in method.known.items() if name not in method.options}
        self.start = method.all_options()
        self.best = self.start
        self.tried: list[Try] = []
        self.scores: dict[str, list[float]] = {}
        self.proposals: dict[str, tuple[Value, ...]] = {}
        self.untidied: dict[str, list[Mask]] = {}
        self.began, self.budget = time.monotonic(), budget_seconds
        self.stopped = "patience"
        self.full: dict[str, list[float]] = {}
        if not all(_is_coloured(copy.sample) for copy in copies) or not any(
            _has_colours(copy.sample) for copy in copies
        ):
            self.known.pop("plane", None)

    def run(self) -> None:
        """Compare settings on the copies until no change helps or time runs out."""
        try:
            for options in self._together():
                self._consider(options)
            for sweep in range(SWEEPS):
                before = self.best
                for name in self.known:
                    if sweep or not self.known[name].jointly:
                        for options in self._values(name, self.best):
                            self._consider(options)
                if self.best == before:
                    break
        except OutOfTime:
            self.stopped = "budget"
        self.listener.progress("tune", len(self.tried), len(self.tried), self._words())

    def meet_at_full_size(self, samples: Iterator[Sample]) -> None:
        """Compare the untouched setting and the best ones on whole pictures."""
        ranked = sorted(self.tried, key=lambda each: -defined_or_less(each.dice))
        first = {_key(options): options for options in (self.start, self.best, *(each.options for each in ranked))}
        finalists = list(first.values())[: FINALISTS + 1]
        values: list[list[float]] = [[] for _ in finalists]
        if len(finalists) == 1:
            return
        for done, sample in enumerate(samples):
            row = []
            for options in finalists:
                if done and time.monotonic() - self.began > self.budget:
                    break
                segmenter = replace(self.method, options=options)
                row.append(self.dice(segmenter.segment(sample).labels, sample))
            if len(row) < len(finalists):
                self.stopped = "budget"
                break
            for column, value in zip(values, row, strict=True):
                column.append(value)
            self.listener.progress("compare", done + 1, len(self.copies))
        self.best = self.start
        for options, column in zip(finalists, values, strict=True):
            self.full[_key(options)] = column
            self.tried.append(Try(options, mean(column), len(column), True, self._seconds()))
            if is_better(column, self.full[_key(self.best)]):
                self.best = options

    def result(self) -> Tuned:
        """The best setting, scored on the largest pictures that were looked at."""
        values = self.full or self.scores
        best, start = mean(values[_key(self.best)]), mean(values[_key(self.start)])
        return Tuned(self.best, best, start, tuple(self.tried), self.stopped)

    def _together(self) -> list[dict[str, Value]]:
        """All combinations of options that depend on one another: those of one plane after the other, gray first.

        Options that are proposed from the others are filled in last.
        """
        names = [name for name, option in self.known.items() if option.jointly]
        settings = [self.start]
        for name in sorted(names, key=lambda each: (callable(self.known[each].tries), each != "plane")):
            settings = list(itertools.chain.from_iterable(self._values(name, options) for options in settings))
        return settings

    def _values(self, name: str, options: dict[str, Value]) -> list[dict[str, Value]]:
        """`options` with every value of one option."""
        others = [options[each] for each, option in self.known.items() if option.jointly and each != name]
        key = repr((name, others))
        if key not in self.proposals:
            samples = [copy.sample for copy in self.copies]
            self.proposals[key] = self.known[name].proposals(samples, options)
        return [{**options, name: value} for value in self.proposals[key]]

    def _consider(self, options: dict[str, Value]) -> None:
        key = _key(options)
        if key in self.scores:
            return
        limit = self.budget * (SEARCH_SHARE if any(copy.halvings for copy in self.copies) else 1)
        values, masks = [], self._masks(options)
        for place, copy in enumerate(self.copies):
            if self.tried and self._seconds() > limit:
                raise OutOfTime
            method = on_copy(self.method, options, copy.halvings)
            if place == len(masks):
                masks.append(method.untidied(copy.sample.image))
            values.append(self.dice(method.tidied(masks[place]).astype(np.uint8), copy.sample))
        self.scores[key] = values
        full = not any(copy.halvings for copy in self.copies)
        self.tried.append(Try(options, mean(values), len(values), full, self._seconds()))
        if is_better(values, self.scores[_key(self.best)]):
            self.best = options
        self.listener.progress("tune", len(self.tried), 0, self._words())

    def _masks(self, options: Options) -> list[Mask]:
        """Masks that options like these have found already: those that only tidy need no new ones. Two lists are kept."""
        key = _key({name: value for name, value in options.items() if name not in TIDYING})
        self.untidied = {**dict(list(self.untidied.items())[-1:]), key: self.untidied.get(key, [])}
        return self.untidied[key]

    def _seconds(self) -> float:
        return round(time.monotonic() - self.began, 3)

    def _words(self) -> str:
        return f"Dice {mean(self.scores[_key(self.best)]):.3f}"


def _is_coloured(sample: Sample) -> bool:
    """Whether all planes can be made of it."""
    return sample.num_channels in (1, 3)


def _has_colours(sample: Sample) -> bool:
    """Whether its channels differ."""
    return bool((sample.image != sample.image[..., :1]).any())


def _key(options: Options) -> str:
    return repr(sorted(options.items()))
