"""Make the scores of a trained bundle honest: one temperature, fitted on the validation pictures."""

from __future__ import annotations

import dataclasses
import time

import numpy as np

from limner.api.open import open_segmenter
from limner.core.bundle import Bundle
from limner.core.protocols import Listener
from limner.data.dataset import Dataset, Item
from limner.inference.segmenter import NetworkSegmenter
from limner.metrics.calibration import fit_temperature, to_logits

MOST_PIXELS = 400_000  # of all pictures together; the fit moves by less than a thousandth with more
MOST_SECONDS = 20.0
FEWEST_PICTURES = 3  # fewer say too little about how sure the network may be


def calibrate(bundle: Bundle, dataset: Dataset, items: tuple[Item, ...], *, seed: int, listener: Listener) -> Bundle:
    """The bundle with the temperature that explains the labels of `items` best, saved; labels do not change.

    Parameters
    ----------
    bundle : a network on disk; classical methods have no scores and come back as they are.
    dataset, items : pictures that trained no weights, usually those of the validation. They chose the best epoch, so that the
        scores stay a little too sure. Fewer than `FEWEST_PICTURES` leave the temperature at 1.
    seed : of the choice of pixels.
    listener : hears of progress.
    """
    if bundle.method is not None or len(items) < FEWEST_PICTURES:
        return bundle
    plain = dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, temperature=1.0))
    segmenter, _ = open_segmenter(bundle.folder, keep_scores=True)
    assert isinstance(segmenter, NetworkSegmenter)
    segmenter = dataclasses.replace(segmenter, contract=plain.contract)
    rng, start = np.random.default_rng(seed), time.perf_counter()
    logits, labels = [], []
    for done, item in enumerate(items, 1):
        sample = dataset.load(item)
        found = segmenter.segment(sample)
        assert sample.labels is not None and found.scores is not None
        known = np.flatnonzero(np.ones(sample.labels.size, bool) if sample.valid is None else sample.valid)
        picked = rng.choice(known, min(len(known), MOST_PIXELS // len(items)), replace=False)
        logits.append(to_logits(found.scores.reshape(len(found.scores), -1)[:, picked]))
        labels.append(sample.labels.ravel()[picked])
        listener.progress("calibrate", done, len(items))
        if time.perf_counter() - start > MOST_SECONDS:
            break
    temperature = fit_temperature(np.concatenate(logits, axis=1), np.concatenate(labels))
    calibrated = dataclasses.replace(
        bundle, contract=dataclasses.replace(bundle.contract, temperature=round(temperature, 4))
    )
    calibrated.save()
    return calibrated
