"""Small scenes of many objects with true numbers, some of them touching, and folders of them."""

import numpy as np

from tests.make_data import picture, save

SCENE = (61, 83)


def scene(seed, *, count=12, size_hw=SCENE, cell_hw=(15, 17)):
    """Object numbers ``(H, W)`` int32: rectangles of different sizes in a grid, the first two touching; not in row order."""
    rng = np.random.default_rng(seed)
    columns = size_hw[1] // cell_hw[1]
    assert count <= columns * (size_hw[0] // cell_hw[0])
    ids = np.zeros(size_hw, np.int32)
    for place, number in enumerate(rng.permutation(count) + 1):
        y, x = place // columns * cell_hw[0] + 1, place % columns * cell_hw[1] + 1
        height, width = rng.integers(5, cell_hw[0] - 2), rng.integers(5, cell_hw[1] - 2)
        ids[y : y + height, x : x + width] = number
        if place == 0:
            ids[y : y + height, x : x + cell_hw[1]] = number  # up to the next one
    return ids


def in_rows(ids):
    """The same objects, numbered in the order of their first pixels."""
    numbers, first = np.unique(ids, return_index=True)
    order = numbers[np.argsort(first)]
    table = np.zeros(int(ids.max()) + 1, np.int32)
    table[order[order > 0]] = np.arange(1, len(order[order > 0]) + 1)
    return table[ids]


def same_objects(ids, truth):
    """Two maps tell the same pixels apart, whatever their numbers."""
    pairs = np.unique(np.stack([np.ravel(ids), np.ravel(truth)]), axis=1)
    return len(set(pairs[0].tolist())) == pairs.shape[1] == len(set(pairs[1].tolist())) and bool(
        np.array_equal(ids == 0, truth == 0)
    )


def make_scenes(root, *, counts=(12, 9, 11, 7), encode=lambda ids: ids.astype(np.uint16), suffix=".png", masks=True):
    """Write pictures, masks of one class and ``instances/``; the true numbers by stem."""
    truth = {}
    for seed, count in enumerate(counts):
        name = f"p{seed}"
        truth[name] = scene(seed, count=count)
        save(root / f"images/{name}.png", picture(seed, SCENE))
        if masks:
            save(root / f"masks/{name}.png", (truth[name] > 0).astype(np.uint8))
        if encode is not None:
            save(root / f"instances/{name}{suffix}", encode(truth[name]))
    return truth
