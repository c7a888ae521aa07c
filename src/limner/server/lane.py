"""The queue of one model, and the thread that works it off."""

from __future__ import annotations

import asyncio
import functools
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from limner.core.errors import LimnerError
from limner.core.memory import ran_out
from limner.server.limits import Limits
from limner.server.metrics import Metrics
from limner.server.refused import Refused
from limner.server.worker import Worker

LOG = logging.getLogger("limner.server")
MEMORY = 0.2  # weight of the newest picture in the measured pace
Gone = Callable[[], Awaitable[bool]]


@dataclass(eq=False)
class Work:
    """One picture, or one batch of tensors, that waits.

    Parameters
    ----------
    item : what `compute` is given.
    compute : from the items of works with one `key` to one answer each; runs in the model's thread.
    key : works of one key may be computed together; None = alone.
    pixels : of the picture.
    deadline : on the clock of `time.monotonic`; work that has not begun by then is not begun.
    gone : whether the client went away.
    """

    item: Any
    compute: Callable[[Sequence[Any]], Sequence[Any]]
    key: Hashable
    pixels: int
    deadline: float
    gone: Gone | None = None
    since: float = field(default_factory=time.monotonic)
    waited: float = 0.0
    future: asyncio.Future[Any] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Lane:
    """Everything between a seat in the queue and the answer, for one model. Used by the event loop alone."""

    def __init__(self, name: str, limits: Limits, metrics: Metrics) -> None:
        self.name, self.limits, self.metrics = name, limits, metrics
        self.seats = 0  # taken by pictures that are being decoded or wait
        self.pace = 0.0  # seconds for each picture, of the last ones
        self._refusal: Refused | None = None  # of everything, once the server stops
        self._waiting: deque[Work] = deque()
        self._running: list[Work] = []
        self._arrived = asyncio.Event()
        self._worker = Worker(f"limner-{name}")
        self._task = asyncio.create_task(self._serve())

    def sit(self) -> None:
        """Take a seat, before the picture is decoded.

        Raises
        ------
        Refused : 429; all are taken.
        """
        if self.seats >= self.limits.queue:
            raise Refused(
                429, "queue_full", f"{self.seats} pictures wait for '{self.name}' already",
                limit={"queue": self.limits.queue}, retry_after=self.wait(),
            )  # fmt: skip
        self.seats += 1

    def stand(self) -> None:
        """Give a seat back."""
        self.seats -= 1
        self.metrics.queued(self.name, self.seats)
        self._arrived.set()  # whoever waited for this picture to come need not wait longer

    def wait(self) -> float:
        """Seconds until the queue will have been worked off, at the measured pace."""
        return self.pace * (self.seats + len(self._running))

    @property
    def is_idle(self) -> bool:
        """True when nothing waits and nothing runs."""
        return not (self._waiting or self._running or self.seats)

    async def answer(self, work: Work) -> Any:
        """Queue work whose seat is taken, and wait for its answer; the seat is given back when it begins or fails.

        Raises
        ------
        Refused : it was not done.
        """
        if self._refusal is not None:
            self.stand()
            raise self._refusal
        self._waiting.append(work)
        self.metrics.queued(self.name, self.seats)
        self._arrived.set()
        return await work.future

    def refuse_all(self, refusal: Refused) -> None:
        """Refuse what waits, what runs and what is still to come: the server stops."""
        self._refusal = refusal
        for work in [*self._waiting, *self._running]:
            if not work.future.done():
                work.future.set_exception(refusal)
        for _ in self._waiting:
            self.stand()
        self._waiting.clear()
        self._running.clear()

    async def close(self) -> None:
        """Work off what is there, then end."""
        while not self.is_idle:
            await asyncio.sleep(0.01)
        self._task.cancel()
        self._worker.close()

    async def _serve(self) -> None:
        while True:
            await self._serve_once()

    async def _serve_once(self) -> None:
        first = await self._next()
        batch = [first]
        if first.key is not None and self.limits.batch > 1:
            batch += await self._company(first)
        now = time.monotonic()
        for work in batch:
            work.waited = now - work.since
            self.metrics.waited(self.name, work.waited)
        await self._run(batch)

    async def _next(self) -> Work:
        """The next work whose answer is still wanted."""
        while True:
            while not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            work = self._waiting.popleft()
            if await self._wanted(work):
                self._running = [work]
                self.stand()
                return work

    async def _wanted(self, work: Work) -> bool:
        """False, and refused, when its time has passed or its client has gone."""
        refusal = None
        if time.monotonic() >= work.deadline:
            refusal = Refused(
                504, "deadline", f"the picture waited {time.monotonic() - work.since:.1f} s for its turn and was not computed",
                limit={"seconds": self.limits.seconds},
            )  # fmt: skip
        elif work.gone is not None and await work.gone():
            refusal = Refused(499, "gone", "the client has gone")
        if refusal is None and not work.future.done():
            return True
        if refusal is not None and not work.future.done():
            work.future.set_exception(refusal)
        self.stand()
        return False

    async def _company(self, first: Work) -> list[Work]:
        """Works that can be computed together with `first`; waits a moment for those that are being decoded."""
        most = min(self.limits.batch, max(1, self.limits.batch_pixels // max(1, first.pixels))) - 1
        until = time.monotonic() + self.limits.batch_wait_ms / 1000
        found: list[Work] = []
        while len(found) < most:
            for work in [work for work in self._waiting if work.key == first.key][: most - len(found)]:
                self._waiting.remove(work)
                if await self._wanted(work):
                    found.append(work)
                    self._running.append(work)
                    self.stand()
            left = until - time.monotonic()
            coming = self.seats - len(self._waiting)
            if len(found) >= most or coming <= 0 or left <= 0:
                break
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), left)
            except TimeoutError:
                break
        return found

    async def _run(self, batch: list[Work]) -> None:
        begun = time.monotonic()
        for group in [batch] if len(batch) == 1 else [batch, *([work] for work in batch)]:
            open_ones = [work for work in group if not work.future.done()]
            if len(open_ones) < len(group):
                continue  # answered with the others
            try:
                answers = await self._worker.run(functools.partial(group[0].compute, [work.item for work in group]))
            except asyncio.CancelledError:
                raise
            except BaseException as error:
                if len(group) == 1:
                    _fail(group[0], error)
                continue  # of several, each is tried alone: one bad picture spoils no other
            for work, answer in zip(group, answers, strict=True):
                if not work.future.done():
                    work.future.set_result(answer)
        self._running = []
        each = (time.monotonic() - begun) / len(batch)
        self.pace = each if self.pace == 0 else (1 - MEMORY) * self.pace + MEMORY * each
        self.metrics.computed(self.name, batch=len(batch), pixels=sum(work.pixels for work in batch))


def _fail(work: Work, error: BaseException) -> None:
    """Tell whoever waits what went wrong, in words that a client can use."""
    if isinstance(error, LimnerError):
        error = Refused(422, "content", error.found + (f"; expected {error.expected}" if error.expected else ""))
    elif ran_out(error):
        error = Refused(503, "memory", "the memory of the server does not suffice for this picture", retry_after=5)
    elif not isinstance(error, Refused):
        LOG.error("a prediction failed", exc_info=error)
        error = Refused(500, "internal", f"the model failed on this picture ({type(error).__name__})")
    if not work.future.done():
        work.future.set_exception(error)
