"""Numbers of objects as files give them: one number per object, whatever the file wrote."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Remarks:
    """What had to be decided while the objects of one picture were read.

    Parameters
    ----------
    split : numbers whose areas became objects of their own, since 8 bits hold no more than 255 numbers.
    boundary : the number that marks boundaries, whose pixels are not known; None where there is none.
    overlap : pixels that several objects claimed; the smallest object has them.
    hidden : objects without a pixel: empty files, or covered by smaller objects.
    by_color : numbers are colours.
    """

    split: int = 0
    boundary: int | None = None
    overlap: int = 0
    hidden: int = 0
    by_color: bool = False


NO_REMARKS = Remarks()


@dataclass(frozen=True)
class RawIds:
    """The objects of one picture before their classes are known.

    Parameters
    ----------
    ids : ``(H, W)`` int32; 0 = no object, the others 1 to M without gaps.
    unknown : ``(H, W)`` bool, pixels of which the file does not say whose they are; None = none.
    remarks : what had to be decided.
    """

    ids: npt.NDArray[np.int32]
    unknown: npt.NDArray[np.bool_] | None = None
    remarks: Remarks = NO_REMARKS
