"""Files to pixels, in worker processes with limits on memory and time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.core.sample import Image
from limner.server import held
from limner.server.limits import Limits
from limner.server.refused import Refused
from limner.server.sniff import suffix_of

WORKERS = 2
PICTURES_PER_WORKER = 2000  # then a fresh one takes its place: what a library leaks is bounded
CLOCK_TIMES = 3  # a busy machine gives a process a part of its time; the system counts its own
START_SECONDS = 5.0  # more, since the first picture waits for the process to start, on a busy machine
WORKER = "limner.server.decode_worker"
READY = b"ready\n"  # the first line that it writes
LOG = logging.getLogger("limner.server")
_CHUNK = 2**20
_KEPT = (
    "PATH",
    "PYTHONPATH",
    "PYTHONHOME",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "TEMP",
    "TMP",
    "SYSTEMROOT",
    "LANG",
    "LC_ALL",
    "HOME",
    "PYTHONUSERBASE",  # where pip install --user puts packages; without it HOME, APPDATA or USERPROFILE say so
    "PYTHONNOUSERSITE",
    "APPDATA",
    "USERPROFILE",
)


@dataclass(frozen=True)
class Decoded:
    """The pixels of a file.

    Parameters
    ----------
    frames : one or more ``(H, W, C)`` uint8, uint16 or float32, upright, as `limner.data.images.read_image` gives them.
    warnings : what is odd about the file.
    """

    frames: tuple[Image, ...]
    warnings: tuple[str, ...] = ()

    @property
    def image(self) -> Image:
        """The first frame."""
        return self.frames[0]


class Decoder:
    """A few worker processes; one that dies is replaced. Started when first needed."""

    def __init__(self, limits: Limits, *, workers: int = WORKERS) -> None:
        self.limits = limits
        self._idle: queue.SimpleQueue[_Process | None] = queue.SimpleQueue()
        for _ in range(workers):
            self._idle.put(None)
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="limner-decode")
        self._all: set[_Process] = set()
        self._is_closed = False

    async def decode(self, data: bytes, *, frames: str | None = None, deadline: float | None = None) -> Decoded:
        """The pixels of a picture file.

        Parameters
        ----------
        frames : ``all`` = every frame of the file; None = it may hold only one.
        deadline : on the clock of `time.monotonic`; a file whose turn has not come by then is not decoded.

        Raises
        ------
        Refused : 413 larger than the limits, 415 no picture, 422 damaged, 429 memory, 503 no process to decode it, 504 too late.
        """
        suffix = suffix_of(data)
        loop = asyncio.get_running_loop()
        head, pixels = await loop.run_in_executor(self._threads, self._decode, data, suffix, frames, deadline)
        held.take(pixels.nbytes)
        return Decoded(tuple(pixels), tuple(head["warnings"]))

    def decode_now(self, data: bytes, *, frames: str | None = None) -> Decoded:
        """`decode` for callers without an event loop.

        Raises
        ------
        Refused : see `decode`.
        """
        head, pixels = self._decode(data, suffix_of(data), frames, None)
        return Decoded(tuple(pixels), tuple(head["warnings"]))

    def _decode(
        self, data: bytes, suffix: str, frames: str | None, deadline: float | None
    ) -> tuple[dict[str, Any], npt.NDArray[Any]]:
        process = self._idle.get()
        try:
            if self._is_closed:
                raise Refused(503, "stopping", "the server stopped before the picture was decoded")
            if deadline is not None and time.monotonic() >= deadline:
                raise Refused(504, "deadline", "the picture waited too long for its turn and was not decoded")
            if process is None or not process.is_usable:
                if process is not None:
                    self._end(process)
                process = _Process()
                self._all.add(process)
            request = {**dataclasses.asdict(self.limits), "suffix": suffix, "frames": frames, "bytes": len(data)}
            return process.ask(request, data, self.limits.decode_seconds)
        except Refused:
            if self._is_closed:
                raise Refused(503, "stopping", "the server stopped before the picture was decoded") from None
            raise
        finally:
            if process is not None and not process.is_usable:
                self._end(process)
                process = None
            self._idle.put(process)

    def _end(self, process: _Process) -> None:
        process.end()
        self._all.discard(process)

    def close(self) -> None:
        """End all processes; pictures that are being decoded, or wait for it, are refused with 503."""
        self._is_closed = True
        for process in list(self._all):
            self._end(process)
        self._threads.shutdown(wait=False)


class _Process:
    """One worker process; used by one thread at a time."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}  # a token is not handed on
        environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", WORKER],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment,
            start_new_session=True,  # a signal to the server's group leaves it alone: accepted pictures are still decoded
        )  # fmt: skip
        self._left = PICTURES_PER_WORKER
        self._is_ready = False

    @property
    def is_usable(self) -> bool:
        return self._left > 0 and self._process.poll() is None

    def ask(self, request: dict[str, Any], data: bytes, seconds: float) -> tuple[dict[str, Any], npt.NDArray[Any]]:
        """The answer of the process; killed when it takes longer than the limit."""
        self._left -= 1
        late = threading.Event()
        clock = threading.Timer(CLOCK_TIMES * seconds + START_SECONDS, self._kill_late, [late])
        clock.daemon = True
        clock.start()
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            self._await_ready(late)
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.write(data)
            self._process.stdin.flush()
            head = json.loads(self._process.stdout.readline())
            if "shape" not in head:
                raise Refused(head["status"], head["code"], head["message"], limit=head["limit"])
            pixels = np.empty(head["shape"], np.dtype(head["dtype"]))
            view = pixels.data.cast("B")
            done = 0
            while done < len(view):
                got = self._process.stdout.readinto(view[done : done + _CHUNK])  # type: ignore[attr-defined]
                if not got:
                    raise EOFError
                done += got
            return head, pixels
        except (OSError, ValueError, EOFError):
            self._process.kill()
            self._left = 0
            reason = "took too long" if late.is_set() else "ended the process that decoded it"
            raise Refused(
                422, "content", f"the picture cannot be read: it {reason}",
                limit={"decode_seconds": seconds} if late.is_set() else None,
            ) from None  # fmt: skip
        finally:
            clock.cancel()

    def _await_ready(self, late: threading.Event) -> None:
        """Wait until the process has started; that it cannot is no picture's fault.

        Raises
        ------
        Refused : 503; it ended, or took too long.
        """
        assert self._process.stdout is not None
        if not self._is_ready and self._process.stdout.readline() != READY:
            self._process.kill()
            self._left = 0
            if late.is_set():
                raise Refused(503, "decoder", "the process that decodes pictures took too long to start", retry_after=5)
            LOG.error("the process that decodes pictures does not start; %s -P -m %s says why", sys.executable, WORKER)
            raise Refused(503, "decoder", "the process that decodes pictures does not start on this server")
        self._is_ready = True

    def _kill_late(self, late: threading.Event) -> None:
        late.set()
        self._process.kill()

    def end(self) -> None:
        """Kill the process and close its pipes."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # bytes that the dead process did not take
                    pipe.close()


async def decode(data: bytes, *, limits: Limits, frames: str | None = None) -> Decoded:
    """The pixels of one file, by a process of its own; servers use the pool of a `Decoder`.

    Raises
    ------
    Refused : see `Decoder.decode`.
    """
    decoder = Decoder(limits, workers=1)
    try:
        return await decoder.decode(data, frames=frames)
    finally:
        decoder.close()
