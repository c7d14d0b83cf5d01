"""Rewrites of graphs: the result stays what it was, the file stays valid."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from compute.graphs.rewrites import split_prelu, with_constant_batch
from tests.onnx_models import prelu, toy

SLOPES = {
    "per channel": np.array([0.25, -0.5, 3.0], np.float32).reshape(3, 1, 1),
    "with a batch": np.array([0.0, 1.0, -2.0], np.float32).reshape(1, 3, 1, 1),
    "one": np.array([0.1], np.float32),
    "scalar": np.array(-1.5, np.float32),
    "large": np.array([1e6, 1e-6, -1e6], np.float32).reshape(3, 1, 1),
}


def operators(model: ModelProto) -> Counter[str]:
    return Counter(node.op_type for node in model.graph.node)


def answers(model: ModelProto, images: NDArray[np.float32]) -> NDArray[np.float32]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session: Any = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (rows,) = session.run(["embedding"], {"image": images})
    found: NDArray[np.float32] = rows
    return found


@pytest.fixture
def images() -> NDArray[np.float32]:
    drawn = np.random.default_rng(0).normal(0, 1, (3, 3, 112, 112))
    return drawn.astype(np.float32)


@pytest.mark.parametrize("slopes", SLOPES.values(), ids=SLOPES)
@pytest.mark.parametrize("opset", [9, 13, 22])
def test_a_prelu_made_of_convolutions_changes_no_bit(
    slopes: NDArray[np.float32], opset: int, images: NDArray[np.float32]
) -> None:
    model = onnx.load_from_string(prelu(slopes, opset=opset))
    split, count = split_prelu(model)
    onnx.checker.check_model(split, full_check=True)
    assert count == 1
    assert operators(split) >= Counter(Conv=2, Relu=2, Add=1)
    assert "PRelu" not in operators(split)
    np.testing.assert_array_equal(answers(split, images), answers(model, images))


def test_values_are_those_of_the_definition() -> None:
    node = helper.make_node("PRelu", ["x", "slopes"], ["y"])
    slopes = onnx.numpy_helper.from_array(
        np.array([0.25, -3], np.float32).reshape(2, 1, 1), "slopes"
    )
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 2, 1, 2]) for n in "xy")
    graph = helper.make_graph([node], "one", [x], [y], [slopes])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session: Any = onnxruntime.InferenceSession(
        split_prelu(model)[0].SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(["y"], {"x": np.array([-2, 2, -2, 2], np.float32).reshape(1, 2, 1, 2)})
    assert found.ravel().tolist() == [-0.5, 2, 6, 2]


@pytest.mark.parametrize("held", ["constant", "input"])
def test_slopes_may_be_a_constant_or_listed_as_an_input(
    held: Any, images: NDArray[np.float32]
) -> None:
    opset = 9 if held == "input" else 17
    model = onnx.load_from_string(prelu(SLOPES["per channel"], opset=opset, held=held))
    split, count = split_prelu(model)
    onnx.checker.check_model(split)
    assert count == 1
    np.testing.assert_array_equal(answers(split, images), answers(model, images))


@pytest.mark.parametrize(
    "model",
    [
        prelu(np.full((3, 8, 8), 0.1, np.float32)),
        prelu(np.full((1, 1, 8), 0.1, np.float32)),
        prelu(np.full((3, 1, 1), np.nan, np.float32)),
        prelu(np.array([0.1], np.float32), sides=(None, 112, 112)),
        toy(),
    ],
    ids=["per pixel", "per column", "no number", "channels unknown", "none"],
)
def test_what_is_not_one_slope_for_each_channel_stays(model: bytes) -> None:
    given = onnx.load_from_string(model)
    split, count = split_prelu(given)
    assert count == 0
    assert split.SerializeToString(deterministic=True) == given.SerializeToString(
        deterministic=True
    )


def test_the_given_model_is_left_as_it_is() -> None:
    model = onnx.load_from_string(prelu(SLOPES["one"]))
    before = model.SerializeToString(deterministic=True)
    split_prelu(model)
    with_constant_batch(model, 4)
    assert model.SerializeToString(deterministic=True) == before


def test_a_constant_batch_fixes_the_first_dimension_that_was_open(
    images: NDArray[np.float32],
) -> None:
    model = onnx.load_from_string(toy())
    fixed = with_constant_batch(model, 3)
    onnx.checker.check_model(fixed, full_check=True)
    (given,) = fixed.graph.input
    assert [side.dim_value for side in given.type.tensor_type.shape.dim] == [3, 3, 112, 112]
    np.testing.assert_array_equal(answers(fixed, images), answers(model, images))


def test_a_constant_batch_leaves_other_inputs_and_fixed_batches_alone() -> None:
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, [1, 112, 112, 3])
    positions = helper.make_tensor_value_info("positions", TensorProto.INT64, ["B", 2])
    y = helper.make_tensor_value_info("y", TensorProto.INT64, ["B", 2])
    graph = helper.make_graph(
        [helper.make_node("Abs", ["positions"], ["y"])], "two", [image, positions], [y]
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    fixed = with_constant_batch(made, 16).graph
    shapes = {
        value.name: [side.dim_value for side in value.type.tensor_type.shape.dim]
        for value in (*fixed.input, *fixed.output)
    }
    assert shapes == {"image": [1, 112, 112, 3], "positions": [16, 2], "y": [16, 2]}
