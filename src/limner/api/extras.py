"""Which extras a verb needs, and the sentence that says how to get them."""

from __future__ import annotations

import importlib.util

from limner.core.errors import MachineError

TRAIN = ("torch", "torchvision", "timm", "lightning_fabric", "safetensors")
EXTRAS = {
    "train": TRAIN,
    "export": (*TRAIN, "onnx"),
    "openvino": ("openvino",),
    "server": ("fastapi", "uvicorn", "python_multipart"),
    "medical": ("nibabel", "pydicom"),
    "ray": ("ray",),
    "zarr": ("zarr",),
    "keras": ("keras", "h5py"),
    "smp": ("segmentation_models_pytorch",),
    "query": ("transformers", "scipy"),
    "log": ("tensorboard",),
}
PACKAGED_WITH = {"export": "train"}
WHAT = {
    "train": "the training extra",
    "export": "what exports are made with",
    "openvino": "the runtime OpenVINO",
    "server": "the web server",
    "medical": "readers of NIfTI and DICOM",
    "ray": "Ray, which spreads work over machines",
    "zarr": "the reader of OME-Zarr",
    "keras": "the reader of Keras files",
    "smp": "further decoders, smp/...",
    "query": "the networks query/...",
    "log": "curves for TensorBoard",
}


def missing(extra: str) -> list[str]:
    """Modules of an extra that are not installed; nothing is imported."""
    return [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]


def install_line(extra: str) -> str:
    """The command that installs an extra."""
    return f'pip install "limner[{PACKAGED_WITH.get(extra, extra)}]"'


def require(extra: str) -> None:
    """Check that everything of an extra is installed, without importing it.

    Raises
    ------
    MachineError : something is missing; says what to install.
    """
    absent = missing(extra)
    if absent:
        raise MachineError(f"not installed: {', '.join(absent)}", expected=WHAT[extra], fix=install_line(extra))
