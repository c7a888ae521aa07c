"""An ensemble of one is that one; of three it is their mean, whatever scale and intensities each of them wants."""

import dataclasses
import math

import numpy as np
import pytest

from limner.core.bundle import InputContract
from limner.core.errors import BundleError
from limner.core.labels import LabelSpace
from limner.core.sample import Sample
from limner.inference.ensemble import EnsembleSegmenter
from limner.inference.segmenter import NetworkSegmenter
from limner.metrics.calibration import apply_temperature

TWO, THREE = LabelSpace(("background", "cell")), LabelSpace(("background", "cell", "wall"))
CONTRACT = InputContract(
    channels=3, scale=1.0, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="", threshold=0.5
)  # fmt: skip


class Slanted:
    """Logits from the channels, each network with another slope and shift."""

    def __init__(self, slope, shift, maps):
        self.slope, self.shift, self.maps = slope, shift, maps

    def __call__(self, batch):
        return np.asarray(self.slope * batch[:, : self.maps] + self.shift, np.float32)


def member(slope, shift, space=TWO, **changes):
    contract = dataclasses.replace(CONTRACT, **changes)
    return NetworkSegmenter(Slanted(slope, shift, space.num_maps), contract, space, 3, keep_scores=False)


def sample(size_hw=(23, 31)):
    return Sample("p.png", np.random.default_rng(5).integers(0, 256, (*size_hw, 3)).astype(np.uint8))


@pytest.mark.parametrize("space", [TWO, THREE])
@pytest.mark.parametrize("changes", [{}, {"scale": 0.63, "threshold": 0.3, "temperature": 2.5, "flips": "x"}])
def test_one_member_is_itself(space, changes):
    alone = member(3.0, 0.2, space, **changes)
    wanted = dataclasses.replace(alone, keep_scores=True).segment(sample())
    found = EnsembleSegmenter([alone], keep_scores=True).segment(sample())
    assert np.array_equal(found.labels, wanted.labels) and found.labels.any()
    np.testing.assert_allclose(found.scores, wanted.scores, atol=1e-6)
    assert EnsembleSegmenter([alone]).segment(sample()).scores is None


@pytest.mark.parametrize("space", [TWO, THREE])
def test_three_members_give_the_mean_of_scores_before_calibration(space):
    members = [
        member(3.0, 0.2, space, threshold=0.4, temperature=2.0),
        member(-1.0, 0.5, space, threshold=0.45, temperature=0.5, scale=0.6),
        member(5.0, -1.0, space, threshold=0.65, temperature=3.0, normalization="percentile"),
    ]
    plain = [
        dataclasses.replace(one, keep_scores=True, contract=dataclasses.replace(one.contract, temperature=1.0))
        for one in members
    ]
    mean = np.mean([one.segment(sample()).scores for one in plain], axis=0)
    ensemble = EnsembleSegmenter(members, keep_scores=True)
    found = ensemble.segment(sample())
    wanted = mean[0] > 0.5 if space is TWO else mean.argmax(axis=0)
    assert ensemble.threshold == pytest.approx(0.5) and ensemble.temperature == pytest.approx(math.cbrt(3.0))
    assert (found.labels == wanted).mean() > 0.999  # equal but for rounding
    np.testing.assert_allclose(found.scores, apply_temperature(mean, math.cbrt(3.0)), atol=1e-5)
    assert any((one.segment(sample()).labels != found.labels).any() for one in members)


def test_members_have_to_know_the_same_classes():
    with pytest.raises(BundleError, match="an ensemble of 2 networks that know 2 sets"):
        EnsembleSegmenter([member(1, 0), member(1, 0, THREE)])
    with pytest.raises(BundleError, match="an ensemble of 0"):
        EnsembleSegmenter([])
