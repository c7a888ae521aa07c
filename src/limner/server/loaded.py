"""A model that is ready to answer, and how it came there."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import limner
from limner.core.bundle import Bundle
from limner.core.files import sha256
from limner.core.labels import LabelSpace
from limner.core.protocols import Segmenter
from limner.core.sample import Sample

VERSION_DIGITS = 12
WARM_UP_HW = (48, 80)


@dataclass(frozen=True)
class ModelSpec:
    """A model to serve.

    Parameters
    ----------
    name : what requests call it.
    path : run folder, bundle folder or the name of a classical method.
    """

    name: str
    path: str


@dataclass(frozen=True)
class Opened:
    """What opening a model gives.

    Parameters
    ----------
    segmenter : from pictures to labels.
    label_space : its classes.
    bundle : None for a classical method that was asked for by its name.
    runtime : what computes, in one word.
    """

    segmenter: Segmenter
    label_space: LabelSpace
    bundle: Bundle | None = None
    runtime: str = "numpy"


Opener = Callable[[ModelSpec], Opened]


@dataclass(frozen=True)
class Loaded:
    """A model that made its first prediction.

    Parameters
    ----------
    name : what requests call it.
    version : first 12 hexadecimal digits of the SHA-256 of ``bundle.json``, which holds the hashes of all other files.
    segmenter, label_space, bundle, runtime : see `Opened`.
    ready : it may be asked.
    """

    name: str
    version: str
    segmenter: Segmenter
    label_space: LabelSpace
    bundle: Bundle | None
    runtime: str
    ready: bool = True

    @property
    def architecture(self) -> str:
        """Name of the network, or ``classical/<method>``."""
        return self.bundle.architecture if self.bundle is not None else f"classical/{self.name}"

    @property
    def channels(self) -> int | None:
        """Channels that it was trained on; None for a classical method, which takes any."""
        return self.bundle.contract.channels if self.bundle is not None and self.bundle.method is None else None

    @property
    def mirrored(self) -> str:
        """Axes along which it saw mirrored pictures in training, as letters; the copies that ``tta`` averages over."""
        if self.bundle is None:
            return ""
        return "".join(sorted({*str(self.bundle.training.get("mirrored", "")), *self.bundle.contract.flips}))


def load(spec: ModelSpec, opener: Opener) -> Loaded:
    """Open a model and let it make one prediction, so that the first request does not wait for what is prepared late.

    Raises
    ------
    LimnerError : it cannot be opened, or cannot predict.
    """
    opened = opener(spec)
    channels = opened.bundle.contract.channels if opened.bundle is not None else 3
    opened.segmenter.segment(Sample("warm-up", warm_up_picture(channels)))
    return Loaded(
        spec.name, version_of(opened.bundle, spec), opened.segmenter, opened.label_space, opened.bundle, opened.runtime
    )


def version_of(bundle: Bundle | None, spec: ModelSpec) -> str:
    """The version of a model, see `Loaded`; of a method, one that follows from its name and Limner's version."""
    if bundle is None:
        return hashlib.sha256(f"{spec.path} {limner.__version__}".encode()).hexdigest()[:VERSION_DIGITS]
    return sha256(bundle.folder / "bundle.json")[:VERSION_DIGITS]


def warm_up_picture(
    channels: int, size_hw: tuple[int, int] = WARM_UP_HW
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A bright disc on noise, ``(H, W, channels)`` uint8; always the same."""
    rows, columns = np.mgrid[: size_hw[0], : size_hw[1]]
    disc = np.hypot(rows - size_hw[0] / 2, columns - size_hw[1] / 2) < min(size_hw) / 3
    noise = np.random.default_rng(0).integers(0, 90, (*size_hw, channels))
    return np.asarray(noise + 120 * disc[..., None], np.uint8)


def plain_name(path: Path | str) -> str:
    """What a model is called when nothing else is said: its folder's name, with signs that addresses can carry.

    Examples
    --------
    >>> plain_name("runs/my cells/model"), plain_name("otsu"), plain_name("..")
    ('my-cells', 'otsu', 'model')
    """
    folder = Path(path)
    name = folder.parent.name if folder.name == "model" and folder.parent.name else folder.name
    kept = "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in name)
    return kept.strip(".-")[:64] or "model"
