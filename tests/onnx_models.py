"""Tiny ONNX models, good and bad, built in memory; and what the good one computes, in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

Layout = Literal["nchw", "nhwc"]

DIMENSION: Final = 16
_CELL: Final = 14
_CELLS: Final = 112 // _CELL
_FEATURES: Final = 3 * _CELLS * _CELLS
_OPSET: Final = 17
_IR_VERSION: Final = 8


def matrix(seed: int = 0) -> NDArray[np.float32]:
    """Return the fixed matrix of the toy, (192, 16) float32."""
    drawn = np.random.default_rng(seed).standard_normal((_FEATURES, DIMENSION))
    return drawn.astype(np.float32)


def toy_embeddings(
    images: NDArray[np.uint8],
    *,
    color: str = "rgb",
    mean: Sequence[float] = (0.0, 0.0, 0.0),
    std: Sequence[float] = (1.0, 1.0, 1.0),
    seed: int = 0,
) -> NDArray[np.float64]:
    """Compute what the toy gives, (N, 16) float64, from uint8 RGB and its preprocessing."""
    ordered = images[..., ::-1] if color == "bgr" else images
    fed = (ordered.astype(np.float64) - np.array(mean)) / np.array(std)
    cells = fed.reshape(len(images), _CELLS, _CELL, _CELLS, _CELL, 3).mean(axis=(2, 4))
    embeddings: NDArray[np.float64] = cells.transpose(0, 3, 1, 2).reshape(
        len(images), _FEATURES
    ) @ matrix(seed)
    return embeddings


def toy(
    *,
    layout: Layout = "nchw",
    batch: int | str = "N",
    seed: int = 0,
    input_name: str = "image",
    tail: tuple[int, ...] = (),
    nan_above: float | None = None,
    nan_below: float | None = None,
) -> bytes:
    """Return a sound model: mean colour of 8 x 8 cells times a fixed random matrix.

    Parameters
    ----------
    batch
        A fixed batch, or the name of an open one.
    tail
        Further dimensions of size 1 behind the embedding.
    nan_above, nan_below
        Give NaN for images whose mean input lies above, or below, this value.
    """
    nodes = _features(input_name, layout)
    embedding = "embedding"
    if nan_above is not None or nan_below is not None:
        nodes += _nan_where(nan_above, nan_below)
        embedding = "sometimes"
    if tail:
        nodes += [
            _constant("tail", np.array([0, DIMENSION, *tail], dtype=np.int64)),
            helper.make_node("Reshape", [embedding, "tail"], ["tailed"]),
        ]
        embedding = "tailed"
    return _model(
        nodes, [_input(input_name, layout, batch)], [embedding], seed=seed, rank=2 + len(tail)
    )


def _with(nodes: list[NodeProto], output: str, *, rank: int = 2) -> bytes:
    """Return the toy with nodes that make ``output`` of ``embedding``."""
    return _model(
        [*_features("image", "nchw"), *nodes],
        [_input("image", "nchw", "N")],
        [output],
        seed=0,
        rank=rank,
    )


def nan_output() -> bytes:
    """Return a model that gives NaN for every image."""
    return _with(
        [
            _constant("nan", np.float32(np.nan)),
            helper.make_node("Mul", ["embedding", "nan"], ["y"]),
        ],
        "y",
    )


def zero_output() -> bytes:
    """Return a model that gives zeros for every image."""
    return _with(
        [_constant("zero", np.float32(0)), helper.make_node("Mul", ["embedding", "zero"], ["y"])],
        "y",
    )


def constant_output() -> bytes:
    """Return a model that gives every image the same embedding."""
    return _with(
        [
            _constant("zero", np.float32(0)),
            _constant("same", np.arange(DIMENSION, dtype=np.float32)),
            helper.make_node("Mul", ["embedding", "zero"], ["zeros"]),
            helper.make_node("Add", ["zeros", "same"], ["y"]),
        ],
        "y",
    )


def neighbourly() -> bytes:
    """Return a model whose rows depend on the other images of the batch."""
    return _with(
        [
            helper.make_node("ReduceMean", ["embedding"], ["average"], axes=[0], keepdims=1),
            helper.make_node("Sub", ["embedding", "average"], ["centred"]),
            # One image alone would be zero: some of the embedding itself is kept.
            helper.make_node("Add", ["centred", "embedding"], ["y"]),
        ],
        "y",
    )


def baked_batch() -> bytes:
    """Return a model that declares any batch and reshapes to one image."""
    nodes = [
        *_cells("image", "nchw"),
        _constant("one", np.array([1, _FEATURES], dtype=np.int64)),
        helper.make_node("Reshape", ["cells", "one"], ["features"]),
        helper.make_node("MatMul", ["features", "matrix"], ["embedding"]),
    ]
    return _model(nodes, [_input("image", "nchw", "N")], ["embedding"], seed=0)


def scalar_output() -> bytes:
    """Return a model that gives one number per image, without a second dimension."""
    return _with(
        [helper.make_node("ReduceMean", ["embedding"], ["y"], axes=[1], keepdims=0)], "y", rank=1
    )


def two_inputs() -> bytes:
    """Return a model that wants a second input."""
    nodes = [
        *_features("image", "nchw"),
        helper.make_node("Add", ["embedding", "flag"], ["y"]),
    ]
    flag = helper.make_tensor_value_info("flag", TensorProto.FLOAT, [1])
    return _model(nodes, [_input("image", "nchw", "N"), flag], ["y"], seed=0)


def two_outputs() -> bytes:
    """Return a model with a second output."""
    nodes = [*_features("image", "nchw"), helper.make_node("Neg", ["embedding"], ["second"])]
    return _model(nodes, [_input("image", "nchw", "N")], ["embedding", "second"], seed=0)


def opset(version: int, *, weights_as_inputs: bool = False) -> bytes:
    """Return the toy of another opset; weights may be listed as inputs, as IR 3 wants it."""
    nodes = [
        *_features("image", "nchw"),
        helper.make_node("BatchNormalization", ["embedding", *"wbmv"], ["y"]),
    ]
    ones, zeros = np.ones(DIMENSION, np.float32), np.zeros(DIMENSION, np.float32)
    held = [numpy_helper.from_array(matrix(), "matrix")]
    held += [
        numpy_helper.from_array(value, name)
        for name, value in zip("wbmv", (ones, zeros, zeros, ones - 1e-5), strict=True)
    ]
    inputs = [_input("image", "nchw", "N")]
    if weights_as_inputs:
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in held]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", DIMENSION])
    graph = helper.make_graph(nodes, "toy", inputs, [y], held)
    made = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", version)],
        ir_version=3 if weights_as_inputs else 10,
    )
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data


def fixed(batch: int, way: str) -> bytes:
    """Return the toy for one batch, which is also written into its nodes, in one of some ways."""
    cells = _cells("image", "nchw")
    multiply = helper.make_node("MatMul", ["features", "matrix"], ["embedding"])

    def reshaped(source: str, target: str, *shape: int) -> list[NodeProto]:
        name = f"{target}_shape"
        return [
            _constant(name, np.array(shape, dtype=np.int64)),
            helper.make_node("Reshape", [source, name], [target]),
        ]

    if way == "reshape":
        nodes = [*reshaped("cells", "features", batch, _FEATURES), multiply]
    elif way == "reshape, rest open":
        nodes = [*reshaped("cells", "features", batch, -1), multiply]
    elif way == "flatten":
        nodes = [helper.make_node("Flatten", ["cells"], ["features"], axis=0), multiply]
    elif way == "folded":  # as heads are folded into the batch, and out of it
        nodes = [
            *reshaped("cells", "folded", batch * 3, 1, _CELLS * _CELLS),
            *reshaped("folded", "features", batch, _FEATURES),
            multiply,
        ]
    elif way == "sequence first":
        nodes = [
            *reshaped("cells", "tokens", batch, 3, _CELLS * _CELLS),
            helper.make_node("Transpose", ["tokens"], ["first"], perm=[1, 0, 2]),
            *reshaped("first", "split", 3, batch * _CELLS, _CELLS),
            *reshaped("split", "joined", 3, batch, _CELLS * _CELLS),
            helper.make_node("Transpose", ["joined"], ["back"], perm=[1, 0, 2]),
            *reshaped("back", "features", batch, _FEATURES),
            multiply,
        ]
    elif way == "squeezed":
        nodes = [
            helper.make_node("Flatten", ["cells"], ["features"]),
            multiply,
            helper.make_node("Squeeze", ["embedding"], ["squeezed"]),
        ]
    else:  # a token per image, as a file for one batch holds it
        token = np.zeros((batch, 1, _CELLS, _CELLS), np.float32)
        nodes = [
            _constant("token", token),
            helper.make_node("Concat", ["cells", "token"], ["longer"], axis=1),
            _constant("starts", np.array([0], dtype=np.int64)),
            _constant("ends", np.array([3], dtype=np.int64)),
            _constant("axes", np.array([1], dtype=np.int64)),
            helper.make_node("Slice", ["longer", "starts", "ends", "axes"], ["shorter"]),
            helper.make_node("Flatten", ["shorter"], ["features"]),
            multiply,
        ]
    output = nodes[-1].output[0]
    return _model(
        [*cells, *nodes],
        [_input("image", "nchw", batch)],
        [output],
        seed=0,
        rank=1 if way == "squeezed" else 2,
    )


FIXED_WAYS: Final = (
    "reshape",
    "reshape, rest open",
    "flatten",
    "folded",
    "sequence first",
    "squeezed",
    "token",
)


def several_outputs() -> bytes:
    """Return a model with a feature map, a quality and a class beside its embedding."""
    nodes = [
        *_features("image", "nchw"),
        helper.make_node("ReduceMean", ["embedding"], ["quality"], axes=[1], keepdims=1),
        helper.make_node("ArgMax", ["embedding"], ["class"], axis=1, keepdims=1),
    ]
    outputs = ["cells", "quality", "class", "embedding"]
    types = [TensorProto.FLOAT, TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT]
    graph = helper.make_graph(
        nodes,
        "toy",
        [_input("image", "nchw", "N")],
        [
            helper.make_tensor_value_info(name, kind, None)
            for name, kind in zip(outputs, types, strict=True)
        ],
        [numpy_helper.from_array(matrix(), "matrix")],
    )
    made = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    data: bytes = made.SerializeToString()
    return data


def half() -> bytes:
    """Return the toy in float16, weights, input and output."""
    made = onnx.load_from_string(toy())
    (weights,) = made.graph.initializer
    weights.CopyFrom(numpy_helper.from_array(matrix().astype(np.float16), "matrix"))
    for value in (*made.graph.input, *made.graph.output):
        value.type.tensor_type.elem_type = TensorProto.FLOAT16
    data: bytes = made.SerializeToString()
    return data


def prelu(
    slopes: NDArray[np.floating],
    *,
    opset: int = _OPSET,
    sides: Sequence[int | str | None] = (3, 112, 112),
    held: Literal["initializer", "constant", "input"] = "initializer",
) -> bytes:
    """Return the toy with a PRelu on its cells, (N, 3, 8, 8), whose slopes are part of the file.

    Parameters
    ----------
    sides
        Of the input, behind the batch; what is open leaves shapes unknown.
    held
        Where slopes stand; an initializer that is listed as an input, too, is of IR 3.
    """
    nodes = [
        *_cells("image", "nchw"),
        helper.make_node("PRelu", ["cells", "slopes"], ["bent"]),
        helper.make_node("Flatten", ["bent"], ["features"]),
        helper.make_node("MatMul", ["features", "matrix"], ["embedding"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", *sides])]
    weights = [numpy_helper.from_array(matrix(), "matrix")]
    if held == "constant":
        nodes.insert(0, _constant("slopes", slopes))
    else:
        weights.append(numpy_helper.from_array(slopes, "slopes"))
    if held == "input":
        inputs += [helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in weights]
    y = helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["N", DIMENSION])
    made = helper.make_model(
        helper.make_graph(nodes, "bent", inputs, [y], weights),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=3 if held == "input" else _IR_VERSION,
    )
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data


def denormal(count: int = 5) -> bytes:
    """Return the toy with some weights too small for a float32 to hold in full."""
    made = onnx.load_from_string(toy())
    (weights,) = made.graph.initializer
    values = matrix()
    values[:count, 0] = 1e-40
    weights.CopyFrom(numpy_helper.from_array(values, "matrix"))
    data: bytes = made.SerializeToString()
    return data


def double_input() -> bytes:
    """Return a model that wants float64."""
    nodes = [
        helper.make_node("Cast", ["double"], ["image"], to=TensorProto.FLOAT),
        *_features("image", "nchw"),
    ]
    double = helper.make_tensor_value_info("double", TensorProto.DOUBLE, ["N", 3, 112, 112])
    return _model(nodes, [double], ["embedding"], seed=0)


def half_input() -> bytes:
    """Return a model that wants float16 and computes in float32."""
    nodes = [
        helper.make_node("Cast", ["half"], ["image"], to=TensorProto.FLOAT),
        *_features("image", "nchw"),
    ]
    half = helper.make_tensor_value_info("half", TensorProto.FLOAT16, ["N", 3, 112, 112])
    return _model(nodes, [half], ["embedding"], seed=0)


def of_side(side: int | str | None) -> bytes:
    """Return a model for images of another size, or (with a name or None) of an open size."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["image"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["embedding"]),
    ]
    channels = 3 if isinstance(side, int) else None
    given = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", channels, side, side])
    return _model(nodes, [given], ["embedding"], seed=0)


