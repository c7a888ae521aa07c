"""Objects over HTTP: the ids, outlines, run lengths, COCO documents and tables of one answer tell the same."""

import base64
import csv
import io

import numpy as np
import pytest
from PIL import Image

from limner.core.annotation import Polygon
from limner.core.labels import LabelSpace
from limner.core.objects import Objects, number_objects
from limner.core.prediction import Prediction
from limner.core.sample import Sample
from limner.data.formats.coco_rle import decode_rle
from limner.data.rasterize import rasterize
from limner.server import found_objects
from limner.server.loaded import Opened
from limner.server.refused import Refused
from limner.server.small import without_small
from limner.server.together import Together
from tests.server.fakes import Threshold, opening
from tests.server.pictures import encoded

SPACE = LabelSpace(("background", "cell", "=wall", "mud"), things=("cell", "=wall"))


class Told:
    """Objects as the picture tells: red is the id, green the class."""

    def segment(self, sample):
        labels = np.ascontiguousarray(sample.image[..., 1])
        ids = sample.image[..., 0].astype(np.int32)
        scores = 1 - np.arange(256, dtype=np.float32) / 512
        objects = number_objects(ids, labels, scores=scores)
        return Prediction(sample.name, np.minimum(labels, 3), SPACE, objects=objects)


def scene():
    """Two cells that touch, a wall in two pieces, a cell with a hole, a speck, and mud."""
    image = np.zeros((17, 29, 3), np.uint8)
    image[11:16, 2:27, 1] = 3
    image[14, 0, 1] = 3
    image[2:8, 3:9] = (40, 1, 0)
    image[3:9, 9:14] = (9, 1, 200)
    image[1:3, 20:24], image[6:9, 25:28] = (7, 2, 10), (7, 2, 90)
    image[10:15, 15:20] = (77, 1, 50)
    image[12, 17] = (0, 0, 0)
    image[0, 28] = (80, 1, 3)
    return image


IMAGE = scene()
FILE = encoded(IMAGE)
TRUTH = Told().segment(Sample("p", IMAGE)).objects


@pytest.fixture
def server(serving):
    return serving(lambda spec: Opened(Told(), SPACE))


def png(data):
    with Image.open(io.BytesIO(data)) as file:
        return np.array(file).astype(np.int32)


def test_json_counts_what_the_ids_show(server):
    answer = server.post(FILE, spacing_mm="0.5").json()
    assert np.array_equal(png(base64.b64decode(answer["instances_png"])), TRUTH.ids)
    told = answer["objects"]
    assert told["count"] == 5 and told["classes"] == {"cell": 4, "=wall": 1}
    for row in told["rows"]:
        where = np.argwhere(TRUTH.ids == row["id"])
        top, left = where.min(0).tolist()
        bottom, right = (where.max(0) + 1).tolist()
        assert row["pixels"] == len(where) and row["box_xywh"] == [left, top, right - left, bottom - top]
        assert row["class"] == SPACE.names[TRUTH.classes[row["id"] - 1]]
        assert row["score"] == pytest.approx(float(TRUTH.scores[row["id"] - 1]), abs=1e-4)
        assert row["area"] == {"value": len(where) / 4, "unit": "mm²"}
    bare = server.post(FILE, mask="false").json()
    assert "instances_png" not in bare and bare["objects"]["rows"][0]["area"] is None


def test_outlines_and_runs_give_the_ids_again(server):
    drawn, mud = np.zeros(TRUTH.ids.shape, np.int32), np.zeros(TRUTH.ids.shape, bool)
    for row in server.post(FILE, output="polygons").json()["polygons"]:
        rings = [np.array(ring, float) for ring in (row["points_xy"], *row["holes"])]
        inside = rasterize(Polygon((rings[0],), tuple(rings[1:])), TRUTH.ids.shape)
        if "object" in row:
            assert row["id"] == TRUTH.classes[row["object"] - 1]
            drawn[inside] = row["object"]
        else:
            mud |= inside
    assert np.array_equal(drawn, TRUTH.ids)
    assert np.array_equal(mud, (IMAGE[..., 1] == 3) & (TRUTH.ids == 0))
    for row in server.post(FILE, output="rle").json()["rle"]:
        bitmap = decode_rle(row, TRUTH.ids.shape)
        again = np.zeros(TRUTH.ids.shape, bool)
        again[bitmap.y :, bitmap.x :][: bitmap.mask.shape[0], : bitmap.mask.shape[1]] = bitmap.mask
        assert np.array_equal(again, TRUTH.ids == row["object"] if "object" in row else mud)


