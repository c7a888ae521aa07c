"""What every command does alike: run a verb, show progress on stderr, print one JSON document or a few lines, exit codes."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import typer

from limner.core import unforeseen
from limner.core.duration import format_duration
from limner.core.errors import LimnerError, MachineError
from limner.core.memory import ran_out

T = TypeVar("T")

JSON = typer.Option(False, "--json", help="Print exactly one JSON document on stdout.")
DEBUG = typer.Option(
    False, "--debug", help="Show the traceback of an error, also of one that ends the work on a single picture."
)
OVERWRITE = typer.Option(False, "--overwrite", help="Replace an output folder that Limner made.")
INTERRUPTED = 130
PLAIN_SECONDS = 10.0


class PlainListener:
    """Lines on stderr, at most one every few seconds for each stage."""

    def __init__(self) -> None:
        self._shown: dict[str, float] = {}
        self._began: dict[str, tuple[float, float]] = {}

    def progress(self, stage: str, done: float, total: float, text: str = "") -> None:
        """A line when the stage began some seconds ago, or ends."""
        now = time.monotonic()
        began, first = self._began.setdefault(stage, (now, done))
        ended = 0 < total <= done
        if not ended and now - self._shown.setdefault(stage, began) < PLAIN_SECONDS:
            return
        if ended and now - began < 1:
            return
        self._shown[stage] = now
        left = (
            f", {format_duration((now - began) * (total - done) / (done - first))} left" if first < done < total else ""
        )
        self.message(
            f"{stage} {int(done)}/{total:.0f}{left}  {text}".rstrip()
            if total
            else f"{stage} {int(done)}  {text}".rstrip()
        )

    def message(self, text: str) -> None:
        """One line."""
        print(text, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Nothing to clear."""


class BarListener:
    """Progress bars on a terminal."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bars = Progress(
            TextColumn("{task.description:12}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[text]}"),
            console=Console(stderr=True),
        )
        self._tasks: dict[str, Any] = {}
        self._bars.start()

    def progress(self, stage: str, done: float, total: float, text: str = "") -> None:
        """Move the bar of `stage`; the remaining time follows from the speed of the last steps."""
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=total or None, completed=int(done), text=text)
        self._bars.update(self._tasks[stage], completed=done, total=total or None, text=text)

    def message(self, text: str) -> None:
        """A line above the bars."""
        self._bars.console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        """Leave the bars as they stand."""
        self._bars.stop()


def run(
    verb: Callable[[Any], T],
    *,
    show: Callable[[T], None],
    document: Callable[[T], Any],
    as_json: bool,
    debug: bool,
    failed: Callable[[T], int] = lambda _: 0,
) -> None:
    """Call `verb` with a listener, then show its value or print its document.

    The exit code is 0, what `failed` says of the value, or the error's own, with `debug` and without.
    """
    listener: PlainListener | BarListener = BarListener() if sys.stderr.isatty() else PlainListener()
    try:
        try:
            with _tracebacks() if debug else nullcontext():
                value = verb(listener)
        finally:
            listener.close()
    except (LimnerError, OSError, MemoryError, RuntimeError) as caught:
        error = explained(caught)
        if error is None:
            raise
        if debug:
            traceback.print_exception(caught)
        if as_json:
            print(json.dumps({**error.details, "error": error.as_dict()}, indent=2, default=str))
        print(error.text(), file=sys.stderr)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print(json.dumps(document(value), indent=2, allow_nan=False, default=str))
    else:
        show(value)
    code = failed(value)
    if code:
        raise typer.Exit(code)


def explained(error: Exception) -> LimnerError | None:
    """The error that a person can do something about: of memory, disk, files and the network; None for a bug."""
    if isinstance(error, LimnerError):
        return error
    if ran_out(error):
        first = str(error).strip().splitlines()
        return MachineError(
            f"memory ran out ({first[0]})" if first else "memory ran out",
            expected="room for one picture and what is computed from it",
            fix="close other programs; smaller --tile, sampling.batch or data.scale need less; --debug shows where it happened",
        )
    if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
        reason = error.strerror or str(error) or type(error).__name__
        names = [str(name) for name in (error.filename, error.filename2) if name is not None]
        return MachineError(
            f"the system refused: {reason}",
            expected="files and devices that can be read and written",
            where=" and ".join(names),
            fix="check that it is there, whole, and open to you; --debug shows where it happened",
        )
    return None


@contextmanager
def _tracebacks() -> Iterator[None]:
    """Errors that end the work on one picture, and not the call, show their tracebacks on stderr."""
    handler = logging.StreamHandler()
    unforeseen.LOG.addHandler(handler)
    unforeseen.LOG.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        unforeseen.LOG.removeHandler(handler)
        unforeseen.LOG.setLevel(logging.NOTSET)


def print_scores(summary: dict[str, Any]) -> None:
    """A table of the overlap scores of a summary."""
    print(f"\n{summary['samples']} pictures, split {summary['split']}, native size")
    names = list(summary["scores"]["dice"])
    width = max(12, *(len(name) for name in names))
    print(
        f"{'':{width}}  {'Dice':>6}  {'95 % interval':>15}  {'pooled':>6}  {'IoU':>6}  {'prec.':>6}  {'recall':>6}  {'n':>4}"
    )
    for name in names:
        score = {metric: values[name] for metric, values in summary["scores"].items() if name in values}
        low, high = score["dice"]["ci95"]
        interval = f"{_three(low)} .. {_three(high)}"
        cells = [_three(score[m]["mean"]) for m in ("iou", "precision", "recall")]
        print(
            f"{name:{width}}  {_three(score['dice']['mean']):>6}  {interval:>15}  {_three(score['dice']['pooled']):>6}  "
            f"{cells[0]:>6}  {cells[1]:>6}  {cells[2]:>6}  {score['dice']['n']:>4}"
        )


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
