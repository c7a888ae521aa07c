"""A picture of the usual kind is passed over in silence; one of another size, depth, brightness, colour or make is named."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from limner.api.input_kind import strange
from limner.api.learn_inputs import FEWEST, distance_limit, learn_inputs
from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.data.dataset import open_dataset
from limner.data.input_features import FEATURES, input_features, nearest_distance
from tests.make_data import gray, labels, save

CONTRACT = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5)


def photograph(seed, size_hw=(60, 83), brightness=110, contrast=25, tint=(1.0, 0.95, 0.8)):
    """Smooth blobs in brownish light, a little different each time."""
    rng = np.random.default_rng(seed)
    coarse = rng.normal(0, 1, (9, 12))
    smooth = np.kron(coarse, np.ones((8, 8)))[: size_hw[0], : size_hw[1]]
    smooth = np.pad(smooth, [(0, max(0, n - m)) for n, m in zip(size_hw, smooth.shape, strict=True)], mode="wrap")
    plane = brightness + rng.normal(0, 4) + contrast * smooth + rng.normal(0, 2, size_hw)
    return np.clip(plane[..., None] * np.array(tint), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    root = tmp_path_factory.mktemp("inputs")
    for place in range(14):
        save(root / f"images/{place:02d}.png", photograph(place))
        save(root / f"masks/{place:02d}.png", gray(labels(place, (60, 83), 2)))
    dataset = open_dataset(root)
    learnt = learn_inputs(dataset, dataset.items, CONTRACT)
    assert learn_inputs(dataset, dataset.items, CONTRACT) == learnt
    stored = json.loads(json.dumps({"inputs": learnt}))
    return Bundle(Path("model"), "unet", {}, LabelSpace(("background", "a")), CONTRACT, answers=stored)


def test_pictures_of_the_same_kind_pass_in_silence(model):
    warned = [found for seed in range(100, 160) if (found := strange(photograph(seed), model))]
    assert not warned


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (photograph(3, brightness=215), "brighter than any of the 14 training pictures looked at"),
        (photograph(3, brightness=40), "darker than any of the 14 training pictures looked at"),
        (photograph(3, contrast=60), "richer in contrast"),
        (photograph(3, contrast=2), "poorer in contrast"),
        (photograph(3, tint=(0.6, 0.9, 1.1)), "less red"),
        (np.random.default_rng(0).integers(40, 190, (60, 83, 3)).astype(np.uint8), "finer in structure or noisier"),
        (np.full((60, 83, 3), 110, np.uint8), "less colourful"),
    ],
)
def test_another_look_is_named(model, image, words):
    (sentence,) = strange(image, model)
    assert sentence.startswith("the picture is") and words in sentence


def test_nothing_is_said_of_training_pictures_that_were_not_looked_at(tmp_path, monkeypatch):
    monkeypatch.setattr("limner.api.learn_inputs.MOST_PICTURES", 5)
    for place in range(9):  # every second one is bright, and is not looked at
        save(tmp_path / f"images/{place}.png", photograph(place, brightness=180 if place % 2 else 90))
        save(tmp_path / f"masks/{place}.png", gray(labels(place, (60, 83), 2)))
    dataset = open_dataset(tmp_path)
    learnt = {"inputs": learn_inputs(dataset, dataset.items, CONTRACT)}
    told = Bundle(Path("model"), "unet", {}, LabelSpace(("background", "a")), CONTRACT, answers=learnt)
    (sentence,) = strange(photograph(1, brightness=180), told)
    assert "brighter than any of the 5 training pictures looked at" in sentence
    learnt["inputs"]["scale"] = [100.0] * len(FEATURES)  # nothing lies outside, yet all is said to be far
    learnt["inputs"]["limit"] = 1e-6
    (sentence,) = strange(photograph(1, brightness=180), told)
    assert sentence.startswith("none of the 5 training pictures looked at is like this one")


def test_channels_depth_and_size_are_named(model):
    plain = photograph(5)
    one = strange(plain[..., :1], model)
    assert "the picture has 1 channel, those in training had 3: repeated for each" in one
    deep = strange(plain.astype(np.uint16) * 257, model)
    assert deep == ["the picture is of 16 bit, those in training were of 8 bit"]
    huge = strange(plain, model, size_hw=(600, 830))
    assert huge[0].startswith(
        "the picture has 100 times as many pixels as any in training (830 x 600; largest in training 83 x 60)"
    )
    small = strange(plain[:20, :30], model)
    assert "8.3 times fewer pixels than any in training" in small[0]
    assert strange(plain, model, size_hw=(110, 150)) == []


def test_a_model_of_gray_pictures_says_what_happens_to_colour(model):
    changed = {**model.answers["inputs"], "channels": [1]}
    told = dataclasses.replace(model, contract=dataclasses.replace(CONTRACT, channels=1), answers={"inputs": changed})
    assert "the picture has 3 channels, those in training had 1: converted by luminance" in strange(photograph(5), told)


def test_a_picture_may_be_thinned_before(model):
    large = np.kron(photograph(7), np.ones((16, 16, 1), np.uint8))
    assert strange(large[::16, ::16], model, size_hw=(100, 130)) == []
    assert strange(np.zeros((0, 7, 3), np.uint8), model) == []


def test_without_knowledge_there_is_no_warning(model):
    assert strange(photograph(5, brightness=250), dataclasses.replace(model, answers={})) == []
    few = {**model.answers["inputs"], "pictures": [], "limit": None}
    assert strange(photograph(5, brightness=250), dataclasses.replace(model, answers={"inputs": few})) == []


def test_the_limit_looks_at_the_nearest_picture_of_another_group():
    vectors = np.array([[0.0], [0.1], [10.0], [10.1], [20.0], [20.3]])
    scale = np.ones(1)
    alone = distance_limit(vectors, np.arange(6), scale)
    grouped = distance_limit(vectors, np.repeat(np.arange(3), 2), scale)
    assert alone == pytest.approx(0.9) and grouped == pytest.approx((1.25 + 2.5 / 3) * 10.2)
    assert distance_limit(vectors, np.repeat([0, 1], 3), scale) is None and FEWEST == 3
    odd = np.append(np.arange(40.0), 100.0)[:, None]  # 1 to the nearest, and once 61
    assert distance_limit(odd, np.arange(41), scale) == pytest.approx(2 + 4 / 41)
    assert nearest_distance(np.array([3.0]), vectors, np.array([2.0])) == pytest.approx(1.45)
    assert nearest_distance(np.array([3.0]), vectors[:0], scale) == float("inf")


def test_known_groups_are_what_is_usual_where_the_validation_shows_them(tmp_path):
    for place in range(12):
        kind = {"brightness": 60 + 50 * (place // 4)}  # three groups that differ much
        save(tmp_path / f"images/{place // 4}_{place % 4}.png", photograph(place, **kind))
        save(tmp_path / f"masks/{place // 4}_{place % 4}.png", gray(labels(place, (60, 83), 2)))
    dataset = open_dataset(tmp_path)
    items = [dataclasses.replace(item, group=item.name[7]) for item in dataset.items]
    apart = learn_inputs(dataset, items, CONTRACT, held_out=[dataclasses.replace(items[0], group="9")])
    known = learn_inputs(dataset, items, CONTRACT, held_out=items[:1])
    assert known["limit"] < 0.5 * apart["limit"] and known["pictures"] == apart["pictures"]


def test_features_by_hand():
    image = np.zeros((2, 4, 3), np.uint8)
    image[:, 2:] = 255, 0, 51
    found = dict(zip(FEATURES, input_features(image, low=0, high=255), strict=True))
    bright = (255 + 51) / 3 / 255
    assert found["darkest"] == pytest.approx(0, abs=1e-6) and found["brightest"] == pytest.approx(bright, rel=0.05)
    assert found["brightness"] == pytest.approx(bright / 2) and found["contrast"] == pytest.approx(bright / 2)
    assert found["detail"] == pytest.approx((0 + bright / 3) / 2 / (bright / 2))
    assert found["red"] == pytest.approx((1 - bright) / 2) and found["blue"] == pytest.approx((0.2 - bright) / 2)
    assert found["colour"] == pytest.approx(0.5)
    constant = input_features(np.full((1, 1, 2), 7, np.uint16), low=0, high=10)
    assert constant.tolist() == pytest.approx([0.7] * 5 + [0] * 5)
