"""What single architectures promise beyond the contract of all: structure as in their papers, figures, remedies."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from limner.core.errors import RecipeError
from limner.models import build
from limner.models.blocks.conv import Float32Depthwise
from limner.models.cost import gmacs, parameters, weights_total
from limner.models.encoder import load_pretrained

PLAIN = {"encoder": "plain", "encoder_widths": [4, 6, 8, 10]}


def shape_only(name, arguments, *, channels=3, maps=1):
    with torch.device("meta"):
        return build(name, arguments, channels=channels, maps=maps)


def test_attention_gates_stand_at_all_skips_but_the_finest():
    assert list(shape_only("attention-unet", PLAIN).gates) == ["4", "2"]
    assert list(shape_only("attention-unet", {"encoder": "resnet18"}).gates) == ["16", "8", "4"]
    gate = shape_only("attention-unet", PLAIN).gates["4"]
    assert (gate.skip.in_channels, gate.gate.in_channels, gate.score.in_channels) == (8, 10, 4)


def test_an_open_gate_makes_it_a_unet():
    torch.manual_seed(0)
    gated = build("attention-unet", PLAIN, channels=3, maps=1).eval()
    plain = build("unet", {**PLAIN, "head_kernel": 1}, channels=3, maps=1).eval()
    plain.load_state_dict({key: value for key, value in gated.state_dict().items() if not key.startswith("gates")})
    x = torch.rand(1, 3, 24, 40)
    with torch.inference_mode():
        closed = gated(x)
        for gate in gated.gates.values():
            gate.score.weight.zero_()
            gate.score.bias.fill_(100.0)
        assert torch.allclose(gated(x), plain(x), atol=1e-6) and not torch.allclose(closed, plain(x), atol=1e-6)


def test_nodes_of_unetpp():
    model = build("unetpp", {**PLAIN, "deep_supervision": True}, channels=3, maps=2)
    assert sorted(model.nodes) == ["0_1", "0_2", "0_3", "1_1", "1_2", "2_1"]
    inputs = {name: node.level.first[0].in_channels for name, node in model.nodes.items()}
    assert inputs == {"0_1": 6 + 4, "1_1": 8 + 6, "2_1": 10 + 8, "0_2": 6 + 8, "1_2": 8 + 12, "0_3": 6 + 12}
    levels = model.train().forward_levels(torch.rand(2, 3, 19, 30))
    assert [tuple(y.shape) for y in levels] == [(2, 2, 19, 30)] * 3
    sum(y.square().mean() for y in levels).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_unetpp_on_an_encoder_of_half_size_ends_at_full_size():
    model = build("unetpp", {"encoder": "test_efficientnet", "deep_supervision": True}, channels=3, maps=1).eval()
    with torch.inference_mode():
        levels = model.forward_levels(torch.rand(1, 3, 37, 64))
    assert [tuple(y.shape[-2:]) for y in levels] == [(37, 64), (19, 32), (19, 32), (19, 32)]
    with pytest.raises(RecipeError, match="decoder_widths"):
        build("unetpp", {"encoder": "test_efficientnet", "decoder_widths": [8, 8, 8]}, channels=3, maps=1)


def test_residual_unet_levels_norms_and_mistakes():
    arguments = {"widths": [4, 6, 8], "blocks": [1, 2, 1], "deep_supervision": True, "decoder_convs": 2}
    model = build("residual-unet", arguments, channels=3, maps=2).train()
    levels = model.forward_levels(torch.rand(1, 3, 21, 30))
    assert [tuple(y.shape) for y in levels] == [(1, 2, 21, 30), (1, 2, 11, 15)]
    sum(y.square().mean() for y in levels).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())
    assert [len(stage) for stage in model.encoder.stages] == [1, 2, 1] and len(model.decoder[0]) == 2
    assert not list(model.buffers()) and list(build("residual-unet", {"norm": "batch"}, channels=3, maps=1).buffers())
    for change in ({"widths": [4]}, {"blocks": [1]}, {"decoder_convs": 0}, {"norm": "layer"}):
        with pytest.raises(RecipeError):
            build("residual-unet", {**arguments, **change}, channels=3, maps=1)


def test_fpn_has_the_weights_and_the_arithmetic_of_another_implementation():
    pytest.importorskip("segmentation_models_pytorch", reason="pip install segmentation-models-pytorch")
    own, other = (build(name, {"encoder": "resnet18"}, channels=3, maps=2) for name in ("fpn", "smp/fpn"))
    assert parameters(own) == parameters(other)
    assert gmacs(own, 3, (128, 192)) == pytest.approx(gmacs(other, 3, (128, 192)), rel=1e-6)


def test_unet_has_the_weights_and_the_arithmetic_of_another_implementation():
    pytest.importorskip("segmentation_models_pytorch", reason="pip install segmentation-models-pytorch")
    arguments = {"encoder": "resnet18", "decoder_widths": [256, 128, 64, 32, 16]}
    own, other = (build(name, arguments, channels=3, maps=2) for name in ("unet", "smp/unet"))
    assert parameters(own) == parameters(other)
    assert gmacs(own, 3, (128, 192)) == pytest.approx(gmacs(other, 3, (128, 192)), rel=1e-6)


@pytest.mark.parametrize("encoder", ["test_convnext", "hrnet_w18_small", "test_efficientnet"])
def test_groups_of_fpn_normalise_even_one_pixel(encoder):
    model = build("fpn", {"encoder": encoder, "branch_width": 10, "pyramid_width": 8}, channels=3, maps=1).eval()
    with torch.inference_mode():
        assert model(torch.rand(1, 3, 5, 7)).shape == (1, 1, 5, 7)


def test_deeplab_dilates_where_the_encoder_can():
    dilated = shape_only("deeplabv3plus", {"encoder": "resnet18"})
    assert dilated.encoder.strides == (2, 4, 8, 16, 16) and rates(dilated) == [6, 12, 18]
    stiff = shape_only("deeplabv3plus", {"encoder": "dla34"})
    assert stiff.encoder.strides[-1] == 32 and rates(stiff) == [3, 6, 9]
    finer = shape_only("deeplabv3plus", {"encoder": "resnet18", "output_stride": 8})
    assert finer.encoder.strides[-1] == 8 and rates(finer) == [12, 24, 36]
    assert dilated.fine[0].in_channels == 64 and dilated.refine[0][0].in_channels == 256 + 48
    for change in ({"rates": []}, {"rates": [0, 6]}, {"output_stride": 4}):
        with pytest.raises(RecipeError, match=next(iter(change))):
            shape_only("deeplabv3plus", change)


def rates(model):
    convs = [
        branch[0].conv if isinstance(branch[0], Float32Depthwise) else branch[0] for branch in model.context.atrous
    ]
    return [conv.dilation[0] for conv in convs]


def test_enhanced_deeplab_is_as_large_and_as_quick_as_promised():
    model = shape_only("deeplabv3plus-enhanced", {}, maps=21)
    assert weights_total(model) > 40_000_000
    assert gmacs(model, 3, (512, 512)) < 160
    assert rates(model) == [6, 12, 18, 24] and len(model.pyramid.lateral) == 4
    assert model.encoder.channels[-4:] == (256, 512, 1024, 2048)
    blocks = sum(len(model.encoder.backbone[f"layer{i}"]) for i in (1, 2, 3, 4))
    assert len(model.encoder.untrained) == blocks == 3 + 4 + 23 + 3


def test_gradients_reach_channel_attention_and_squeeze():
    model = build("deeplabv3plus-enhanced", {"encoder": "test_resnet", "width": 16}, channels=3, maps=1).train()
    for part in model.encoder.modules():
        if isinstance(part, torch.nn.BatchNorm2d) and not part.weight.any():
            torch.nn.init.constant_(part.weight, 0.5)  # timm's residual blocks begin as if they were not there
    model(torch.rand(2, 3, 64, 96)).square().mean().backward()
    attention = [p for key, p in model.named_parameters() if ".se.conv" in key or key.startswith("attention.")]
    assert len(attention) == len(model.encoder.untrained) + 4
    assert all(p.grad.abs().sum() > 0 for p in attention)


def test_weights_of_the_plain_resnet_fill_all_but_channel_attention(tmp_path):
    torch.manual_seed(1)
    source = timm.create_model("test_resnet", pretrained=False).state_dict()
    save_file(source, tmp_path / "w.safetensors")
    model = build("deeplabv3plus-enhanced", {"encoder": "test_resnet", "width": 16}, channels=3, maps=1)
    before = {key: value.clone() for key, value in model.encoder.backbone.state_dict().items()}
    load_pretrained(model.encoder, "test_resnet", weights=str(tmp_path / "w.safetensors"))
    for key, value in model.encoder.backbone.state_dict().items():
        assert torch.equal(value, before[key] if ".se." in key else source[key])
    bare = build("deeplabv3plus-enhanced", {"encoder": "test_resnet", "eca": False, "width": 16}, channels=3, maps=1)
    assert bare.encoder.untrained == ()


@pytest.mark.parametrize("encoder", ["tf_efficientnet_lite0", "convnext_atto", "regnetx_002"])
def test_encoders_without_room_for_channel_attention_are_refused(encoder):
    with pytest.raises(RecipeError, match="channel attention") as caught:
        build("deeplabv3plus-enhanced", {"encoder": encoder}, channels=3, maps=1)
    assert "resnet101" in caught.value.fix
    build("deeplabv3plus-enhanced", {"encoder": "test_convnext", "eca": False, "width": 8}, channels=3, maps=1)
