"""Adapter: every decoder of segmentation_models_pytorch, on timm encoders, as one more architecture.

The package is optional and imported when a network is built. Its own encoder weights are never used: the encoder is timm's, and
`load_pretrained` fills it like any other.
Iakubovskii 2019, github.com/qubvel-org/segmentation_models.pytorch (MIT).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import timm
import torch
from torch import Tensor, nn

from limner.core.errors import MachineError, RecipeError
from limner.models.backbone import ONE_SIZE, REFUSALS, first_line, size_options
from limner.models.blocks.conv import speed_up_depthwise
from limner.models.blocks.sizes import cut, enlarged, padded
from limner.models.dry_run import dry_run

PAPERS = {  # of each decoder
    "unet": "Ronneberger, Fischer, Brox 2015, arXiv:1505.04597",
    "unetplusplus": "Zhou et al. 2018, arXiv:1807.10165",
    "manet": "Fan et al. 2020, doi:10.1109/ACCESS.2020.3025372",
    "linknet": "Chaurasia and Culurciello 2017, arXiv:1707.03718",
    "fpn": "Kirillov et al. 2019, arXiv:1901.02446",
    "pspnet": "Zhao et al. 2017, arXiv:1612.01105",
    "deeplabv3": "Chen et al. 2017, arXiv:1706.05587",
    "deeplabv3plus": "Chen et al. 2018, arXiv:1802.02611",
    "pan": "Li et al. 2018, arXiv:1805.10180",
    "upernet": "Xiao et al. 2018, arXiv:1807.10221",
    "segformer": "Xie et al. 2021, arXiv:2105.15203",
    "dpt": "Ranftl et al. 2021, arXiv:2103.13413",
}
WITH_WIDTHS = ("unet", "unetplusplus", "manet")  # decoders whose widths can be chosen
LEAST = {"pan": 128}  # sides that a decoder needs at least; it halves the coarsest map three times
# decoders with a batch norm of one value per picture and channel
ONE_VALUE = ("deeplabv3", "deeplabv3plus", "pan", "upernet")
DIVISOR = 32  # of the sides of a picture, for all encoders that fit


@dataclass(frozen=True)
class SmpArchitecture:
    """An entry of the table: its Config and the decoder's paper."""

    Config: type
    source: str


def smp_architecture(decoder: str) -> SmpArchitecture:
    """The architecture ``smp/<decoder>``; nothing is imported yet."""

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        encoder : timm name; a vision transformer for ``dpt``.
        decoder_widths : channels of the decoder, coarse to fine, five of them; () = the package's own.
        dropout : share of channels dropped before the last layer while training.
        """

        encoder: str = "vit_small_patch16_224" if decoder == "dpt" else "tf_efficientnet_lite0"
        decoder_widths: tuple[int, ...] = ()
        dropout: float = 0.0

        def build(self, *, channels: int, maps: int) -> SmpNetwork:
            """The network for so many input channels and output maps."""
            return SmpNetwork(decoder, self.encoder, self.decoder_widths, self.dropout, channels=channels, maps=maps)

    return SmpArchitecture(Config, f"{PAPERS[decoder]}; segmentation_models_pytorch")


class SmpEncoder(nn.Module):
    """The package's wrapper around a timm network, with what `load_pretrained` asks for."""

    untrained: tuple[str, ...] = ()

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    @property
    def backbone(self) -> nn.Module:
        """The timm network."""
        backbone: nn.Module = self.inner.model  # type: ignore[assignment]
        return backbone

    def forward(self, x: Tensor) -> Any:
        """What the package's decoders take."""
        return self.inner(x)


