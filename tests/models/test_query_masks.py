"""Query masks of transformers: shapes, gradients, weights of a folder, a bundle's arguments, exports, and that they learn."""

import importlib.util
import json
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from limner.core.errors import MachineError, RecipeError
from limner.core.query_answer import unpack
from limner.models.dry_run import dry_run
from limner.models.query_masks import QUERY_MASKS, pack

needs_package = pytest.mark.skipif(
    not all(importlib.util.find_spec(package) for package in ("transformers", "scipy")),
    reason="pip install transformers scipy",
)
each = pytest.mark.parametrize("name", QUERY_MASKS)
SIZE = (64, 96)
SMALL = {"width": 32, "queries": 7, "layers": 2, "input_hw": SIZE}


def network(name, channels=3, maps=4, seed=0, **arguments):
    torch.manual_seed(seed)
    return QUERY_MASKS[name].Config(**SMALL | arguments).build(channels=channels, maps=maps)


def again(name, arguments, channels=3, maps=4):
    """A network from what a bundle keeps, as JSON gives it back."""
    kept = json.loads(json.dumps(arguments))
    return QUERY_MASKS[name].Config(**kept | {"input_hw": tuple(kept["input_hw"])}).build(channels=channels, maps=maps)


def published(name, folder, num_labels=5):
    """A folder as the hub has them."""
    made = network(name, maps=num_labels + 1, seed=3, input_hw=(64, 64)).inner
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made.save_pretrained(folder)
    return made


def test_they_are_listed_without_the_package():
    code = "import sys; from limner.models.query_masks import QUERY_MASKS as q; assert 'transformers' not in sys.modules; print(*q)"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split()
    assert found == ["query/mask2former", "query/eomt"]
    assert all("arXiv:" in QUERY_MASKS[name].source for name in found)


@each
def test_a_missing_package_says_how_to_get_it(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MachineError, match=name) as caught:
        network(name)
    assert caught.value.fix.startswith("pip install")


def test_pack_and_unpack_are_inverse():
    masks, classes = torch.randn(2, 3, 4, 5), torch.randn(2, 3, 8)
    packed = pack(masks, classes)
    assert packed.shape == (2, 3, 6, 5) and not packed[:, :, 5, 3:].any()
    assert all(torch.equal(a, b) for a, b in zip(unpack(packed, 7), (masks, classes), strict=True))


@needs_package
@each
@pytest.mark.parametrize(("channels", "size"), [(3, (64, 96)), (1, (37, 53)), (5, (200, 130)), (2, (1, 1))])
def test_answers_have_one_size_whatever_the_picture(name, channels, size):
    model = network(name, channels, maps=1).eval()
    with torch.inference_mode():
        x = torch.rand(2, channels, *size)
        answer, first = model(x), model(x[:1])
    assert answer.shape == (2, 7, 17, 24) and answer.dtype == torch.float32 and torch.isfinite(answer).all()
    assert unpack(answer, 1)[1].shape == (2, 7, 2)
    assert torch.allclose(answer[:1], first, atol=1e-5)
    assert dry_run(model, channels, size).shape == (1, 7, 17, 24)


