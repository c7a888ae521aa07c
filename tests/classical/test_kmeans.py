"""K-means on colour: scikit-learn as a second opinion, Otsu's criterion in one dimension, and colours alone."""

import numpy as np
import pytest

from limner.classical.gray import to_channels, to_gray
from limner.classical.kmeans import cluster_means, kmeans_mask, nearest_mean
from limner.classical.threshold import otsu_mask
from limner.core.sample import Sample
from tests.contracts.test_classical import disc


def spread(points, means):
    return float((((points[:, None] - means[None]) ** 2).sum(axis=2)).min(axis=1).sum())


@pytest.mark.parametrize("channels", [1, 3, 5])
@pytest.mark.parametrize("clusters", [2, 3])
def test_means_are_as_good_as_those_of_scikit_learn(channels, clusters):
    cluster = pytest.importorskip("sklearn.cluster")
    rng = np.random.default_rng(channels)
    centres = rng.uniform(0, 255, (clusters, channels))
    points = (centres[rng.integers(0, clusters, 400)] + rng.normal(0, 9, (400, channels))).astype(np.float32)
    start = np.argsort(np.argsort(points.mean(axis=1))) * clusters // len(points)
    ours = cluster_means(points, start.astype(np.int32), clusters=clusters)
    means = np.stack([points[start == k].mean(axis=0) for k in range(clusters)])
    theirs = cluster.KMeans(clusters, init=means, n_init=1, max_iter=100, tol=1e-6).fit(points)
    assert ours.shape == (clusters, channels)
    assert spread(points, ours) == pytest.approx(theirs.inertia_, rel=1e-3)


def test_nearest_mean_by_hand():
    pixels = np.array([[[0, 0], [4, 4], [10, 0], [5, 0]]], np.float32)
    assert nearest_mean(pixels, np.array([[0, 0], [10, 0], [4, 5]], np.float32)).tolist() == [[0, 2, 1, 0]]


def test_two_clusters_of_one_channel_are_otsus_classes():
    # both make the variance within the classes small; Lloyd's rounds start at Otsu's optimum and stay there
    rng = np.random.default_rng(1)
    image = np.where(disc(), 150, 80)[..., None] + rng.normal(0, 20, (*disc().shape, 1))
    gray, channels = to_gray(image), to_channels(image)
    assert (kmeans_mask(gray, channels) != otsu_mask(gray)).mean() < 0.002


def test_colours_of_one_brightness_are_told_apart():
    truth = disc((40, 60), (18, 27), 11)
    image = np.zeros((*truth.shape, 3))
    image[...] = (60, 120, 90)
    image[truth] = (160, 69, 90)  # the same luminance within 0.1
    image += np.random.default_rng(2).normal(0, 3, image.shape)
    found = kmeans_mask(to_gray(image), to_channels(image))
    assert (found != truth).mean() < 0.01


def test_only_the_brightest_or_the_darkest_of_three():
    gray = np.full((30, 44), 100, np.float32)
    gray[4:12, 5:20], gray[16:25, 20:38] = 0, 255
    channels = gray[..., None]
    assert np.array_equal(kmeans_mask(gray, channels, clusters=3, smoothing=0), gray != 100)
    assert np.array_equal(kmeans_mask(gray, channels, clusters=3, smoothing=0, polarity="brightest"), gray == 255)
    assert np.array_equal(kmeans_mask(gray, channels, clusters=3, smoothing=0, polarity="darkest"), gray == 0)
    assert np.array_equal(kmeans_mask(gray, channels, clusters=3, smoothing=0, polarity="bright"), gray >= 100)


@pytest.mark.parametrize("size", [(1, 2), (2, 3), (1, 50)])
def test_more_clusters_than_values(size):
    gray = np.zeros(size, np.float32)
    gray[-1, -1] = 255
    found = kmeans_mask(gray, np.repeat(gray[..., None], 3, axis=2), clusters=5, smoothing=0)
    assert found.shape == size and Sample("a", gray[..., None], found.astype(np.uint8)).labels is not None
