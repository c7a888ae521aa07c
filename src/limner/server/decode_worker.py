"""Decodes pictures that nobody vouches for, in a process of its own; started as ``python -m limner.server.decode_worker``.

Messages on the pipes. Out: ``ready``, once it has started. In: a line of JSON, ``{"bytes", "suffix", "frames", limits...}``, and
the file, of so many bytes. Out: ``{"shape", "dtype", "bytes", "warnings"}`` and the pixels of all frames ``(F, H, W, C)``, or
``{"status", "code", "message", "limit"}``. Damage that a decoder notices is an answer; damage that kills it, or runs into the
limits of the system on memory and processor time, kills this process and nothing else.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import PIL.Image

from limner.core.errors import LimnerError, MachineError
from limner.data.images import Header, read_header, read_image
from limner.server.frames import count_frames, read_frames

try:
    import resource
except ImportError:  # not on Windows, where memory is limited by the size check alone
    resource = None  # type: ignore[assignment]

PILLOW_READS = ("BMP", "JPEG", "PNG", "WEBP")  # of the many kinds that it would try one after the other
BYTES_PER_PIXEL = 24  # three channels of 16 bit, as stored, as read, and once more for turning and for palettes
SPARE = 2**28


class _Refusal(Exception):
    """An answer instead of pixels."""

    def __init__(self, status: int, code: str, message: str, limit: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.answer = {"status": status, "code": code, "message": message, "limit": limit}


def main() -> None:
    """Answer one request after another until the input ends."""
    source, target = sys.stdin.buffer, sys.stdout.buffer
    sys.stdout = sys.stderr  # what a library prints must not get between the answers
    PIL.Image.init()
    PIL.Image.ID[:] = [kind for kind in PIL.Image.ID if kind in PILLOW_READS]
    target.write(b"ready\n")  # `limner.server.decode.READY`
    target.flush()
    with tempfile.TemporaryDirectory(prefix="limner-") as folder:
        while line := source.readline():
            request = json.loads(line)
            _answer(request, source.read(request["bytes"]), Path(folder), target)


def _answer(request: dict[str, Any], data: bytes, folder: Path, target: BinaryIO) -> None:
    path = folder / f"picture{request['suffix']}"
    pixels: npt.NDArray[Any] = np.zeros(0, np.uint8)
    try:
        _bound(request)
        path.write_bytes(data)
        pixels, warnings = decode(path, request)
        head = {"shape": pixels.shape, "dtype": pixels.dtype.str, "bytes": pixels.nbytes, "warnings": warnings}
    except _Refusal as refusal:
        head = refusal.answer
    except MachineError:
        head = _Refusal(503, "memory", "the memory of the server does not suffice for this picture").answer
    except LimnerError as error:
        words = error.found.replace(repr(str(path)), "it").replace(str(path), "it").replace(path.name, "the picture")
        head = _Refusal(422, "content", words).answer
    except MemoryError:
        head = _Refusal(
            422, "memory", "the picture needs more memory to decode than its size in pixels explains"
        ).answer
    except Exception as error:  # decoders raise anything on damaged files
        head = _Refusal(422, "content", f"the picture cannot be read ({type(error).__name__})").answer
    finally:
        path.unlink(missing_ok=True)
    target.write(json.dumps(head).encode() + b"\n")
    if "shape" in head:
        target.write(np.ascontiguousarray(pixels).data.cast("B"))
    target.flush()


def decode(path: Path, request: dict[str, Any]) -> tuple[npt.NDArray[Any], list[str]]:
    """``(F, H, W, C)`` pixels of a file, and what is odd about it; size and number of frames are looked at first.

    Raises
    ------
    _Refusal, LimnerError : over a limit; damaged.
    """
    PIL.Image.MAX_IMAGE_PIXELS = None  # while headers alone are read; what they say is held against the limits here
    frames = count_frames(path)
    if frames.number > 1 and request["frames"] != "all":
        raise _Refusal(
            422, "frames", f"the file holds {frames.number} frames; ask for them with frames=all, or send one picture",
            {"frames": 1},
        )  # fmt: skip
    if frames.number > request["most_frames"]:
        raise _Refusal(413, "frames", f"the file holds {frames.number} frames", {"most_frames": request["most_frames"]})
    header = Header(frames.size_hw, 0, "") if frames.size_hw else read_header(path)
    check_size(header.size_hw, frames.number, request)
    PIL.Image.MAX_IMAGE_PIXELS = request["pixels"]
    pixels = read_frames(path) if frames.number > 1 else read_image(path)[None]
    check_size((pixels.shape[1], pixels.shape[2]), len(pixels), request)
    return pixels, []


def check_size(size_hw: tuple[int, int], number: int, request: dict[str, Any]) -> None:
    """Refuse what is larger than the limits.

    Raises
    ------
    _Refusal : 413; too many pixels in all, or too long a side.
    """
    height, width = size_hw
    if max(size_hw) > request["side"]:
        raise _Refusal(413, "side", f"the picture is {width} x {height}", {"side": request["side"]})
    if height * width * number > request["pixels"]:
        found = f"the picture is {width} x {height}" + (f", {number} times" if number > 1 else "")
        raise _Refusal(413, "pixels", f"{found}: {height * width * number:,} pixels", {"pixels": request["pixels"]})


def _bound(request: dict[str, Any]) -> None:
    """Limit the memory of this process, and its processor time for this picture; the system ends it beyond."""
    if resource is None:
        return
    spent = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(spent.ru_utime + spent.ru_stime + request["decode_seconds"]) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    if hard == resource.RLIM_INFINITY:  # the first picture: from here on it can only fall
        room = _address_space() + SPARE + request["pixels"] * BYTES_PER_PIXEL + 2 * request["body_bytes"]
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _address_space() -> int:
    """Bytes of address space that this process has now."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * 4096
    except OSError:
        return 2**32  # a system without /proc


if __name__ == "__main__":
    main()
