"""The plain API over a real socket: forms of requests, outputs, errors, and answers equal to those of the command line."""

import base64
import dataclasses
import io
import json

import numpy as np
import pytest

from limner.classical import METHODS
from limner.core.bundle import Bundle, InputContract
from limner.core.labels import LabelSpace
from limner.core.sample import Sample
from limner.data.formats.coco_rle import decode_rle
from limner.data.images import read_image, write_labels
from limner.data.rasterize import rasterize
from limner.inference.segmenter import NetworkSegmenter
from limner.server.limits import Limits
from limner.server.loaded import ModelSpec, Opened
from limner.server.serve import name_models, opener
from tests.cli.call import limner
from tests.runtimes.onnx_files import write_convolution
from tests.server.fakes import SPACE, Threshold, opening
from tests.server.pictures import array, decoded, encoded

PICTURE = array(size_hw=(37, 61))
FILE = encoded(PICTURE)
CONTRACT = InputContract(
    channels=3, scale=0.7, normalization="fixed", intensity_range=(0.0, 255.0), tile=0, overlap=0.25, flips="x", threshold=0.5
)  # fmt: skip


@pytest.fixture(scope="module")
def otsu():
    """What the method itself says."""
    return METHODS["otsu"].segment(Sample("p", PICTURE)).labels


@pytest.fixture
def server(serving):
    return serving(opener("auto"), specs=[ModelSpec("otsu", "otsu"), ModelSpec("edges", "sobel")])


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A network in ONNX; its folder is called cells."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cells" / "model"
    write_convolution(folder / "model.onnx", maps=3)
    (folder / "weights.safetensors").write_bytes(b"not opened here")
    made = Bundle(
        folder, "unet", {"channels": 3, "maps": 3}, LabelSpace(("background", "cell", "wall")), CONTRACT,
        exports={"onnx": {"files": ["model.onnx"]}},
    )  # fmt: skip
    made.save()
    return made


def test_the_document_counts_what_the_mask_shows(server, otsu):
    answer = server.client.post("/v1/predict", files={"image": ("a.png", FILE)}, data={"spacing_mm": "0.5"}).json()
    assert answer["model"] == {"name": "otsu", "version": server.engine.get().version}
    assert answer["size_hw"] == [37, 61]
    assert np.array_equal(decoded(base64.b64decode(answer["mask_png"])), otsu)
    pixels = int(otsu.sum())
    background, foreground = answer["classes"]
    assert (background["id"], background["name"], background["pixels"]) == (0, "background", otsu.size - pixels)
    assert foreground["pixels"] == pixels and foreground["share"] == pytest.approx(pixels / otsu.size)
    assert foreground["area"] == {"value": pixels * 0.25, "unit": "mm²"}
    assert foreground["color"] == "#e63939"
    assert answer["confidence"] is None and answer["warnings"] == []
    assert set(answer["seconds"]) == {"queue", "decode", "predict", "total"}


def test_three_forms_of_one_request_have_one_answer(server):
    forms = [
        server.client.post("/v1/predict", files={"image": ("a.png", FILE)}, data={"min_area": "9", "model": "edges"}),
        server.post(FILE, min_area=9, model="edges"),
        server.client.post(
            "/v1/predict", json={"image": base64.b64encode(FILE).decode(), "min_area": 9, "model": "edges"}
        ),
    ]
    answers = [form.json() for form in forms]
    for answer in answers:
        del answer["seconds"]
    assert answers[0]["model"]["name"] == "edges"
    assert answers[0] == answers[1] == answers[2]


def test_the_mask_is_the_file_of_the_command_line(server, tmp_path):
    source = tmp_path / "a.png"
    source.write_bytes(FILE)
    assert limner("predict", "otsu", source, "--out", tmp_path / "out").code == 0
    answer = server.post(FILE, output="mask_png")
    assert answer.content == (tmp_path / "out/a.png").read_bytes()
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["x-limner-model"] == "otsu" and json.loads(answer.headers["x-limner-warnings"]) == []
    assert answer.headers["content-disposition"].startswith("attachment; filename=")
    preferred = server.post(FILE, headers={"Accept": "image/png"})
    assert preferred.content == answer.content


