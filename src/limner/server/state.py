"""What every route is given."""

from __future__ import annotations

from dataclasses import dataclass

from limner.server.decode import Decoded, Decoder
from limner.server.engine import Engine
from limner.server.metrics import Metrics
from limner.server.settings import Settings


@dataclass(frozen=True)
class State:
    """The parts of one running server.

    Parameters
    ----------
    settings, engine : see `Settings` and `Engine`.
    decoder : worker processes that turn files into pixels.
    """

    settings: Settings
    engine: Engine
    decoder: Decoder

    @property
    def metrics(self) -> Metrics:
        """Where events are counted."""
        return self.engine.metrics

    async def decode(self, data: bytes, *, frames: str | None = None, deadline: float | None = None) -> Decoded:
        """The picture of a file within the limits of this server; see `Decoder.decode`."""
        return await self.decoder.decode(data, frames=frames, deadline=deadline)
