"""Carry the trained Keras weights of a teaching system over into a bundle."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from limner.api.extras import require
from limner.api.model_card import write_model_card
from limner.core.errors import DataError
from limner.core.files import prepare_output
from limner.core.labels import LabelSpace
from limner.core.named_recipes import read_recipe
from limner.core.protocols import Listener, Silent

if TYPE_CHECKING:
    from torch import nn

    from limner.core.recipe import Recipe
    from limner.runtimes.keras_file import KerasFile

TOLERANCE = 1e-3  # of scores in 0..1; what two libraries differ by in float32 is about 1e-6 to 1e-4


@dataclass(frozen=True)
class ImportResult:
    """What came over.

    Parameters
    ----------
    bundle : the folder.
    layers, weights : how many.
    max_abs_difference : largest difference of a score between Keras and the bundle on the test picture; None where the file
        holds weights alone and Keras cannot answer.
    picture : the test picture.
    """

    bundle: Path
    layers: int
    weights: int
    max_abs_difference: float | None
    picture: str

    def as_dict(self) -> dict[str, Any]:
        """``import-keras --json``."""
        return {**vars(self), "bundle": str(self.bundle)}


# long because of its arguments and their docstring
def import_keras(
    file: Path | str,
    *,
    recipe: Path | str,
    out: Path | str,
    overwrite: bool = False,
    listener: Listener | None = None,
) -> ImportResult:
    """Make a bundle from the Keras weights in `file`.

    Parameters
    ----------
    file : ``.keras``, or ``.h5`` with a whole model or weights alone.
    recipe : name or file of the recipe that the network was built from; it also says how pictures are fed to it.
    out : new folder for the bundle.
    overwrite : replace a folder that Limner made.
    listener : hears of progress.

    Returns
    -------
    What came over, and the largest difference of a score on a test picture.

    Raises
    ------
    DataError : the file cannot be read, or its layers do not fit the recipe's network, or the answers differ.
    MachineError : Keras is not installed.
    RecipeError : unknown recipe.
    """
    path, chosen = Path(file), read_recipe(recipe)
    if not path.is_file():
        raise DataError(f"no file at {path}", expected="a .keras or .h5 file", fix="correct the path")
    require("train")
    require("keras")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    from limner.models import build, cost
    from limner.runtimes.keras_file import read_keras
    from limner.runtimes.keras_weights import carry_over

    found = read_keras(path)
    folded = fold_two_maps(found)
    arguments = _arguments(chosen, folded, path)
    network = build(
        chosen.model.architecture,
        {name: value for name, value in arguments.items() if name not in ("channels", "maps")},
        channels=arguments["channels"],
        maps=arguments["maps"],
    )
    carry_over(folded.layers, network, channels=arguments["channels"])
    difference, picture = _largest_difference(found, network.eval(), chosen, arguments["channels"])
    if difference is not None and not difference <= TOLERANCE:
        raise DataError(
            f"Keras and the network answer {difference:.3g} apart on a test picture",
            expected=f"at most {TOLERANCE}",
            where=str(path),
            fix="the file's network has the same layers but another order or other activations than the recipe; "
            "give a recipe file that describes it",
        )
    resized, told = chosen.data.resize_hw, listener or Silent()
    size_hw = (own_size(found.model) or resized) if any(resized) else resized  # else the recipe cuts tiles
    folder = prepare_output(Path(out), overwrite=overwrite, inputs=[path])
    _write(folder, network, chosen, arguments, path, size_hw=size_hw)
    if difference is None:
        told.message(f"{path.name} holds weights alone: Keras cannot answer, so nothing was compared")
    if folded is not found:
        told.message("the network answers background and foreground in two maps; a softmax of them became one map")
    if size_hw != resized:
        told.message(
            f"pictures are resized to {size_hw[0]} x {size_hw[1]}, which the network was built for, not to the "
            f"{resized[0]} x {resized[1]} of the recipe"
        )
    return ImportResult(folder, len(found.layers), cost.weights_total(network), difference, picture)


def fold_two_maps(found: KerasFile) -> KerasFile:
    """The same network with one map where it ends in two that compete; else `found` itself.

    Softmax of two logits is the sigmoid of their difference: exp(b) / (exp(a) + exp(b)) = 1 / (1 + exp(a - b)). A bundle of two
    classes has one map, so the last kernel and bias become those of the foreground minus those of the background.
    """
    places = [place for place, layer in enumerate(found.layers) if layer.kind == "Conv2D"]
    if not places or found.layers[places[-1]].arrays[0].shape[3] != 2:
        return found
    last = found.layers[places[-1]]
    one = dataclasses.replace(last, arrays=tuple(array[..., 1:] - array[..., :1] for array in last.arrays))
    layers = (*found.layers[: places[-1]], one, *found.layers[places[-1] + 1 :])
    return dataclasses.replace(found, layers=layers)


def own_size(model: Any) -> tuple[int, int] | None:
    """Height and width that a Keras model was built for; None where it takes any, or the file holds weights alone."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or not (shape[1] and shape[2]):
        return None
    return int(shape[1]), int(shape[2])


