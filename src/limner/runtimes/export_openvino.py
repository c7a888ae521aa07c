"""An exported network in OpenVINO's own form: two files that load faster and say the same."""

from __future__ import annotations

from pathlib import Path

import openvino

from limner.core.errors import BundleError


def export_openvino(onnx_file: Path, folder: Path, *, metadata: dict[str, str] | None = None) -> Path:
    """Convert an ONNX file to ``model.xml`` and ``model.bin`` in a new `folder`; returns the former.

    Weights stay float32: the precision of the computation is chosen when the network is opened.

    Raises
    ------
    BundleError : OpenVINO cannot read the network.
    """
    try:
        model = openvino.convert_model(str(onnx_file))
    except RuntimeError as error:
        raise BundleError(
            f"OpenVINO cannot read the network: {' '.join(str(error).split())[:200]}",
            expected=f"operations that OpenVINO {openvino.__version__.split('-')[0]} has",
            fix="export to ONNX instead (--to onnx), or update OpenVINO: pip install -U openvino",
        ) from None
    return save_openvino(model, folder, metadata=metadata)


def save_openvino(model: openvino.Model, folder: Path, *, metadata: dict[str, str] | None = None) -> Path:
    """Write a network of OpenVINO to a new `folder`; returns ``model.xml``."""
    folder.mkdir(parents=True)
    for name, words in (metadata or {}).items():
        model.set_rt_info(words, name.split("."))
    openvino.save_model(model, str(folder / "model.xml"), compress_to_fp16=False)
    return folder / "model.xml"