@pytest.mark.parametrize("kind", ["JPEG", "BMP", "TIFF", "WEBP", "gray", "deep"])
def test_every_kind_of_file_is_read_as_on_the_command_line(server, tmp_path, kind):
    made = {
        "gray": (encoded(array(1, (7, 9), 1)), ".png"), "deep": (encoded(array(1, (7, 9), 3, "uint16"), "TIFF"), ".tif"),
    }  # fmt: skip
    data, suffix = made.get(kind) or (
        encoded(PICTURE, kind),
        {"JPEG": ".jpg", "TIFF": ".tif"}.get(kind, f".{kind.lower()}"),
    )
    (tmp_path / f"a{suffix}").write_bytes(data)
    labels = METHODS["otsu"].segment(Sample("a", read_image(tmp_path / f"a{suffix}"))).labels
    write_labels(tmp_path / "mask.png", labels, METHODS["otsu"].label_space)
    answer = server.post(data, kind="application/octet-stream", output="mask_png")
    assert answer.content == (tmp_path / "mask.png").read_bytes()


def test_outlines_and_runs_give_the_mask_again(server, otsu):
    document = server.post(FILE, output="polygons").json()
    drawn = np.zeros(otsu.shape, np.uint8)
    for row in document["polygons"]:
        assert (row["class"], row["id"]) == ("foreground", 1)
        rings = [np.array(ring, float) for ring in (row["points_xy"], *row["holes"])]
        inside = rasterize_rings(rings, otsu.shape)
        drawn[inside] = 1
    assert np.array_equal(drawn, otsu)
    (row,) = server.post(FILE, output="rle").json()["rle"]
    bitmap = decode_rle(row, otsu.shape)
    assert bitmap.mask.sum() == otsu.sum()
    coco = server.client.post("/v1/predict?output=coco", files={"image": ("Ä b.png", FILE)}).json()
    (annotation,) = coco["annotations"]
    rows, columns = np.nonzero(otsu)
    assert annotation["bbox"] == [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
    assert annotation["area"] == otsu.sum() and annotation["segmentation"]["counts"] == row["counts"]
    assert coco["images"] == [{"id": 1, "file_name": "Ä b.png", "width": 61, "height": 37}]


def rasterize_rings(rings, shape):
    from limner.core.annotation import Polygon

    return rasterize(Polygon((rings[0],), tuple(rings[1:])), shape)


def test_an_overlay_shows_the_picture(server, otsu):
    shown = decoded(server.post(FILE, output="overlay_png").content)
    assert shown.shape == PICTURE.shape
    assert np.array_equal(shown[otsu == 0], PICTURE[otsu == 0])
    assert not np.array_equal(shown[otsu == 1], PICTURE[otsu == 1])


def test_a_torch_network_answers_as_on_the_command_line(serving, bundle, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    from limner.data.preprocess import to_network
    from limner.models import build
    from limner.runtimes.pytorch import TorchPredictor

    arguments = {"encoder": "test_efficientnet", "decoder_widths": [8, 8, 8], "dropout": 0.0}
    torch.manual_seed(3)
    network = build("unet", arguments, channels=3, maps=1)
    save_file(network.state_dict(), bundle.weights)
    predictor = TorchPredictor(network, bfloat16=False)
    batch = to_network(PICTURE)[None]
    threshold = float(np.median(1 / (1 + np.exp(-predictor(batch)))))  # an untrained network has one opinion
    arguments = {"channels": 3, "maps": 1, **arguments}
    space = LabelSpace(("background", "cell"), ((0, 0, 0), (9, 200, 30)))
    contract = dataclasses.replace(CONTRACT, scale=1.0, flips="xy", threshold=threshold, temperature=0.4)
    training = {"precision": "float32"}
    dataclasses.replace(
        bundle, arguments=arguments, label_space=space, exports={}, contract=contract, training=training
    ).save()
    (tmp_path / "a.png").write_bytes(FILE)
    assert limner("predict", bundle.folder, tmp_path / "a.png", "--out", tmp_path / "out").code == 0
    server = serving(opener("auto"), specs=name_models([bundle.folder], []))
    answer = server.post(FILE, output="mask_png")
    assert answer.content == (tmp_path / "out/a.png").read_bytes()
    assert 0 < decoded(answer.content).mean() < 1
    assert answer.headers["x-limner-model"] == "cells"
    assert decoded(server.post(FILE, threshold=1, output="mask_png").content).sum() == 0
    assert server.post(FILE, tta=True, tile=32).status_code == 200
    with np.load(io.BytesIO(server.post(FILE, output="probs_npz").content)) as stored:
        scores = stored["scores"][0].astype(float)
    wanted = round(float(np.quantile(scores, 0.3)), 4)
    mask = decoded(server.post(FILE, threshold=wanted, output="mask_png").content)
    clear = abs(scores - wanted) > 1e-3  # float16 is not exact
    assert clear.mean() > 0.5 and np.array_equal(mask[clear] == 1, scores[clear] > wanted)


def test_a_network_tells_its_scores_and_options(serving, bundle):
    server = serving(opener("onnx"), specs=[ModelSpec("cells", str(bundle.folder))])
    with np.load(io.BytesIO(server.post(FILE, output="probs_npz").content)) as stored:
        scores = stored["scores"]
    assert scores.shape == (3, 37, 61) and scores.dtype == np.float16
    assert np.allclose(scores.astype(float).sum(0), 1, atol=2e-3)
    (model,) = server.client.get("/v1/models").json()["models"]
    assert model["input"]["scale"] == 0.7 and model["runtime"].startswith("onnx")
    refused = server.post(FILE, threshold=0.3)
    assert refused.status_code == 422 and "two classes" in refused.json()["error"]["message"]
    mirrored = server.post(FILE, tta=True)
    assert mirrored.status_code == 200


def test_the_confidence_of_large_pictures_is_not_told(serving, tmp_path, monkeypatch):
    """As on the command line; their scores would take gigabytes."""
    (tmp_path / "bundle.json").write_text("{}")
    contract = InputContract(3, 1.0, "fixed", (0.0, 255.0), 0, 0.25, "", 0.5, temperature=2.0)
    learnt = {"confidence": {"x": [0.0, 1.0], "y": [0.0, 1.0]}}
    bundle = Bundle(tmp_path, "net", {"channels": 3}, SPACE, contract, answers=learnt)
    kept = []

    @dataclasses.dataclass(frozen=True)
    class Network(NetworkSegmenter):
        def segment(self, sample):
            kept.append(self.keep_scores)
            return super().segment(sample)

    network = Network(lambda batch: np.asarray(8 * batch[:, :1], np.float32), contract, SPACE, 3)
    server = serving(lambda spec: Opened(network, SPACE, bundle))
    assert 0.5 < server.post(FILE).json()["confidence"] <= 1 and kept[-1]
    monkeypatch.setattr("limner.server.routes.predict.PREPARED_PIXELS", 10)
    assert server.post(FILE).json()["confidence"] is None and not kept[-1]


def test_a_model_is_exchanged_whole_or_not_at_all(serving, bundle):
    server = serving(opener("onnx"), specs=[ModelSpec("cells", str(bundle.folder))])
    before, first = server.post(FILE, output="mask_png"), server.client.get("/v1/models/cells").json()
    (bundle.folder / "model.onnx").write_bytes(b"damaged")
    refused = server.client.post("/v1/models/cells/reload")
    assert refused.status_code == 422
    assert "model.onnx" in refused.json()["error"]["message"] and "sha256" in refused.json()["error"]["message"]
    assert server.post(FILE, output="mask_png").content == before.content
    write_convolution(bundle.folder / "model.onnx", maps=3, seed=5)
    bundle.save()
    answer = server.client.post("/v1/models/cells/reload")
    assert answer.status_code == 200 and answer.json()["version"] != first["version"]
    after = server.post(FILE, output="mask_png")
    assert after.headers["x-limner-version"] == answer.json()["version"]
    assert after.content != before.content
    assert server.client.post("/v1/models/nobody/reload").status_code == 404


def test_one_bad_picture_of_several_spoils_no_other(server):
    parts = [("image", (f"{i}.png", data)) for i, data in enumerate([FILE, FILE[:200], b"GIF89a....", FILE])]
    answer = server.client.post("/v1/predict/batch", files=parts)
    assert answer.status_code == 200
    document = answer.json()
    assert document["failed"] == 2
    assert [row["name"] for row in document["results"]] == ["0.png", "1.png", "2.png", "3.png"]
    assert ["error" in row for row in document["results"]] == [False, True, True, False]
    assert document["results"][0]["mask_png"] == document["results"][3]["mask_png"]
    refused = server.client.post("/v1/predict/batch", files=[("image", ("a.png", FILE))] * 17)
    assert refused.status_code == 413 and refused.json()["error"]["limit"] == {"parts": 16}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"treshold": "0.5"}, "did you mean 'threshold'"),
        ({"threshold": "2"}, "a number from 0 to 1"),
        ({"threshold": "nan"}, "a number from 0 to 1"),
        ({"threshold": "0.5"}, "no such option"),
        ({"tile": "31"}, "32"),
        ({"min_area": "1.5"}, "whole number"),
        ({"tta": "maybe"}, "true or false"),
        ({"output": "pdf"}, "one of: json"),
        ({"output": "probs_npz"}, "no such option"),
        ({"frames": "some"}, "one of: all"),
        ({"mask": ["true", "false"]}, "twice"),
    ],
)
def test_an_option_that_cannot_be_obeyed_is_refused(server, query, words):
    refused = server.client.post("/v1/predict", content=FILE, params=query, headers={"Content-Type": "image/png"})
    assert refused.status_code == 422
    assert words in refused.json()["error"]["message"]


