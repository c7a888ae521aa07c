"""Which extras a verb needs, and the sentence that says how to get them."""

from __future__ import annotations

import importlib.util

from limner.core.errors import MachineError

TRAIN = ("torch", "torchvision", "timm", "lightning_fabric", "safetensors")


def require_training() -> None:
    """Check that everything for training is installed, without importing it.

    Raises
    ------
    MachineError : something is missing; says what to install.
    """
    missing = [name for name in TRAIN if importlib.util.find_spec(name) is None]
    if missing:
        raise MachineError(
            f"not installed: {', '.join(missing)}", expected="the training extra", fix='pip install "limner[train]"'
        )
