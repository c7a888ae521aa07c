"""A torch network as one ONNX file for any batch, height and width, with what a stranger needs to use it in its metadata.

ONNX: onnx.ai/onnx/intro. Why the tracing exporter: `docs/decisions/0013-exports.md`.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.onnx.errors import OnnxExporterError

from limner.core.bundle import Bundle
from limner.core.errors import BundleError
from limner.core.object_head import QUERIES
from limner.models.query_masks import QueryMasks
from limner.runtimes.portable import AnySize

OPSET = 17  # of 2022: read by every ONNX Runtime since 1.12 and by OpenVINO since 2022.2
INPUT, OUTPUT = "image", "logits"
AXES = {0: "batch", 2: "height", 3: "width"}
LARGEST = 2_000_000_000  # bytes of a file in one piece; a protobuf message holds 2 GiB at most


def export_onnx(network: nn.Module, file: Path, *, channels: int, metadata: dict[str, str] | None = None) -> None:
    """Write `network` as an ONNX file: input ``image`` ``(N, C, H, W)`` float32, output ``logits`` ``(N, K, H, W)`` float32.

    Parameters
    ----------
    network : on the CPU, in float32; comes out in evaluation mode.
    file : new file; everything is inside, no second file beside it.
    channels : C.
    metadata : words to store under names; see `describe`.

    Raises
    ------
    BundleError : an operation of the network has no counterpart in ONNX, or the network is too large for one file.
    """
    # query masks bring every picture to their own size
    wrapped: Any = network.eval() if isinstance(network, QueryMasks) else AnySize(network)
    size = sum(4 * value.numel() for value in network.state_dict().values())
    if size > LARGEST:
        raise BundleError(
            f"the weights take {size / 2**30:.1f} GiB", expected="at most 2 GiB, which is all that one ONNX file holds",
            fix="predict with --runtime torch, or choose a smaller encoder",
        )  # fmt: skip
    example = torch.zeros(2, channels, *wrapped.traced_hw)
    try:
        with _quiet(), torch.no_grad():
            torch.onnx.export(
                wrapped, (example,), str(file), opset_version=OPSET, dynamo=False, input_names=[INPUT],
                output_names=[OUTPUT], dynamic_axes={INPUT: AXES, OUTPUT: AXES},
            )  # fmt: skip
    except (OnnxExporterError, RuntimeError, TypeError, ValueError) as error:
        raise BundleError(
            f"{type(network).__name__} cannot be written as ONNX: {first_sentence(error)}",
            expected=f"operations that ONNX opset {OPSET} has",
            fix="predict with --runtime torch, or train with another encoder or architecture",
        ) from error
    model = onnx.load(str(file))
    model.producer_name = "limner"
    onnx.helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    onnx.save(model, str(file))


def describe(bundle: Bundle) -> dict[str, str]:
    """What a foreign program has to know of an exported network, as words: JSON where it is more than one.

    Every export carries it, under ``limner.<name>``.
    """
    contract, space = bundle.contract, bundle.label_space
    unit = contract.normalization == "unit"
    facts = {
        "classes": [
            {"id": i, "name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
            for i, (name, color) in enumerate(zip(space.names, space.colors, strict=True))
        ],
        "input": {
            "layout": "NCHW",
            "dtype": "float32",
            "channels": bundle.arguments["channels"],
            "picture_channels": contract.channels,
            "channel_order": "as in the file, red first",
            "intensity": contract.normalization,
            "intensity_range": list(contract.intensity_range),
            "subtract": 0.0 if unit else 127.0,
            "divide_by": 255.0 if unit else 128.0,
            "scale": contract.scale,
            "resize_hw": list(contract.resize_hw),
        },
        "output": _describe_output(bundle),
        "tiling": {"tile": contract.tile, "overlap": contract.overlap, "unit": "pixels of the picture before scaling"},
        "architecture": bundle.architecture,
    }
    return {
        f"limner.{name}": value if isinstance(value, str) else json.dumps(value, allow_nan=False)
        for name, value in facts.items()
    }


def _describe_output(bundle: Bundle) -> dict[str, Any]:
    """What the numbers of the output are."""
    contract, space = bundle.contract, bundle.label_space
    several, head = space.num_maps > 1, contract.objects
    if head is not None and head.head == QUERIES:
        return {
            "layout": "NQRW",
            "words": "one mask of logits per query; class logits of the query in the rows below it",
        }
    found: dict[str, Any] = {
        "layout": "NKHW",
        "activation": "softmax" if several else "sigmoid",
        "threshold": None if several else contract.threshold,
        "labels": "argmax over K" if several else "1 where the score is above the threshold, else 0",
    }
    if head is not None and head.maps:
        found |= {
            "classes": space.num_maps, "objects": list(head.maps), "decoder": dataclasses.asdict(head),
            "words": "maps behind those of the classes tell objects apart and have no activation",
        }  # fmt: skip
    return found


def first_sentence(error: Exception) -> str:
    """What another library's error says, in at most a line and a half."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0].partition("  [Caused by")[0].partition(". Please")[0][:200]


@contextmanager
def _quiet() -> Iterator[None]:
    """No warnings and no words on stdout from the exporter.

    It warns that it is the old one, which is known, and of each size that becomes a constant, which the parity at other sizes
    judges better; where it fails, its C++ half prints the graph, thousands of lines, to the file descriptor of stdout.
    """
    sys.stdout.flush()
    try:
        kept = os.dup(1)
    except OSError:  # closed, as in some services
        kept = None
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        with suppress(OSError, ValueError):
            sys.stdout.flush()
        if kept is None:
            os.close(1)
        else:
            os.dup2(kept, 1)
            os.close(kept)
