"""Objects of predictions as files: ids, tables and COCO documents that agree, however a call was cut into pieces."""

import csv
import json
import pickle
import shutil

import cv2
import numpy as np
import pytest
import tifffile
from PIL import Image

from limner.api import object_cells, predict_one
from limner.api.predict import predict
from limner.api.predict_kept import Kept
from limner.api.predict_objects import Part, collect
from limner.api.restored_objects import restore, target_of
from limner.core.bundle import Bundle, InputContract
from limner.core.errors import UsageError
from limner.core.files import write_json
from limner.core.labels import LabelSpace
from limner.core.objects import number_objects
from limner.core.prediction import Prediction
from limner.data import instance_files
from limner.data.formats import read_annotations
from limner.data.rasterize import pixels_of
from tests.make_data import save

CONTRACT = InputContract(3, 1.0, "percentile", (0.0, 255.0), 64, 0.25, "", 0.5)
CELLS = LabelSpace(("background", "cell"), things=("cell",))
STREET = LabelSpace(("background", "car", "=person", "road"), things=("car", "=person"))
SIZE = (37, 53)
DOCUMENTS = ("objects.csv", "coco.json", "panoptic.json")


class Told:
    """Objects as the picture itself tells: red is the id, green the class."""

    def __init__(self, space):
        self.label_space = space

    def segment(self, sample):
        ids, labels = sample.image[..., 0].astype(np.int32), sample.image[..., 1]
        things = np.isin(labels, self.label_space.thing_ids)
        scores = 1 - np.arange(256, dtype=np.float32) / 1000
        objects = number_objects(ids * things, labels * things, scores=scores)
        return Prediction(sample.name, labels, self.label_space, seconds=0.25, objects=objects)


def scene(seed, space=STREET, number=9):
    """Discs that overlap on a band of road; the last one is a ring, and one has two pieces."""
    rng = np.random.default_rng(seed)
    image = np.zeros((*SIZE, 3), np.uint8)
    if len(space) > 2:
        image[20:31, :, 1] = 3
    for i in range(1, number + 1):
        centre = int(rng.integers(0, SIZE[1])), int(rng.integers(0, SIZE[0]))
        kind = 1 + i % len(space.things)
        cv2.circle(image, centre, int(rng.integers(3, 7)), (10 * i, kind, 0), 1 if i == number else -1)
    image[0, 3:5], image[36, 50:] = (5, 1, 0), (5, 1, 0)
    image[..., 2] = rng.integers(0, 255, SIZE)
    return image


@pytest.fixture
def model(monkeypatch, tmp_path):
    """A folder whose model is `Told`; ``model(space, **training)``."""

    def make(space, **training):
        write_json(tmp_path / "run/model/bundle.json", {"tiny": True})

        def open_segmenter(path, *, tile=None, keep_scores=False, runtime="auto", tta=False):
            return Told(space), Bundle(path, "unet", {}, space, CONTRACT, training=training)

        monkeypatch.setattr(predict_one, "open_segmenter", open_segmenter)
        return tmp_path / "run"

    return make


def pictures(folder, *, space=STREET, names=("b/x.y.png", "a.png", "=c.png")):
    for seed, name in enumerate(names):
        save(folder / name, scene(seed, space))
    return folder