def test_coco_has_an_annotation_for_each_object(server):
    coco = server.client.post("/v1/predict?output=coco", files={"image": ("b.png", FILE)}).json()
    assert [one["area"] for one in coco["annotations"]] == TRUTH.areas().tolist()
    assert [one["category_id"] for one in coco["annotations"]] == TRUTH.classes.tolist()
    assert [type(one["segmentation"]).__name__ for one in coco["annotations"]].count("dict") == 2  # pieces, and a hole
    assert [one["name"] for one in coco["categories"]] == ["cell", "=wall"]


def test_tables_and_ids_as_files(server):
    document = server.post(FILE, output="objects", spacing_mm="2").json()
    assert [row["area_px"] for row in document["objects"]] == TRUTH.areas().tolist()
    for row in document["objects"]:
        values = IMAGE[TRUTH.ids == row["id"]]
        assert [row["mean_3"], row["max_1"]] == [pytest.approx(values[:, 2].mean(), abs=1e-4), values[:, 0].max()]
        assert row["area_mm2"] == 4 * row["area_px"]
    answer = server.client.post("/v1/predict?output=objects_csv", files={"image": ("=a.png", FILE)})
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"].endswith('.objects.csv"')
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert {row["image"] for row in rows} == {"'=a.png"} and {row["class"] for row in rows} == {"cell", "'=wall"}
    assert [int(row["area_px"]) for row in rows] == TRUTH.areas().tolist()
    ids = server.post(FILE, output="instances_png")
    assert np.array_equal(png(ids.content), TRUTH.ids) and 'filename="' in ids.headers["content-disposition"]
    shown = np.array(Image.open(io.BytesIO(server.post(FILE, output="overlay_png").content)))
    assert shown.shape == IMAGE.shape and not np.array_equal(shown[TRUTH.ids > 0], IMAGE[TRUTH.ids > 0])


@pytest.mark.parametrize("output", found_objects.OUTPUTS)
def test_a_model_without_objects_says_so(serving, output):
    server = serving(opening(Threshold()))
    answer = server.post(FILE, output=output)
    assert answer.status_code == 422 and "does not tell them apart" in answer.json()["error"]["message"]
    assert "objects" not in server.post(FILE).json()
    batch = server.client.post("/v1/predict/batch?output=json", files=[("image", ("a.png", FILE))]).json()
    assert "objects" not in batch["results"][0]


def test_small_objects_go_whole_and_the_others_are_numbered_anew(server):
    answer = server.post(FILE, min_area="25").json()
    kept = png(base64.b64decode(answer["instances_png"]))
    labels = png(base64.b64decode(answer["mask_png"]))
    stays = np.flatnonzero(TRUTH.areas() >= 25) + 1
    assert len(stays) == 2 or len(stays) == 3
    assert [row["id"] for row in answer["objects"]["rows"]] == list(range(1, len(stays) + 1))
    for new, old in enumerate(stays, start=1):
        assert np.array_equal(kept == new, TRUTH.ids == old)
    gone = (TRUTH.ids > 0) & ~np.isin(TRUTH.ids, stays)
    assert not labels[gone].any() and labels[14, 0] == 0 and labels[15, 4] == 3
    none = server.post(FILE, min_area=str(2**31 - 1)).json()
    assert none["objects"] == {"count": 0, "classes": {"cell": 0, "=wall": 0}, "rows": []}


def test_small_patches_where_there_are_no_objects():
    labels = np.array([[1, 0, 2, 2], [1, 0, 0, 0]], np.uint8)
    prediction = Prediction("p", labels, SPACE)
    assert without_small(prediction, 1) is prediction
    assert without_small(Prediction("p", labels, SPACE), 3).labels.max() == 0


def test_more_objects_than_a_png_holds_are_refused():
    ids = np.arange(65_536 + 4, dtype=np.int32).reshape(4, -1)
    many = Objects(ids, np.ones(65_539, np.int32))
    with pytest.raises(Refused, match="65539"):
        found_objects.ids_png(many)


class Gathering(Told):
    """Of several pictures at once it finds other ids."""

    def segment_many(self, samples):
        return [self._turned(self.segment(sample)) for sample in samples]

    def _turned(self, found):
        objects = Objects(found.objects.ids[::-1], found.objects.classes, found.objects.scores)
        return Prediction(found.name, found.labels, SPACE, objects=objects)


def test_gathered_answers_are_compared_by_their_objects_too():
    together = Together()
    together.segment(Gathering(), [Sample("a", IMAGE), Sample("b", IMAGE)])
    assert together.differs
