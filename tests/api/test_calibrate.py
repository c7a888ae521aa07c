"""One temperature a bundle: fitted on validation pictures, kept with the bundle, and without effect on labels."""

import dataclasses

import numpy as np
import pytest

import limner
from limner.api.calibrate import with_temperature
from limner.api.open import open_segmenter
from limner.api.validated import predict_validation
from limner.core.bundle import read_bundle
from limner.core.protocols import Silent
from limner.data.dataset import open_dataset
from limner.metrics.calibration import apply_temperature
from tests.api import tiny


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("calibrate")
    tiny.make_data(folder / "data")
    settings = tiny.SETTINGS | {"split.val_share": 0.3, "schedule.epochs": 4}
    run = limner.train(folder / "data", settings=settings, out=folder / "run")
    return read_bundle(run.run), open_dataset(folder / "data")


def fitted_to(bundle, dataset, items):
    return with_temperature(bundle, predict_validation(bundle, dataset, items, seed=0, listener=Silent()))


def negative_log_likelihood(bundle, dataset, temperature):
    """Of all pixels of all pictures, from scores as they are handed out at that temperature."""
    told = dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, temperature=temperature))
    told.save()
    segmenter, _ = open_segmenter(told.folder, keep_scores=True)
    total, pixels, answers = 0.0, 0, []
    for item in dataset.items:
        sample = dataset.load(item)
        found = segmenter.segment(sample)
        right = np.where(sample.labels == 1, found.scores[0], 1 - found.scores[0]).astype(np.float64)
        total -= np.log(np.clip(right, 1e-7, 1)).sum()
        pixels += right.size
        answers.append(found.labels)
    return total / pixels, answers


def test_the_temperature_of_a_run_is_kept(trained):
    bundle, _ = trained
    assert 0.05 <= bundle.contract.temperature <= 20
    assert bundle.contract.temperature != 1


def test_it_is_the_best_one_and_labels_stay(trained):
    bundle, dataset = trained
    fitted = fitted_to(bundle, dataset, dataset.items).contract.temperature
    best, answers = negative_log_likelihood(bundle, dataset, fitted)
    for other in (fitted * 0.8, fitted * 1.25, 1.0):
        loss, others = negative_log_likelihood(bundle, dataset, other)
        assert loss > best
        assert all(np.array_equal(one, two) for one, two in zip(answers, others, strict=True))


def test_scores_that_are_handed_out_are_calibrated(trained):
    bundle, dataset = trained
    sample = dataset.load(dataset.items[0])
    found = []
    for temperature in (1.0, 3.0):
        dataclasses.replace(bundle, contract=dataclasses.replace(bundle.contract, temperature=temperature)).save()
        found.append(open_segmenter(bundle.folder, keep_scores=True)[0].segment(sample).scores)
    np.testing.assert_allclose(found[1], apply_temperature(found[0], 3.0), atol=1e-6)
    assert np.abs(found[1] - 0.5).max() < np.abs(found[0] - 0.5).max()


def test_too_few_pictures_leave_it_alone(trained):
    bundle, dataset = trained
    assert fitted_to(bundle, dataset, dataset.items[:2]) is bundle