def _arguments(recipe: Recipe, found: KerasFile, path: Path) -> dict[str, Any]:
    """The recipe's network with the channels, maps and batch-norm constant of the file."""
    from limner.api.network import model_arguments
    from limner.models import config_fields

    kernels = [layer for layer in found.layers if layer.kind == "Conv2D"]
    if not kernels:
        raise DataError(
            f"{path.name} holds no convolution",
            expected="a network of one of the recipes",
            where=str(path),
            fix="choose the file that holds the trained network",
        )
    arguments = model_arguments(recipe)
    epsilons = {layer.epsilon for layer in found.layers if layer.epsilon}
    if len(epsilons) == 1 and "norm_eps" in config_fields(recipe.model.architecture):
        arguments["norm_eps"] = epsilons.pop()  # several are told when the weights come over
    return {"channels": kernels[0].arrays[0].shape[2], "maps": kernels[-1].arrays[0].shape[3], **arguments}


def _largest_difference(
    found: KerasFile, network: nn.Module, recipe: Recipe, channels: int
) -> tuple[float | None, str]:
    """Largest difference of a score on a picture of the demo set at the model's or the recipe's size, and the picture's name."""
    import numpy as np

    from limner.api.demo import DATA
    from limner.data.images import read_image
    from limner.data.preprocess import prepare, to_network
    from limner.inference.blend import activate
    from limner.runtimes.pytorch import TorchPredictor

    file = min((DATA / "images").iterdir())
    if found.model is None:
        return None, file.name
    data = recipe.data
    working = prepare(
        read_image(file),
        channels=channels,
        scale=data.scale,
        normalization=data.normalization,
        intensity_range=data.intensity_range,
        resize_hw=own_size(found.model) or data.resize_hw,
    )
    x = to_network(working, normalization=data.normalization)[None]
    theirs = np.asarray(found.model.predict(x.transpose(0, 2, 3, 1), verbose=0), np.float32).transpose(0, 3, 1, 2)
    ours = TorchPredictor(network, bfloat16=False)(x)
    last = found.model.layers[-1]
    activation = getattr(last, "activation", None)
    if getattr(activation, "__name__", "linear") == "linear" and type(last).__name__ != "Softmax":  # a layer of its own
        theirs = activate(theirs)
    scores = activate(ours)
    return float(
        np.abs(theirs[:, -scores.shape[1] :] - scores).max()
    ), file.name  # of two maps that became one the second


def _write(
    folder: Path, network: nn.Module, recipe: Recipe, arguments: dict[str, Any], path: Path, *, size_hw: tuple[int, int]
) -> None:
    import limner
    from limner.api.network import input_contract
    from limner.core.bundle import Bundle
    from limner.training.checkpoint import save_weights

    maps = int(arguments["maps"])
    names = ("background", "foreground") if maps == 1 else ("background", *(f"class {i}" for i in range(1, maps)))
    bundle = Bundle(
        folder=folder,
        architecture=recipe.model.architecture,
        arguments=arguments,
        label_space=LabelSpace(names),
        contract=dataclasses.replace(input_contract(recipe), resize_hw=size_hw, channels=int(arguments["channels"])),
        training={"limner": limner.__version__, "imported": path.name, "precision": "float32"},
        licences=(f"weights: {path.name}, given by the user",),
    )
    save_weights(network, bundle.weights)
    bundle.save()
    write_model_card(bundle)
