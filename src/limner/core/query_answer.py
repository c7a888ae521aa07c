"""How networks with query masks lay out their answer, so that it is one array with four axes like any other:

    (N, Q, h + r, w)    rows 0 .. h-1    logits of the query's mask
                        rows h .. h+r-1  its C + 1 class logits, "no object" last, read row by row; then zeros

with r = ceil((C + 1) / w), Q queries and C classes without the background. Class j of a query is class id j + 1.
"""

from __future__ import annotations

from typing import Any, TypeVar

from limner.core.errors import ShapeError

Array = TypeVar("Array", bound=Any)  # of NumPy or torch


def class_rows(num_classes: int, width: int) -> int:
    """Rows that the logits of `num_classes` classes and of "no object" take below a mask of `width`.

    Examples
    --------
    >>> class_rows(3, 24), class_rows(24, 24)
    (1, 2)
    """
    return -(-(num_classes + 1) // width)


def unpack(packed: Array, num_classes: int) -> tuple[Array, Array]:
    """Masks ``(N, Q, h, w)`` and class logits ``(N, Q, num_classes + 1)`` of a packed answer, as views where that can be.

    Parameters
    ----------
    packed : ``(N, Q, h + r, w)``, an array of NumPy or a tensor of torch.
    num_classes : C >= 1.

    Raises
    ------
    ShapeError : not four axes, or too few rows for a mask and so many classes.
    """
    if packed.ndim != 4 or packed.shape[3] < 1 or packed.shape[2] <= class_rows(num_classes, packed.shape[3]):
        raise ShapeError(
            f"a packed answer of shape {tuple(packed.shape)}",
            expected=f"(N, Q, h + r, w) with room for {num_classes + 1} class logits below each mask",
        )
    rows = class_rows(num_classes, packed.shape[3])
    tail = packed[:, :, -rows:].reshape(packed.shape[0], packed.shape[1], -1)
    return packed[:, :, :-rows], tail[..., : num_classes + 1]
