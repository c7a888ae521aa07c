"""Published weights under the names of a feature network: what timm renames when it cuts a classifier open.

published                  feature network          because
stages.0.blocks.1.weight   stages_0.blocks.1.weight sequences are flattened
blocks.0.norm.weight       model.blocks.0...        or the whole network is wrapped as `model` or `body`
conv_dw.weight             conv_dw.conv.weight      Float32Depthwise
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from limner.core.errors import RecipeError
from limner.models.blocks.conv import Float32Depthwise

WRAPPERS = ("model.", "body.")
COLORS = 3  # channels of published weights


def fit_weights(
    backbone: nn.Module, source: dict[str, Tensor], *, where: str, untrained: Sequence[str] = ()
) -> dict[str, Tensor]:
    """A state dict for `backbone` with the values of `source`.

    Parameters
    ----------
    backbone : a timm network made with ``features_only``.
    source : state dict of the whole network or of the feature network; what the backbone lacks is left out.
    where : file or name for the error.
    untrained : modules whose values may be missing; they keep their first ones.

    Raises
    ------
    RecipeError : weights are missing or have another shape.
    """
    own = backbone.state_dict()
    flattened = {key.replace(".", "_", 1): value for key, value in source.items()}
    wrapped = [f"{name}." for name, module in backbone.named_modules() if isinstance(module, Float32Depthwise)]
    fitted: dict[str, Tensor] = {}
    missing, wrong = [], []
    for key, value in own.items():
        found = _find(key, source, flattened, wrapped)
        if found is None:
            fitted[key] = value
            if not key.startswith(tuple(f"{name}." for name in untrained)):
                missing.append(key)
            continue
        if found.ndim == 4 and found.shape[1] == COLORS != value.shape[1]:
            found = adapt_input(found, value.shape[1])
        if found.shape != value.shape:
            wrong.append(key)
        fitted[key] = found
    for keys, words in ((missing, "are missing"), (wrong, "have another shape")):
        if keys:
            raise RecipeError(
                f"{len(keys)} weights {words}, first {keys[0]}",
                expected="weights of this encoder",
                where=where,
                fix="choose the file that belongs to encoder.name",
            )
    return fitted


def _find(key: str, source: dict[str, Tensor], flattened: dict[str, Tensor], wrapped: Sequence[str]) -> Tensor | None:
    names = [key]
    for prefix in wrapped:
        if key.startswith(f"{prefix}conv."):
            names.append(prefix + key.removeprefix(f"{prefix}conv."))
    names += [name.removeprefix(wrapper) for name in names for wrapper in WRAPPERS if name.startswith(wrapper)]
    for table in (source, flattened):
        for name in names:
            if name in table:
                return table[name]
    return None


def adapt_input(weight: Tensor, channels: int) -> Tensor:
    """First-layer weights ``(out, 3, h, w)`` for another number of input channels.

    One channel: the sum over colours, which answers a gray picture as before. Otherwise colours are repeated in turn and
    scaled by 3 / channels, which keeps the sum over inputs exactly for multiples of three and nearly for others.
    """
    if channels == 1:
        return weight.sum(1, keepdim=True)
    repeated = weight[:, [i % weight.shape[1] for i in range(channels)]]
    return repeated * (weight.shape[1] / channels)
