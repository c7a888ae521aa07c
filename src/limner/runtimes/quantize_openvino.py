"""INT8 after training for OpenVINO, by NNCF: scales from training tiles, then the biases corrected for what rounding shifted.

NNCF: Kozlov et al. 2020, arXiv:2002.08679.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import nncf
import openvino

from limner.runtimes.export_openvino import save_openvino
from limner.runtimes.quantize_onnx import Batch, refusal, silent

LAYERS = ("Convolution", "GroupConvolution", "ConvolutionBackpropData", "GroupConvolutionBackpropData")


def quantize_openvino(
    onnx_file: Path, folder: Path, tiles: Sequence[Batch], *, keep_edges: bool, metadata: dict[str, str] | None = None
) -> tuple[str, ...]:
    """Write ``model.xml`` and ``model.bin`` in INT8 to a new `folder`.

    Parameters
    ----------
    onnx_file : the network in float32.
    tiles : ``(1, C, h, w)`` each, from training pictures.
    keep_edges : leave the first and the last layer in float32: they lose most in INT8 and weigh least.
    metadata : words to store under names.

    Returns
    -------
    Names of the layers that stay in float32.

    Raises
    ------
    BundleError : NNCF cannot quantise the network.
    """
    nncf.set_log_level(logging.ERROR)
    try:
        with silent():
            model = openvino.convert_model(str(onnx_file))
            layers = [node.get_friendly_name() for node in model.get_ordered_ops() if node.get_type_name() in LAYERS]
            kept = (layers[0], layers[-1]) if keep_edges and layers else ()
            quantized = nncf.quantize(
                model,
                nncf.Dataset(list(tiles)),
                subset_size=len(tiles),
                ignored_scope=nncf.IgnoredScope(names=list(kept)) if kept else None,
            )
    except Exception as error:  # of its own classes and of OpenVINO's
        raise refusal("NNCF", error) from error
    save_openvino(quantized, folder, metadata=metadata)
    return kept
