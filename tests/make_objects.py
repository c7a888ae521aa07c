"""Data sets of objects that touch, made from nothing."""

import cv2
import numpy as np
from PIL import Image

from tests.make_data import gray, save


def cells(seed, size_hw=(64, 80), number=9):
    """Image ``(H, W, 3)`` uint8 and object ids ``(H, W)`` uint16: bright discs, many of which touch."""
    rng = np.random.default_rng(seed)
    ids = np.zeros(size_hw, np.uint16)
    image = rng.normal(40, 6, (*size_hw, 3))
    for index in range(1, number + 1):
        y, x, radius = rng.integers(4, size_hw[0] - 4), rng.integers(4, size_hw[1] - 4), int(rng.integers(5, 9))
        disc = cv2.circle(np.zeros(size_hw, np.uint8), (int(x), int(y)), radius, 1, -1) > 0
        if (disc & (ids > 0)).sum() > 0.25 * disc.sum():
            continue
        disc &= ids == 0
        ids[disc] = index
        image[disc] = rng.normal(170, 6, (int(disc.sum()), 3))
        edge = disc & (cv2.erode(disc.astype(np.uint8), np.ones((3, 3), np.uint8)) == 0)
        image[edge] = rng.normal(120, 6, (int(edge.sum()), 3))
    return np.clip(image, 0, 255).astype(np.uint8), ids


def make_cells(root, count=12, size_hw=(64, 80)):
    """A folder of pictures with masks and, beside them, 16-bit object ids."""
    (root / "instances").mkdir(parents=True)
    for seed in range(count):
        image, ids = cells(seed, size_hw)
        save(root / f"images/{seed:02d}.png", image)
        save(root / f"masks/{seed:02d}.png", gray((ids > 0).astype(np.uint8)))
        Image.fromarray(ids).save(root / f"instances/{seed:02d}.png")
    return root
