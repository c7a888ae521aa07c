"""The layout of a packed answer, in NumPy and in torch."""

import numpy as np
import pytest

from limner.core.errors import ShapeError
from limner.core.query_answer import class_rows, unpack


@pytest.mark.parametrize(("classes", "width", "rows"), [(1, 7, 1), (6, 7, 1), (7, 7, 2), (20, 7, 3), (3, 1, 4)])
def test_rows_of_classes(classes, width, rows):
    assert class_rows(classes, width) == rows
    packed = np.arange(2 * 3 * (5 + rows) * width, dtype=np.float32).reshape(2, 3, 5 + rows, width)
    masks, logits = unpack(packed, classes)
    assert masks.shape == (2, 3, 5, width) and logits.shape == (2, 3, classes + 1)
    flat = packed.reshape(2, 3, -1)
    assert np.array_equal(masks.reshape(2, 3, -1), flat[..., : 5 * width])
    assert np.array_equal(logits, flat[..., 5 * width : 5 * width + classes + 1])


@pytest.mark.parametrize("shape", [(2, 3, 1, 7), (3, 6, 7), (2, 3, 6, 0)])
def test_what_has_no_room_is_refused(shape):
    with pytest.raises(ShapeError, match="packed answer"):
        unpack(np.zeros(shape, np.float32), 3)


def test_torch_gives_the_same():
    torch = pytest.importorskip("torch")
    packed = np.random.default_rng(0).normal(size=(2, 3, 7, 5)).astype(np.float32)
    for found, expected in zip(unpack(torch.from_numpy(packed), 6), unpack(packed, 6), strict=True):
        assert np.array_equal(found.numpy(), expected)
