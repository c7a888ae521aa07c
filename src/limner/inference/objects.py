"""From the maps of a network to class ids and objects: semantic, instance and panoptic answers by one rule."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.labels import Labels, LabelSpace
from limner.core.object_head import (
    CENTRE,
    DISTANCE,
    FLOW_X,
    FLOW_Y,
    MIRRORED,
    OFFSET_X,
    OFFSET_Y,
    ObjectHead,
)
from limner.core.objects import Objects, number_objects
from limner.data.instances import connected_objects
from limner.inference.blend import activate
from limner.inference.object_decoders import Ids, from_centres, from_distance, from_flow

Maps = npt.NDArray[np.float32]
BESIDE = 3  # working pixels within which a network turns a flow round


def activate_maps(logits: Maps, classes: int, head: ObjectHead | None) -> Maps:
    """Answers of a network ``(N, K + T, H, W)`` to scores of K class maps and the T maps behind them.

    Parameters
    ----------
    classes : K. head : None for T = 0.
    """
    scores = activate(logits[:, :classes])
    return scores if head is None or not head.maps else np.concatenate([scores, logits[:, classes:]], axis=1)


def mirrored_signs(head: ObjectHead | None, classes: int, letters: str) -> Maps:
    """``(K + T, 1, 1)`` factors for maps of a picture that was mirrored along `letters` (``x``, ``y``) and is mirrored back."""
    names = head.maps if head is not None else ()
    signs = [1.0] * classes + [-1.0 if MIRRORED.get(name, "-") in letters else 1.0 for name in names]
    return np.array(signs, np.float32)[:, None, None]


@dataclass(frozen=True)
class ObjectDecoder:
    """Maps to class ids and objects.

    Class ids are those of the class maps, as without objects; objects come on top. No pixel is in two objects, and every pixel of
    an object is of a thing class. All pixels of an object are of one class, that of most of them; a pixel of a thing class that
    belongs to no object is void in panoptic answers. Areas of stuff of fewer than `ObjectHead.min_stuff` pixels become background.

    Parameters
    ----------
    label_space : the classes, with things.
    head : how objects are told apart.
    threshold : of the one class map of two classes.
    scale : native size / working size: the unit of offsets is in working pixels.
    """

    label_space: LabelSpace
    head: ObjectHead
    threshold: float
    scale: float = 1.0

    def __call__(self, maps: Maps) -> tuple[Labels, Objects]:
        """Class ids ``(H, W)`` and objects of maps ``(K + T, H, W)`` at native size."""
        classes = self.label_space.num_maps
        labels = self.label_space.decode(maps[:classes], threshold=self.threshold)
        things = np.isin(np.arange(len(self.label_space)), self.label_space.thing_ids)
        inside = things[labels]
        found = {name: np.nan_to_num(maps[classes + i]) for i, name in enumerate(self.head.maps)}
        ids = self._ids(labels, inside, found)
        ids = without_small(ids, self.head.min_area)
        sure = self._certainty(maps[:classes], ids)
        objects = number_objects(ids, labels, scores=sure)
        if self.head.min_stuff > 1:
            labels = without_small_stuff(labels, things, self.head.min_stuff)
        return labels, objects

    def _ids(self, labels: Labels, inside: npt.NDArray[np.bool_], maps: dict[str, Maps]) -> Ids:
        head = self.head
        match head.decoder:
            case "watershed":
                return from_distance(inside, maps[DISTANCE], seed=head.seed)
            case "centres":
                offsets = maps[OFFSET_Y], maps[OFFSET_X]
                diameter = head.diameter * self.scale
                return from_centres(inside, maps[CENTRE], *offsets, seed=head.seed, diameter=diameter)
            case "flow":
                return from_flow(
                    inside, maps[FLOW_Y], maps[FLOW_X],
                    reach=head.reach, flow_error=head.flow_error, merge=head.flow_merge,
                    beside=max(1, round(BESIDE * self.scale)),
                )  # fmt: skip
            case _:
                return connected_objects(labels, self.label_space.thing_ids).ids

    def _certainty(self, scores: Maps, ids: Ids) -> npt.NDArray[np.float32]:
        """By id: the mean score of what its pixels are taken for."""
        sure = scores[0] if len(scores) == 1 else scores[1:].max(axis=0)
        count = np.maximum(np.bincount(ids.ravel()), 1)
        return (np.bincount(ids.ravel(), weights=sure.ravel()) / count).astype(np.float32)


def without_small(ids: Ids, min_area: int) -> Ids:
    """Ids ``(H, W)`` without objects of fewer than `min_area` pixels."""
    if min_area <= 1:
        return ids
    kept = np.bincount(ids.ravel()) >= min_area
    kept[0] = False
    return np.where(kept[ids], ids, 0).astype(np.int32)


def without_small_stuff(labels: Labels, things: npt.NDArray[np.bool_], min_stuff: int) -> Labels:
    """Class ids without areas of stuff (8 neighbours, each class by itself) of fewer than `min_stuff` pixels."""
    labels = labels.copy()
    for class_id in np.unique(labels):
        if class_id == 0 or things[class_id]:
            continue
        areas = cv2.connectedComponentsWithStats((labels == class_id).astype(np.uint8), connectivity=8)
        small = areas[2][:, cv2.CC_STAT_AREA] < min_stuff
        small[0] = False
        labels[small[areas[1]]] = 0
    return labels
