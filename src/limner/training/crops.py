"""The processor's part of a batch that is finished on a GPU: raw pixels cut out of pictures, and the numbers drawn for them.

Why pixels are sent in every step and pictures do not lie on the GPU: cutting is a copy of memory, a tenth of a millisecond for a
colour patch of 256 x 256, about as long as drawing the numbers that both ways need; one core makes some eight thousand such
patches a second (`benchmarks/augment.py`). The transfer runs beside the step before it, and nothing has to be decided about what
fits. All crops of a batch lie behind each other in one buffer, whatever their sizes: no padding, one transfer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from limner.training.augment import Variation
from limner.training.deform import source_box, source_matrix
from limner.training.intensity import blur_matrix, low_resolution_matrix
from limner.training.mixing import Piece, Window

Float64 = npt.NDArray[np.float64]
Box = tuple[int, int, int, int]  # top, bottom, left and right
Filters = tuple[Tensor, Tensor, Tensor]  # patches ``(n,)``, matrices along their heights and along their widths


@dataclass(frozen=True)
class Crops:
    """N patches, made of P pieces (P = N unless pictures are mixed), as a GPU wants them.

    Parameters
    ----------
    pixels : ``(S, C)`` uint8 or float32 in 0..255: all crops, row by row.
    labels : ``(S,)`` uint8 or int32, `ignore` where not known.
    layout : ``(P, 3)`` int32: first pixel, height and width of each piece's crop.
    inverse : ``(P, 3, 3)`` float32 from patch to crop coordinates, x before y.
    is_affine : no piece has a perspective.
    fields : piece numbers with the displacement that they have.
    windows : where each piece goes; num_pieces : how many make each patch.
    variations : the one of each patch that its intensities follow.
    blurs, shrinks : filters of the patches that are blurred and of those at low resolution; None where there are none.
    patch_hw : of every patch. ignore : value of labels that are not known. normalization : as in the recipe.
    """

    pixels: Tensor
    labels: Tensor
    layout: Tensor
    inverse: Tensor
    is_affine: bool
    fields: tuple[int, ...]
    pieces: tuple[Variation, ...]
    windows: tuple[Window, ...]
    num_pieces: tuple[int, ...]
    variations: tuple[Variation, ...]
    blurs: Filters | None
    shrinks: Filters | None
    patch_hw: tuple[int, int]
    ignore: int
    normalization: str


def cut(patches: Sequence[Sequence[Piece]], patch_hw: tuple[int, int], *, ignore: int, normalization: str) -> Crops:
    """Cut what each piece of each patch is made from, and nothing else, into memory that a GPU can fetch by itself."""
    pieces = [piece for patch in patches for piece in patch]
    backs = [source_matrix(piece.variation.matrix, piece.variation.deformation) for piece in pieces]
    boxes = [_box(piece, back) for piece, back in zip(pieces, backs, strict=True)]
    sizes = [(bottom - top, right - left) for top, bottom, left, right in boxes]
    starts = np.cumsum([0, *(height * width for height, width in sizes)])
    pixels = room((int(starts[-1]), pieces[0].image.shape[2]), np.result_type(*(piece.image.dtype for piece in pieces)))
    labels = room((int(starts[-1]),), np.uint8 if pieces[0].labels.dtype == np.uint8 else np.int32)
    into_pixels, into_labels = pixels.numpy(), labels.numpy()
    for piece, (top, bottom, left, right), start, end in zip(pieces, boxes, starts, starts[1:], strict=False):
        part = (slice(top, bottom), slice(left, right))
        into_pixels[start:end].reshape(bottom - top, right - left, -1)[...] = piece.image[part]
        into_labels[start:end].reshape(bottom - top, right - left)[...] = piece.labels[part]
    inverse = np.stack([_to_crop(*about) for about in zip(pieces, backs, boxes, strict=True)])
    bent = [piece.variation.deformation for piece in pieces]
    variations = tuple(patch[0].variation for patch in patches)
    return Crops(
        pixels=pixels,
        labels=labels,
        layout=_sent(np.array([(s, *size) for s, size in zip(starts, sizes, strict=False)], np.int32)),
        inverse=_sent(inverse.astype(np.float32)),
        is_affine=all(deformation is None or deformation.perspective is None for deformation in bent),
        fields=tuple(i for i, deformation in enumerate(bent) if deformation is not None and deformation.has_field),
        pieces=tuple(piece.variation for piece in pieces),
        windows=tuple(piece.window for piece in pieces),
        num_pieces=tuple(len(patch) for patch in patches),
        variations=variations,
        blurs=_filters(variations, patch_hw, blur_matrix, lambda variation: variation.blur, 0.0),
        shrinks=_filters(variations, patch_hw, low_resolution_matrix, lambda variation: variation.shrink, 1.0),
        patch_hw=patch_hw,
        ignore=ignore,
        normalization=normalization,
    )


def room(shape: tuple[int, ...], dtype: npt.DTypeLike) -> Tensor:
    """An empty tensor, in page-locked memory where there is a GPU to fetch it."""
    kind = {np.dtype(np.uint8): torch.uint8, np.dtype(np.int32): torch.int32}.get(np.dtype(dtype), torch.float32)
    return torch.empty(shape, dtype=kind, pin_memory=torch.cuda.is_available())


def send(values: Sequence[int] | Sequence[float] | Sequence[Sequence[float]], device: torch.device) -> Tensor:
    """A few numbers on `device`, int32 or float32; nothing waits for the copy, as it would from ordinary memory."""
    array = np.array(values)
    packed = _sent(array.astype(np.int32)) if array.dtype.kind == "i" else _sent(array.astype(np.float32))
    return packed.to(device, non_blocking=True)


def _sent(array: npt.NDArray[np.float32] | npt.NDArray[np.int32]) -> Tensor:
    tensor = room(array.shape, array.dtype)
    tensor.numpy()[...] = array
    return tensor


def _box(piece: Piece, back: Float64) -> Box:
    height, width = piece.labels.shape
    return source_box(back, piece.variation.deformation, patch_hw=piece.window.size_hw, size_hw=(height, width))


def _to_crop(piece: Piece, back: Float64, box: Box) -> Float64:
    """``(3, 3)`` from coordinates of the patch, not of the piece's window, to those of the crop, not of the picture."""
    moved = back.copy()
    moved[:, 2] -= back[:, 0] * piece.window.left + back[:, 1] * piece.window.top
    moved[0] -= box[2] * moved[2]
    moved[1] -= box[0] * moved[2]
    return moved


def _filters(
    variations: Sequence[Variation],
    patch_hw: tuple[int, int],
    matrix: Callable[[int, float], npt.NDArray[np.float32]],
    strength: Callable[[Variation], float],
    nothing: float,
) -> Filters | None:
    """The filters of the patches whose strength is not `nothing`; for square patches both matrices are one."""
    chosen = [(i, strength(variation)) for i, variation in enumerate(variations) if strength(variation) != nothing]
    if not chosen:
        return None
    rows = _sent(np.array([i for i, _ in chosen], np.int32))
    along_y = _sent(np.stack([matrix(patch_hw[0], value) for _, value in chosen]))
    if patch_hw[0] == patch_hw[1]:
        return rows, along_y, along_y
    return rows, along_y, _sent(np.stack([matrix(patch_hw[1], value) for _, value in chosen]))
