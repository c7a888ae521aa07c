"""Tensors as the Open Inference Protocol writes them in JSON: a name, a shape, a data type and a list of numbers.

Fields and data types: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from limner.server.refused import Refused

DATATYPES = {"uint8": "UINT8", "uint16": "UINT16", "float32": "FP32"}
TENSOR_PIXELS = 2**21  # N * H * W of what a network computes: what runs untiled has to fit the memory
STRIDE, LEAST_SIDE = 32, 64  # networks pad sides to a multiple of the one, some of them to the other at least
LEAST_SIDES = {"smp/pan": 128}  # of networks that need more
TENSOR_VALUES = 2**25  # N * K * H * W of its output
MOST_NUMBERS = 2**23  # of one request
_ROW = 65_536  # values that are turned into text at a time


@dataclass(frozen=True)
class Tensor:
    """One input of a request, checked for its form only.

    Parameters
    ----------
    name, datatype : as sent.
    shape : sizes, each at least 1.
    data : numbers or texts, flat or nested.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[Any]


def read_tensor(value: object, *, where: str) -> Tensor:
    """A tensor of a request.

    Raises
    ------
    Refused : 422; a field is missing or of another kind.
    """
    if not isinstance(value, dict):
        raise Refused(422, "tensor", f"{where} is not an object")
    for field, kind in (("name", str), ("datatype", str), ("shape", list), ("data", list)):
        if not isinstance(value.get(field), kind):
            words = {str: "a text", list: "a list"}[kind]
            raise Refused(422, "tensor", f"{where}.{field} is missing or not {words}")
    shape = value["shape"]
    if not 1 <= len(shape) <= 8 or not all(type(size) is int and 1 <= size < 2**32 for size in shape):
        raise Refused(422, "tensor", f"{where}.shape is not a list of one to eight sizes of at least 1")
    return Tensor(value["name"], value["datatype"], tuple(shape), value["data"])


def network_input(
    tensor: Tensor,
    *,
    channels: int,
    most_side: int,
    num_outputs: int,
    own_hw: tuple[int, int] | None = None,
    least: int = LEAST_SIDE,
) -> npt.NDArray[np.float32]:
    """``(N, C, H, W)`` float32 of an FP32 tensor.

    Parameters
    ----------
    channels : C that the network wants.
    most_side : largest H and W.
    num_outputs : K, maps that the network answers with.
    own_hw : the size that the network brings every picture to; None = it pads them,
    least : to this side at least.

    Raises
    ------
    Refused : 422 for another shape, data that do not fill it, or values that are no finite float32; 413 for a tensor too large.
    """
    if len(tensor.shape) != 4 or tensor.shape[1] != channels:
        raise Refused(
            422, "tensor", f"{tensor.name} has shape {list(tensor.shape)}; [-1, {channels}, -1, -1] is needed"
        )
    count, _, height, width = tensor.shape
    if max(height, width) > most_side:
        raise Refused(413, "tensor_side", f"{tensor.name} is {height} x {width}", limit={"side": most_side})
    pixels = count * height * width
    if pixels > TENSOR_PIXELS:
        found = f"{tensor.name} holds {pixels:,} pixels; BYTES inputs are tiled and may be larger"
        raise Refused(413, "tensor_pixels", found, limit={"tensor_pixels": TENSOR_PIXELS})
    rows, columns = own_hw or (padded_side(height, least), padded_side(width, least))
    if count > 1 and count * rows * columns > TENSOR_PIXELS:  # one picture is as large as it is
        found = (
            f"the network computes {tensor.name} as {count:,} pictures of {rows} x {columns}, at most {TENSOR_PIXELS:,} pixels "
            "are computed in one request; send fewer pictures"
        )
        raise Refused(413, "tensor_pixels", found, limit={"tensor_pixels": TENSOR_PIXELS})
    if pixels * num_outputs > TENSOR_VALUES:
        found = f"the answer to {tensor.name} would hold {pixels * num_outputs:,} values"
        raise Refused(413, "tensor_values", found, limit={"tensor_values": TENSOR_VALUES})
    return numbers(tensor)


def padded_side(side: int, least: int = LEAST_SIDE) -> int:
    """How long a side is when a network computes it.

    Examples
    --------
    >>> padded_side(1), padded_side(65), padded_side(96)
    (64, 96, 96)
    """
    return max(least, -(-side // STRIDE) * STRIDE)


def numbers(tensor: Tensor) -> npt.NDArray[np.float32]:
    """The data of an FP32 tensor in its shape.

    Raises
    ------
    Refused : 422; not numbers, not as many as the shape says, nested otherwise, or beyond float32.
    """
    wanted = math.prod(tensor.shape)
    try:
        array = np.array(tensor.data)
    except ValueError:
        raise Refused(422, "tensor", f"the data of {tensor.name} are lists of different lengths") from None
    if array.dtype.kind not in "iuf":
        raise Refused(422, "tensor", f"the data of {tensor.name} are not numbers")
    if array.shape not in ((wanted,), tensor.shape):
        found = (
            f"the data of {tensor.name} have shape {list(array.shape)}; [{wanted}] or {list(tensor.shape)} is needed"
        )
        raise Refused(422, "tensor", found)
    if not np.all(np.abs(array) <= np.finfo(np.float32).max):
        raise Refused(422, "tensor", f"the data of {tensor.name} hold a number beyond float32")
    return np.ascontiguousarray(array.astype(np.float32).reshape(tensor.shape))


def texts(tensor: Tensor, *, most: int) -> list[str]:
    """The elements of a BYTES tensor of shape ``[N]`` or ``[N, 1]``.

    Raises
    ------
    Refused : 422; not texts, or not as many as the shape says; 413 for more than `most`.
    """
    wanted = math.prod(tensor.shape)
    if len(tensor.shape) > 1 and math.prod(tensor.shape[1:]) != 1:
        raise Refused(
            422, "tensor", f"{tensor.name} has shape {list(tensor.shape)}; [-1] is needed: one element per picture"
        )
    if wanted > most:
        raise Refused(413, "parts", f"{tensor.name} holds {wanted} pictures", limit={"parts": most})
    data = [row[0] if isinstance(row, list) and len(row) == 1 else row for row in tensor.data]
    if len(data) != wanted or not all(isinstance(text, str) for text in data):
        raise Refused(422, "tensor", f"the data of {tensor.name} are not {wanted} texts")
    return data


def answer_parts(head: dict[str, Any], outputs: dict[str, npt.NDArray[Any]]) -> Iterator[bytes]:
    """The JSON of a response in pieces, so that the text of a large tensor is never in memory as a whole.

    Parameters
    ----------
    head : fields before ``outputs``.
    outputs : tensors by name, uint8, uint16 or float32.
    """
    yield json.dumps(head, separators=(",", ":"))[:-1].encode() + b',"outputs":['
    for index, (name, array) in enumerate(outputs.items()):
        described = {"name": name, "shape": list(array.shape), "datatype": DATATYPES[array.dtype.name]}
        yield (b"," if index else b"") + json.dumps(described, separators=(",", ":"))[:-1].encode() + b',"data":['
        flat = array.reshape(-1)
        for start in range(0, len(flat), _ROW):
            row = json.dumps(flat[start : start + _ROW].tolist(), separators=(",", ":"))[1:-1]
            yield (b"," if start else b"") + row.encode()
        yield b"]}"
    yield b"]}"
