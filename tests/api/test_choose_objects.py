"""Which decoder and which numbers tell objects apart best on validation pictures."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest

from limner.api import choose_objects as chosen
from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.core.object_head import ObjectHead
from limner.core.objects import number_objects
from limner.core.protocols import Silent
from limner.core.sample import Sample
from limner.training.object_targets import object_targets
from tests.data.imagined import imagined

SPACE = LabelSpace(("background", "cell"), things=("cell",))
CONTRACT = InputContract(
    3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5, objects=ObjectHead("both", "watershed", 20.0, reach=60)
)
BUNDLE = Bundle(Path(), "unet", {}, SPACE, CONTRACT)


def seen(spoil=lambda maps: None):
    ids = np.zeros((61, 93), np.int32)
    for number, (x, y) in enumerate([(14, 15), (34, 15), (54, 16), (20, 44), (44, 45), (70, 40)]):
        cv2.circle(ids, (x, y), 10, number + 1, -1)
    maps = np.concatenate([(ids > 0)[None].astype(np.float32), object_targets(ids, head="both", diameter=20.0)])
    spoil(maps)
    return chosen.Seen(maps.astype(np.float16), number_objects(ids, (ids > 0).astype(np.uint8)), None, 1.0)


def choose(monkeypatch, pictures):
    monkeypatch.setattr(chosen, "_predict", lambda *_: pictures)
    return chosen.choose_objects(BUNDLE, None, (), Silent()).contract


@pytest.mark.parametrize(("maps", "decoder"), [(slice(5, 7), ("watershed", "centres")), (slice(1, 5), ("flow",))])
def test_a_decoder_whose_maps_are_wrong_is_not_chosen(monkeypatch, maps, decoder):
    def spoil(found):
        found[maps] = np.random.default_rng(0).normal(0, 1, found[maps].shape)

    assert choose(monkeypatch, [seen(spoil)]).objects.decoder in decoder


def test_nothing_changes_without_gain_or_without_objects(monkeypatch):
    found = choose(monkeypatch, [seen()])
    assert found.threshold == 0.5 and found.objects.flow_error == 4.0 and found.objects.min_area == 0
    empty = dataclasses.replace(seen(), objects=number_objects(np.zeros((61, 93), int), np.zeros((61, 93), np.uint8)))
    assert choose(monkeypatch, [empty]) == CONTRACT


def test_of_a_large_picture_the_middle_is_taken():
    ids = np.arange(40 * 60).reshape(40, 60) + 1
    labels = np.ones((40, 60), np.uint8)
    sample = Sample("a", np.zeros((40, 60, 1), np.uint8), labels, objects=number_objects(ids, labels))
    part = chosen.middle_of(sample, 300)
    assert part.size_hw[0] * part.size_hw[1] <= 300 and part.objects.ids.max() == len(part.objects) == 17 * 17
    assert chosen.middle_of(sample, 2400) is sample


@pytest.mark.parametrize(("side", "number"), [(1000, 6), (256, 40), (4000, 1)])
def test_large_pictures_are_looked_at_from_the_whole_list(side, number):
    dataset = imagined([f"{i:02d}" for i in range(60)])
    facts = {
        name: dataclasses.replace(fact, header=dataclasses.replace(fact.header, size_hw=(side, side)))
        for name, fact in dataset.facts.items()
    }
    looked = chosen.looked_at(dataclasses.replace(dataset, facts=facts), dataset.items)
    assert len(looked) == number and (number == 1 or looked[-1].name == "images/59.png")
