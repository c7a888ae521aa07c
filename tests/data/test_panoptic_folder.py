"""COCO panoptic with things and stuff: read as a folder and as a file, written, and scored against itself."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from limner.api.convert import convert
from limner.core.protocols import Silent
from limner.data.dataset import open_dataset
from limner.data.fingerprint import take_fingerprint
from limner.metrics.instance import Findings
from limner.metrics.matching import count_overlaps
from limner.metrics.panoptic import add_stuff, panoptic_quality
from tests.make_data import picture, write_csv

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "coco_panoptic_sample"
SIZE = (31, 47)
ALLOW = ("FEW_SAMPLES",)
CELL, SKY, ROAD = 3, 7, 9


def scene(seed):
    """Segment ids, above 255 so that two colour channels are used, and what each is: (id, category, is a crowd)."""
    ids = np.zeros(SIZE, np.uint32)
    ids[:10], ids[10:20, :12], ids[10:20, 12 : 20 + seed], ids[22:29, 30:40] = 70_000, 300, 301, 5
    ids[21:24, 2:6], ids[26:30, 20:25] = 900, 42
    segments = [(70_000, SKY, 0), (300, CELL, 0), (301, CELL, 0), (5, CELL, 1), (900, ROAD, 0), (42, CELL, 0)]
    return ids, segments


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "data"
    images, annotations, rows = [], [], []
    for seed in range(3):
        ids, segments = scene(seed)
        colors = np.stack([ids % 256, ids // 256 % 256, ids // 65536], axis=-1).astype(np.uint8)
        for kind, array in (("photos", picture(seed, SIZE)), ("segments", colors)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(array).save(root / kind / f"p{seed}.png")
        images.append({"id": seed, "file_name": f"photos/p{seed}.png", "height": SIZE[0], "width": SIZE[1]})
        infos = [
            {
                "id": number,
                "category_id": category,
                "iscrowd": crowd,
                "area": int((ids == number).sum()),
                "bbox": [0, 0, 1, 1],
            }
            for number, category, crowd in segments
        ]
        annotations.append({"image_id": seed, "file_name": f"p{seed}.png", "segments_info": infos})
        rows.append([f"photos/p{seed}.png", f"segments/p{seed}.png", ("train", "train", "test")[seed], ""])
    named = ((CELL, "cell", 1), (SKY, "sky", 0), (ROAD, "road", 0))
    categories = [{"id": number, "name": name, "isthing": thing} for number, name, thing in named]
    document = {"images": images, "annotations": annotations, "categories": categories}
    (root / "segments.json").write_text(json.dumps(document))
    write_csv(root / "splits.csv", rows)
    return root


def qualities(one, two):
    """PQ of each class over all pictures, the first taken as the truth."""
    found = {}
    first, second = open_dataset(one, allow=ALLOW), open_dataset(two, allow=ALLOW)
    assert first.label_space.names == second.label_space.names
    stuff = set(range(1, len(first.label_space))) - set(first.label_space.thing_ids)
    for item, again in zip(first.items, second.items, strict=True):
        truth, pred = first.load(item), second.load(again)
        sides = [add_stuff(s.objects, s.labels, stuff=stuff) for s in (pred, truth)]
        overlaps = count_overlaps(*sides, valid=truth.valid)
        for index in overlaps.classes():
            found.setdefault(first.label_space.names[index], []).append(
                panoptic_quality(Findings(overlaps.of_class(index)))["pq"]
            )
    return found


def test_a_folder_whose_masks_are_segments_is_panoptic(folder):
    dataset = open_dataset(folder, allow=ALLOW)
    assert (dataset.format, dataset.label_space.kind) == ("coco-panoptic", "panoptic")
    assert dataset.label_space.things == ("cell",) and dataset.label_space.names[2:] == ("sky", "road")
    assert [item.split for item in dataset.items] == ["train", "train", "test"]
    sample = dataset.load(dataset.items[1])
    ids, _ = scene(1)
    assert sample.objects.areas().tolist() == [(ids == number).sum() for number in (300, 301, 42)]
    assert ((sample.labels == 2) == (ids == 70_000)).all() and ((sample.valid == 0) == (ids == 5)).all()
    [facts] = take_fingerprint(dataset, Silent()).objects
    assert (facts.name, facts.objects, facts.touching) == ("cell", 9, pytest.approx(2 / 3))


def test_a_split_of_one_part_is_obeyed_and_without_a_list_there_is_none(folder):
    rows = [[f"photos/p{seed}.png", f"segments/p{seed}.png", "train", f"g{seed // 2}"] for seed in (0, 1)]
    write_csv(folder / "splits.csv", rows)
    dataset = open_dataset(folder, allow=ALLOW)
    assert [(item.split, item.group) for item in dataset.items] == [("train", "g0")] * 2
    (folder / "splits.csv").unlink()
    dataset = open_dataset(folder, allow=ALLOW)
    assert dataset.format == "coco-panoptic" and [item.split for item in dataset.items] == [""] * 3


def test_masks_that_limner_toml_explains_are_masks(folder):
    (folder / "limner.toml").write_text('classes = ["background", "a", "b", "c", "d", "e", "f"]\n')
    assert open_dataset(folder, allow=ALLOW).format == "folders"


def test_written_and_read_back_it_scores_one_against_itself(folder, tmp_path):
    convert(folder, tmp_path / "out", to="coco-panoptic")
    scores = qualities(folder, tmp_path / "out")
    assert scores == {"cell": [1.0] * 3, "sky": [1.0] * 3, "road": [1.0] * 3}
    [path] = (tmp_path / "out").glob("*.json")
    written = json.loads(path.read_text())
    assert [c["isthing"] for c in written["categories"]] == [1, 0, 0]
    for record, seed in zip(written["annotations"], range(3), strict=True):
        ids, segments = scene(seed)
        assert [(s["id"], s["category_id"], s["iscrowd"]) for s in record["segments_info"]] == segments
        png = np.array(Image.open(next((tmp_path / "out").rglob(f"panoptic/*p{seed}*.png")))).astype(np.uint32)
        assert (png[..., 0] + 256 * png[..., 1] + 65536 * png[..., 2] == ids).all()


@pytest.mark.skipif(not SAMPLE.is_dir(), reason="the sample is not there")
@pytest.mark.parametrize("source", ["", "panoptic_examples.json"])
def test_the_published_sample_scores_one_against_itself(tmp_path, source):
    data = SAMPLE / source
    convert(data, tmp_path / "out", to="coco-panoptic")
    scores = qualities(data, tmp_path / "out")
    assert len(scores) == 8 and all(value == 1.0 for values in scores.values() for value in values)
