"""Tiny ONNX networks, written node by node, with the same computation in NumPy."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def weights(channels=3, maps=2, seed=0):
    """Kernel ``(maps, channels, 3, 3)`` and bias of a convolution."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(maps, channels, 3, 3)).astype(np.float32), rng.normal(size=maps).astype(np.float32)


def write_convolution(path, channels=3, maps=2, seed=0):
    """One 3x3 convolution with zeros around, of any batch, height and width."""
    kernel, bias = weights(channels, maps, seed)
    node = helper.make_node("Conv", ["image", "kernel", "bias"], ["logits"], pads=[1, 1, 1, 1])
    graph = helper.make_graph(
        [node],
        "convolution",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", channels, "h", "w"])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["n", maps, "h", "w"])],
        [numpy_helper.from_array(kernel, "kernel"), numpy_helper.from_array(bias, "bias")],
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def write_square(path):
    """Each pixel plus the mean of all products of two pixels: needs memory for the square of the number of pixels."""
    nodes = [
        helper.make_node("Flatten", ["image"], ["row"], axis=0),
        helper.make_node("Transpose", ["row"], ["column"], perm=[1, 0]),
        helper.make_node("MatMul", ["column", "row"], ["products"]),
        helper.make_node("ReduceMean", ["products"], ["mean"], keepdims=1),
        helper.make_node("Reshape", ["mean", "ones"], ["one"]),
        helper.make_node("Add", ["image", "one"], ["logits"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "square", [value("image", TensorProto.FLOAT, [1, 1, "h", "w"])],
        [value("logits", TensorProto.FLOAT, [1, 1, "h", "w"])], [numpy_helper.from_array(np.ones(4, np.int64), "ones")],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


def convolve(batch, channels=3, maps=2, seed=0):
    """What the file computes, in float64, shift by shift."""
    kernel, bias = weights(channels, maps, seed)
    wide = np.pad(batch.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    height, width = batch.shape[2:]
    out = np.zeros((len(batch), maps, height, width)) + bias[:, None, None]
    for y in range(3):
        for x in range(3):
            part = wide[:, :, y : y + height, x : x + width]
            out += np.einsum("nchw,kc->nkhw", part, kernel[:, :, y, x].astype(np.float64))
    return out
