"""Weights out of a Keras file: whole models (.keras, .h5) through Keras itself, weights alone (.h5) from the HDF5 groups.

Nothing in the file is run: models with Lambda layers or classes of their own are refused before Keras sees them.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import numpy.typing as npt

from limner.core.errors import DataError

Array = npt.NDArray[np.float32]
KINDS = {"Conv2D": "convolution", "Conv2DTranspose": "transposed convolution", "BatchNormalization": "batch norm"}
GROUP_KINDS = {"conv2d": "Conv2D", "conv2d_transpose": "Conv2DTranspose", "batch_normalization": "BatchNormalization"}

LARGEST_RATIO = 20  # unpacked size / size; weights hardly shrink
LARGEST_CONFIG, SPARE = 2**26, 2**20


@dataclass(frozen=True)
class KerasLayer:
    """One layer with weights.

    Parameters
    ----------
    name : in the file.
    kind : a key of `KINDS`.
    arrays : as Keras stores them: ``kernel (h, w, in, out)`` and bias; ``(h, w, out, in)`` when transposed; for batch norm
        gamma, beta, moving mean, moving variance, each ``(channels,)``.
    epsilon : of a batch norm, 0 where unknown.
    """

    name: str
    kind: str
    arrays: tuple[Array, ...]
    epsilon: float = 0.0


@dataclass(frozen=True)
class KerasFile:
    """Layers with weights in the order in which they are computed, and the model itself unless the file holds weights alone."""

    layers: tuple[KerasLayer, ...]
    model: Any = None


def read_keras(path: Path) -> KerasFile:
    """The weights of a Keras file.

    Raises
    ------
    DataError : not a Keras file, code inside, or layers with weights of another kind.
    """
    try:
        config = _model_config(path)
        if config is None:
            return KerasFile(tuple(_stored_layers(path)))
        _refuse_code(config, path)
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, KeyError, zipfile.BadZipFile, ValueError, TypeError) as error:
        raise DataError(
            f"{path.name} cannot be read: {str(error).splitlines()[0]}",
            expected="a model or weights that Keras saved, .keras or .h5",
            where=str(path),
            fix="save it again with model.save('model.keras')",
        ) from None
    return KerasFile(tuple(_model_layers(model, path)), model)


def _model_config(path: Path) -> dict[str, Any] | None:
    """The architecture in the file; None where it holds weights alone."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            _check_sizes(archive, path)
            tree: dict[str, Any] = json.loads(archive.read("config.json"))
        tree.pop("compile_config", None)  # losses and metrics are not wanted, whoever wrote them
        return tree
    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
    if text is None:
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def _check_sizes(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse an archive that states to unpack to far more than it is; zipfile reads no entry beyond its stated size.

    Raises
    ------
    DataError : it does, or its configuration alone is too large.
    """
    entries = {entry.filename: entry.file_size for entry in archive.infolist()}
    total = sum(entry.file_size for entry in archive.infolist())
    if total > LARGEST_RATIO * path.stat().st_size + SPARE or entries.get("config.json", 0) > LARGEST_CONFIG:
        raise DataError(
            f"{path.name} unpacks to {total / 2**20:.0f} MiB, its size is {path.stat().st_size / 2**20:.1f} MiB",
            expected="a model that Keras saved", where=str(path), fix="save it again with model.save('model.keras')",
        )  # fmt: skip


def _refuse_code(config: Any, path: Path) -> None:
    """Refuse what would have to run code of the file's author."""
    for entry in _entries(config):
        name, module = str(entry.get("class_name", "")), str(entry.get("module") or "keras")
        if (
            name == "Lambda"
            or not module.startswith(("keras", "builtins"))
            or entry.get("registered_name") not in (None, name)
        ):
            raise DataError(
                f"{path.name} holds '{name}', which is code of its own",
                expected="layers that Keras brings",
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


def _model_layers(model: Any, path: Path) -> Iterator[KerasLayer]:
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _model_layers(layer, path)
            continue
        kind = type(layer).__name__
        if not layer.weights:
            continue
        if kind not in KINDS:
            raise DataError(
                f"layer '{layer.name}' is a {kind}",
                expected=f"one of {', '.join(KINDS)}",
                where=str(path),
                fix="only networks of the recipes can be carried over",
            )
        if kind == "BatchNormalization":
            yield KerasLayer(layer.name, kind, _norm_arrays(layer), float(layer.epsilon))
        else:
            yield KerasLayer(layer.name, kind, tuple(np.asarray(array, np.float32) for array in layer.get_weights()))


def _norm_arrays(layer: Any) -> tuple[Array, ...]:
    """Gamma, beta, mean, variance; 1 and 0 where the layer was made without scale or centre."""
    mean, variance = (
        np.asarray(keras.ops.convert_to_numpy(v), np.float32) for v in (layer.moving_mean, layer.moving_variance)
    )
    gamma = (
        np.ones_like(mean) if layer.gamma is None else np.asarray(keras.ops.convert_to_numpy(layer.gamma), np.float32)
    )
    beta = np.zeros_like(mean) if layer.beta is None else np.asarray(keras.ops.convert_to_numpy(layer.beta), np.float32)
    return gamma, beta, mean, variance


def _stored_layers(path: Path) -> Iterator[KerasLayer]:
    """Layers of a file that holds weights alone, each kind in the order in which its layers were made."""
    with h5py.File(path, "r") as file:
        names = file.attrs.get("layer_names")
        if names is not None:  # Keras 2
            groups = [(_text(name), file[_text(name)]) for name in names]
            listed = [(name, [group[_text(w)] for w in group.attrs["weight_names"]]) for name, group in groups]
        else:
            root = file["layers"] if "layers" in file else file["_layer_checkpoint_dependencies"]
            ordered = sorted(root, key=_number)
            listed = [(name, [root[name]["vars"][i] for i in sorted(root[name]["vars"], key=int)]) for name in ordered]
        for name, weights in listed:
            if not weights:
                continue
            stem = re.sub(r"_\d+$", "", name)
            if stem not in GROUP_KINDS:
                raise DataError(
                    f"'{name}' in a file of weights alone does not say what kind of layer it is",
                    expected="the names that Keras gives, such as conv2d_3",
                    where=str(path),
                    fix="save the whole model instead: model.save('model.keras')",
                )
            yield KerasLayer(name, GROUP_KINDS[stem], tuple(np.asarray(w, np.float32) for w in weights))


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def _number(name: str) -> tuple[str, int]:
    """``conv2d`` before ``conv2d_1`` before ``conv2d_10``."""
    match = re.fullmatch(r"(.*?)(?:_(\d+))?", name)
    assert match is not None
    return match[1], int(match[2] or -1)
