"""Numbers of a run as TensorBoard event files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter


class TensorBoardLog:
    """Curves in `folder`.

    Parameters
    ----------
    folder : made with the first number.
    resumed : what an earlier call has drawn from the first number's step on is dropped.
    """

    def __init__(self, folder: Path, *, resumed: bool) -> None:
        self._folder, self._resumed = folder, resumed
        self._writer: SummaryWriter | None = None
        self.failure = ""

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One point of each curve."""
        if self._writer is None:
            self._writer = SummaryWriter(str(self._folder), purge_step=step if self._resumed else None)
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def close(self, *, failed: bool) -> None:
        """Write what is still in memory."""
        if self._writer is not None:
            self._writer.close()
