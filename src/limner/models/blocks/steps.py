"""The plan of a U-shaped decoder: which doubling has how many channels and which skip.

stride   32      16      8       4       2       1
encoder  320 --- 112 --- 40 ---- 24 ---- 32 ---- (none)
step      in -> +skip   +skip   +skip   +skip    no skip left
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from limner.core.choices import choose
from limner.core.errors import RecipeError
from limner.models.blocks.enlarge import UPSAMPLINGS

OWN_WIDTHS = (128, 64, 48, 32, 16)  # of a decoder on a pre-trained encoder, coarse to fine


@dataclass(frozen=True)
class Step:
    """One doubling of height and width, and the level behind it.

    Parameters
    ----------
    stride : input pixels per pixel afterwards.
    num_in, num_up : channels before and after the doubling.
    num_skip : channels of the encoder's map that joins; 0 = none.
    num_out : channels that leave the level.
    """

    stride: int
    num_in: int
    num_up: int
    num_skip: int
    num_out: int


def plan_steps(
    channels: Sequence[int],
    strides: Sequence[int],
    widths: Sequence[int],
    *,
    upsampling: str,
    up_widths: Sequence[int] = (),
) -> tuple[Step, ...]:
    """The steps from the coarsest map of an encoder to full size, coarse to fine.

    Parameters
    ----------
    channels, strides : of the encoder's maps, fine to coarse; strides are powers of two.
    widths : channels of the levels, coarse to fine; () = the end of `OWN_WIDTHS`. Fewer than doublings: the last stay undone.
    upsampling : a word of `UPSAMPLINGS`; only ``transposed`` changes the number of channels.
    up_widths : channels after each transposed convolution; () = `widths`.

    Raises
    ------
    RecipeError : no or too many `widths`, or `up_widths` that do not fit.
    """
    coarsest = strides[-1]
    doublings = coarsest.bit_length() - 1
    outputs = tuple(widths) or (OWN_WIDTHS[:1] * doublings + OWN_WIDTHS)[-doublings:]
    if len(outputs) > doublings or min(outputs) < 1:
        raise RecipeError(
            f"decoder_widths = {list(outputs)}",
            expected=f"1 to {doublings} numbers above 0, one for each doubling after stride {coarsest}",
            where="model.decoder_widths",
            fix=f"give {doublings} numbers, coarse to fine, or [] for the architecture's own",
        )
    inputs = (channels[-1], *outputs[:-1])
    transposed = choose(UPSAMPLINGS, upsampling, kind="upsampling") == "transposed"
    if up_widths and (not transposed or len(up_widths) != len(outputs) or min(up_widths) < 1):
        raise RecipeError(
            f"up_widths = {list(up_widths)} with upsampling = '{upsampling}'",
            expected=f"{len(outputs)} numbers above 0 with upsampling = 'transposed'",
            where="model.options.up_widths",
            fix="give one for each doubling, coarse to fine, or leave them out",
        )
    enlarged = (tuple(up_widths) or outputs) if transposed else inputs
    skips = dict(zip(strides[:-1], channels[:-1], strict=True))
    return tuple(
        Step(stride, num_in, num_up, skips.get(stride, 0), num_out)
        for stride, num_in, num_up, num_out in zip(
            (coarsest >> (i + 1) for i in range(len(outputs))), inputs, enlarged, outputs, strict=True
        )
    )
