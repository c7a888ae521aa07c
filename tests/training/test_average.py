"""Averaged weights reach back over a part of the run, however long it is."""

import pytest
import torch
from torch import nn

from limner.training.step import decay_after, make_average


def averaged(decay, steps):
    """The average of a weight that goes in a straight line from 0 to 1."""
    network = nn.Linear(1, 1, bias=False)
    average = make_average(network, decay)
    for step in range(steps):
        network.weight.data.fill_((step + 1) / steps)
        average.update_parameters(network)
    return float(average.module.weight.detach())


@pytest.mark.parametrize("steps", [60, 440])
def test_a_run_that_is_much_shorter_than_planned_keeps_late_weights(steps):
    """0.999 reaches back over a thousand steps; without care the average of 440 would still be near the first ones."""
    assert 0.88 < averaged(0.999, steps) < 0.95


def test_a_long_run_has_the_decay_that_is_asked_for():
    steps = 3000  # the mean age of an average with decay d is d / (1 - d) steps
    assert averaged(0.99, steps) == pytest.approx(1 - 99 / steps, abs=1e-3)
    assert decay_after(10**6, 0.99) == 0.99 and decay_after(1, 0.99) == pytest.approx(2 / 14)


def test_no_decay_is_no_average():
    assert make_average(nn.Linear(1, 1), 0.0) is None


def test_statistics_of_batch_norm_are_averaged_too_and_counters_copied():
    network = nn.BatchNorm1d(3)
    average = make_average(network, 0.9)
    for value in (1.0, 2.0):
        network.running_mean.fill_(value)
        network.num_batches_tracked.fill_(int(value))
        average.update_parameters(network)
    share = decay_after(1, 0.9)
    assert torch.allclose(average.module.running_mean, torch.full((3,), share * 1.0 + (1 - share) * 2.0))
