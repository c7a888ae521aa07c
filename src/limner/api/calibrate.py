"""Make the scores of a trained bundle honest: one temperature, fitted on the validation pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from limner.api.validated import Validated
from limner.core.bundle import Bundle
from limner.metrics.calibration import fit_temperature

FEWEST_PICTURES = 3  # fewer say too little about how sure the network may be


def with_temperature(bundle: Bundle, seen: Sequence[Validated]) -> Bundle:
    """The bundle with the temperature that explains the labels of predicted pictures best; labels do not change. Not saved.

    Parameters
    ----------
    bundle : of a network.
    seen : pictures that trained no weights, usually those of the validation. They chose the best epoch, so that the scores stay a
        little too sure. Fewer than `FEWEST_PICTURES` leave the bundle as it is.
    """
    if len(seen) < FEWEST_PICTURES:
        return bundle
    logits, ids = np.concatenate([one.logits for one in seen], axis=1), np.concatenate([one.ids for one in seen])
    temperature = round(fit_temperature(logits, ids), 4)
    return dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, temperature=temperature))
