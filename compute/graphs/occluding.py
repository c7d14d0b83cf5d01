"""Occlusion inside a model's graph: one image and the places of a batch in, embeddings out.

Nodes in front of the model draw what ``compute.occlusion`` draws and feed it as ``OnnxEmbedder``
feeds it, the same to the bit. An image is normalised once for all its copies, and what travels to
the model's device is 37 KB and three numbers per copy instead of 150 KB per copy. The nodes
themselves are in ``front``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from compute.errors import GraphError
from compute.graphs.front import OLDEST_OPSET, Front, Nodes
from compute.occlusion import IMAGE_SHAPE, IMAGE_SIZE, OcclusionSpec

if TYPE_CHECKING:
    from compute.embedding import ModelIO, Preprocessing

_PREFIX: Final = "occlusion/"
_LARGEST: Final = 2**31 - 1  # bytes of a protobuf message


@dataclass(frozen=True)
class OccludingGraph:
    """A model with its occlusions in front.

    Attributes
    ----------
    data
        The ONNX file.
    image
        Name of the input for the image, (112, 112, 3) uint8 RGB.
    places
        Name of the input for what is hidden in each copy, (batch, 3) int32: rows of ``occlusions``.
    batch
        Copies per run, constant.
    batches
        All occlusions of the spec, one array per run; the last one repeats the last occlusion.
    """

    data: bytes
    image: str
    places: str
    batch: int
    batches: tuple[NDArray[np.int32], ...]


def occlusions(spec: OcclusionSpec) -> NDArray[np.int32]:
    """Return where each occlusion lies: (K, 3) int32, its y, its x, and which patch size it has.

    In the order of the deviations; the size is an index into ``spec.patch_sizes``.
    """
    rows = [
        (y, x, size)
        for size, p in enumerate(spec.patch_sizes)
        for y in spec.positions(p)
        for x in spec.positions(p)
    ]
    return np.array(rows, dtype=np.int32)


def even_batch(count: int, near: int) -> int:
    """Return the batch near ``near`` that embeds ``count`` images with the fewest to spare.

    From three quarters to three halves of it a model is as fast per image; a last batch that is
    nearly empty costs as much as a full one. 1058 at 16 gives 23, 46 times.
    """
    sizes = range(max(1, near * 3 // 4), near * 3 // 2 + 1)
    if count < sizes.stop:
        return count
    return min(sizes, key=lambda size: (-(-count // size) * size, abs(size - near)))


def occluding_graph(
    model: ModelProto, preprocessing: Preprocessing, io: ModelIO, spec: OcclusionSpec, *, batch: int
) -> OccludingGraph:
    """Put the occlusions of ``spec`` in front of a model, at the model's own opset.

    Parameters
    ----------
    model
        Whole, without weights in other files; not modified.
    preprocessing, io
        How it is fed, as for ``OnnxEmbedder``.
    batch
        Copies per run.

    Raises
    ------
    GraphError
        Where that cannot be done; the message is the reason. The model itself may be sound.
    """
    opset = next((each.version for each in model.opset_import if each.domain in _ONNX), 0)
    if opset < OLDEST_OPSET:
        raise GraphError(f"the model is of opset {opset}, expected {OLDEST_OPSET} or later")
    if io.input not in {value.name for value in model.graph.input}:
        raise GraphError(f"the model has no input {io.input!r}")
    nodes = Nodes(_free_prefix(model))
    Front(nodes, preprocessing, io, spec, batch=batch, opset=opset).build()
    image, placed = nodes.named("image"), nodes.named("places")
    given = [
        helper.make_tensor_value_info(image, TensorProto.UINT8, IMAGE_SHAPE),
        helper.make_tensor_value_info(placed, TensorProto.INT32, (batch, 3)),
    ]
    whole = ModelProto()
    whole.CopyFrom(model)
    graph = whole.graph
    _set(graph.node, [*nodes.nodes, *graph.node])
    _set(graph.input, [*given, *_without(graph.input, io.input)])
    _set(graph.initializer, _without(graph.initializer, io.input))
    _set(graph.value_info, [_fed(io, batch), *_without(graph.value_info, io.input)])
    _set(graph.output, [value for value in graph.output if value.name == io.output])
    if whole.ByteSize() > _LARGEST:
        raise GraphError("the model fills the 2 GiB that an ONNX file may have")
    data = whole.SerializeToString(deterministic=True)
    return OccludingGraph(data, image, placed, batch, _batches(spec, batch))


def behind_occlusions(model: ModelProto, edit: Callable[[ModelProto], ModelProto]) -> ModelProto:
    """Return a model of which all that lies behind its occlusions, if it has any, was edited.

    For edits of the precision: places and indices are exact in float32 and not in float16.
    """
    front = [node for node in model.graph.node if _PREFIX in node.name]
    if not front:
        return edit(model)
    rest = ModelProto()
    rest.CopyFrom(model)
    graph = rest.graph
    inputs = [value for value in graph.input if _PREFIX in value.name]
    fed = next(value for value in graph.value_info if value.name == front[-1].output[0])
    _set(graph.node, [node for node in graph.node if _PREFIX not in node.name])
    _set(graph.input, [fed, *(value for value in graph.input if _PREFIX not in value.name)])
    _set(graph.value_info, _without(graph.value_info, fed.name))
    edited = edit(rest)
    graph = edited.graph
    _set(graph.node, [*front, *graph.node])
    _set(graph.input, [*inputs, *_without(graph.input, fed.name)])
    return edited


def _without(field: Iterable[Any], name: str) -> list[Any]:
    return [each for each in field if each.name != name]


def _set(field: Any, values: list[Any]) -> None:
    """Replace all of a repeated field."""
    del field[:]
    field.extend(values)


_ONNX: Final = ("", "ai.onnx")


def _fed(io: ModelIO, batch: int) -> ValueInfoProto:
    kind = TensorProto.FLOAT16 if io.precision == "float16" else TensorProto.FLOAT
    sides = (3, IMAGE_SIZE, IMAGE_SIZE) if io.layout == "nchw" else IMAGE_SHAPE
    return helper.make_tensor_value_info(io.input, kind, (batch, *sides))


def _batches(spec: OcclusionSpec, batch: int) -> tuple[NDArray[np.int32], ...]:
    rows = occlusions(spec)
    padded = np.pad(rows, ((0, -len(rows) % batch), (0, 0)), mode="edge")
    return tuple(padded.reshape(-1, batch, 3))


def _free_prefix(model: ModelProto) -> str:
    """Return a prefix that no name of the model begins with, in whatever inner graph it is."""
    data = model.SerializeToString()
    prefix = _PREFIX
    while prefix.encode() in data:
        prefix = f"_{prefix}"
    return prefix
