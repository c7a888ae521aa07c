"""Patches and batches: decoded once, cached at working scale, drawn from ``(seed, epoch, index)`` alone."""

from __future__ import annotations

import dataclasses
import os
from collections import deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from limner.core.errors import MachineError
from limner.core.object_head import MAPS, QUERIES, working_diameter
from limner.core.objects import Objects
from limner.core.protocols import Listener
from limner.core.recipe import Recipe
from limner.data.dataset import Dataset
from limner.data.preprocess import prepare, resize_labels, to_network, working_size
from limner.training import device_intensity
from limner.training.augment import draw
from limner.training.crops import Crops, cut
from limner.training.device_warp import warp_crops
from limner.training.intensity import change_intensity
from limner.training.mixing import BEYOND, MOST_IDS, Piece, Window, draw_windows, lay_down, lay_down_ids
from limner.training.object_targets import UNKNOWN, object_targets
from limner.training.picture_cache import Cached, PictureCache

IGNORE = 255  # marks pixels that are not valid, in cached labels only
POINTS_PER_CLASS = 4000
CACHE_BYTES = 4 * 2**30
MIXING = 1  # where in a patch's randomness its mixing lies; its further pieces follow. 0 would be the patch itself


@dataclass(frozen=True)
class Batch:
    """Finished patches: ``images (N, C, h, w)`` float32, ``target (N, h, w)`` int64, ``valid (N, h, w)`` bool.

    Where objects are told apart also ``instances (N, h, w)`` int32, -1 = not known, and the maps ``(N, T, h, w)`` float32 that the
    head is taught.
    """

    images: npt.NDArray[np.float32]
    target: npt.NDArray[np.int64]
    valid: npt.NDArray[np.bool_]
    instances: npt.NDArray[np.int32] | None = None
    maps: npt.NDArray[np.float32] | None = None


