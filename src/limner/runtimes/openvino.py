"""Prediction with OpenVINO on a CPU, in float32 or in bfloat16 where the processor has it."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import numpy.typing as npt
import openvino

from limner.core.errors import BundleError


class OpenvinoPredictor:
    """A `Predictor` around a compiled network with one input and one output.

    Parameters
    ----------
    compiled : for the CPU, any batch, height and width.
    name : what the runtime is called in results.
    """

    def __init__(self, compiled: openvino.CompiledModel, *, name: str) -> None:
        self.request, self.name = compiled.create_infer_request(), name

    def __call__(self, batch: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        """Logits ``(N, K, H, W)`` of a batch ``(N, C, H, W)``."""
        self.request.infer({0: batch}, share_inputs=True)
        return np.array(
            self.request.get_output_tensor(0).data, np.float32
        )  # a copy: the next call writes into the tensor


@functools.cache
def core() -> openvino.Core:
    """OpenVINO itself, one for the process and never let go.

    Its CPU plugin gives signals a stack of their own and takes it away when it ends. Of two, the one that ends last puts back the
    stack of the first, which is gone: the next signal, such as Ctrl-C, would end the process by a segmentation fault (2026.4).
    """
    return openvino.Core()


def has_fast_bfloat16() -> bool:
    """Whether OpenVINO computes in bfloat16 on this processor without emulating it."""
    return "BF16" in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def load(file: Path, *, threads: int, bfloat16: bool, name: str = "openvino") -> OpenvinoPredictor:
    """Compile an exported network for the CPU.

    Parameters
    ----------
    file : ``model.xml`` (its weights in ``model.bin`` beside it) or ``model.onnx``.
    threads : that compute one picture together, at least 1.
    bfloat16 : compute in bfloat16; float32 otherwise, also on processors where OpenVINO's own default is bfloat16.
    name : see `OpenvinoPredictor`.

    Raises
    ------
    BundleError : the file is no network that this version of OpenVINO reads.
    """
    try:
        compiled = core().compile_model(
            core().read_model(str(file)),
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": "bf16" if bfloat16 else "f32",
                "PERFORMANCE_HINT": "LATENCY",
                "INFERENCE_NUM_THREADS": threads,
            },
        )
    except RuntimeError as error:
        raise BundleError(
            f"{file.name} cannot be opened: {' '.join(str(error).split())[:160]}",
            expected=f"a network that OpenVINO {openvino.__version__.split('-')[0]} reads",
            where=str(file),
            fix="update OpenVINO (pip install -U openvino), or export the model again",
        ) from None
    return OpenvinoPredictor(compiled, name=name)
