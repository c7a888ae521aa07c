"""The metadata of a model as the Open Inference Protocol states them: tensors in, tensors out, and what is done in between.

Fields: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md, "Model Metadata".
"""

from __future__ import annotations

from typing import Any

from limner.core.bundle import Bundle
from limner.core.object_head import QUERIES
from limner.server.loaded import Loaded

IMAGE, INPUT = "image", "input"
LABELS, LOGITS = "labels", "logits"


def metadata(loaded: Loaded) -> dict[str, Any]:
    """The metadata of a model: tensors by name, its classes, and what happens to a picture before the network sees it."""
    space = loaded.label_space
    image = tensor(
        IMAGE, "BYTES", [-1], content="picture files in base64, all of one size", preprocessing=preprocessing(loaded)
    )
    labels = "UINT8" if len(space) <= 256 else "UINT16"
    inputs = [image]
    outputs = [
        tensor(LABELS, labels, [-1, -1, -1], of=IMAGE, content="class ids (N, H, W) at the size of the pictures")
    ]
    if network_channels(loaded):
        untouched = "none: the numbers go to the network as they are, and nothing else happens"
        inputs.append(tensor(INPUT, "FP32", [-1, network_channels(loaded), -1, -1], preprocessing=untouched))
        outputs.append(_logits(loaded))
    threshold = loaded.bundle.calibrated_threshold if loaded.bundle is not None else None
    return {
        "name": loaded.name,
        "versions": [loaded.version],
        "platform": f"limner_{loaded.runtime}",
        "inputs": inputs,
        "outputs": outputs,
        "parameters": {"architecture": loaded.architecture, "classes": list(space.names), "threshold": threshold},
    }


def _logits(loaded: Loaded) -> dict[str, Any]:
    """What a network answers to numbers: maps of classes, or query masks with their class logits below."""
    space, contract = loaded.label_space, None if loaded.bundle is None else loaded.bundle.contract
    if contract is not None and contract.objects is not None and contract.objects.head == QUERIES:
        content = (
            "query masks (N, Q, h + r, w) at a size of the network's own: h rows of logits before the sigmoid, then r rows that "
            "hold the logits of the classes above 0 and of no object, before the softmax, row by row, then zeros"
        )
        return tensor(LOGITS, "FP32", [-1, -1, -1, -1], of=INPUT, content=content)
    content = "logits, before the softmax or, of a single map, before the sigmoid"
    maps = space.num_maps if contract is None else contract.num_maps(space)
    if maps > space.num_maps:
        content += "; the last maps tell objects apart"
    return tensor(LOGITS, "FP32", [-1, maps, -1, -1], of=INPUT, content=content, **_raw_threshold(loaded.bundle))


def _raw_threshold(bundle: Bundle | None) -> dict[str, float]:
    """What the sigmoid of one map of logits is compared with: unlike the scores of pictures these are not calibrated."""
    if bundle is None or bundle.threshold is None:
        return {}
    return {"sigmoid_threshold": bundle.threshold}


def tensor(name: str, datatype: str, shape: list[int], **parameters: object) -> dict[str, Any]:
    """The metadata of one tensor; -1 stands for any size."""
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": parameters}


def preprocessing(loaded: Loaded) -> dict[str, Any] | str:
    """What is done to a picture."""
    if loaded.bundle is None or not network_channels(loaded):
        return "none: a classical method looks at the picture itself"
    contract = loaded.bundle.contract
    names = ("channels", "scale", "resize_hw", "normalization", "intensity_range", "tile", "overlap", "flips")
    return {name: getattr(contract, name) for name in names}


def network_channels(loaded: Loaded) -> int:
    """Channels that the network takes; 0 for a classical method."""
    bundle = loaded.bundle
    return int(bundle.arguments["channels"]) if bundle is not None and bundle.method is None else 0
