"""How far a graph is local: what of it looks at a neighbourhood of each pixel and no further.

A convolutional network begins with operators each of whose outputs depends on a window of inputs.
``local_prefix`` walks them from the image on and notes the *cuts*, tensors that all that follows
depends on alone. Where the first operator comes that looks at everything, the walk ends.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import onnx
from onnx import ModelProto, NodeProto, TensorProto
from onnx import numpy_helper as convert

from compute.errors import GraphError
from compute.graphs.receptive import Field, Span
from compute.occlusion import IMAGE_SIZE

if TYPE_CHECKING:
    from compute.embedding import ModelIO

Fields = tuple[Field, Field]
"""Along rows and columns."""
Sides = tuple[int, int]

_POINT: Final[Fields] = (Field(), Field())
_OF_ONE: Final = ("Abs", "Elu", "HardSigmoid", "HardSwish", "Identity", "LeakyRelu", "Mish", "Neg")
_OF_ONE_MORE: Final = ("Relu", "Selu", "Sigmoid", "Softplus", "Tanh")
_OF_SEVERAL: Final = ("Add", "Clip", "Div", "Mul", "PRelu", "Sub")
_ELEMENTWISE: Final = frozenset((*_OF_ONE, *_OF_ONE_MORE, *_OF_SEVERAL))
_OLDEST_OPSET: Final = 7  # from which on constants broadcast as in NumPy


@dataclass(frozen=True)
class Cut:
    """A tensor (N, channels, height, width) that all that follows depends on alone.

    Attributes
    ----------
    fields
        What it depends on of the cut before.
    cost
        Multiply-adds from the cut before to here, for one image.
    """

    tensor: str
    channels: int
    sides: Sides
    fields: Fields = _POINT
    cost: int = 0


@dataclass(frozen=True)
class LocalPrefix:
    """The local part of a graph.

    Attributes
    ----------
    view
        Rows and columns of the image that the graph looks at: some crop first.
    cuts
        In order; the first is the view itself.
    rest
        Multiply-adds behind the last cut, for one image.
    """

    view: tuple[Span, Span]
    cuts: tuple[Cut, ...]
    rest: int


def local_prefix(model: ModelProto, io: ModelIO) -> LocalPrefix:
    """Find the local part of a model.

    Parameters
    ----------
    model
        With inferred shapes; not modified.

    Raises
    ------
    GraphError
        Where nothing of it is local; the message is the reason.
    """
    opset = next((each.version for each in model.opset_import if each.domain in _ONNX), 0)
    if opset < _OLDEST_OPSET:
        raise GraphError(f"the model is of opset {opset}, expected {_OLDEST_OPSET} or later")
    if any(each.HasField("g") for node in model.graph.node for each in node.attribute):
        raise GraphError("the model has graphs within its graph")
    return _Walk(model, io).prefix()


_ONNX: Final = ("", "ai.onnx")


class _Walk:
    def __init__(self, model: ModelProto, io: ModelIO) -> None:
        self._graph = model.graph
        self._io = io
        self._constants: dict[str, TensorProto] = {t.name: t for t in self._graph.initializer}
        for node in self._graph.node:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                self._constants[node.output[0]] = node.attribute[0].t
        self._shapes = _shapes(self._graph)
        self._uses = Counter(name for node in self._graph.node for name in node.input)
        self._uses.update(value.name for value in self._graph.output)

    def prefix(self) -> LocalPrefix:
        nodes, start, view = self._view()
        sides = (view[0][1] - view[0][0], view[1][1] - view[1][0])
        cuts = [Cut(start, 3, sides)]
        fields: dict[str, Fields] = {start: _POINT}
        waiting = {start: self._uses[start]}
        cost = spent = 0
        for node in nodes:
            given = [name for name in node.input if name and name in fields]
            if not given:
                continue  # of constants alone
            found = self._fields(node, fields)
            if found is None:
                break
            output = node.output[0]
            fields[output] = found
            cost += self._cost(node)
            waiting[output] = self._uses[output]
            for name in given:
                waiting[name] -= 1
            waiting = {name: uses for name, uses in waiting.items() if uses}
            if list(waiting) == [output]:
                shape = self._shapes[output]
                spent += cost
                cuts = _with(cuts, Cut(output, shape[1], (shape[2], shape[3]), found, cost))
                fields, cost = {output: _POINT}, 0
        if len(cuts) == 1:
            raise GraphError("the model does not begin with operators that look at a neighbourhood")
        rest = sum(self._cost(node) for node in self._graph.node) - spent
        return LocalPrefix(view, tuple(cuts), rest)

    def _view(self) -> tuple[Sequence[NodeProto], str, tuple[Span, Span]]:
        """Return the nodes behind those that only crop or turn the image, and what they look at."""
        tensor, layout = self._io.input, self._io.layout
        rows: Span = (0, IMAGE_SIZE)
        columns: Span = (0, IMAGE_SIZE)
        nodes = list(self._graph.node)
        while self._uses[tensor] == 1:
            (index,) = (i for i, node in enumerate(nodes) if tensor in node.input)
            node = nodes[index]
            if layout == "nhwc" and node.op_type == "Transpose":
                if list(_attributes(node).get("perm", [])) != [0, 3, 1, 2]:
                    break
                layout = "nchw"
            elif layout == "nchw" and node.op_type == "Slice":
                cropped = self._cropped(node, rows, columns)
                if cropped is None:
                    break
                rows, columns = cropped
            else:
                break
            del nodes[index]
            tensor = node.output[0]
        if layout != "nchw":
            raise GraphError("the model is not local in (N, 3, height, width)")
        return nodes, tensor, (rows, columns)

    def _cropped(self, node: NodeProto, rows: Span, columns: Span) -> tuple[Span, Span] | None:
        """Return rows and columns behind a Slice of known bounds; None where it is another."""
        if len(node.input) < 4 or not all(name in self._constants for name in node.input[1:]):
            return None
        starts, ends, axes, *steps = (
            convert.to_array(self._constants[name]).reshape(-1).tolist() for name in node.input[1:]
        )
        if any(step != 1 for step in (steps[0] if steps else [])):
            return None
        spans = {2: rows, 3: columns}
        for start, end, axis in zip(starts, ends, axes, strict=True):
            if axis % 4 not in spans:
                return None
            first, stop = spans[axis % 4]
            inside = range(first, stop)[start:end]
            spans[axis % 4] = inside.start, inside.stop
        return spans[2], spans[3]

    def _fields(self, node: NodeProto, fields: dict[str, Fields]) -> Fields | None:
        """Return what a node's output depends on; None where it is not local."""
        outputs = [name for name in node.output if name]
        shape = self._shapes.get(outputs[0], ())
        if len(outputs) != 1 or len(shape) != 4 or not all(shape[1:]) or node.domain not in _ONNX:
            return None
        given = [name for name in node.input if name in fields]
        others = [name for name in node.input if name and name not in fields]
        if any(name not in self._constants for name in others):
            return None
        joined = self._joined(given, fields)
        if joined is None:
            return None
        if node.op_type in ("Conv", "MaxPool", "AveragePool"):
            kernel = self._kernel(node) if given == [node.input[0]] else None
            return kernel and (kernel[0].after(joined[0]), kernel[1].after(joined[1]))
        if node.op_type == "BatchNormalization":
            training = _attributes(node).get("training_mode", 0)
            return joined if given == [node.input[0]] and not training else None
        if node.op_type == "Concat":
            return joined if _attributes(node).get("axis") in (1, -3) and not others else None
        if node.op_type not in _ELEMENTWISE:
            return None
        even = all(_same_everywhere(self._constants[name].dims) for name in others)
        return joined if even else None

    def _joined(self, names: Sequence[str], fields: dict[str, Fields]) -> Fields | None:
        rows, columns = fields[names[0]]
        for name in names[1:]:
            if self._shapes[name][2:] != self._shapes[names[0]][2:]:
                return None
            more = rows.joined(fields[name][0]), columns.joined(fields[name][1])
            if more[0] is None or more[1] is None:
                return None
            rows, columns = more[0], more[1]
        return rows, columns

    def _kernel(self, node: NodeProto) -> Fields | None:
        options = _attributes(node)
        padding = options.get("auto_pad", b"NOTSET")
        # What pads by the size of its input would pad a window otherwise.
        if padding not in (b"NOTSET", b"VALID") or options.get("ceil_mode", 0):
            return None
        size = options.get("kernel_shape")
        if size is None and node.op_type == "Conv":
            size = list(self._constants[node.input[1]].dims[2:])
        if size is None or len(size) != 2:
            return None
        strides = options.get("strides", [1, 1])
        dilations = options.get("dilations", [1, 1])
        pads = options.get("pads", [0] * 4) if padding == b"NOTSET" else [0] * 4
        if min(pads) < 0:
            return None
        rows, columns = (
            Field.of_kernel(
                size[k], stride=strides[k], dilation=dilations[k], pads=(pads[k], pads[k + 2])
            )
            for k in (0, 1)
        )
        return rows, columns

    def _cost(self, node: NodeProto) -> int:
        """Return the multiply-adds of a node that has weights; the others hardly count."""
        if node.op_type not in ("Conv", "Gemm", "MatMul") or len(node.input) < 2:
            return 0
        weights = self._constants.get(node.input[1])
        shape = self._shapes.get(node.output[0], ())
        return math.prod(weights.dims) * math.prod(shape[2:]) if weights is not None else 0


def _with(cuts: list[Cut], cut: Cut) -> list[Cut]:
    """Add a cut, in place of the one before where nothing but values changed since."""
    last = cuts[-1]
    same = cut.fields == _POINT and (cut.channels, cut.sides) == (last.channels, last.sides)
    if same and len(cuts) > 1:
        merged = Cut(cut.tensor, cut.channels, cut.sides, last.fields, last.cost + cut.cost)
        return [*cuts[:-1], merged]
    return [*cuts, cut]


def _same_everywhere(dims: Sequence[int]) -> bool:
    """Tell whether a constant of (N, C, height, width) has one value for all places."""
    return len(dims) <= 4 and all(side == 1 for side in (*dims[-2:], *dims[:-3]))


def _attributes(node: NodeProto) -> dict[str, Any]:
    return {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}


def _shapes(graph: onnx.GraphProto) -> dict[str, tuple[int, ...]]:
    """Return the shapes of tensors, 0 for a dimension that is open (the batch)."""
    return {
        value.name: tuple(side.dim_value for side in value.type.tensor_type.shape.dim)
        for value in (*graph.value_info, *graph.input, *graph.output)
    }
