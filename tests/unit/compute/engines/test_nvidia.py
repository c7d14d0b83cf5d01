"""What can be said of GPUs without one: options, folders, and binding on the CPU device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper

from compute.engines import nvidia
from compute.engines.catalogue import ENGINES
from compute.engines.nvidia import (
    BoundSession,
    cache_folder,
    cuda_options,
    gpus,
    tensorrt_options,
)
from compute.graphs.rewrites import with_constant_batch
from tests.onnx_models import toy


def session() -> Any:
    """Return sums of float32 rows and a constant, and doubled int64 and uint8 rows."""
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 2]),
        helper.make_tensor_value_info("constant", TensorProto.FLOAT, [2]),
        helper.make_tensor_value_info("places", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["N"]),
    ]
    nodes = [
        helper.make_node("Add", ["x", "constant"], ["sums"]),
        helper.make_node("Add", ["places", "places"], ["doubled"]),
        helper.make_node("Add", ["pixels", "pixels"], ["brighter"]),
    ]
    outputs = [
        helper.make_tensor_value_info("sums", TensorProto.FLOAT, ["N", 2]),
        helper.make_tensor_value_info("doubled", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("brighter", TensorProto.UINT8, ["N"]),
    ]
    made = helper.make_model(
        helper.make_graph(nodes, "sums", inputs, outputs),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    return onnxruntime.InferenceSession(
        made.SerializeToString(), providers=["CPUExecutionProvider"]
    )


def feeds(rows: int, seed: int = 0) -> dict[str, NDArray[Any]]:
    drawn = np.random.default_rng(seed)
    return {
        "x": drawn.normal(size=(rows, 2)).astype(np.float32),
        "constant": np.array([1, -1], np.float32),
        "places": drawn.integers(0, 99, rows),
        "pixels": drawn.integers(0, 99, rows).astype(np.uint8),
    }


OUTPUTS = ["sums", "doubled", "brighter"]


def check(found: list[NDArray[Any]], given: Mapping[str, NDArray[Any]]) -> None:
    wanted = [given["x"] + given["constant"], 2 * given["places"], 2 * given["pixels"]]
    for have, want in zip(found, wanted, strict=True):
        assert have.dtype == want.dtype
        np.testing.assert_array_equal(have, want)


def test_a_bound_session_answers_as_an_unbound_one() -> None:
    bound = BoundSession(session(), "cpu")
    for seed, rows in enumerate([4, 4, 2, 4, 1]):
        given = feeds(rows, seed)
        check(bound.run(OUTPUTS, given), given)


def test_answers_are_the_callers_to_keep() -> None:
    bound = BoundSession(session(), "cpu")
    first = feeds(3, seed=1)
    kept = bound.run(OUTPUTS, first)
    bound.run(OUTPUTS, feeds(3, seed=2))
    check(kept, first)


def test_inputs_may_be_slices_and_change_in_place() -> None:
    bound = BoundSession(session(), "cpu")
    given = feeds(3)
    wide = np.zeros((3, 4), np.float32)
    given["x"] = wide[:, ::2]
    check(bound.run(OUTPUTS, given), given)
    wide[:] = 7
    check(bound.run(OUTPUTS, given), given)


def test_a_constant_travels_once() -> None:
    bound = BoundSession(session(), "cpu")
    memory = np.array([1, -1], np.float32)
    constant = memory.view()
    constant.flags.writeable = False
    given = {**feeds(2), "constant": constant}
    before = bound.run(["sums"], given)[0]
    memory[:] = 100  # behind the back of the view: whoever copied again would see it
    np.testing.assert_array_equal(bound.run(["sums"], given)[0], before)
    # Another array is another value.
    np.testing.assert_array_equal(
        bound.run(["sums"], {**given, "constant": memory.copy()})[0], given["x"] + 100
    )


def test_outputs_keep_their_place_while_shapes_do() -> None:
    whole = session()
    made: list[str] = []

    class Watched:
        def io_binding(self) -> Any:
            binding = whole.io_binding()

            class Binding:
                def __getattr__(self, name: str) -> Any:
                    made.append(name)
                    return getattr(binding, name)

                _iobinding = binding._iobinding

            return Binding()

        def run_with_iobinding(self, binding: Any) -> None:
            whole.run_with_iobinding(binding)

    bound = BoundSession(Watched(), "cpu")
    bound.run(["sums"], feeds(2))
    assert made.count("bind_output") == 1
    bound.run(["sums"], feeds(2, seed=1))
    assert made.count("bind_output") == 1
    assert made.count("bind_ortvalue_output") == 1
    bound.run(["sums"], feeds(3))
    assert made.count("bind_output") == 2


def test_convolutions_are_never_picked_by_the_slow_default() -> None:
    for precision, tf32 in (("float32", "0"), ("tf32", "1"), ("float16", "0")):
        options = cuda_options(precision)  # type: ignore[arg-type]
        assert options["cudnn_conv_algo_search"] == "HEURISTIC"
        assert options["use_tf32"] == tf32


def test_tensorrt_is_tuned_for_the_one_batch_there_is(tmp_path: Path) -> None:
    model = with_constant_batch(onnx.load_from_string(toy()), 46)
    options = tensorrt_options(model, "float16", tmp_path)
    shapes = {options[f"trt_profile_{which}_shapes"] for which in ("min", "opt", "max")}
    assert shapes == {"image:46x3x112x112"}
    assert options["trt_fp16_enable"] == "1"
    assert options["trt_engine_cache_path"] == options["trt_timing_cache_path"] == str(tmp_path)
    assert tensorrt_options(model, "tf32", tmp_path)["trt_fp16_enable"] == "0"


def test_another_tensorrt_is_another_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nvidia, "installed", lambda name: "10.1" if name == "tensorrt" else None)
    found = ENGINES["tensorrt-fp16"].title()
    assert found.endswith("TensorrtExecutionProvider, TensorRT 10.1, float16")
    monkeypatch.setattr(nvidia, "installed", lambda _: "10.2")
    assert ENGINES["tensorrt-fp16"].title() != found


def test_what_tensorrt_built_belongs_to_one_model_one_version_and_one_gpu(tmp_path: Path) -> None:
    versions = {"onnxruntime": "1", "tensorrt": "10", "gpu": "H200", "precision": "tf32"}
    own = cache_folder(tmp_path, b"model", versions)
    assert own.is_relative_to(tmp_path / "tensorrt")
    assert own == cache_folder(tmp_path, b"model", dict(reversed(versions.items())))
    others = [cache_folder(tmp_path, b"other", versions)]
    others += [cache_folder(tmp_path, b"model", {**versions, name: "2"}) for name in versions]
    assert len({own, *others}) == 6


def test_gpus_are_those_that_the_driver_names(tmp_path: Path) -> None:
    assert gpus(tmp_path) == []
    for bus, model in (("0000:01:00.0", "NVIDIA H200"), ("0000:02:00.0", "NVIDIA L4")):
        folder = tmp_path / "gpus" / bus
        folder.mkdir(parents=True)
        (folder / "information").write_text(f"Model: \t\t {model}\nIRQ:   \t\t 11\n")
    assert gpus(tmp_path) == ["NVIDIA H200", "NVIDIA L4"]


@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_runs_bound_as_it_does_unbound(batch: int) -> None:
    model = with_constant_batch(onnx.load_from_string(toy()), batch).SerializeToString()
    plain: Any = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    images = np.random.default_rng(0).normal(size=(batch, 3, 112, 112)).astype(np.float32)
    bound = BoundSession(plain, "cpu")
    for _ in range(2):
        np.testing.assert_array_equal(
            bound.run(["embedding"], {"image": images})[0],
            plain.run(["embedding"], {"image": images})[0],
        )
