"""Start the processes of one machine, hear what the first one has to say, and end all when one fails.

The processes are new interpreters (``spawn``), so nothing of this one has to be fit for copying but the arguments. Each has
a pipe to this process; a pipe that closes without a last word means that its process was killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

from limner.core.errors import LimnerError, MachineError
from limner.core.protocols import Listener, Silent
from limner.training.failure import ran_out_of_memory
from limner.training.place import OWN, Place

Job = TypeVar("Job")
Answer = TypeVar("Answer")
Work = Callable[[Job, Place, Listener], Answer]
LAST_SECONDS = 30.0  # that a process gets to end by itself after its last word


class ProcessKilled(MachineError):
    """A process ended without a word: killed from outside, as a rule for its memory."""


class _Relay:
    """A listener that hands everything on to the process that started this one."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def progress(self, stage: str, done: float, total: float, text: str = "") -> None:
        self._pipe.send(("progress", (stage, done, total, text)))

    def message(self, text: str) -> None:
        self._pipe.send(("message", (text,)))


def launch(work: Work[Job, Answer], job: Job, *, devices: int, listener: Listener, stop: threading.Event) -> Answer:
    """Call ``work(job, place, listener)`` in as many processes; the answer of the first.

    Parameters
    ----------
    work : a function of a module; the listener of all processes but the first is silent.
    job : anything that can be pickled; it is handed to processes of this very call and never written to a file.
    devices : number of processes.
    listener : hears what the first process tells its own.
    stop : when it is set, the processes are told once, by SIGTERM, to come to an end.

    Raises
    ------
    Exception : the first that one of them raised; the others are ended.
    ProcessKilled : one ended without a word.
    """
    context = multiprocessing.get_context("spawn")
    port, pipes, processes = _free_port(), {}, []
    try:
        for rank in range(devices):
            ours, theirs = context.Pipe()
            place = Place(rank=rank, local_rank=rank, devices=devices, starter=OWN)
            process = context.Process(target=_begin, args=(work, job, place, port, theirs), daemon=True)
            with _without_ctrl_c():
                process.start()
            theirs.close()  # so that the pipe closes when the process ends
            processes.append(process)
            pipes[ours] = rank
        return _hear(pipes, processes, listener, stop)  # type: ignore[no-any-return]
    finally:
        for process in processes:
            if process.is_alive():
                process.kill()  # a process that waits for a dead one does not hear anything milder
            process.join()


def _hear(
    pipes: dict[Connection, int], processes: list[SpawnProcess], listener: Listener, stop: threading.Event
) -> Any:
    """Hand on what is told until all have said their last word; returns the first one's answer."""
    answer, told, talking = None, False, dict(pipes)
    while talking:
        if stop.is_set() and not told:
            told = True
            for process in processes:
                process.terminate()
        failures: list[tuple[float, BaseException]] = []
        for pipe in wait(list(talking), timeout=0.1):
            assert isinstance(pipe, Connection)
            rank = talking[pipe]
            try:
                kind, values = pipe.recv()
            except (EOFError, ConnectionError):
                failures.append((0.0, KeyboardInterrupt() if told or stop.is_set() else _killed(rank, processes[rank])))
                continue
            if kind == "failed":
                when, *packed = values
                failures.append((when, _rebuilt(*packed)))
            elif kind == "done":
                del talking[pipe]
                answer = values[0] if rank == 0 else answer
            else:
                getattr(listener, kind)(*values)
        if failures:  # the earliest is the cause: the others lost a partner in the middle of a sentence
            raise min(failures, key=lambda failure: failure[0])[1]
    for process in processes:
        process.join(LAST_SECONDS)
    return answer


@contextmanager
def _without_ctrl_c() -> Iterator[None]:
    """A process that is started in here is deaf to Ctrl-C until `_begin` lets it through: it may still import for seconds."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # when it starts by itself, with the first process, it lets Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin(work: Work[Job, Answer], job: Job, place: Place, port: int, pipe: Connection) -> None:
    """What a new process does."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Ctrl-C reaches all of a terminal's processes; the one that started this one tells it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": str(place.local_rank)}
    try:
        answer = work(job, place, _Relay(pipe) if place.first else Silent())
    except BaseException as error:
        pipe.send(("failed", (time.monotonic(), *_packed(error, place.rank))))
        raise SystemExit(1) from None
    pipe.send(("done", (answer if place.first else None,)))


def _end_with_parent() -> None:
    """Nobody is left to end a process whose starter was killed; files are whole at any moment."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _packed(error: BaseException, rank: int) -> tuple[Any, ...]:
    """An error as values that any process can read."""
    no_memory = ran_out_of_memory(error) or ran_out_of_memory(error.__cause__)
    if isinstance(error, LimnerError):
        words = {"expected": error.expected, "where": error.where, "fix": error.fix, "details": error.details}
        return type(error), (error.found,), words, no_memory, ""
    if isinstance(error, OSError) and error.errno is not None:
        return type(error), (error.errno, error.strerror, error.filename), {}, no_memory, ""
    if isinstance(error, KeyboardInterrupt | MemoryError):
        return type(error), error.args, {}, no_memory, ""
    text = "".join(traceback.format_exception(error))
    return RuntimeError, (f"{type(error).__name__}: {error}",), {}, no_memory, f"in process {rank}:\n{text}"


def _rebuilt(
    kind: type[BaseException], values: tuple[Any, ...], words: dict[str, Any], no_memory: bool, note: str
) -> BaseException:
    error = kind(*values, **words)
    error.__cause__ = MemoryError() if no_memory else None
    if note:
        error.add_note(note)
    return error


def _killed(rank: int, process: SpawnProcess) -> ProcessKilled:
    process.join(LAST_SECONDS)
    code = process.exitcode
    how = f"by signal {-code}" if code is not None and code < 0 else f"with code {code}"
    return ProcessKilled(
        f"training process {rank} ended {how} without a word",
        expected="processes that live to the end",
        fix="the system ends processes for which memory does not suffice: fewer --devices or a smaller sampling.batch; "
        "--resume goes on from the last checkpoint",
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
