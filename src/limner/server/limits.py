"""How much one request, and all of them together, may take."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WebP")


@dataclass(frozen=True)
class Limits:
    """The limits of a server; `GET /v1/limits` answers them.

    Parameters
    ----------
    body_bytes : of one request, counted while they arrive.
    pixels, side : of one picture, read from its header before it is decoded; all frames of a file count together.
    frames : that a file may hold unless the request says ``frames=all``.
    most_frames : that a file may hold then.
    parts : pictures of one request.
    seconds : from the head of a request until its work must have begun.
    decode_seconds : of processor time for decoding one file; three times as long by the clock.
    queue : pictures that wait for one model.
    batch, batch_wait_ms : pictures computed together at most, and how long the first waits for the others.
    batch_pixels : of all pictures computed together; larger pictures are computed alone.
    held_bytes : of bodies and decoded pictures in memory, of all requests together.
    connections : open at a time.
    """

    body_bytes: int = 32 * 2**20
    pixels: int = 64_000_000
    side: int = 20_000
    frames: int = 1
    most_frames: int = 64
    parts: int = 16
    seconds: float = 30.0
    decode_seconds: float = 15.0
    queue: int = 64
    batch: int = 8
    batch_wait_ms: float = 10.0
    batch_pixels: int = 4_000_000
    held_bytes: int = 2**30
    connections: int = 512

    def as_dict(self) -> dict[str, Any]:
        """All limits by name, and the formats that are read."""
        return {**dataclasses.asdict(self), "formats": list(FORMATS)}
