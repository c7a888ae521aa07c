"""What nobody foresaw, as the error of one picture, so that the others are done all the same."""

from __future__ import annotations

import logging
import traceback

from limner.core.errors import LimnerError

LOG = logging.getLogger("limner.unforeseen")  # its debug lines are the tracebacks


class WorkerFailed(LimnerError):
    """The worker raised something unforeseen on a job, every time."""


def failed(error: Exception, *, tries: int = 1, fix: str) -> WorkerFailed:
    """The error of a job on which something unforeseen was raised.

    Parameters
    ----------
    error : what was raised, with its traceback.
    tries : how often the job was tried, >= 1.
    fix : what to do about it.
    """
    LOG.debug("%s", error, exc_info=error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    often = f" in each of {tries} tries" if tries > 1 else ""
    return WorkerFailed(
        f"{type(error).__name__}{often}: {error}", where=f"{frame.filename}:{frame.lineno}, {frame.name}", fix=fix
    )
