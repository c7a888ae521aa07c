"""Objects of a picture of any size, from what a network answers: its maps row by row, decoded in bands, given out as finished."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from limner.core.errors import DataError
from limner.core.protocols import Source
from limner.inference.capacity import Pieces
from limner.inference.object_bands import BandState, Maps, ObjectRows, band_rows_of, object_rows
from limner.inference.object_columns import by_columns
from limner.inference.segmenter import NetworkSegmenter


@dataclass
class ObjectStream:
    """One pass over a picture.

    Parameters
    ----------
    network : one that tells objects apart.
    source : the picture.
    pieces : how it is cut; changes when memory runs out.
    where : names the picture in errors.

    Raises
    ------
    DataError : the network does not tell objects apart.
    """

    network: NetworkSegmenter
    source: Source
    pieces: Pieces
    where: str = ""
    reach: int = field(init=False)
    band_rows: int = field(init=False)

    def __post_init__(self) -> None:
        head = self.network.contract.objects
        if head is None:
            raise DataError("a network that does not tell objects apart", expected="one with an object head")
        self.reach = max(1, head.reach)
        self.band_rows = band_rows_of(self.source.size_hw[1], maps=self.network.num_maps, reach=self.reach)
        # connected areas are joined by any pixel, at whatever length; borders between grown areas may move by some
        self._join_share = 0.0 if head.decoder == "components" else 0.5

    def rows(self, state: BandState | None = None) -> Iterator[ObjectRows]:
        """Labels and ids from a state on, see `object_rows`.

        Raises
        ------
        DataError : the picture has channels that the network was not trained on.
        """
        size_hw = self.source.size_hw
        decoder = self.network.decoder(size_hw)
        assert decoder is not None
        first = 0 if state is None else state.first_row(self.reach)
        return object_rows(
            self._maps(first), by_columns(decoder, reach=self.reach, join_share=self._join_share), size_hw=size_hw,
            reach=self.reach, band_rows=self.band_rows, join_share=self._join_share, state=state,
        )  # fmt: skip

    def _maps(self, start: int) -> Iterator[tuple[int, Maps]]:
        """Maps from a row on; what they were cut with is remembered."""
        rows = self.network.map_rows(self.source, start=start, pieces=self.pieces, where=self.where)
        for first, maps, pieces in rows:
            self.pieces = pieces
            yield first, maps
