"""Patches and batches: decoded once, cached at working scale, drawn from ``(seed, epoch, index)`` alone."""

from __future__ import annotations

import os
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from limner.core.files import disk_errors
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset
from limner.data.preprocess import prepare, resize_labels, to_network, working_size
from limner.training.augment import change_intensity, draw, warp

IGNORE = 255  # marks pixels that are not valid, in cached labels only
POINTS_PER_CLASS = 4000
CACHE_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Cached:
    """One picture at working scale: image ``(h, w, C)``, labels ``(h, w)`` with `IGNORE`, and where its classes are."""

    image: npt.NDArray[Any]
    labels: npt.NDArray[Any]
    points_yx: dict[int, npt.NDArray[np.int32]]


@dataclass(frozen=True)
class Batch:
    """``images (N, C, h, w)`` float32, ``target (N, h, w)`` int64, ``valid (N, h, w)`` bool."""

    images: npt.NDArray[np.float32]
    target: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]


class PatchLoader:
    """All training pictures, and the batches of any step.

    Parameters
    ----------
    dataset : the training part only.
    recipe : data, sampling, augmentation and seed.
    channels : channels that the network wants.
    cache : folder for pictures that do not fit into memory.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, *, channels: int, cache: Path, listener: Listener) -> None:
        self.recipe, self.channels = recipe, channels
        self.dtype = np.uint8 if len(dataset.label_space) < IGNORE else np.uint16
        self.ignore = IGNORE if self.dtype == np.uint8 else 65535
        self.workers = max(1, min(8, (os.cpu_count() or 2) // 2))
        self._cache, self._bytes = cache, 0
        cv2.setNumThreads(1)
        self.pictures: list[Cached] = []
        with ThreadPoolExecutor(max(2, self.workers)) as pool:
            jobs = [pool.submit(self._load, dataset, index) for index in range(len(dataset.items))]
            for done, job in enumerate(jobs, 1):
                self.pictures.append(self._keep(job.result(), done))
                listener.progress("read", done, len(jobs))

    @property
    def steps_per_epoch(self) -> int:
        """Steps that show every picture `patches_per_image` times."""
        patches = len(self.pictures) * self.recipe.sampling.patches_per_image
        return max(1, -(-patches // self.recipe.sampling.batch))

    def batch(self, step: int) -> Batch:
        """The batch of a step counted from 0 over the whole run."""
        size = self.recipe.sampling.batch
        epoch, within = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.pictures))
        patches = [self._patch(epoch, within * size + i, order) for i in range(size)]
        target = np.stack([labels for _, labels in patches])
        valid = target != self.ignore
        return Batch(np.stack([image for image, _ in patches]), np.where(valid, target, 0).astype(np.int64), valid)

    def batches(self, start: int) -> Generator[Batch, None, None]:
        """Batches of step `start` and on, made ahead in threads; the order and content do not depend on the threads."""
        with ThreadPoolExecutor(self.workers) as pool:
            ahead: list[Future[Batch]] = [pool.submit(self.batch, start + i) for i in range(self.workers + 1)]
            step = start
            try:
                while True:
                    yield ahead.pop(0).result()
                    ahead.append(pool.submit(self.batch, step + self.workers + 1))
                    step += 1
            finally:
                for job in ahead:
                    job.cancel()

    def _patch(
        self, epoch: int, index: int, order: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        rng = np.random.default_rng([self.recipe.seed, epoch, index])
        picture = self.pictures[order[index % len(order)]]
        height, width = picture.labels.shape
        patch_hw, part = self.recipe.data.patch_hw, self.recipe.augmentation
        center = (rng.uniform(0, width), rng.uniform(0, height))
        if picture.points_yx and rng.random() < self.recipe.sampling.foreground_share:
            points = picture.points_yx[list(picture.points_yx)[rng.integers(len(picture.points_yx))]]
            y, x = points[rng.integers(len(points))]
            center = (x + rng.uniform(-0.3, 0.3) * patch_hw[1], y + rng.uniform(-0.3, 0.3) * patch_hw[0])
        variation = draw(
            rng, part, center_xy=center, size_hw=(height, width), patch_hw=patch_hw, channels=self.channels
        )
        image, labels = warp(variation, picture.image, picture.labels, patch_hw)
        return to_network(change_intensity(variation, image), normalization=self.recipe.data.normalization), labels

    def _load(self, dataset: Dataset, index: int) -> Cached:
        sample = dataset.load(dataset.items[index])
        data = self.recipe.data
        image = prepare(
            sample.image,
            channels=self.channels,
            scale=data.scale,
            normalization=data.normalization,
            intensity_range=data.intensity_range,
            resize_hw=data.resize_hw,
            where=sample.name,
        )
        assert sample.labels is not None
        labels = sample.labels.astype(self.dtype)
        if sample.valid is not None:
            labels = np.where(sample.valid, labels, self.ignore).astype(self.dtype)
        labels = np.ascontiguousarray(resize_labels(labels, working_size(sample.size_hw, data.scale, data.resize_hw)))
        rng = np.random.default_rng([self.recipe.seed, index])
        points: dict[int, npt.NDArray[np.int32]] = {}
        for class_id in np.unique(labels):
            if 0 < class_id < self.ignore:
                flat = np.flatnonzero(labels == class_id)
                chosen = rng.choice(flat, min(len(flat), POINTS_PER_CLASS), replace=False)
                points[int(class_id)] = np.stack(np.unravel_index(chosen, labels.shape), axis=1).astype(np.int32)
        return Cached(np.ascontiguousarray(image), labels, points)

    def _keep(self, picture: Cached, number: int) -> Cached:
        """In memory up to `CACHE_BYTES`, else as a memory-mapped file."""
        self._bytes += picture.image.nbytes + picture.labels.nbytes
        if self._bytes <= CACHE_BYTES:
            return picture
        self._cache.mkdir(parents=True, exist_ok=True)
        mapped = []
        for kind, array in (("image", picture.image), ("labels", picture.labels)):
            file = self._cache / f"{number}_{kind}.npy"
            with disk_errors(file):
                np.save(file, array)
            mapped.append(np.load(file, mmap_mode="r"))
        return Cached(mapped[0], mapped[1], picture.points_yx)
