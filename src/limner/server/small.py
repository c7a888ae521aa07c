"""Predictions without what is smaller than a request asks for."""

from __future__ import annotations

import dataclasses

import numpy as np

from limner.core.objects import Objects
from limner.core.prediction import Prediction
from limner.server.options import drop_small


def without_small(prediction: Prediction, min_area: int) -> Prediction:
    """A prediction whose objects, or patches where objects are not told apart, have `min_area` pixels at least.

    Objects that go become background in the class map, and those that stay are numbered anew in the same order. Stuff is judged
    by its patches.
    """
    if min_area < 2:
        return prediction
    objects, labels = prediction.objects, prediction.labels
    if objects is None:
        return dataclasses.replace(prediction, labels=drop_small(labels, min_area))
    stays = objects.areas() >= min_area
    table = np.zeros(len(objects) + 1, np.int32)
    table[1:][stays] = np.arange(1, int(stays.sum()) + 1)
    scores = None if objects.scores is None else objects.scores[stays]
    kept = Objects(table[objects.ids], objects.classes[stays], scores)
    is_thing = objects.ids > 0
    others = labels.copy()
    others[is_thing] = 0
    tidy = drop_small(others, min_area)
    tidy[kept.ids > 0] = labels[kept.ids > 0]
    return dataclasses.replace(prediction, labels=tidy, objects=kept)
