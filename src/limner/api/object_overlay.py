"""A picture with what a model found on it: classes in colour, and objects by their outlines."""

from __future__ import annotations

import numpy as np

from limner.core.prediction import Prediction
from limner.core.sample import Image
from limner.evaluation.pictures import Picture, overlay, to_display
from limner.inference.object_drawing import draw_objects


def drawn(image: Image, prediction: Prediction) -> Picture:
    """The picture ``(H, W, C)`` as ``(H, W, 3)`` uint8 with the classes of a prediction.

    Where objects are told apart, they are outlined, and colour fills the classes alone that are stuff.
    """
    objects, space = prediction.objects, prediction.label_space
    if objects is None:
        return overlay(image, prediction.labels, space)
    if space.kind != "panoptic":
        return draw_objects(to_display(image), objects, space)
    stuff = np.where((objects.ids > 0) | np.isin(prediction.labels, space.thing_ids), 0, prediction.labels)
    return draw_objects(overlay(image, stuff, space), objects, space)
