"""The first Ctrl-C ends a run after the present step, the second one at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def interruptible(*, patient: bool = False) -> Iterator[threading.Event]:
    """An event that the first Ctrl-C or termination signal sets; the second raises ``KeyboardInterrupt``.

    Signals can only be caught in the main thread; elsewhere the event is never set. A signal that the process ignores, as those
    do that a script has started in the background, stays ignored.

    Parameters
    ----------
    patient : further signals change nothing. For a process that another one ends: a scheduler signals both, and then the other
        one hands on what this one has heard already.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def on_signal(number: int, frame: object) -> None:
        if stop.is_set() and not patient:
            raise KeyboardInterrupt
        stop.set()

    heard = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) != signal.SIG_IGN]
    previous = {number: signal.signal(number, on_signal) for number in heard}
    try:
        yield stop
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
