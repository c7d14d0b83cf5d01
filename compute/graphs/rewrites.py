"""Edits of a graph that make it faster and keep its result; pure, from model to model.

Whether an edited graph says the same is for ``compute.engines.agreement`` to find out, by running
both. What makes a file fit to be used at all (denormals, a batch it was made for) is in
``onnx_graph``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper
from onnx import numpy_helper as convert

_CHANNELS: Final = 1  # axis of (N, C, H, W)


def split_prelu(model: ModelProto) -> tuple[ModelProto, int]:
    """Return the model with its PReLUs made of convolutions, and how many there were.

    ONNX Runtime keeps a convolutional network in a blocked layout on x86, which knows Conv, Relu
    and Add but not PRelu: around each one the whole activation is put in order and back. With the
    slopes a of its C channels,

        PReLU(x) = max(x, 0) - a max(-x, 0),

    where -x and the product with -a are depthwise 1 x 1 convolutions. One of both terms is always
    zero, so that the sum rounds nothing: every value is bit for bit what PRelu gives, for any
    slopes (0 may change its sign).

    Only a PRelu on (N, C, H, W) with one slope for each channel, or for all, is split, and only
    where C and the slopes are known; others stay. Valid from opset 7, where slopes began to
    broadcast.

    Parameters
    ----------
    model
        Left as it is.
    """
    edited = ModelProto()
    edited.CopyFrom(model)
    graph = edited.graph
    weights = _weights(graph)
    channels = _channels(model)
    nodes: list[NodeProto] = []
    count = 0
    for node in graph.node:
        slopes = None
        if node.op_type == "PRelu" and node.domain in ("", "ai.onnx"):
            slopes = _per_channel(weights.get(node.input[1]), channels.get(node.input[0]))
        if slopes is None:
            nodes.append(node)
        else:
            nodes += _split(node, slopes)
            count += 1
    del graph.node[:]
    graph.node.extend(nodes)
    return edited, count


def with_constant_batch(model: ModelProto, batch: int) -> ModelProto:
    """Return the model for one batch: the first dimension of every input that leaves it open.

    Engines that plan memory and choose kernels by shape do so once, and better.
    """
    edited = ModelProto()
    edited.CopyFrom(model)
    graph = edited.graph
    held = {tensor.name for tensor in graph.initializer}
    firsts = [
        value.type.tensor_type.shape.dim[0]
        for value in graph.input
        if value.name not in held and value.type.tensor_type.shape.dim
    ]
    opened = [each for each in firsts if each.dim_value <= 0]
    names = {each.dim_param for each in opened if each.dim_param}
    for value in (*graph.input, *graph.output):
        for side in value.type.tensor_type.shape.dim:
            if side.dim_param in names:
                side.dim_value = batch
    for each in opened:
        each.dim_value = batch
    del graph.value_info[:]
    inferred: ModelProto = onnx.shape_inference.infer_shapes(edited)
    return inferred


def _split(node: NodeProto, slopes: NDArray[np.floating]) -> Iterator[NodeProto]:
    """Yield max(x, 0) - a max(-x, 0); every name is that of the node's output, and more."""
    (x, _), (y,) = node.input, node.output
    kernels = {"mirror": np.full_like(slopes, -1), "slope": -slopes}
    for name, kernel in kernels.items():
        tensor = convert.from_array(kernel.reshape(-1, 1, 1, 1), f"{y}/{name}")
        yield helper.make_node("Constant", [], [f"{y}/{name}"], value=tensor)
    depthwise = partial(helper.make_node, "Conv", kernel_shape=[1, 1], group=slopes.size)
    yield helper.make_node("Relu", [x], [f"{y}/above"])
    yield depthwise([x, f"{y}/mirror"], [f"{y}/mirrored"])
    yield helper.make_node("Relu", [f"{y}/mirrored"], [f"{y}/below"])
    yield depthwise([f"{y}/below", f"{y}/slope"], [f"{y}/scaled"])
    yield helper.make_node("Add", [f"{y}/scaled", f"{y}/above"], [y])


def _per_channel(
    slopes: NDArray[np.floating] | None, channels: int | None
) -> NDArray[np.floating] | None:
    """Return (C,) slopes; None where they are not one for each channel of (N, C, H, W)."""
    if slopes is None or channels is None or slopes.ndim > 4 or not np.isfinite(slopes).all():
        return None
    shape = (1,) * (4 - slopes.ndim) + slopes.shape
    if shape not in ((1, channels, 1, 1), (1, 1, 1, 1)):
        return None
    return np.broadcast_to(slopes.reshape(-1), (channels,)).copy()


def _channels(model: ModelProto) -> dict[str, int]:
    """Return C of every activation (N, C, H, W) where it is known."""
    inferred = onnx.shape_inference.infer_shapes(model)
    found = {}
    for value in (*inferred.graph.value_info, *inferred.graph.input):
        sides = value.type.tensor_type.shape.dim
        if len(sides) == 4 and sides[_CHANNELS].dim_value > 0:
            found[value.name] = sides[_CHANNELS].dim_value
    return found


def _weights(graph: onnx.GraphProto) -> dict[str, NDArray[np.floating]]:
    """Return the slopes of all PReLUs that are part of the file, by name."""
    wanted = {node.input[1] for node in graph.node if node.op_type == "PRelu"}
    held = {each.name: convert.to_array(each) for each in graph.initializer if each.name in wanted}
    for node in graph.node:
        if node.op_type == "Constant" and node.output[0] in wanted:
            for each in node.attribute:
                if each.name == "value":
                    held[node.output[0]] = convert.to_array(each.t)
    return held
