"""Query masks: Mask2Former and EoMT from the package `transformers`, as networks that answer one tensor.

A set of Q learned queries answers Q masks, and for each the class that it shows or "no object". Objects may overlap: every mask is
a map of its own. Both come back packed into one tensor (`limner.core.query_answer`), so that exports and runtimes see four axes
as with every network. The background is no class of a query: it is what no query claims.
Cheng et al. 2022, arXiv:2112.01527 (Mask2Former); Kerssies et al. 2025, arXiv:2503.19108 (EoMT). The package is optional and
imported when a network is built; nothing is downloaded unless `weights` names a model of the hub.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.core.query_answer import class_rows
from limner.models.query_package import adapt, build_inner
from limner.models.query_weights import colours, licence_of

PREFIX = "query/"
STRIDE = 32  # sides of the input are multiples of it
PAPERS = {
    "mask2former": "Cheng et al. 2022, arXiv:2112.01527; transformers",
    "eomt": "Kerssies et al. 2025, arXiv:2503.19108; transformers",
}


@dataclass(frozen=True)
class QueryArchitecture:
    """An entry of the table: its Config and the paper."""

    Config: type
    source: str


def query_architecture(family: str) -> QueryArchitecture:
    """The architecture ``query/<family>``; nothing is imported yet."""

    @dataclass(frozen=True)
    class Config:
        """What decides the network.

        Parameters
        ----------
        weights : folder or hub name of published weights of this family (``config.json`` and safetensors); "" = a small random
            network of the sizes below.
        settings : the package's own description of the network, as JSON; bundles carry it, so that weights need not be had again.
        input_hw : height and width that every picture is brought to, multiples of 32; () = those of the weights, else 256 x 256.
        queries : how many masks a picture can have at most; of a random network.
        width : channels of queries and maps, a multiple of 32; of a random network.
        layers : in which queries look at the picture; of a random network.
        dropout : share of activations dropped there while training.
        """

        weights: str = ""
        settings: str = ""
        input_hw: tuple[int, ...] = ()
        queries: int = 50
        width: int = 64
        layers: int = 3
        dropout: float = 0.0

        def build(self, *, channels: int, maps: int) -> QueryMasks:
            """The network for so many input channels; `maps` as of a label space: 1 for two classes, else one per class."""
            return QueryMasks(family, self, channels=channels, num_classes=max(1, maps - 1))

    return QueryArchitecture(Config, PAPERS[family])


class QueryMasks(nn.Module):
    """Packed answers ``(N, Q, h + r, w)`` for pictures ``(N, C, H, W)`` of any size, which are brought to `input_hw`.

    Parameters
    ----------
    family : ``mask2former`` or ``eomt``.
    config : see `query_architecture`.
    channels : of the input, in about -1..1 as `limner.data.preprocess.to_network` gives it under ``fixed``; one is repeated
        three times.
    num_classes : C, the classes without the background.

    Raises
    ------
    MachineError : the package is missing, or the weights cannot be had.
    RecipeError : sizes that do not go together, or weights of another family.
    """

    takes_any_size = True  # an export needs no padding around it

    def __init__(self, family: str, config: Any, *, channels: int, num_classes: int) -> None:
        super().__init__()
        self.family, self.num_classes = family, num_classes
        self.things: tuple[int, ...] = ()  # class ids whose objects training tells apart; not kept with the weights
        inner, self.input_hw, self.settings = build_inner(family, config, num_classes=num_classes)
        _check_size(self.input_hw)
        self.inner: nn.Module = adapt(inner, family, self.input_hw)
        self.licences: tuple[str, ...] = (licence_of(family, config.weights),) if config.weights else ()
        self.arguments: dict[str, Any] = {  # that build this network again, without its first weights
            "settings": self.settings, "input_hw": list(self.input_hw), "dropout": config.dropout,
        }  # fmt: skip
        self.repeats = 3 if channels == 1 else 1
        self.colour: nn.Module = nn.Identity() if channels in (1, 3) else _mixed(channels)
        gain, shift = colours(config.weights)
        self.gain: Tensor
        self.shift: Tensor
        self.register_buffer("gain", gain)
        self.register_buffer("shift", shift)

    @property
    def encoder(self) -> nn.Module:
        """What published weights fill and fine-tuning moves slowly: the Swin transformer, or the blocks of the ViT."""
        inner: Any = self.inner
        if self.family == "mask2former":
            found: nn.Module = inner.model.pixel_level_module.encoder
            return found
        return nn.ModuleList([inner.embeddings, inner.layers])

    @property
    def traced_hw(self) -> tuple[int, int]:
        """A size for tracing: another than `input_hw`, so that the resizing is in the graph."""
        return self.input_hw[0] + STRIDE, self.input_hw[1] + 2 * STRIDE

    def forward(self, x: Tensor) -> Tensor:
        """The packed answer of the last layer."""
        masks, classes = self._answers(x)[0]
        return pack(masks, classes)

    def forward_levels(self, x: Tensor) -> list[Tensor]:
        """Packed answers of all layers, the last first; training supervises each. In evaluation mode EoMT has its last only."""
        return [pack(masks, classes) for masks, classes in self._answers(x)]

    def _answers(self, x: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Masks ``(N, Q, h, w)`` and classes ``(N, Q, C + 1)`` of every layer that answers, the last first."""
        if tuple(x.shape[-2:]) != self.input_hw:
            x = F.interpolate(x, size=self.input_hw, mode="bilinear", align_corners=False)
        x = self.colour(x.repeat(1, self.repeats, 1, 1)) * self.gain + self.shift
        answers: list[tuple[Tensor, Tensor]] = self.inner.answers(x)  # type: ignore[operator]
        return answers[::-1]


def pack(masks: Tensor, classes: Tensor) -> Tensor:
    """Masks ``(N, Q, h, w)`` and classes ``(N, Q, C + 1)`` as one tensor ``(N, Q, h + r, w)``.

    Examples
    --------
    >>> pack(torch.ones(1, 1, 2, 3), torch.arange(4.0).reshape(1, 1, 4))[0, 0].tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [0.0, 1.0, 2.0], [3.0, 0.0, 0.0]]
    """
    queries, count, width = int(classes.shape[1]), int(classes.shape[2]), int(masks.shape[3])
    rows = class_rows(count - 1, width)
    padded = F.pad(classes, (0, rows * width - count)).reshape(-1, queries, rows, width)
    return torch.cat([masks, padded.to(masks.dtype)], dim=2)


def _check_size(input_hw: tuple[int, int]) -> None:
    if any(side < STRIDE or side % STRIDE for side in input_hw):
        raise RecipeError(
            f"pictures of {input_hw[0]} x {input_hw[1]}",
            expected=f"sides that are multiples of {STRIDE}",
            where="data.resize_hw",
            fix="use --set data.resize_hw=[512, 512]",
        )


def _mixed(channels: int) -> nn.Conv2d:
    """Any number of channels to three; at first colour i is the mean of the channels i, i + 3, ..., or the last channel."""
    mix = nn.Conv2d(channels, 3, 1, bias=False)
    with torch.no_grad():
        mix.weight.zero_()
        for colour in range(3):
            chosen = list(range(colour, channels, 3)) or [channels - 1]
            mix.weight[colour, chosen] = 1 / len(chosen)
    return mix


QUERY_MASKS = {f"{PREFIX}{family}": query_architecture(family) for family in PAPERS}
