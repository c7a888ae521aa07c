"""Batches follow from the seed and the step alone."""

import numpy as np
import pytest
from PIL import Image

from limner.training import loader as module
from tests.make_data import labels, make_folder, save
from tests.training import runs

STILL = {
    "augmentation__flip_x": False, "augmentation__flip_y": False, "augmentation__rotation_degrees": 0.0,
    "augmentation__scale_min": 1.0, "augmentation__scale_max": 1.0, "augmentation__brightness": 0.0,
    "augmentation__contrast": 0.0, "augmentation__gamma": 0.0, "augmentation__noise": 0.0,
}  # fmt: skip


def same(one, other):
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in ("images", "target", "valid"))


def test_a_batch_depends_on_its_step_only(tmp_path):
    recipe = runs.recipe()
    first, second = runs.loader(tmp_path, recipe), runs.loader(tmp_path, recipe)
    forward = [first.batch(step) for step in range(6)]
    backward = [second.batch(step) for step in reversed(range(6))][::-1]
    assert all(same(a, b) for a, b in zip(forward, backward, strict=True))
    assert not any(same(forward[0], other) for other in forward[1:])


@pytest.mark.parametrize("workers", [1, 4])
def test_threads_and_the_start_do_not_matter(tmp_path, workers):
    loader = runs.loader(tmp_path, runs.recipe())
    loader.workers = workers
    stream = loader.batches(2)
    ahead = [next(stream) for _ in range(5)]
    stream.close()
    assert all(same(batch, loader.batch(2 + i)) for i, batch in enumerate(ahead))


def test_the_seed_changes_the_batches(tmp_path):
    one, other = runs.loader(tmp_path, runs.recipe()), runs.loader(tmp_path, runs.recipe(seed=6))
    assert not same(one.batch(0), other.batch(0))


def test_shapes_and_kinds(tmp_path):
    batch = runs.loader(tmp_path, runs.recipe(data__patch_hw=(32, 64), sampling__batch=3)).batch(0)
    assert batch.images.shape == (3, 3, 32, 64) and batch.images.dtype == np.float32
    assert batch.target.shape == batch.valid.shape == (3, 32, 64)
    assert batch.target.dtype == np.int64 and batch.valid.dtype == np.bool_
    assert batch.valid.all() and set(np.unique(batch.target)) == {0, 1}


@pytest.mark.parametrize("patches", [1, 2])
def test_every_picture_is_seen_equally_often_in_an_epoch(tmp_path, patches):
    for i in range(6):  # each picture has one gray value of its own
        save(tmp_path / f"data/images/{i}.png", np.full((32, 48, 3), 20 + 30 * i, np.uint8))
        save(tmp_path / f"data/masks/{i}.png", labels(i, (32, 48)))
    recipe = runs.recipe(**STILL, sampling__batch=3, sampling__patches_per_image=patches)
    loader = runs.loader(tmp_path, recipe)
    assert loader.steps_per_epoch == 2 * patches
    orders = []
    for epoch in range(2):
        steps = range(epoch * loader.steps_per_epoch, (epoch + 1) * loader.steps_per_epoch)
        values = np.concatenate([loader.batch(step).images[:, 0, 0, 0] for step in steps])
        seen = [round((v * 128 + 127 - 20) / 30) for v in values]
        assert sorted(seen) == sorted(list(range(6)) * patches)
        orders.append(seen)
    assert orders[0] != orders[1]


def test_an_odd_number_rounds_the_epoch_up(tmp_path):
    assert runs.loader(tmp_path, runs.recipe(sampling__batch=2)).steps_per_epoch == 3  # five pictures
    assert runs.loader(tmp_path, runs.recipe(sampling__batch=16)).steps_per_epoch == 1


def test_unknown_pixels_are_not_valid_and_stay_so_through_warps(tmp_path):
    make_folder(tmp_path / "data", count=5)
    for i in range(5):
        ids = labels(i)
        ids[:, :28] = 255  # the left half is not known
        save(tmp_path / f"data/masks/p.{i:02d}.png", ids)
    still = runs.loader(tmp_path, runs.recipe(**STILL, data__patch_hw=(32, 32)))
    batch = still.batch(0)
    assert 0 < (~batch.valid).sum() < batch.valid.size and not batch.target[~batch.valid].any()
    for valid in batch.valid:
        width = int((~valid[0]).sum())
        assert not valid[:, :width].any() and valid[:, width:].all()
    turned = runs.loader(tmp_path, runs.recipe(augmentation__rotation_degrees=90.0)).batch(0)
    assert set(np.unique(turned.target)) <= {0, 1} and 0 < (~turned.valid).sum() < turned.valid.size


def test_foreground_is_looked_for(tmp_path):
    for i in range(4):
        spot = np.zeros((160, 160), np.uint8)
        spot[100 + i : 104 + i, 20:24] = 1
        Image.fromarray(np.random.default_rng(i).integers(0, 255, (160, 160), dtype=np.uint8)).save(
            _path(tmp_path, "images", i)
        )
        save(tmp_path / f"data/masks/{i}.png", spot)
    shares = {}
    for share in (0.0, 1.0):
        loader = runs.loader(tmp_path, runs.recipe(sampling__foreground_share=share, sampling__batch=8))
        shares[share] = np.mean([loader.batch(step).target.any(axis=(1, 2)).mean() for step in range(6)])
    assert shares[1.0] > 0.75 and shares[0.0] < 0.35


def _path(folder, kind, number):
    path = folder / f"data/{kind}/{number}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def test_pictures_beyond_memory_give_the_same_batches(tmp_path, monkeypatch):
    inside = runs.loader(tmp_path, runs.recipe())
    monkeypatch.setattr(module, "CACHE_BYTES", 2 * 40 * 56 * 4)
    outside = runs.loader(tmp_path, runs.recipe())
    assert len(list((tmp_path / "cache").iterdir())) == 6  # three of five pictures, image and labels
    assert all(same(inside.batch(step), outside.batch(step)) for step in range(4))


def test_working_scale_and_gray_into_three_channels(tmp_path):
    make_folder(tmp_path / "data", count=3, channels=1)
    loader = runs.loader(tmp_path, runs.recipe(**STILL, data__scale=0.5))
    assert {p.image.shape for p in loader.pictures} == {(20, 28, 3)}
    assert {p.labels.shape for p in loader.pictures} == {(20, 28)}
    image = loader.batch(0).images
    assert np.array_equal(image[:, 0], image[:, 1])
