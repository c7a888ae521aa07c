"""The picture at working scale, row by row: from an array that was prepared whole, or from windows of a file."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from limner.core.bundle import InputContract
from limner.core.protocols import Source
from limner.data.preprocess import MOST_VALUES, PERCENTILES, Working, match_channels, to_byte_range, working_size
from limner.inference.resample import Taps, method_of, resize_columns, taps

STRIP_BYTES = 8 * 2**20  # of input pixels as float32 that are held at once


class WorkingRows(Protocol):
    """What the engine reads; rows are asked for in rising order, the last ones perhaps again."""

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width at working scale."""
        ...

    def read(self, start: int, stop: int) -> Working:
        """Rows ``start`` to ``stop - 1``: ``(stop - start, w, C)`` uint8 or float32 in 0..255, valid until the next call."""
        ...


@dataclass(frozen=True)
class PreparedRows:
    """A picture that `limner.data.preprocess.prepare` brought to working scale as a whole."""

    pixels: Working

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width at working scale."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def read(self, start: int, stop: int) -> Working:
        """A view of the rows."""
        return self.pixels[start:stop]


@dataclass
class WindowedRows:
    """Rows with the values that `limner.data.preprocess.prepare` would give them; reads the source by strips.

    Parameters
    ----------
    source : the picture.
    contract : what the network is fed with.
    channels : that the network wants.
    where : names the picture in errors.
    """

    source: Source
    contract: InputContract
    channels: int
    where: str = ""
    _limits: tuple[float, float] | None = field(default=None, init=False)
    _taps: Taps | None = field(default=None, init=False)
    _held: tuple[int, Working] | None = field(default=None, init=False)

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width at working scale."""
        return working_size(self.source.size_hw, self.contract.scale, self.contract.resize_hw)

    def read(self, start: int, stop: int) -> Working:
        """Rows ``start`` to ``stop - 1``; those of the last call are not computed again.

        The array of the last call is written over: a row of tiles of a wide picture takes hundreds of MiB, and one is enough.
        """
        out: Working | None = None
        begin = start
        if self._held is not None and self._held[0] <= start < self._held[0] + len(self._held[1]):
            first, pixels = self._held
            kept = pixels[start - first : stop - first]
            begin += len(kept)
            out = pixels if len(pixels) == stop - start else np.empty((stop - start, *pixels.shape[1:]), pixels.dtype)
            out[: len(kept)] = kept
        self._held = None
        for at, strip in self._strips(begin, stop):
            if out is None:
                out = np.empty((stop - start, *strip.shape[1:]), strip.dtype)
            out[at - start : at - start + len(strip)] = strip
        assert out is not None, "no rows were asked for"
        self._held = start, out
        return out

    def _strips(self, start: int, stop: int) -> Iterator[tuple[int, Working]]:
        """First rows and strips, each from a bounded part of the source."""
        height, width = self.source.size_hw
        per_row = 4 * width * max(self.channels, self.source.channels)
        rows = max(1, int(STRIP_BYTES / per_row * self.size_hw[0] / height))
        for begin in range(start, stop, rows):
            yield begin, self._strip(begin, min(begin + rows, stop))

    def _strip(self, start: int, stop: int) -> Working:
        height, width = self.source.size_hw
        target = self.size_hw
        if target == (height, width):
            return self._ranged(slice(start, stop))
        method = method_of((height, width), target)
        if self._taps is None:
            self._taps = taps(height, target[0], method)
        first, last = self._taps.needed(start, stop)
        ranged = self._ranged(slice(first, last))
        columns = resize_columns(ranged.astype(np.float32), target[1], method)
        out = self._taps.rows(columns, first, start, stop)
        return np.rint(out).astype(np.uint8) if ranged.dtype == np.uint8 else out

    def _ranged(self, rows: slice) -> Working:
        """Input rows with the network's channels in 0..255."""
        contract = self.contract
        pixels = match_channels(self._pixels(rows), self.channels, where=self.where)
        if contract.normalization != "percentile":
            return to_byte_range(pixels, normalization=contract.normalization, intensity_range=contract.intensity_range)
        if self._limits is None:
            self._limits = self._percentiles()
        # float32 before the range is stretched, as for a whole picture: to_byte_range would leave 8 bit in 0..255 as it is
        return to_byte_range(pixels.astype(np.float32), normalization="fixed", intensity_range=self._limits)

    def _pixels(self, rows: slice) -> npt.NDArray[Any]:
        return self.source.read(rows, slice(0, self.source.size_hw[1]))

    def _percentiles(self) -> tuple[float, float]:
        """The picture's own range from the same thinned pixels that a whole picture is thinned to, read once."""
        height, width = self.source.size_hw
        every = max(1, math.isqrt(height * width * self.channels // MOST_VALUES))
        kept = range(0, height, every)
        block = max(1, STRIP_BYTES // (width * self.source.channels * self.source.dtype.itemsize * every))
        thinned: list[npt.NDArray[Any]] = []
        for begin in range(0, len(kept), block):
            wanted = kept[begin : begin + block]
            if every >= 8:  # rows far apart: strips between them need not be decoded
                rows = [self._pixels(slice(row, row + 1))[:, ::every] for row in wanted]
            else:
                rows = [self._pixels(slice(wanted[0], wanted[-1] + 1))[::every, ::every]]
            thinned += [match_channels(part, self.channels, where=self.where) for part in rows]
        low, high = np.percentile(np.concatenate(thinned), PERCENTILES)
        return float(low), float(high)