class SmpNetwork(nn.Module):
    """Logits ``(N, maps, H, W)`` at input size for ``(N, C, H, W)``; any height and width.

    Parameters
    ----------
    decoder : a key of `PAPERS`.
    encoder : timm name.
    widths : channels of the decoder, coarse to fine; () = the package's own.
    dropout : share of channels dropped before the last layer while training.
    channels, maps : of input and output.

    Raises
    ------
    MachineError : the package is not installed.
    RecipeError : encoder and decoder do not go together.
    """

    def __init__(
        self, decoder: str, encoder: str, widths: tuple[int, ...], dropout: float, *, channels: int, maps: int
    ) -> None:
        super().__init__()
        network = _make(decoder, encoder, widths, channels=channels, maps=maps)
        self.encoder = SmpEncoder(network.encoder)
        self.decoder, self.head = network.decoder, network.segmentation_head
        self.dropout = nn.Dropout2d(dropout)
        self.name, self.takes_tokens, self.least = decoder, decoder == "dpt", LEAST.get(decoder, 1)
        if self.takes_tokens:  # the decoder reads the blocks, not what classification puts behind them
            self.encoder.backbone.prune_intermediate_layers(network.encoder._output_indices, True, True)  # type: ignore[operator]
        speed_up_depthwise(self.encoder.backbone)
        speed_up_depthwise(self.decoder)
        try:
            dry_run(self, channels, (2 * DIVISOR, 3 * DIVISOR))
        except REFUSALS as error:
            raise _no_match(decoder, encoder, first_line(error)) from None

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of `x`."""
        size_hw = x.shape[-2:]
        x = padded(x, DIVISOR, least=self.least)
        features = self.encoder(x)
        try:
            y = self.decoder(*features) if self.takes_tokens else self.decoder(features)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            raise RecipeError(
                f"smp/{self.name} normalises one value per picture, and a step has one picture",
                expected="two or more", where="sampling.batch",
                fix="use --set sampling.batch=2, or twice as many as there are --devices, or an architecture without smp/ before "
                "its name",
            ) from None  # fmt: skip
        return cut(enlarged(self.head(self.dropout(y)), x.shape[-2:]), size_hw)


def fewest_patches(architecture: str) -> int:
    """How many patches a network has to compute at once, at least, while it learns.

    Examples
    --------
    >>> fewest_patches("smp/pan"), fewest_patches("smp/unet"), fewest_patches("unet")
    (2, 1, 1)
    """
    return 2 if architecture.startswith("smp/") and architecture.removeprefix("smp/") in ONE_VALUE else 1


def _make(decoder: str, encoder: str, widths: tuple[int, ...], *, channels: int, maps: int) -> Any:
    """The package's network with random weights."""
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise MachineError(
            f"smp/{decoder} needs segmentation_models_pytorch ({error})",
            expected="the package",
            where="model.architecture",
            fix="pip install segmentation-models-pytorch",
        ) from None
    if widths and decoder not in WITH_WIDTHS:
        raise RecipeError(
            f"smp/{decoder} has no decoder_widths", expected="[]", where="model.decoder_widths", fix="leave them out"
        )
    sizes, why = size_options(encoder), ""
    options: dict[str, Any] = {"decoder_channels": widths} if widths else {}
    if decoder == "dpt":
        options["decoder_readout"] = "cat" if _has_tokens(encoder) else "ignore"
    for size in sizes:
        try:
            return smp.create_model(
                decoder, f"tu-{encoder}", None, in_channels=channels, classes=maps, **options, **size
            )
        except REFUSALS as error:
            why = first_line(error)
    raise _no_match(decoder, encoder, ONE_SIZE if sizes[0] else why)


def _has_tokens(encoder: str) -> bool:
    """Whether a vision transformer has tokens beside those of its patches, for the class say."""
    with torch.device("meta"):
        return bool(getattr(timm.create_model(encoder, pretrained=False), "num_prefix_tokens", 0))


def _no_match(decoder: str, encoder: str, why: str) -> RecipeError:
    remedy = "vit_small_patch16_224" if decoder == "dpt" else "tf_efficientnet_lite0 or resnet34"
    return RecipeError(
        f"smp/{decoder} and encoder '{encoder}' do not go together ({why})",
        expected="an encoder that the decoder can read",
        where="encoder.name",
        fix=f"use --set encoder.name={remedy}",
    )


SMP = {f"smp/{decoder}": smp_architecture(decoder) for decoder in PAPERS}
