"""Weights out of a Keras file: whole models (.keras, .h5) through Keras itself, weights alone (.h5) from the HDF5 groups.

Nothing in the file is run: `limner.runtimes.keras_gate` refuses what could be before Keras sees it.
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
from limner.runtimes.keras_gate import refuse_code

Array = npt.NDArray[np.float32]
KINDS = {"Conv2D": "convolution", "Conv2DTranspose": "transposed convolution", "BatchNormalization": "batch norm"}
GROUP_KINDS = {"conv2d": "Conv2D", "conv2d_transpose": "Conv2DTranspose", "batch_normalization": "BatchNormalization"}

ZIPPED, HDF5 = ".keras", (".h5", ".hdf5")
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
        if _model_config(path) is None:
            return KerasFile(tuple(_stored_layers(path)))
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, KeyError, zipfile.BadZipFile, ValueError, TypeError, RecursionError) as error:
        raise DataError(
            f"{path.name} cannot be read: {(str(error) or type(error).__name__).splitlines()[0]}",
            expected="a model or weights that Keras saved, .keras or .h5",
            where=str(path),
            fix="save it again with model.save('model.keras')",
        ) from None
    return KerasFile(tuple(_model_layers(model, path)), model)


def _model_config(path: Path) -> dict[str, Any] | None:
    """The architecture in a file that runs nothing; None where it holds weights alone.

    Keras decides by the end of a file's name how it reads it, and so does this: what is inspected is what will be loaded. One
    file can be a ZIP archive and an HDF5 file at once, with a harmless network in the one and code in the other.

    Raises
    ------
    DataError : code inside, another kind of file than its name says, or an archive of impossible size.
    OSError, KeyError, ValueError, TypeError, zipfile.BadZipFile : the file is damaged.
    """
    if path.name.endswith(ZIPPED):
        config: dict[str, Any] | None = _zipped_config(path)
    elif path.name.endswith(HDF5):
        config = _hdf5_config(path)
    else:
        raise DataError(
            f"{path.name} is called neither .keras nor .h5, by which Keras knows its files",
            expected="a name that ends in .keras, .h5 or .hdf5, in small letters", where=str(path),
            fix="give the file that model.save or model.save_weights wrote",
        )  # fmt: skip
    if config is not None:
        refuse_code(config, path)
    return config


def _zipped_config(path: Path) -> dict[str, Any]:
    with zipfile.ZipFile(path) as archive:
        _check_sizes(archive, path)
        tree = json.loads(archive.read("config.json"))
    if not isinstance(tree, dict):
        raise TypeError("its configuration is no table")
    tree.pop("compile_config", None)  # losses and metrics are not wanted, whoever wrote them
    return tree


def _hdf5_config(path: Path) -> dict[str, Any] | None:
    if zipfile.is_zipfile(path):
        raise DataError(
            f"{path.name} is a ZIP archive", expected=f"an HDF5 file, as {path.suffix} says", where=str(path),
            fix="save it again with model.save('model.keras')",
        )  # fmt: skip
    with h5py.File(path, "r") as file:
        text = file.attrs.get("model_config")
    if text is None:
        return None
    tree = json.loads(text)
    if not isinstance(tree, dict):
        raise TypeError("its configuration is no table")
    return tree


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
