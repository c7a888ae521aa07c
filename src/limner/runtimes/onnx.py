"""Prediction with ONNX Runtime on a CPU: the only runtime that a core install needs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from limner.core.errors import BundleError

ERRORS_ONLY = 3  # of ONNX Runtime's levels; its warnings speak of graph details that no user can act on


class OnnxPredictor:
    """A `Predictor` around an ONNX file with one input and one output.

    Parameters
    ----------
    session : of the file.
    name : what the runtime is called in results.
    """

    def __init__(self, session: onnxruntime.InferenceSession, *, name: str) -> None:
        self.session, self.name = session, name
        self.input = session.get_inputs()[0].name

    def __call__(self, batch: npt.NDArray[np.float32], /) -> npt.NDArray[np.float32]:
        """Logits ``(N, K, H, W)`` of a batch ``(N, C, H, W)``.

        Raises
        ------
        RuntimeError : it cannot be computed, with ONNX Runtime's words; `limner.core.memory.ran_out` knows those of full memory.
        """
        try:
            found: npt.NDArray[np.float32] = self.session.run(None, {self.input: batch})[0]
        except (RuntimeError, MemoryError):
            raise
        except Exception as error:  # ONNX Runtime raises classes of its own that share no base but this
            raise RuntimeError(f"ONNX Runtime cannot compute it: {' '.join(str(error).split())}") from error
        return found


def load(file: Path, *, threads: int, name: str = "onnx") -> OnnxPredictor:
    """Open an exported network.

    Parameters
    ----------
    file : ``model.onnx`` of a bundle.
    threads : that compute one picture together, at least 1.
    name : see `OnnxPredictor`.

    Raises
    ------
    BundleError : the file is no network that this version of ONNX Runtime reads.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = ERRORS_ONLY
    options.add_session_config_entry(
        "session.intra_op.allow_spinning", "0"
    )  # waiting threads leave the processor to others
    try:
        session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises classes of its own that share no base but this
        raise BundleError(
            f"{file.name} cannot be opened: {' '.join(str(error).split())[:160]}",
            expected=f"a network that ONNX Runtime {onnxruntime.__version__} reads",
            where=str(file),
            fix="update ONNX Runtime (pip install -U onnxruntime), or export the model again",
        ) from None
    return OnnxPredictor(session, name=name)