class PatchLoader:
    """All training pictures, and the batches of any step.

    Parameters
    ----------
    dataset : the training part only.
    recipe : data, sampling, augmentation and seed.
    channels : channels that the network wants.
    cache : folder for pictures that do not fit into memory.
    network_on_gpu : whether the network will lie on a CUDA device; None = where torch sees one.

    Raises
    ------
    MachineError : the recipe wants patches to be computed on a CUDA device and the network is not on one.
    """

    def __init__(
        self,
        dataset: Dataset,
        recipe: Recipe,
        *,
        channels: int,
        cache: Path,
        listener: Listener,
        network_on_gpu: bool | None = None,
    ) -> None:
        self.recipe, self.channels = recipe, channels
        on_gpu = torch.cuda.is_available() if network_on_gpu is None else network_on_gpu
        if recipe.augmentation.device == "cuda" and not on_gpu:
            raise MachineError(
                "the network is not on a CUDA device",
                expected="one",
                where="augmentation.device",
                fix="--set augmentation.device=auto",
            )
        self.head = recipe.objects.head if MAPS[recipe.objects.head] or recipe.objects.head == QUERIES else ""
        if recipe.augmentation.device == "cuda" and self.head:
            raise MachineError(
                "patches with objects on a CUDA device",
                expected="the processor: maps of objects are made from ids there",
                where="augmentation.device",
                fix="--set augmentation.device=auto",
            )
        self.sends_crops = on_gpu and recipe.augmentation.device != "cpu" and not self.head
        self.dtype = np.uint8 if len(dataset.label_space) < IGNORE else np.uint16
        self.ignore = IGNORE if self.dtype == np.uint8 else 65535
        self.workers = max(1, min(8, (os.cpu_count() or 2) // 2))
        cv2.setNumThreads(1)
        self.pictures = self._read(dataset, PictureCache(cache, CACHE_BYTES), listener)

    @property
    def steps_per_epoch(self) -> int:
        """Steps that show every picture `patches_per_image` times."""
        patches = len(self.pictures) * self.recipe.sampling.patches_per_image
        return max(1, -(-patches // self.recipe.sampling.batch))

    def batch(self, step: int) -> Batch:
        """The patches of a step counted from 0 over the whole run, finished on the processor."""
        patches = self._patches(step)
        images, labels = zip(*(self._finish(pieces) for pieces in patches), strict=True)
        target = np.stack(labels)
        valid = target != self.ignore
        batch = Batch(np.stack(images), np.where(valid, target, 0).astype(np.int64), valid)
        return self._with_objects(batch, patches) if self.head else batch

    def crops(self, step: int) -> Crops:
        """The patches of a step, to be finished by `to_device`."""
        data = self.recipe.data
        return cut(self._patches(step), data.patch_hw, ignore=self.ignore, normalization=data.normalization)

    def batches(self, start: int) -> Generator[Batch | Crops, None, None]:
        """Batches of step `start` and on, made ahead in threads; the order and content do not depend on the threads."""
        make = self.crops if self.sends_crops else self.batch
        with ThreadPoolExecutor(self.workers) as pool:
            ahead: list[Future[Batch | Crops]] = [pool.submit(make, start + i) for i in range(self.workers + 1)]
            step = start
            try:
                while True:
                    yield ahead.pop(0).result()
                    ahead.append(pool.submit(make, step + self.workers + 1))
                    step += 1
            finally:
                for job in ahead:
                    job.cancel()

    def _patches(self, step: int) -> list[list[Piece]]:
        """What the patches of a step are made of."""
        size = self.recipe.sampling.batch
        epoch, within = divmod(step, self.steps_per_epoch)
        order = np.random.default_rng([self.recipe.seed, epoch]).permutation(len(self.pictures))
        return [self._pieces(epoch, within * size + i, order) for i in range(size)]

    def _pieces(self, epoch: int, index: int, order: npt.NDArray[np.int64]) -> list[Piece]:
        """One patch: its own picture, and others where pictures are mixed."""
        patch_hw, part = self.recipe.data.patch_hw, self.recipe.augmentation
        address, own = [self.recipe.seed, epoch, index], int(order[index % len(order)])
        windows: tuple[Window, ...] = (Window(0, 0, *patch_hw),)
        if part.mosaic or part.cutmix:
            windows = draw_windows(np.random.default_rng([*address, MIXING]), part, patch_hw)
        pieces = [self._piece(np.random.default_rng(address), own, windows[0])]
        for number, window in enumerate(windows[1:], MIXING + 1):
            rng = np.random.default_rng([*address, number])
            other = (own + 1 + int(rng.integers(max(1, len(order) - 1)))) % len(order)
            pieces.append(self._piece(rng, other, window))
        return pieces

    def _piece(self, rng: np.random.Generator, number: int, window: Window) -> Piece:
        """A place in a picture, near a foreground pixel as often as the recipe says, and its variation."""
        picture = self.pictures[number]
        height, width = picture.labels.shape
        center = (rng.uniform(0, width), rng.uniform(0, height))
        if picture.points_yx and rng.random() < self.recipe.sampling.foreground_share:
            points = picture.points_yx[list(picture.points_yx)[rng.integers(len(picture.points_yx))]]
            y, x = points[rng.integers(len(points))]
            center = (x + rng.uniform(-0.3, 0.3) * window.width, y + rng.uniform(-0.3, 0.3) * window.height)
        variation = draw(
            rng,
            self.recipe.augmentation,
            center_xy=center,
            size_hw=(height, width),
            patch_hw=window.size_hw,
            channels=self.channels,
        )
        return Piece(picture.image, picture.labels, variation, window, picture.ids)

    def _finish(self, pieces: list[Piece]) -> tuple[npt.NDArray[np.float32], npt.NDArray[Any]]:
        image, labels = lay_down(pieces, self.recipe.data.patch_hw)
        changed = change_intensity(pieces[0].variation, image)
        return to_network(changed, normalization=self.recipe.data.normalization), labels

    def _with_objects(self, batch: Batch, patches: list[list[Piece]]) -> Batch:
        """The batch with the objects of its patches."""
        data, part = self.recipe.data, self.recipe.objects
        ids = [lay_down_ids(pieces, data.patch_hw) for pieces in patches]
        instances = np.where(batch.valid, np.stack(ids), UNKNOWN).astype(np.int32)
        diameter = working_diameter(part.diameter, data.scale)
        maps = [object_targets(one, head=self.head, diameter=diameter) for one in instances]
        return dataclasses.replace(batch, instances=instances, maps=np.stack(maps))

    def _read(self, dataset: Dataset, cache: PictureCache, listener: Listener) -> list[Cached]:
        """All pictures, decoded in threads and kept in memory up to `CACHE_BYTES`, else in a file."""
        with ThreadPoolExecutor(max(2, self.workers)) as pool:
            number = len(dataset.items)
            waiting = iter(range(number))
            # few ahead: what is read and not yet kept lies in memory beside what the cache may hold
            ahead = deque(pool.submit(self._load, dataset, index) for index in islice(waiting, 2 * self.workers))
            for done in range(1, number + 1):
                cache.add(ahead.popleft().result())
                ahead.extend(pool.submit(self._load, dataset, index) for index in islice(waiting, 1))
                listener.progress("read", done, number)
        return cache.pictures()

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
        ids = None
        if self.head:
            objects = sample.objects or Objects.none(sample.size_hw)
            # more objects than ids: the first and the 65,535th of a picture are too far apart to meet in a patch
            numbers = np.where(objects.ids > 0, (objects.ids - 1) % MOST_IDS + 1, 0).astype(np.uint16)
            if sample.valid is not None:
                numbers[~sample.valid] = BEYOND
            ids = np.ascontiguousarray(resize_labels(numbers, labels.shape))
        return Cached(np.ascontiguousarray(image), labels, points, ids)


def to_device(batch: Batch | Crops, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """A batch as a network on `device` reads it.

    Nothing is waited for: on a CUDA device the copies come from page-locked memory and the kernels are queued.

    Returns
    -------
    Images ``(N, C, h, w)`` float32, channels last in memory; target ``(N, h, w)`` int64; valid ``(N, h, w)`` bool.
    """
    with torch.no_grad():
        if isinstance(batch, Crops):
            warped, labels = warp_crops(batch, device)
            valid = labels != batch.ignore
            images = device_intensity.to_network(
                device_intensity.vary(warped, batch), normalization=batch.normalization
            )
            return images, torch.where(valid, labels, 0), valid
        images, target, valid = (torch.from_numpy(array) for array in (batch.images, batch.target, batch.valid))
        if device.type == "cuda":
            images, target, valid = (tensor.pin_memory() for tensor in (images, target, valid))
        images, target, valid = (tensor.to(device, non_blocking=True) for tensor in (images, target, valid))
        return images.contiguous(memory_format=torch.channels_last), target, valid


def objects_to_device(batch: Batch | Crops, device: torch.device) -> tuple[Tensor, Tensor] | None:
    """Maps ``(N, T, h, w)`` float32 and instances ``(N, h, w)`` int32 of a batch; None where objects are not told apart."""
    if isinstance(batch, Crops) or batch.instances is None or batch.maps is None:
        return None
    maps, instances = torch.from_numpy(batch.maps), torch.from_numpy(batch.instances)
    return maps.to(device, non_blocking=True), instances.to(device, non_blocking=True)
