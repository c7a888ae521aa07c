"""The rasteriser: how fast it is, and what other tools make of the same polygons.

python -m benchmarks.rasterize            needs scikit-image; pycocotools too, or that row is left out

Seconds are of the processor, on one core.
"""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator

import cv2
import numpy as np
from PIL import Image, ImageDraw
from skimage.draw import polygon as skimage_polygon

from limner.core.annotation import Ellipse, Polygon, Polyline
from limner.data.polygons import polygons_of_mask
from limner.data.rasterize import pixels_of, rasterize

SIZE, SMALL = (4096, 4096), (120, 160)


def star(rng: np.random.Generator, count: int, radius: float, centre) -> np.ndarray:
    """A polygon around a centre that does not cross itself."""
    angle, reach = np.sort(rng.uniform(0, 2 * np.pi, count)), radius * rng.uniform(0.6, 1, count)
    return np.stack([centre[0] + reach * np.cos(angle), centre[1] + reach * np.sin(angle)], axis=1)


def report(words: str, call: Callable[[], object]) -> None:
    start = time.process_time()
    call()
    print(f"{words}: {time.process_time() - start:.3f} s", flush=True)


def speed() -> None:
    rng = np.random.default_rng(0)
    shapes = [Polygon((star(rng, 100, rng.uniform(10, 150), rng.uniform(0, 4096, 2)),)) for _ in range(1000)]
    report("1,000 polygons of 100 corners on 4096 x 4096, around each", lambda: [pixels_of(s, SIZE) for s in shapes])
    report("100 of them as whole masks", lambda: [rasterize(s, SIZE).any() for s in shapes[:100]])
    report(
        "1,000 lines of 50 corners, width 3",
        lambda: [pixels_of(Polyline(s.rings[0][:50]), SIZE, line_width=3) for s in shapes],
    )
    whole = Polygon((star(rng, 100_000, 2000, (2048, 2048)),))
    report("a polygon of 100,000 corners over the whole picture", lambda: rasterize(whole, SIZE))
    hair = Polygon((np.stack([rng.uniform(0, 4096, 100_000), np.tile([0.0, 4096.0], 50_000)], axis=1),))
    report("100,000 edges from top to bottom (400 million crossings)", lambda: rasterize(hair, SIZE))
    report("an ellipse over the whole picture", lambda: pixels_of(Ellipse(2048, 2048, 2000, 1500, 20), SIZE))
    y, x = np.mgrid[:4096, :4096]
    discs = (x % 40 - 20) ** 2 + (y % 40 - 20) ** 2 < 15**2
    report("10,609 discs on 4096 x 4096 to polygons", lambda: polygons_of_mask(discs))
    report("the same, tolerance 1", lambda: polygons_of_mask(discs, tolerance=1.0))
    back = polygons_of_mask(discs)
    report("and back", lambda: rasterize(back, SIZE))
    noise = rng.random(SIZE) < 0.5
    report("noise on 4096 x 4096 to polygons (1.1 million objects)", lambda: polygons_of_mask(noise))


def foreign(ring: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Masks of the same polygon by other tools."""
    height, width = SMALL
    with contextlib.suppress(ImportError):
        from pycocotools import mask as coco

        yield (
            "pycocotools",
            coco.decode(coco.merge(coco.frPyObjects([ring.ravel().tolist()], height, width))).astype(bool),
        )
    for words, moved in (("as it is", ring), ("corners moved by -0.5", ring - 0.5)):
        mask = np.zeros(SMALL, np.uint8)
        cv2.fillPoly(mask, [np.rint(moved).astype(np.int32)], 1)
        yield f"cv2.fillPoly, {words}", mask.astype(bool)
        picture = Image.new("L", (width, height))
        ImageDraw.Draw(picture).polygon([tuple(corner) for corner in moved.tolist()], fill=1, outline=1)
        yield f"PIL ImageDraw.polygon, {words}", np.array(picture, bool)
        mask = np.zeros(SMALL, bool)
        mask[skimage_polygon(moved[:, 1], moved[:, 0], SMALL)] = True
        yield f"skimage.draw.polygon, {words}", mask


def comparison(is_whole: bool, count: int = 2000) -> None:
    rng = np.random.default_rng(0)
    found = defaultdict(list)
    for _ in range(count):
        ring = star(rng, int(rng.integers(5, 40)), rng.uniform(8, 50), rng.uniform([50, 50], [110, 70]))
        ring = np.rint(ring) if is_whole else ring
        ours = rasterize(Polygon((ring,)), SMALL)
        following = np.roll(ring, -1, axis=0)
        length = np.hypot(*(following - ring).T).sum()
        area = abs((ring[:, 0] * following[:, 1] - ring[:, 1] * following[:, 0]).sum()) / 2
        found["ours"].append((0.0, 0.0, (ours.sum() - area) / length, ours.sum() / area - 1))
        for words, mask in foreign(ring):
            differ = (ours != mask).sum()
            dice = 2 * (ours & mask).sum() / (ours.sum() + mask.sum())
            found[words].append((differ / length, 1 - dice, (mask.sum() - area) / length, mask.sum() / area - 1))
    print(f"{count} polygons with {'whole' if is_whole else 'fractional'} corners, on average")
    for words, rows in found.items():
        differ, dice, excess, share = np.mean(rows, axis=0)
        print(
            f"  {words}: {differ:.3f} pixels per pixel of outline, 1 - Dice {dice:.4f};"
            f" area {excess:+.3f} per outline, {share:+.2%}"
        )


if __name__ == "__main__":
    comparison(False)
    comparison(True)
    speed()
