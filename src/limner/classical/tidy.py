"""After any method: which connected parts are kept, and whether their holes are filled."""

from __future__ import annotations

import cv2
import numpy as np

from limner.classical.gray import Mask
from limner.core.choices import choose

KEPT = {"all": "every part", "largest": "the part with the most pixels; the topmost of equal ones"}


def tidy(mask: Mask, *, keep: str = "all", smallest: float = 0.0, fill: bool = False) -> Mask:
    """`mask` without parts that are too small, and without holes.

    Parameters
    ----------
    mask : ``(H, W)`` bool.
    keep : one of `KEPT`.
    smallest : least size of a part (8-connected), as a share of the picture, in [0, 1]; decided after holes are filled.
    fill : background that is cut off from the border (4-connected) becomes object.

    Returns
    -------
    ``(H, W)`` bool; all False for an empty mask.

    Raises
    ------
    RecipeError : unknown `keep`.

    Examples
    --------
    >>> row = np.array([[True, True, False, True]])
    >>> tidy(row, keep="largest").tolist()
    [[True, True, False, False]]
    """
    choose(KEPT, keep, kind="rule of parts")
    if fill:
        mask = fill_holes(mask)
    if keep == "all" and smallest <= 0:
        return mask
    num_parts, parts, stats, _centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    sizes = stats[:, cv2.CC_STAT_AREA].astype(np.int64)
    kept = sizes >= smallest * mask.size
    kept[0] = False
    if keep == "largest" and num_parts > 1:
        largest = 1 + int(sizes[1:].argmax())
        kept[np.arange(num_parts) != largest] = False
    return np.asarray(kept[parts])


def fill_holes(mask: Mask) -> Mask:
    """`mask` with the background that no 4-connected path leads out of; ``(H, W)`` bool."""
    outside = np.pad(~mask, 1, constant_values=True)  # a frame that joins all background at the border
    _num, parts = cv2.connectedComponents(outside.astype(np.uint8), connectivity=4)
    return np.asarray(parts != parts[0, 0])[1:-1, 1:-1]