@needs_package
@each
def test_layers_and_gradients(name):
    model = network(name, dropout=0.1).train()
    levels = model.forward_levels(torch.rand(2, 3, *SIZE).contiguous(memory_format=torch.channels_last))
    assert [tuple(level.shape) for level in levels] == [(2, 7, 17, 24)] * 3
    sum(level.square().mean() for level in levels).backward()
    learns = {key: p for key, p in model.named_parameters() if p.requires_grad}
    without = [key for key, p in learns.items() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [key for key in without if not key.endswith("level_embed")] == []  # its first factor is 0 by design
    encoder = {id(p) for p in model.encoder.parameters()}
    assert encoder < {id(p) for p in model.parameters()} and len(encoder) > 10
    model.eval()
    with torch.inference_mode():
        x = torch.rand(1, 3, *SIZE)
        assert torch.equal(model.forward_levels(x)[0], model(x))


@needs_package
@each
def test_a_bundle_builds_it_again_without_its_first_weights(name, tmp_path):
    published(name, tmp_path / "hub")
    model = network(name, weights=str(tmp_path / "hub"), maps=3)
    save_file({key: value.contiguous() for key, value in model.state_dict().items()}, tmp_path / "w.safetensors")
    copy = again(name, model.arguments, maps=3)
    assert copy.licences == () and "weights" not in model.arguments
    copy.load_state_dict(load_file(tmp_path / "w.safetensors"))
    x = torch.rand(1, 3, 50, 70)
    with torch.inference_mode():
        assert torch.equal(copy.eval()(x), model.eval()(x))
    with torch.device("meta"):
        bare = again(name, model.arguments, maps=3)
    assert {key: value.shape for key, value in bare.state_dict().items()} == {
        key: value.shape for key, value in model.state_dict().items()
    }


@needs_package
@each
def test_weights_of_a_folder_are_taken_all_but_the_class_head(name, tmp_path):
    source = published(name, tmp_path).state_dict()
    model = network(name, weights=str(tmp_path), input_hw=(64, 64), maps=3, seed=9)
    own = model.inner.state_dict()
    same = [key for key, value in own.items() if key in source and torch.equal(value, source[key])]
    assert [key for key in own if key not in same and not key.startswith(("class_predictor.", "criterion."))] == []
    assert own["class_predictor.weight"].shape[0] == 3  # two classes and "no object"
    x = torch.randint(0, 256, (1, 3, *SIZE)).float()  # colours arrive as the weights were trained on
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    wanted = (x / 255 - mean.reshape(1, 3, 1, 1)) / deviation.reshape(1, 3, 1, 1)
    assert torch.allclose((x - 127) / 128 * model.gain + model.shift, wanted, atol=1e-5)


@needs_package
def test_eomt_fits_the_places_of_its_patches_to_another_size(tmp_path):
    published("query/eomt", tmp_path)
    model = network("query/eomt", weights=str(tmp_path), input_hw=(128, 32), maps=3).eval()
    places = model.inner.embeddings.position_embeddings.weight
    assert places.shape == (16, 32) and model(torch.rand(1, 3, 60, 60)).shape == (1, 7, 33, 8)


@needs_package
def test_licences_are_named(tmp_path):
    published("query/mask2former", tmp_path / "m2f")
    assert "CC-BY-NC-4.0" in network("query/mask2former", weights=str(tmp_path / "m2f")).licences[0]
    (tmp_path / "m2f" / "README.md").write_text("---\ntags: [x]\nlicense: mit\n---\n# A card\n")
    assert network("query/mask2former", weights=str(tmp_path / "m2f")).licences == ("m2f: mit (its model card)",)
    assert network("query/mask2former").licences == ()


@needs_package
@each
def test_weights_that_cannot_be_used_are_named(name, tmp_path):
    other = next(key for key in QUERY_MASKS if key != name)
    published(other, tmp_path / "other")
    with pytest.raises(RecipeError, match="holds a model of the kind") as caught:
        network(name, weights=str(tmp_path / "other"))
    assert other in caught.value.fix
    with pytest.raises(MachineError, match="no weights could be had") as missing:
        network(name, weights=str(tmp_path / "nothing"))
    assert missing.value.where == "encoder.weights"
    published(name, tmp_path / "cut")
    state = load_file(tmp_path / "cut" / "model.safetensors")
    save_file(dict(list(state.items())[10:]), tmp_path / "cut" / "model.safetensors", {"format": "pt"})
    with pytest.raises(RecipeError, match="weights are missing"):
        network(name, weights=str(tmp_path / "cut"))


@needs_package
@each
def test_a_strangers_settings_fetch_nothing(name):
    settings = json.loads(network(name).settings)
    bad = settings | {
        "_attn_implementation": "some/kernel",
        "auto_map": {"AutoModel": "some--code.Net"},
        "torch_dtype": "float16",
    }
    assert json.loads(network(name, settings=json.dumps(bad)).settings) == settings
    for text in ("{", "[1]", json.dumps(settings | {"num_queries": "many"})):
        with pytest.raises(RecipeError, match="settings cannot be read"):
            network(name, settings=text)


@needs_package
def test_another_backbone_is_refused():
    settings = json.loads(network("query/mask2former").settings)
    settings["backbone_config"] = {
        "model_type": "timm_backbone",
        "backbone": "resnet50",
        "use_pretrained_backbone": True,
    }
    with pytest.raises(RecipeError, match="another backbone"):
        network("query/mask2former", settings=json.dumps(settings))


@each
@pytest.mark.parametrize("arguments", [{"input_hw": (100, 96)}, {"input_hw": (64,)}, {"width": 33}])
@needs_package
def test_sizes_that_do_not_go_together(name, arguments):
    with pytest.raises(RecipeError, match=r"multiple|height and width"):
        network(name, **arguments)


@needs_package
@each
def test_an_export_answers_the_same_for_every_size(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    model = network(name).eval()
    file = str(tmp_path / "m.onnx")
    axes = {0: "batch", 2: "height", 3: "width"}
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model, (torch.zeros(2, 3, *model.traced_hw),), file, opset_version=17, dynamo=False, input_names=["image"],
            output_names=["logits"], dynamic_axes={"image": axes, "logits": {0: "batch"}},
        )  # fmt: skip
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    for shape in ((1, 3, *SIZE), (3, 3, 37, 53), (2, 3, 150, 97)):
        x = torch.rand(shape)
        with torch.no_grad():
            expected = model(x).numpy()
        assert np.abs(session.run(None, {"image": x.numpy()})[0] - expected).max() < 1e-4


def discs(seed, number, size=SIZE):
    """Discs and squares that may overlap: pictures, class ids, object ids."""
    rng, (height, width) = np.random.default_rng(seed), size
    yy, xx = np.mgrid[:height, :width]
    images = rng.normal(-0.6, 0.05, (number, 3, height, width)).astype(np.float32)
    labels, ids = np.zeros((number, height, width), np.int64), np.zeros((number, height, width), np.int32)
    for i in range(number):
        for k in range(1, int(rng.integers(1, 4)) + 1):
            kind, r, y, x = (
                rng.integers(1, 3),
                rng.uniform(9, 15),
                rng.uniform(10, height - 10),
                rng.uniform(10, width - 10),
            )
            inside = np.hypot(yy - y, xx - x) < r if kind == 1 else np.maximum(abs(yy - y), abs(xx - x)) < 0.8 * r
            images[i][:, inside] = np.array([[0.8, 0.1, 0.2], [0.1, 0.3, 0.9]][kind - 1])[:, None] * rng.uniform(0.6, 1)
            labels[i][inside], ids[i][inside] = kind, k
    return images, labels, ids


@needs_package
@each
def test_a_few_steps_on_overlapping_discs_teach_it_something(name):
    from limner.losses.query_masks import supervised_query_loss

    torch.manual_seed(0)
    model = network(name, maps=3, queries=8).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    start, losses = time.perf_counter(), []
    for step in range(24):
        images, labels, ids = (torch.from_numpy(array) for array in discs(step, 4))
        levels = model.forward_levels(images)
        loss = supervised_query_loss(
            levels, labels, torch.ones_like(labels, dtype=torch.bool), ids, num_classes=2, things=(1, 2)
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-4:]) < 0.65 * np.mean(losses[:4]), losses
    assert time.perf_counter() - start < 60
