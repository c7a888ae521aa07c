"""One thread that does one thing after another and never keeps the process alive."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
_Task = tuple[Callable[[], Any], asyncio.AbstractEventLoop, "asyncio.Future[Any]"]


class Worker:
    """A daemon thread: a computation that cannot be stopped does not hold up the end of the process."""

    def __init__(self, name: str) -> None:
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, task: Callable[[], T]) -> T:
        """What `task` gives, or raises, in the thread."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._tasks.put((task, loop, future))
        return await future

    def close(self) -> None:
        """End the thread after what it was given."""
        self._tasks.put(None)

    def _work(self) -> None:
        while (entry := self._tasks.get()) is not None:
            _do(entry)
            del entry  # neither a large picture nor its answer may live until the next one


def _do(entry: _Task) -> None:
    task, loop, future = entry
    try:
        value = task()
    except BaseException as error:  # handed to whoever waits
        _tell(loop, future, None, error)
    else:
        _tell(loop, future, value, None)


def _tell(
    loop: asyncio.AbstractEventLoop, future: asyncio.Future[Any], value: Any, error: BaseException | None
) -> None:
    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    if not loop.is_closed():
        loop.call_soon_threadsafe(settle)
