"""In how large pieces a picture is predicted, from the memory that is free now."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from limner.core.bundle import InputContract
from limner.core.memory import free_memory
from limner.data.preprocess import working_size
from limner.inference.tiles import STRIDE, overlap_of

WHOLE_PIXELS = 1_500_000  # working pixels up to which a picture is predicted in one piece
DEFAULT_TILE = 896  # working pixels; with what lies around it 1024
SMALLEST_TILE = 128  # chosen unasked
BATCH_PIXELS = 512 * 512  # small windows are computed together up to so many pixels; more make no processor quicker
BYTES_PER_PIXEL = 1600  # of a network's largest maps; 600 for U-Net with EfficientNet-Lite0 (`benchmarks/huge.py`)
SHARE = 0.6  # of the free memory that one prediction may take


@dataclass(frozen=True)
class Pieces:
    """How a picture is cut.

    Parameters
    ----------
    tile : side in working pixels, without what is seen around it; 0 = in one piece.
    batch : tiles that are computed together.
    notes : what was decided for lack of memory, as sentences.
    """

    tile: int
    batch: int = 1
    notes: tuple[str, ...] = ()

    def halved(self, working_hw: tuple[int, int]) -> Pieces:
        """Tiles of half the side, at least 32, after memory ran out."""
        side = max(32, (self.tile or max(working_hw)) // 2)
        note = f"memory ran out; tiles of {side} working pixels instead of " + (
            str(self.tile) if self.tile else "one piece"
        )
        return dataclasses.replace(self, tile=side, batch=1, notes=(*self.notes, note))


def plan_pieces(size_hw: tuple[int, int], contract: InputContract, *, maps: int) -> Pieces:
    """The pieces of a picture of a native size.

    Parameters
    ----------
    size_hw : native.
    contract : its tile wins over everything but a lack of memory; one size for all pictures means one piece.
    maps : that the network returns.
    """
    height, width = working_size(size_hw, contract.scale, contract.resize_hw)
    asked = max(32, round(contract.tile * contract.scale)) if contract.tile else 0
    if any(contract.resize_hw):
        return Pieces(0)  # it is predicted as it was trained
    whole = height <= asked and width <= asked if asked else height * width <= WHOLE_PIXELS
    around = overlap_of(asked or DEFAULT_TILE, contract.overlap) + STRIDE
    tile = side = max(height, width) if whole else asked or DEFAULT_TILE
    room = free_memory() * SHARE
    while (
        tile > SMALLEST_TILE
        and _bytes((height, width), tile + (around if tile < side or not whole else 0), maps) > room
    ):
        tile = max(SMALLEST_TILE, tile // 2)
    notes: tuple[str, ...] = ()
    if tile < side:
        notes = (f"little memory is free ({room / SHARE / 2**20:.0f} MiB): tiles of {tile} working pixels",)
    elif whole:
        return Pieces(0)
    return Pieces(tile, max(1, BATCH_PIXELS // (tile + around) ** 2), notes)


def _bytes(size_hw: tuple[int, int], window: int, maps: int) -> float:
    """Memory of one window, and of the band of scores and pixels that it lies in."""
    height, width = min(window, size_hw[0]), min(window, size_hw[1])
    return BYTES_PER_PIXEL * height * width + 8.0 * height * size_hw[1] * (maps + 3)
