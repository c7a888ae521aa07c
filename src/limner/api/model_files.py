"""The files that a model is made of: a run, a bundle, or all folds of a cross-validation."""

from __future__ import annotations

import hashlib
from pathlib import Path


def model_folders(model: Path | str) -> list[Path]:
    """The folder of a model and those inside it that are read; nothing for the name of a classical method.

    An output folder must be none of them and hold none of them; beside them, such as ``RUN/predictions``, it may lie.
    """
    path = Path(model)
    return [folder for folder in (path, path / "model", *sorted(path.glob("fold*/model"))) if folder.exists()]


def model_checksum(model: Path | str) -> str:
    """SHA-256 of the descriptions of a model and of the models of its folds, which carry the hashes of their weights.

    For a classical method its name.
    """
    files = [folder / "bundle.json" for folder in model_folders(model)]
    texts = [file.read_bytes() for file in files if file.is_file()]
    return hashlib.sha256(b"".join(texts)).hexdigest() if texts else str(model)
