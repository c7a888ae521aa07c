"""What the configuration of a Keras file may name before Keras itself sees it: layers that Keras brings and that run no code of
the file's author.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from limner.core.errors import DataError

# A list of what may stand there, for a list of what may not is never complete: Keras has layers besides Lambda that run what
# a file brings (TorchModuleWrapper, TFSMLayer, JaxLayer), and later versions may have more.
LAYERS = {
    "Activation", "ActivityRegularization", "Add", "AlphaDropout", "Average", "AveragePooling2D", "BatchNormalization",
    "CenterCrop", "Concatenate", "Conv2D", "Conv2DTranspose", "Cropping2D", "Dense", "DepthwiseConv2D", "Dropout", "ELU",
    "Flatten", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "GroupNormalization",
    "Identity", "InputLayer", "LayerNormalization", "LeakyReLU", "MaxPooling2D", "Maximum", "Minimum", "Multiply",
    "Normalization", "PReLU", "Permute", "RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation",
    "RandomTranslation", "RandomZoom", "ReLU", "Rescaling", "Reshape", "Resizing", "SeparableConv2D", "Softmax",
    "SpatialDropout2D", "Subtract", "ThresholdedReLU", "UnitNormalization", "UpSampling2D", "ZeroPadding2D",
}  # fmt: skip
MODELS = {"Functional", "Model", "Sequential"}
STARTS = {  # of weights, their regularizers and bounds, and kinds of numbers
    "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "IdentityInitializer", "LecunNormal",
    "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal",
    "VarianceScaling", "Zeros", "L1", "L1L2", "L2", "OrthogonalRegularizer", "MaxNorm", "MinMaxNorm", "NonNeg",
    "UnitNorm", "DTypePolicy", "Policy", "SeedGenerator",
}  # fmt: skip
VALUES = {"__keras_tensor__", "__numpy__", "__tensor__", "__tuple__", "TensorShape"}
KNOWN = LAYERS | MODELS | STARTS | VALUES


def refuse_code(config: Any, path: Path) -> None:
    """Refuse what would have to run code of the file's author, and all that is not known to run none.

    Raises
    ------
    DataError : it names the first.
    """
    for entry in _entries(config):
        name, module = str(entry.get("class_name", "")), str(entry.get("module") or "keras")
        is_own = name not in VALUES and module != "keras" and not module.startswith("keras.")
        if is_own or name not in KNOWN or entry.get("registered_name") not in (None, name):
            raise DataError(
                f"{path.name} holds '{name[:80]}', which is code of its own, or none of the layers that are known to run none",
                expected="layers of the recipes' networks, as Keras brings them",
                where=str(path),
                fix="build the same network without it, load the weights into that, and save it again",
            )


def _entries(tree: Any) -> Iterator[dict[str, Any]]:
    """All objects of a configuration that name a class."""
    if isinstance(tree, dict):
        if "class_name" in tree:
            yield tree
        for value in tree.values():
            yield from _entries(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _entries(value)
