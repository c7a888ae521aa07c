"""What a network computes for a tensor is bounded, not what the request holds."""

import numpy as np
import pytest

from limner.server.refused import Refused
from limner.server.tensors import TENSOR_PIXELS, Tensor, network_input


def tensor(shape):
    return Tensor("input", "FP32", shape, np.zeros(int(np.prod(shape))).tolist())


def read(shape, **options):
    return network_input(tensor(shape), **{"channels": 3, "most_side": 9999, "num_outputs": 1, **options})


def test_many_small_pictures_are_counted_as_the_network_pads_them():
    most = TENSOR_PIXELS // 64**2
    assert read((most, 3, 1, 1)).shape == (most, 3, 1, 1)
    for shape in ((20_000, 3, 1, 1), (most + 1, 3, 1, 1), (most + 1, 3, 64, 5), (300, 3, 70, 96)):
        with pytest.raises(Refused) as caught:
            read(shape)
        assert (caught.value.status, caught.value.limit) == (413, {"tensor_pixels": TENSOR_PIXELS})
    assert "300 pictures of 96 x 96" in caught.value.message
    assert read((2, 3, 1000, 300)).shape == (2, 3, 1000, 300)


def test_pictures_that_come_at_one_size_are_counted_at_that_size():
    assert read((8, 3, 4, 4), own_hw=(512, 512)).shape == (8, 3, 4, 4)
    with pytest.raises(Refused, match="9 pictures of 512 x 512"):
        read((9, 3, 4, 4), own_hw=(512, 512))
    assert read((4, 3, 600, 600), own_hw=(256, 256)).shape == (4, 3, 600, 600)  # each is made smaller


def test_one_picture_of_the_documented_size_is_answered():
    assert read((1, 3, 1448, 1448)).shape[0] == 1
    assert read((1, 3, 8, 8), own_hw=(1536, 1536)).shape[0] == 1


def test_networks_with_longer_sides_are_counted_with_them():
    most = TENSOR_PIXELS // 128**2
    assert read((most, 3, 1, 1), least=128).shape == (most, 3, 1, 1)
    with pytest.raises(Refused, match="129 pictures of 128 x 128"):
        read((most + 1, 3, 1, 1), least=128)


def test_values_of_the_answer_are_bounded_as_before():
    with pytest.raises(Refused, match="would hold 50,000,000 values"):
        read((1, 3, 1000, 1000), num_outputs=50)
