"""What the planner may know of a data set: sizes, intensities, classes, objects, and what stays in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.protocols import Listener
from limner.core.sample import Sample
from limner.data.dataset import Dataset, Item
from limner.data.object_facts import ObjectFacts, object_facts
from limner.data.object_shapes import ObjectShapes, shapes_of

THUMBNAIL = 16
THREADS = 4


@dataclass(frozen=True)
class ClassFacts:
    """One class over the training pictures.

    Parameters
    ----------
    images : pictures that show it.
    share : of all valid pixels.
    objects : connected regions (8 neighbours) in all pictures together.
    width : quantiles 10, 25, 50, 75 % of the width of its regions in native pixels, each region weighted so that every picture
        counts the same and within a picture by area; NaN when there is none. The width of a region is four times its mean
        distance to the border: the width of a ribbon, two thirds of the diameter of a disc.
    """

    name: str
    images: int
    share: float
    objects: int
    width: tuple[float, float, float, float]


@dataclass(frozen=True)
class Fingerprint:
    """Facts of the training and validation pictures; the test split is never looked at.

    Parameters
    ----------
    num_images, num_groups : pictures and groups.
    median_hw, smallest_hw, largest_hw : sizes in pixels; smallest and largest by area.
    channels : largest number of channels.
    dtype : of the pictures, the widest.
    is_gray : True when all colour pictures have equal channels.
    intensity : quantiles 0.5, 50, 99.5 % over all pictures, native units.
    exposure_spread : standard deviation over pictures of their 99.5 % quantile relative to the overall range.
    classes : facts per foreground class.
    upright, sided : how much better the pictures agree with their mean as they are than mirrored top to bottom, and left to right;
        correlation difference, 0 = no preferred way up.
    objects : facts per class of things, the objects of which are told apart; empty where there are none.
    """

    num_images: int
    num_groups: int
    median_hw: tuple[int, int]
    smallest_hw: tuple[int, int]
    largest_hw: tuple[int, int]
    channels: int
    dtype: str
    is_gray: bool
    intensity: tuple[float, float, float]
    exposure_spread: float
    classes: tuple[ClassFacts, ...]
    upright: float
    sided: float
    objects: tuple[ObjectFacts, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """JSON."""
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class _PictureFacts:
    size_hw: tuple[int, int]
    channels: int
    dtype: str
    is_gray: bool
    quantiles: tuple[float, float, float]
    pixels: npt.NDArray[np.int64]
    objects: dict[int, npt.NDArray[np.float64]]  # class -> (n, 2): width, area
    thumbnails: tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]
    things: ObjectShapes | None


def take_fingerprint(dataset: Dataset, listener: Listener) -> Fingerprint:
    """Look at every picture of `dataset` once."""

    def look(item: Item) -> _PictureFacts:
        return _look(dataset.load(item), len(dataset.label_space))

    facts: list[_PictureFacts] = []
    with ThreadPoolExecutor(THREADS) as pool:
        for done, fact in enumerate(pool.map(look, dataset.items), 1):
            facts.append(fact)
            listener.progress("fingerprint", done, len(dataset.items))
    by_area = sorted((f.size_hw for f in facts), key=lambda hw: hw[0] * hw[1])
    low, middle, high = (float(np.median([f.quantiles[i] for f in facts])) for i in range(3))
    high, low = max(f.quantiles[2] for f in facts), min(f.quantiles[0] for f in facts)
    upright, sided = _preferred_way_up([f.thumbnails for f in facts])
    return Fingerprint(
        num_images=len(facts),
        num_groups=len({item.group or item.name for item in dataset.items}),
        median_hw=(int(np.median([f.size_hw[0] for f in facts])), int(np.median([f.size_hw[1] for f in facts]))),
        smallest_hw=by_area[0],
        largest_hw=by_area[-1],
        channels=max(f.channels for f in facts),
        dtype=max((f.dtype for f in facts), key=lambda name: np.dtype(name).itemsize),
        is_gray=all(f.is_gray for f in facts),
        intensity=(low, middle, high),
        exposure_spread=float(np.std([f.quantiles[2] for f in facts]) / max(high - low, 1e-6)),
        classes=tuple(_class_facts(facts, i, name) for i, name in enumerate(dataset.label_space.names) if i),
        upright=upright,
        sided=sided,
        objects=object_facts([f.things for f in facts if f.things is not None], dataset.label_space),
    )


def _look(sample: Sample, num_classes: int) -> _PictureFacts:
    assert sample.labels is not None
    image, labels = sample.image, sample.labels
    gray = image.astype(np.float32).mean(axis=2)
    sparse = gray[:: max(1, gray.shape[0] // 256), :: max(1, gray.shape[1] // 256)]
    low, middle, high = (float(v) for v in np.quantile(sparse, [0.005, 0.5, 0.995]))
    foreground = labels > 0
    valid = labels if sample.valid is None else labels[sample.valid]
    return _PictureFacts(
        size_hw=sample.size_hw,
        channels=sample.num_channels,
        dtype=image.dtype.name,
        is_gray=image.shape[2] == 1 or (image.shape[2] == 3 and bool((image[..., :1] == image[..., 1:]).all())),
        quantiles=(low, middle, high),
        pixels=np.bincount(valid.ravel(), minlength=num_classes)[:num_classes],
        objects={i: _object_sizes(labels == i) for i in range(1, num_classes)},
        thumbnails=(_thumbnail(gray), _thumbnail(foreground.astype(np.float32))),
        things=None if sample.objects is None else shapes_of(sample.objects),
    )


def _object_sizes(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.float64]:
    """Width (see `ClassFacts`) and area of each region, ``(n, 2)``."""
    if not mask.any():
        return np.zeros((0, 2))
    padded = np.pad(mask.astype(np.uint8), 1)
    count, regions = cv2.connectedComponents(padded, connectivity=8)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    areas = np.bincount(regions.ravel(), minlength=count)[1:]
    inside = np.bincount(regions.ravel(), weights=distance.ravel(), minlength=count)[1:]
    # the distance is taken to the nearest outside pixel's centre, half a pixel beyond the border
    return np.stack([np.maximum(1.0, 4 * (inside / areas - 0.5)), areas], axis=1)


def _class_facts(facts: Sequence[_PictureFacts], class_id: int, name: str) -> ClassFacts:
    shown = [f.objects[class_id] for f in facts if len(f.objects[class_id])]
    pixels = np.sum([f.pixels for f in facts], axis=0)
    widths = (float("nan"),) * 4
    if shown:
        values = np.concatenate([o[:, 0] for o in shown])
        weights = np.concatenate([o[:, 1] / o[:, 1].sum() for o in shown])
        order = np.argsort(values)
        place = np.cumsum(weights[order]) / weights.sum()
        picked = [values[order][min(int(np.searchsorted(place, q)), len(values) - 1)] for q in (0.1, 0.25, 0.5, 0.75)]
        widths = (float(picked[0]), float(picked[1]), float(picked[2]), float(picked[3]))
    return ClassFacts(
        name=name,
        images=len(shown),
        share=float(pixels[class_id] / max(1, pixels.sum())),
        objects=sum(len(o) for o in shown),
        width=widths,
    )


def _thumbnail(plane: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    small = cv2.resize(plane, (THUMBNAIL, THUMBNAIL), interpolation=cv2.INTER_AREA)
    centred = small - small.mean()
    norm = float(np.linalg.norm(centred))
    return np.asarray(centred / norm if norm > 1e-6 else centred, np.float32)


def _preferred_way_up(
    thumbnails: Sequence[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]],
) -> tuple[float, float]:
    """How much better pictures, or their masks, fit the mean of the others upright than mirrored: (top-bottom, left-right)."""
    if len(thumbnails) < 4:
        return 0.0, 0.0
    best = [0.0, 0.0]
    for kind in range(2):
        stack = np.stack([pair[kind] for pair in thumbnails])
        rest = stack.sum(0)[None] - stack
        rest /= np.maximum(np.linalg.norm(rest, axis=(1, 2), keepdims=True), 1e-6)
        plain = float((stack * rest).sum((1, 2)).mean())
        for axis in range(2):
            mirrored = float((np.flip(stack, axis + 1) * rest).sum((1, 2)).mean())
            best[axis] = max(best[axis], plain - mirrored)
    return best[0], best[1]