def table_of(out):
    with (out / "objects.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read(path):
    with Image.open(path) as file:
        return np.array(file).astype(np.int32)


def document(path):
    return json.loads(path.read_text(encoding="utf-8"))


def test_files_and_documents_agree(model, tmp_path):
    run, data, out = model(STREET), pictures(tmp_path / "in"), tmp_path / "out"
    manifest = predict(run, [data], out=out, overlay=True)
    assert [row["instances"] for row in manifest["images"]] == [
        "instances/=c.png", "instances/a.png", "instances/b/x.y.png"
    ]  # fmt: skip
    rows, coco = table_of(out), document(out / "coco.json")
    images = {image["id"]: image["file_name"] for image in coco["images"]}
    assert list(images.values()) == ["=c.png", "a.png", "b/x.y.png"]
    assert coco["categories"] == [
        {"id": 1, "name": "car", "supercategory": ""}, {"id": 2, "name": "=person", "supercategory": ""},
    ]  # fmt: skip
    assert len({record["id"] for record in coco["annotations"]}) == len(coco["annotations"]) == len(rows)
    for row in manifest["images"]:
        name = row["instances"].removeprefix("instances/")
        expected = Told(STREET).segment(predict_one.Sample(name, predict_one.read_image(data / name))).objects
        assert np.array_equal(read(out / row["instances"]), expected.ids)
        counts = np.bincount(expected.classes, minlength=4)
        assert row["objects"] == {"car": counts[1], "=person": counts[2]}
        cells = [cell for cell in rows if cell["image"].lstrip("'") == name]
        assert [int(cell["id"]) for cell in cells] == list(range(1, len(expected) + 1))
        assert [int(cell["area_px"]) for cell in cells] == expected.areas().tolist()
        assert {cell["class"] for cell in cells} == {"car", "'=person"}
        records = [record for record in coco["annotations"] if images[record["image_id"]] == name]
        assert [record["area"] for record in records] == expected.areas().tolist()
        assert [record["score"] for record in records] == pytest.approx(expected.scores.tolist(), abs=1e-4)
        assert [float(cell["score"]) for cell in cells] == [record["score"] for record in records]
    kinds = {type(record["segmentation"]) for record in coco["annotations"]}
    assert kinds == {list, dict}
    assert read(out / "overlays/b/x.y.png").shape == (*SIZE, 3)
    assert not (out / ".unfinished").exists()


def test_coco_is_read_again_as_the_same_pixels(model, tmp_path):
    out = tmp_path / "out"
    predict(model(STREET), [pictures(tmp_path / "in")], out=out)
    found = read_annotations(out / "coco.json")
    assert found.refused == () and found.classes == ("car", "=person")
    for image in found.images:
        ids, again = read(out / "instances" / image.image), np.zeros(SIZE, np.int32)
        for number, region in enumerate(image.regions, start=1):
            pixels = pixels_of(region.shape, SIZE)
            window = again[pixels.y :, pixels.x :][: pixels.mask.shape[0], : pixels.mask.shape[1]]
            window[pixels.mask] = number
        assert np.array_equal(again, ids) and ids.max() >= 5


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools itself
def test_coco_tools_see_the_same_pixels(model, tmp_path):
    tools = pytest.importorskip("pycocotools.coco")
    out = tmp_path / "out"
    predict(model(CELLS), [pictures(tmp_path / "in", space=CELLS)], out=out)
    coco = tools.COCO(str(out / "coco.json"))
    ids = {image: read(out / "instances" / record["file_name"]) for image, record in coco.imgs.items()}
    for record in coco.anns.values():
        mask = coco.annToMask(record).astype(bool)
        assert np.array_equal(mask, ids[record["image_id"]] == record["instance_id"])


def test_panoptic_covers_stuff_and_things(model, tmp_path):
    out = tmp_path / "out"
    predict(model(STREET), [pictures(tmp_path / "in")], out=out)
    found = read_annotations(out / "panoptic.json")
    assert found.refused == () and found.format == "coco-panoptic"
    assert [image.image for image in found.images] == ["=c.png", "a.png", "b/x.y.png"]
    told = document(out / "panoptic.json")
    assert {one["name"]: one["isthing"] for one in told["categories"]} == {"car": 1, "=person": 1, "road": 0}
    for image in found.images:
        pixels, ids = read(out / "panoptic" / image.image), read(out / "instances" / image.image)
        segments = pixels @ np.array([1, 256, 65536])
        labels = read(out / image.image)
        assert np.array_equal(segments[ids > 0], ids[ids > 0])
        assert np.array_equal(segments > ids.max(), (labels == 3) & (ids == 0))
        road = next(region for region in image.regions if region.label == "road")
        cover = pixels_of(road.shape, SIZE)
        assert cover.mask.sum() == ((labels == 3) & (ids == 0)).sum() > 0


def test_a_continued_call_ends_alike(model, tmp_path):
    """Interrupted before the end, and finished but with a picture more: the documents are those of one call."""
    run, data = model(STREET, spacing_mm=[0.5, 0.5]), pictures(tmp_path / "in")
    whole, parts, more = tmp_path / "whole", tmp_path / "parts", tmp_path / "more"
    predict(run, [data], out=whole)
    expected = {name: (whole / name).read_bytes() for name in DOCUMENTS}

    def raise_at(name):
        real = predict_one.Worker.__call__

        def call(self, job, progress=lambda _: None):
            if job.source.name == name:
                raise KeyboardInterrupt
            return real(self, job, progress)

        return call

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(predict_one.Worker, "__call__", raise_at("x.y.png"))
        predict(run, [data], out=parts, resume=True)
    assert not (parts / "objects.csv").exists()
    predict(run, [data], out=parts, resume=True)
    assert {name: (parts / name).read_bytes() for name in DOCUMENTS} == expected
    few = pictures(tmp_path / "few", names=("b/x.y.png", "a.png"))
    predict(run, [few], out=more)
    shutil.copy(data / "=c.png", few / "=c.png")
    times = (more / "instances/a.png").stat().st_mtime_ns
    predict(run, [few], out=more, resume=True)
    assert {name: (more / name).read_bytes() for name in DOCUMENTS} == expected
    assert (more / "instances/a.png").stat().st_mtime_ns == times  # it was not done again
    (more / "coco.json").write_text("{", encoding="utf-8")
    predict(run, [few], out=more, resume=True)  # what nobody knows any more is done again
    assert {name: (more / name).read_bytes() for name in DOCUMENTS} == expected


def test_workers_in_other_processes_leave_parts_that_can_be_put_together(model, tmp_path):
    run, data, out = model(CELLS), pictures(tmp_path / "in", space=CELLS), tmp_path / "out"
    kept = Kept(out)
    kept.prepare({}, resume=False, overwrite=False)
    first = predict_one.Worker(run, out, predict_one.Options(), base=tmp_path, kept=kept)
    second = pickle.loads(pickle.dumps(first))
    jobs = [predict_one.Job(data / name, target_of(name)) for name in ("a.png", "b/x.y.png", "=c.png")]
    rows = [worker(job) for worker, job in ((second, jobs[2]), (first, jobs[0]), (second, jobs[1]), (first, jobs[2]))]
    assert all("error" not in row for row in rows)
    assert collect(kept, [jobs[2].target, jobs[0].target, jobs[1].target], CELLS) == ["objects.csv", "coco.json"]
    predict(run, [data], out=tmp_path / "whole")
    for name in DOCUMENTS[:2]:
        assert (out / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert restore(kept, {"a.png": {"instances": "instances/a.png", "input": str(data / "a.png")}})


@pytest.mark.parametrize(
    ("training", "given", "area"),
    [({}, None, None), ({"spacing_mm": [0.5, 0.25]}, None, 0.125), ({"spacing_mm": [0.5, 0.25]}, 3.0, 9)],
)
def test_units(model, tmp_path, training, given, area):
    out = tmp_path / "out"
    predict(model(CELLS, **training), [pictures(tmp_path / "in", space=CELLS)], out=out, spacing=given)
    row = table_of(out)[0]
    assert ("area_mm2" in row) == (area is not None)
    if area is not None:
        assert float(row["area_mm2"]) == pytest.approx(int(row["area_px"]) * area, abs=1e-4)


def test_a_spacing_that_is_none_is_refused(model, tmp_path):
    for value in (0, -1, float("nan"), float("inf")):
        with pytest.raises(UsageError, match="--spacing"):
            predict(model(CELLS), [pictures(tmp_path / "in")], out=tmp_path / "out", spacing=value)


def test_no_objects_at_all_and_a_broken_picture(model, tmp_path):
    data, out = tmp_path / "in", tmp_path / "out"
    save(data / "empty.png", np.zeros((5, 7, 3), np.uint8))
    (data / "broken.png").write_bytes(b"no picture")
    manifest = predict(model(CELLS), [data], out=out)
    good = next(row for row in manifest["images"] if "error" not in row)
    assert good["objects"] == {"cell": 0} and manifest["failed"] == 1
    assert table_of(out) == [] and (out / "objects.csv").read_text().startswith("image,id,class,area_px,")
    told = document(out / "coco.json")
    assert told["annotations"] == [] and [image["file_name"] for image in told["images"]] == ["empty.png"]
    assert not (out / "panoptic.json").exists() and not read(out / "instances/empty.png").any()


def test_pictures_with_other_columns_share_a_table(tmp_path):
    kept = Kept(tmp_path)
    heads = [["image", "id", "score", "mean_1"], ["image", "id", "area_px", "mean_1", "mean_2"], ["image", "id"]]
    rows = [['"a,b.png",1,0.5,7'], ["c.png,1,20,8,9", "c.png,2,30,8,9"], []]
    for number, (columns, table) in enumerate(zip(heads, rows, strict=True)):
        head = {"name": f"{number}", "target": f"{number}", "size_hw": [5, 7], "columns": columns, "segments": None}
        Part(kept.objects(f"{number}")).write(head, table, [])
    assert collect(kept, ["0", "1", "2"], STREET) == ["objects.csv", "coco.json", "panoptic.json"]
    assert (tmp_path / "objects.csv").read_text().splitlines() == [
        "image,id,area_px,mean_1,mean_2,score", '"a,b.png",1,,7,,0.5', "c.png,1,20,8,9,", "c.png,2,30,8,9,",
    ]  # fmt: skip
    assert document(tmp_path / "panoptic.json")["images"] == []  # they have no panoptic picture


def test_nothing_changes_without_objects(monkeypatch, tmp_path):
    save(tmp_path / "in/a.png", scene(1))
    manifest = predict("otsu", [tmp_path / "in"], out=tmp_path / "out", overlay=True)
    assert set(manifest["images"][0]) == {"input", "source", "output", "size_hw", "classes", "seconds"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "a.png", "overlays", "predictions.json", ".limner-output"
    }  # fmt: skip


def test_large_id_maps_are_tiff(monkeypatch, tmp_path):
    ids = np.zeros((300, 601), np.int32)
    ids[7, 11], ids[299, 600] = 65_535, 65_536
    path = instance_files.write_instances(tmp_path / "deep/a.b", ids)
    assert path.name == "a.b.tif"
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        assert page.is_tiled and page.dtype == np.uint32 and page.compression.name == "ADOBE_DEFLATE"
        assert np.array_equal(page.asarray(), ids)
    ids[299, 600] = 3
    assert np.array_equal(read(instance_files.write_instances(tmp_path / "a.b", ids)), ids)
    monkeypatch.setattr(instance_files, "LARGE_PIXELS", 1000)
    assert instance_files.write_instances(tmp_path / "c", ids).name == "c.tif"
    with pytest.raises(ValueError, match="65536"):
        instance_files.encode_instances(ids + 1)


@pytest.mark.parametrize("name", ["=1+1.png", "+x.png", "-x.png", "@x.png", "\tx.png"])
def test_names_are_no_formulas(name):
    assert object_cells.guarded(name) == f"'{name}"
    assert object_cells.guarded(f"a{name}") == f"a{name}"
    assert "\n" not in object_cells.line([object_cells.guarded("a\nb"), 'q"'])
