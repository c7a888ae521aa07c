"""The adapter to segmentation_models_pytorch: listed without it, a remedy where it lacks, encoders like all others."""

import subprocess
import sys

import pytest
import timm
import torch
from safetensors.torch import save_file

from limner.core.errors import MachineError, RecipeError
from limner.models import ARCHITECTURES, build, config_fields
from limner.models.cost import output_hw
from limner.models.encoder import load_pretrained
from limner.models.smp import PAPERS, fewest_patches

needs_package = pytest.mark.skipif(
    subprocess.run([sys.executable, "-c", "import importlib.util as u; assert u.find_spec('segmentation_models_pytorch')"],
                   capture_output=True, check=False).returncode != 0,
    reason="pip install segmentation-models-pytorch",
)  # fmt: skip


def test_all_decoders_are_listed_without_the_package():
    names = (
        "unet unetplusplus manet linknet fpn pspnet deeplabv3 deeplabv3plus pan upernet segformer dpt"  # of version 0.5
    )
    assert {name for name in ARCHITECTURES if name.startswith("smp/")} == {f"smp/{name}" for name in names.split()}
    code = "import sys, limner.models; assert 'segmentation_models_pytorch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert config_fields("smp/fpn") == {"encoder", "decoder_widths", "dropout"}


def test_a_missing_package_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(MachineError, match="smp/fpn") as caught:
        build("smp/fpn", {}, channels=3, maps=1)
    assert caught.value.fix == "pip install segmentation-models-pytorch"


@needs_package
def test_the_package_has_no_decoder_that_is_not_listed():
    import segmentation_models_pytorch as smp

    assert set(smp.MODEL_ARCHITECTURES_MAPPING) == {n.removeprefix("smp/") for n in ARCHITECTURES if "/" in n}


@needs_package
def test_no_weights_are_fetched(monkeypatch):
    def offline(*args, **kwargs):
        raise AssertionError("a download")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", offline)
    made = []
    create = timm.create_model
    monkeypatch.setattr(
        timm, "create_model", lambda *a, **k: made.append(k.get("pretrained", False)) or create(*a, **k)
    )
    build("smp/unet", {"encoder": "test_efficientnet"}, channels=3, maps=1)
    assert made and not any(made)


@needs_package
@pytest.mark.parametrize(
    ("name", "encoder"), [("smp/unet", "test_convnext"), ("smp/fpn", "test_efficientnet"), ("smp/dpt", "test_vit")]
)
def test_published_weights_fill_the_encoder(tmp_path, name, encoder):
    torch.manual_seed(2)
    source = timm.create_model(encoder, pretrained=False).state_dict()
    save_file({key: value.contiguous() for key, value in source.items()}, tmp_path / "w.safetensors")
    model = build(name, {"encoder": encoder}, channels=1, maps=2)
    before = {key: value.clone() for key, value in model.encoder.backbone.state_dict().items()}
    load_pretrained(model.encoder, encoder, weights=str(tmp_path / "w.safetensors"))
    after = model.encoder.backbone.state_dict()
    sizable = [key for key, value in after.items() if value.ndim > 1]
    assert sizable and not any(torch.equal(after[key], before[key]) for key in sizable)


@needs_package
def test_widths_where_the_decoder_has_them():
    model = build("smp/unet", {"encoder": "test_efficientnet", "decoder_widths": [9, 8, 7, 6, 5]}, channels=3, maps=2)
    assert model.head[0].in_channels == 5
    with pytest.raises(RecipeError, match="decoder_widths"):
        build("smp/fpn", {"encoder": "test_efficientnet", "decoder_widths": [9, 8, 7, 6, 5]}, channels=3, maps=2)


@needs_package
@pytest.mark.parametrize(
    ("name", "encoder", "remedy"),
    [
        ("smp/unet", "test_vit", "resnet34"), ("smp/dpt", "maxvit_tiny_tf_224", "vit_small"),
        ("smp/fpn", "inception_v4", "resnet34"), ("smp/dpt", "vit_small_patch14_dinov2", "vit_small"),
        ("smp/unet", "maxvit_tiny_tf_224", "resnet34"), ("smp/unet", "resnet3", "resnet34"),
    ],
)  # fmt: skip
def test_encoders_that_a_decoder_cannot_read_are_named(name, encoder, remedy):
    with pytest.raises(RecipeError, match=encoder) as caught:
        build(name, {"encoder": encoder}, channels=3, maps=1)
    assert remedy in caught.value.fix and caught.value.where == "encoder.name"


@needs_package
def test_a_step_of_one_picture_says_what_to_do():
    model = build("smp/deeplabv3plus", {"encoder": "test_efficientnet"}, channels=3, maps=1).train()
    with pytest.raises(RecipeError, match="one picture") as caught:
        model(torch.rand(1, 3, 64, 96))
    assert caught.value.where == "sampling.batch"
    assert model.eval()(torch.rand(1, 3, 64, 96)).shape == (1, 1, 64, 96)


@needs_package
@pytest.mark.parametrize("decoder", sorted({*PAPERS} - {"dpt"}))
def test_which_decoders_need_two_pictures(decoder):
    model = build(f"smp/{decoder}", {"encoder": "test_efficientnet"}, channels=3, maps=1).train()
    try:
        model(torch.rand(1, 3, 128, 160))
    except RecipeError:
        assert fewest_patches(f"smp/{decoder}") == 2
    else:
        assert fewest_patches(f"smp/{decoder}") == 1
    assert fewest_patches(decoder) == 1


@needs_package
@pytest.mark.parametrize("encoder", ["vit_tiny_patch16_224", "vit_base_patch16_siglip_224", "resnet18"])
def test_encoders_with_and_without_class_tokens(encoder):
    with torch.device("meta"):
        model = build("smp/dpt", {"encoder": encoder}, channels=3, maps=2)
    assert output_hw(model, 3, (70, 101)) == (70, 101)
