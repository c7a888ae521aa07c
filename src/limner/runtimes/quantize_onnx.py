"""INT8 after training for ONNX Runtime: scales of every layer from the values that training tiles put through it.

OpenVINO misreads these graphs and has a quantiser of its own: `docs/decisions/0013-exports.md`. Weights are quantised per output
channel, activations per map: Krishnamoorthi 2018, arXiv:1806.08342.
"""

from __future__ import annotations

import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from limner.core.errors import BundleError
from limner.runtimes.export_onnx import INPUT

Batch = npt.NDArray[np.float32]
LAYERS = ("Conv", "ConvTranspose")
# ONNX Runtime computes in INT8 only what lies between two quantised values, so that all that stands between layers is listed
QUANTIZED = ("Conv", "Add", "Mul", "Relu", "Clip", "Concat", "Resize", "MaxPool", "Pad")


def quantize_onnx(source: Path, target: Path, tiles: Sequence[Batch], *, keep_edges: bool) -> tuple[str, ...]:
    """Write the INT8 version of an exported ONNX file.

    Parameters
    ----------
    source, target : the file in float32, and the new one; metadata is taken over.
    tiles : ``(1, C, h, w)`` each, from training pictures.
    keep_edges : leave the first and the last layer in float32: they lose most in INT8 and weigh least.

    Returns
    -------
    Names of the layers that stay in float32.

    Raises
    ------
    BundleError : ONNX Runtime cannot quantise the network.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(str(source)))
    layers = [node.name for node in model.graph.node if node.op_type in LAYERS]
    kept = (layers[0], layers[-1]) if keep_edges and layers else ()
    maps = _feature_maps(model, kept)
    if not maps:  # an empty list would mean all
        raise refusal("ONNX Runtime", ValueError("no layer is left between the first and the last"))
    try:
        with tempfile.TemporaryDirectory() as folder, silent():
            inferred = Path(folder) / "model.onnx"
            onnx.save(model, str(inferred))
            quantize_static(
                inferred, target, _Tiles(tiles), quant_format=QuantFormat.QDQ, per_channel=True,
                activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, op_types_to_quantize=list(QUANTIZED),
                nodes_to_quantize=maps,
            )  # fmt: skip
    except Exception as error:  # it raises what its helpers raise, assertions among them
        raise refusal("ONNX Runtime", error) from error
    quantized = onnx.load(str(target))
    onnx.helper.set_model_props(quantized, {entry.key: entry.value for entry in model.metadata_props})
    onnx.save(quantized, str(target))
    return kept


class _Tiles(CalibrationDataReader):  # type: ignore[misc]
    """Feeds tiles one by one."""

    def __init__(self, tiles: Sequence[Batch]) -> None:
        self.rest = iter(tiles)

    def get_next(self) -> dict[str, Batch] | None:
        """The next tile, None after the last."""
        tile = next(self.rest, None)
        return None if tile is None else {INPUT: tile}


def _feature_maps(model: onnx.ModelProto, kept: tuple[str, ...]) -> list[str]:
    """Nodes that give maps ``(N, C, H, W)``; the others compute sizes, which INT8 would spoil.

    Of the two layers that are kept, the first is left out with all before it, the last with all behind it.
    """
    shapes = {value.name: value.type.tensor_type for value in [*model.graph.value_info, *model.graph.output]}
    names = [node.name for node in model.graph.node]
    first, end = (names.index(kept[0]) + 1, names.index(kept[1])) if kept else (0, len(names))
    return [
        node.name
        for node in model.graph.node[first:end]
        if node.output[0] in shapes
        and shapes[node.output[0]].elem_type == TensorProto.FLOAT
        and len(shapes[node.output[0]].shape.dim) == 4
    ]


def refusal(tool: str, error: Exception) -> BundleError:
    """The error for a network that `tool` cannot quantise."""
    said = " ".join((str(error) or type(error).__name__).split())[:200]
    return BundleError(
        f"{tool} cannot quantise the network: {said}",
        expected="a network that works in INT8",
        fix="export without --int8",
    )


@contextmanager
def silent() -> Iterator[None]:
    """No progress bars and hints of the quantisers, which speak to developers of networks."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
