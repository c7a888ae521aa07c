"""Sure pixels for methods that a person would otherwise start by hand.

Otsu's threshold has two sides. The brightest pixels of the bright side and the darkest of the dark one are sure; what lies between
these two thresholds is left to the method.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from limner.classical.gray import Gray, Mask
from limner.classical.polarity import choose_object
from limner.classical.threshold import otsu_threshold


@dataclass(frozen=True)
class Seeds:
    """What is known before a method starts; three masks ``(H, W)``.

    Parameters
    ----------
    side : the object's side of Otsu's threshold.
    sure_object, sure_background : parts of `side` and of the rest; at least a pixel each where `side` is neither empty nor all.
    """

    side: Mask
    sure_object: Mask
    sure_background: Mask

    @property
    def decide_all(self) -> bool:
        """True where no pixel is left to decide, or nothing to decide it by."""
        known = self.sure_object | self.sure_background
        return bool(known.all() or not self.sure_object.any() or not self.sure_background.any())


def make_seeds(gray: Gray, *, sure: float = 0.5, polarity: str = "auto") -> Seeds:
    """Seeds from two thresholds.

    Parameters
    ----------
    gray : ``(H, W)``, smoothed already.
    sure : share of each side of Otsu's threshold that is sure, in [0, 1]; with 0.5 the thresholds are the medians of the sides.
    polarity : see `choose_object`.

    Returns
    -------
    Seeds; all empty for a constant picture.
    """
    bright = gray > otsu_threshold(gray)
    side = choose_object(bright.astype(np.uint8), polarity=polarity)
    if not side.any():
        return Seeds(side, side, side)
    high = np.quantile(gray[bright], 1 - sure, method="higher")
    low = np.quantile(gray[~bright], sure, method="lower")
    sure_bright, sure_dark = bright & (gray >= high), ~bright & (gray <= low)
    is_bright = bool((side & bright).any())
    return Seeds(side, sure_bright if is_bright else sure_dark, sure_dark if is_bright else sure_bright)