def test_other_requests_are_told_what_is_there(server):
    assert (
        server.client.post("/v1/predict?model=none", content=FILE, headers={"Content-Type": "image/png"}).status_code
        == 404
    )
    for content, kind, status in [
        (FILE, "application/zip", 415), (b"", "image/png", 422), (b"%PDF-1.7", "image/png", 415), (b"{}", "application/json", 422),
        (b'{"image": "http://127.0.0.1:1/a.png"}', "application/json", 422), (b"--x--", "multipart/form-data", 422),
        (b"--x--\r\n", "multipart/form-data; boundary=x", 422),
    ]:  # fmt: skip
        answer = server.post(content, kind=kind)
        assert (answer.status_code, kind) == (status, kind)
        assert set(answer.json()["error"]) >= {"code", "message"}
    assert server.client.get("/v1/nothing").json()["error"]["code"] == "path"
    assert server.client.get("/v1/predict").status_code == 405
    assert server.client.get("/v1/limits").json()["pixels"] == 64_000_000


def test_frames_are_answered_when_asked_for(serving):
    server = serving(opening(Threshold()))
    stack = np.stack([array(i, (5, 7)) for i in range(3)])
    data = encoded(stack, "TIFF", photometric="rgb")
    refused = server.post(data)
    assert refused.status_code == 422 and refused.json()["error"]["limit"] == {"frames": 1}
    frames = server.post(data, frames="all").json()["frames"]
    masks = [decoded(base64.b64decode(frame["mask_png"])) for frame in frames]
    assert np.array_equal(masks, stack[..., 0] > 127)
    assert server.post(data, frames="all", output="mask_png").status_code == 422


def test_a_picture_that_the_model_cannot_take_is_the_clients_fault(serving):
    server = serving(opening(Threshold()))
    refused = server.post(encoded(array(0, (5, 7), 2), "TIFF", planarconfig="contig", photometric="minisblack"))
    assert refused.status_code == 422 and "2 channels" in refused.json()["error"]["message"]


def test_small_patches_are_dropped(serving):
    server = serving(opening(Threshold()), limits=Limits())
    picture = np.zeros((6, 9, 3), np.uint8)
    picture[0, 0] = picture[2:5, 3:6] = 255
    assert decoded(server.post(encoded(picture), output="mask_png").content).sum() == 10
    assert decoded(server.post(encoded(picture), output="mask_png", min_area=9).content).sum() == 9
    assert decoded(server.post(encoded(picture), output="mask_png", min_area=10).content).sum() == 0
