"""Batches follow from the seed and the step alone."""

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from limner.core.errors import MachineError
from limner.training import loader as module
from limner.training.crops import Crops
from limner.training.loader import to_device
from limner.training.picture_cache import Cached, PictureCache
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
    points = sum(where.nbytes for picture in inside.pictures[:2] for where in picture.points_yx.values())
    monkeypatch.setattr(module, "CACHE_BYTES", 2 * 40 * 56 * 4 + points)
    outside = runs.loader(tmp_path, runs.recipe())
    (file,) = (tmp_path / "cache").iterdir()
    assert file.stat().st_size == 3 * 40 * 56 * 4  # three of five pictures, image and labels; both are multiples of 64
    assert all(same(inside.batch(step), outside.batch(step)) for step in range(4))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted as Linux tells them")
def test_pictures_beyond_memory_need_one_open_file(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CACHE_BYTES", 0)
    make_folder(tmp_path / "data", count=40, size_hw=(24, 32))
    before = len(list(Path("/proc/self/fd").iterdir()))
    loader = runs.loader(tmp_path, runs.recipe(sampling__batch=8))
    loader.batch(0)
    held = [link.resolve() for link in Path("/proc/self/fd").iterdir() if tmp_path in link.resolve().parents]
    assert held == [tmp_path / "cache/pictures.bin"] and len(list(Path("/proc/self/fd").iterdir())) <= before + 1


def test_what_an_earlier_run_left_in_the_file_is_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CACHE_BYTES", 0)
    first = runs.loader(tmp_path, runs.recipe()).batch(0)
    size = (tmp_path / "cache/pictures.bin").stat().st_size
    assert same(runs.loader(tmp_path, runs.recipe()).batch(0), first)
    assert (tmp_path / "cache/pictures.bin").stat().st_size == size


def test_a_file_of_pictures_keeps_every_kind_of_array(tmp_path):
    rng = np.random.default_rng(3)
    given = [
        Cached(
            rng.random((h, w, c)).astype(kind),
            rng.integers(0, 300, (h, w)).astype(np.uint16),
            {2: np.array([[0, 1]], np.int32)},
            rng.integers(0, 9, (h, w)).astype(np.uint16) if c == 1 else None,
        )
        for h, w, c, kind in [(1, 1, 1, np.float32), (3, 5, 4, np.float64), (7, 2, 3, np.uint8), (9, 9, 1, np.float32)]
    ]
    cache = PictureCache(tmp_path / "cache", given[0].num_bytes)
    for picture in given:
        cache.add(picture)
    for one, other in zip(cache.pictures(), given, strict=True):
        assert one.arrays.keys() == other.arrays.keys() and one.points_yx is other.points_yx
        for kind, array in one.arrays.items():
            assert array.dtype == other.arrays[kind].dtype and np.array_equal(array, other.arrays[kind])
    assert given[0].num_bytes == 4 + 2 + 8 + 2


def test_working_scale_and_gray_into_three_channels(tmp_path):
    make_folder(tmp_path / "data", count=3, channels=1)
    loader = runs.loader(tmp_path, runs.recipe(**STILL, data__scale=0.5))
    assert {p.image.shape for p in loader.pictures} == {(20, 28, 3)}
    assert {p.labels.shape for p in loader.pictures} == {(20, 28)}
    image = loader.batch(0).images
    assert np.array_equal(image[:, 0], image[:, 1])


EVERYTHING = {
    "augmentation__perspective": 0.1, "augmentation__elastic": 0.3, "augmentation__grid": 0.3, "augmentation__blur": 0.3,
    "augmentation__jpeg": 0.3, "augmentation__low_resolution": 0.3, "augmentation__mosaic": 0.4, "augmentation__cutmix": 0.3,
    "augmentation__color": 0.2, "augmentation__invert": True, "sampling__batch": 4,
}  # fmt: skip
CPU = torch.device("cpu")


def test_everything_follows_from_the_step(tmp_path):
    first, second = (runs.loader(tmp_path, runs.recipe(**EVERYTHING)) for _ in range(2))
    forward = [first.batch(step) for step in range(5)]
    assert all(same(second.batch(step), forward[step]) for step in (4, 1, 0, 3, 2))
    crops = [to_device(first.crops(step), CPU) for step in range(5)]
    for step in (4, 1, 0, 3, 2):
        assert all(torch.equal(a, b) for a, b in zip(to_device(second.crops(step), CPU), crops[step], strict=True))


def test_patches_that_are_not_mixed_stay_what_they_were(tmp_path):
    """Mixing has its own address: it changes the patches that it mixes and no others."""
    plain = runs.loader(tmp_path, runs.recipe(sampling__batch=8))
    mixing = runs.loader(tmp_path, runs.recipe(sampling__batch=8, augmentation__cutmix=0.3, augmentation__mosaic=0.3))
    alike = []
    for step in range(6):
        a, b = plain.batch(step), mixing.batch(step)
        alike += [np.array_equal(x, y) for x, y in zip(a.images, b.images, strict=True)]
        pieces = mixing._patches(step)
        assert [len(each) == 1 for each in pieces] == alike[-8:]
    assert 0.1 < np.mean(alike) < 0.7


@pytest.mark.parametrize("kind", ["mosaic", "cutmix"])
def test_mixed_patches_show_several_pictures(tmp_path, kind):
    for i in range(5):  # each picture has one gray value and one class of its own
        save(tmp_path / f"data/images/{i}.png", np.full((40, 56, 3), 20 + 40 * i, np.uint8))
        save(tmp_path / f"data/masks/{i}.png", np.full((40, 56), i, np.uint8))
    recipe = runs.recipe(
        **{**STILL, f"augmentation__{kind}": 1.0, "sampling__batch": 5, "sampling__foreground_share": 0.0}
    )
    batch = runs.loader(tmp_path, recipe).batch(0)
    grays = np.round((batch.images[:, 0] * 128 + 127 - 20) / 40)
    assert np.array_equal(grays, batch.target)  # no label without its picture
    counts = [len(np.unique(target)) for target in batch.target]
    assert min(counts) >= 2 and max(counts) <= (4 if kind == "mosaic" else 2)


def test_one_picture_can_be_mixed_with_itself(tmp_path):
    dataset, recipe = runs.data(tmp_path / "data"), runs.recipe(augmentation__mosaic=0.5, augmentation__cutmix=0.5)
    only = dataset.with_items(dataset.items[:1])
    loader = module.PatchLoader(only, recipe, channels=3, cache=tmp_path / "cache", listener=runs.Silent())
    assert set(np.unique(loader.batch(0).target)) <= {0, 1}


def test_a_finished_batch_reaches_the_device_unchanged(tmp_path):
    batch = runs.loader(tmp_path, runs.recipe(data__patch_hw=(32, 64))).batch(0)
    images, target, valid = to_device(batch, CPU)
    assert images.is_contiguous(memory_format=torch.channels_last) and images.dtype == torch.float32
    assert target.dtype == torch.int64 and valid.dtype == torch.bool
    found = module.Batch(images.numpy(), target.numpy(), valid.numpy())
    assert same(found, batch) and not images.requires_grad


@pytest.mark.parametrize("normalization", ["fixed", "unit", "percentile"])
def test_crops_become_what_the_processor_finishes(tmp_path, normalization):
    recipe = runs.recipe(**{
        **STILL, "augmentation__flip_x": True, "augmentation__rotation_degrees": 180.0, "augmentation__exact_share": 1.0,
        "augmentation__brightness": 0.2, "augmentation__gamma": 0.3, "data__normalization": normalization,
    })  # fmt: skip
    loader = runs.loader(tmp_path, recipe)
    for step in range(4):
        batch = loader.batch(step)
        images, target, valid = to_device(loader.crops(step), CPU)
        assert np.array_equal(target, batch.target) and np.array_equal(valid, batch.valid)
        assert np.abs(images.numpy() - batch.images).max() < 1e-3


def test_where_patches_are_computed(tmp_path):
    runs.data(tmp_path / "data")
    assert runs.loader(tmp_path, runs.recipe()).sends_crops == torch.cuda.is_available()
    build = {"channels": 3, "cache": tmp_path / "cache", "listener": runs.Silent()}
    for device, on_gpu, sends in [
        ("auto", True, True),
        ("auto", False, False),
        ("cpu", True, False),
        ("cuda", True, True),
    ]:
        recipe = runs.recipe(augmentation__device=device)
        loader = module.PatchLoader(runs.data(tmp_path / "data"), recipe, network_on_gpu=on_gpu, **build)
        stream = loader.batches(0)
        assert isinstance(next(stream), Crops) == sends == loader.sends_crops
        stream.close()
    with pytest.raises(MachineError, match="CUDA"):
        module.PatchLoader(
            runs.data(tmp_path / "data"), runs.recipe(augmentation__device="cuda"), network_on_gpu=False, **build
        )


def test_crops_of_mapped_pictures_are_the_same(tmp_path, monkeypatch):
    inside = runs.loader(tmp_path, runs.recipe(**EVERYTHING))
    monkeypatch.setattr(module, "CACHE_BYTES", 0)
    outside = runs.loader(tmp_path, runs.recipe(**EVERYTHING))
    for step in range(3):
        assert torch.equal(inside.crops(step).pixels, outside.crops(step).pixels)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_computes_what_the_processor_computes(tmp_path):
    loader = runs.loader(tmp_path, runs.recipe(**{**EVERYTHING, "augmentation__noise": 0.0}))
    for step in range(4):
        crops = loader.crops(step)
        one, other = to_device(crops, CPU), to_device(crops, torch.device("cuda"))
        torch.cuda.set_sync_debug_mode("error")  # from the second time on nothing is waited for
        try:
            to_device(crops, torch.device("cuda"))
        finally:
            torch.cuda.set_sync_debug_mode("default")
        assert (one[1] != other[1].cpu()).float().mean() < 0.01
        assert (one[0] - other[0].cpu()).abs().mean() < 0.01


def test_few_pictures_are_read_ahead_of_what_is_kept(tmp_path, monkeypatch):
    """A set that is larger than memory: what is decoded and not kept yet must not grow with the number of pictures."""
    loaded, kept, most = [0], [0], [0]
    load, keep = module.PatchLoader._load, PictureCache.add

    def counted(self, dataset, index):
        loaded[0] += 1
        return load(self, dataset, index)

    def slow(self, picture):
        time.sleep(0.01)  # readers have time to run ahead
        most[0] = max(most[0], loaded[0] - kept[0])
        kept[0] += 1
        keep(self, picture)

    monkeypatch.setattr(module.PatchLoader, "_load", counted)
    monkeypatch.setattr(PictureCache, "add", slow)
    monkeypatch.setattr(module, "CACHE_BYTES", 0)
    make_folder(tmp_path / "data", count=40, size_hw=(24, 32))
    loader = runs.loader(tmp_path, runs.recipe())
    assert loaded == kept == [len(loader.pictures)] and kept[0] >= 25
    assert most[0] <= 2 * loader.workers + 1
