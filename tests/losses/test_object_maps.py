"""The loss of the maps that tell objects apart: zero for the truth, gradients where something is known, and nowhere else."""

import numpy as np
import pytest
import torch

from limner.core.object_head import MAPS
from limner.losses.object_maps import object_map_loss
from limner.training.object_targets import UNKNOWN, object_targets


def case(head="both"):
    ids = np.zeros((2, 21, 34), np.int32)
    ids[0, 3:12, 4:14], ids[0, 3:12, 14:22], ids[0, 15:, :] = 1, 2, UNKNOWN
    ids[1, 5:9, 20:30] = 7
    target = np.stack([object_targets(one, head=head, diameter=8.0) for one in ids])
    return torch.from_numpy(target), torch.from_numpy(ids)


@pytest.mark.parametrize("head", ["watershed", "flow", "both"])
def test_the_truth_costs_nothing_and_anything_else_more(head):
    target, ids = case(head)
    assert float(object_map_loss(target, target, ids, names=MAPS[head])) == pytest.approx(0, abs=1e-6)
    for index in range(len(MAPS[head])):
        worse = target.clone()
        worse[:, index] += 0.3
        assert float(object_map_loss(worse, target, ids, names=MAPS[head])) > 0.01


def test_no_gradient_where_nothing_is_known():
    target, ids = case()
    maps = torch.zeros_like(target, requires_grad=True)
    object_map_loss(maps, target, ids, names=MAPS["both"]).backward()
    assert not maps.grad[0, :, 15:].any() and maps.grad[0, :, :15].any()


def test_offsets_and_flows_say_nothing_about_the_background():
    target, ids = case()
    maps = torch.ones_like(target, requires_grad=True)
    object_map_loss(maps, target, ids, names=MAPS["both"]).backward()
    background = (ids == 0).unsqueeze(1).expand(-1, 4, -1, -1)
    assert not maps.grad[:, 2:][background].any() and maps.grad[:, :2][background[:, :2]].all()


def test_a_batch_without_objects_costs_what_is_claimed_there():
    ids = torch.zeros(1, 6, 9, dtype=torch.int32)
    target = torch.zeros(1, 6, 6, 9)
    assert float(object_map_loss(target, target, ids, names=MAPS["both"])) == 0
    assert float(object_map_loss(target + 1, target, ids, names=MAPS["both"])) > 0
    unknown = torch.full_like(ids, UNKNOWN)
    assert float(object_map_loss(target + 1, target, unknown, names=MAPS["both"])) == 0
