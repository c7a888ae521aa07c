"""Bytes that requests hold in memory: bodies and decoded pictures, of all requests together under one limit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from limner.server.refused import Refused

_current: ContextVar[Holding | None] = ContextVar("holding", default=None)


class Held:
    """How many bytes are held, and how many may be; used by the event loop alone."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.bytes = 0

    @contextmanager
    def request(self) -> Iterator[Holding]:
        """One request: what it takes is given back when it ends."""
        holding = Holding(self)
        mark = _current.set(holding)
        try:
            yield holding
        finally:
            _current.reset(mark)
            holding.give_back()


class Holding:
    """What one request holds."""

    def __init__(self, held: Held) -> None:
        self._held = held
        self.bytes = 0

    def take(self, number: int) -> None:
        """Hold so many bytes more.

        Raises
        ------
        Refused : 429; all requests together would hold too many. The only request is never refused.
        """
        if self._held.bytes > self.bytes and self._held.bytes + number > self._held.limit:
            raise Refused(
                429, "memory", "the pictures of other requests fill the memory that is set aside for them; try again soon",
                limit={"held_bytes": self._held.limit}, retry_after=1,
            )  # fmt: skip
        self._held.bytes += number
        self.bytes += number

    def give_back(self) -> None:
        """Hold nothing any more."""
        self._held.bytes -= self.bytes
        self.bytes = 0


def take(number: int) -> None:
    """Let the request that is being answered here hold so many bytes more; nothing outside of requests.

    Raises
    ------
    Refused : see `Holding.take`.
    """
    holding = _current.get()
    if holding is not None:
        holding.take(number)