def _cells(input_name: str, layout: Layout) -> list[NodeProto]:
    nodes = []
    planar = input_name
    if layout == "nhwc":
        planar = "planar"
        nodes.append(helper.make_node("Transpose", [input_name], [planar], perm=[0, 3, 1, 2]))
    sides = [_CELL, _CELL]
    pool = helper.make_node("AveragePool", [planar], ["cells"], kernel_shape=sides, strides=sides)
    return [*nodes, pool]


def _features(input_name: str, layout: Layout) -> list[NodeProto]:
    return [
        *_cells(input_name, layout),
        helper.make_node("Flatten", ["cells"], ["features"]),
        helper.make_node("MatMul", ["features", "matrix"], ["embedding"]),
    ]


def _nan_where(above: float | None, below: float | None) -> list[NodeProto]:
    """Add 0 * log(distance to the bound): NaN beyond it, 0 before."""
    order = ["bound", "mean"] if above is not None else ["mean", "bound"]
    bound = above if above is not None else below
    return [
        _constant("bound", np.float32(bound)),
        _constant("nothing", np.float32(0)),
        helper.make_node("ReduceMean", ["features"], ["mean"], axes=[1], keepdims=1),
        helper.make_node("Sub", order, ["room"]),
        helper.make_node("Log", ["room"], ["logarithm"]),
        helper.make_node("Mul", ["logarithm", "nothing"], ["zero_or_nan"]),
        helper.make_node("Add", ["embedding", "zero_or_nan"], ["sometimes"]),
    ]


def _constant(name: str, value: ArrayLike) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value)))


def _input(name: str, layout: Layout, batch: int | str) -> ValueInfoProto:
    sides = [3, 112, 112] if layout == "nchw" else [112, 112, 3]
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, *sides])


def _model(
    nodes: list[NodeProto],
    inputs: list[ValueInfoProto],
    outputs: list[str],
    *,
    seed: int,
    rank: int = 2,
) -> bytes:
    shape = [None] * rank
    used = any("matrix" in node.input for node in nodes)
    graph = helper.make_graph(
        nodes,
        "toy",
        inputs,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in outputs],
        [numpy_helper.from_array(matrix(seed), "matrix")] if used else [],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model)
    data: bytes = model.SerializeToString()
    return data
