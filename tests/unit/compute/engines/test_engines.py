"""Every engine answers as the plain one does, or says why it cannot."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from app.settings import Settings
from compute.embedding import OnnxEmbedder, Preprocessing
from compute.engines import nvidia, openvino
from compute.engines.agreement import agreement, open_agreeing
from compute.engines.catalogue import (
    ENGINES,
    EXACT,
    PLAIN,
    ROUNDED,
    Engine,
    available,
    engine_named,
    engine_titled,
)
from compute.engines.onnx_runtime import load
from compute.engines.session import Terms
from compute.errors import ModelError, UnsuitableError
from compute.graphs.probes import probe_images
from compute.graphs.probing import probe
from tests.onnx_models import prelu, toy

FED = Preprocessing(mean=(127.5,) * 3, std=(127.5,) * 3)
SLOPES = np.array([0.25, -0.5, 3.0], np.float32).reshape(3, 1, 1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    given = tmp_path / "bent.onnx"
    given.write_bytes(prelu(SLOPES))
    return given


def embedder(path: Path, engine: Engine, batch: int = 3) -> OnnxEmbedder:
    return OnnxEmbedder(
        path, FED, probe(path, FED), batch=batch, threads=1, engine=engine, cache=path.parent
    )


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_answers_as_the_plain_one(path: Path, name: str) -> None:
    engine = ENGINES[name]
    if engine.why_not():
        pytest.skip(engine.why_not())
    images = probe_images()
    found = agreement(embedder(path, engine), embedder(path, PLAIN), images)
    assert found.worst <= engine.bound
    # As many images as there are: the last batch is part empty.
    assert embedder(path, engine)(images).shape == (4, 16)


def test_the_split_prelu_is_another_graph_and_the_same_answer(path: Path) -> None:
    images = probe_images()
    split = embedder(path, ENGINES["onnxruntime+prelu"])(images)
    np.testing.assert_array_equal(split, embedder(path, PLAIN)(images))


def test_an_engine_without_use_for_a_model_says_so(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    path.write_bytes(toy())
    with pytest.raises(UnsuitableError, match="no PReLU that can be made of convolutions"):
        embedder(path, ENGINES["onnxruntime+prelu"])


def test_titles_tell_engines_apart_and_lead_back_to_them() -> None:
    titles = [engine.title() for engine in ENGINES.values()]
    assert len(set(titles)) == len(titles)
    assert max(map(len, titles)) <= 200
    for engine in available():
        assert engine_titled(engine.title()) is engine
    with pytest.raises(ModelError, match=r"Engine abacus 1 is not here; there are onnxruntime "):
        engine_titled("abacus 1")


def test_the_plain_engine_keeps_the_title_of_earlier_runs() -> None:
    import onnxruntime

    assert PLAIN.title() == f"onnxruntime {onnxruntime.__version__} CPUExecutionProvider"
    assert available()[0] is PLAIN


def test_only_engines_in_float32_may_be_chosen_for_their_speed() -> None:
    exact = [name for name, engine in ENGINES.items() if engine.is_exact]
    assert exact == ["onnxruntime", "onnxruntime+prelu", "openvino", "cuda"]


def test_an_unknown_or_absent_engine_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ModelError, match=r"'abacus': expected auto or one of onnxruntime, "):
        engine_named("abacus")
    monkeypatch.setattr(openvino, "installed", lambda name: None)
    with pytest.raises(ModelError, match=r"openvino: .*pip install -r requirements/openvino.txt"):
        engine_named("openvino")
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ModelError, match=r"no CUDAExecutionProvider.*requirements/gpu.txt"):
        engine_named("cuda-fp16")


def test_a_gpu_that_does_not_start_is_no_silent_cpu(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvidia, "_preload", lambda: None)
    if nvidia.CUDA in __import__("onnxruntime").get_available_providers():
        pytest.skip("ONNX Runtime has CUDA here")
    with warnings.catch_warnings(), pytest.raises(ModelError, match="does not start here"):
        warnings.simplefilter("ignore")
        nvidia.open_cuda(path, None, Terms(threads=1, batch=2))


def test_openvino_computes_in_float32_and_calls_nobody(path: Path) -> None:
    if openvino.why_not():
        pytest.skip(openvino.why_not())
    assert openvino.options(Terms(threads=2, batch=1))["INFERENCE_PRECISION_HINT"] == "f32"
    code = (
        "import sys; from pathlib import Path\n"
        "from compute.engines.openvino import open_model\n"
        "from compute.engines.session import Terms\n"
        f"open_model(Path({str(path)!r}), None, Terms(1, 1))\n"
        "print([name for name in sys.modules if name.startswith('openvino_telemetry.')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_agreement_is_the_largest_difference_of_units_and_distances() -> None:
    images = np.zeros((2, 112, 112, 3), np.uint8)
    found = agreement(
        lambda _: np.array([[2, 0], [3, 4]], np.float32),
        lambda _: np.array([[1, 0], [0, 5]], np.float32),
        images,
    )
    # Units (1, 0), (0.6, 0.8) and (1, 0), (0, 1): distances 0.4 and 1.
    assert found.embedding == pytest.approx(0.6)
    assert found.distance == pytest.approx(0.6)


def test_an_engine_beyond_its_bound_is_refused(path: Path) -> None:
    def half(given: Path, data: bytes | None, terms: Terms) -> object:
        model = nvidia.in_half(onnx.load(given))
        return load(given, threads=1, data=model.SerializeToString())

    def opened(bound: float) -> float:
        engine = Engine("rounding", half, lambda: "rounding", bound=bound)  # type: ignore[arg-type]
        _, found = open_agreeing(path, FED, probe(path, FED), engine=engine, batch=4, threads=1)
        return found.worst

    assert EXACT < opened(ROUNDED) <= ROUNDED
    with pytest.raises(ModelError, match=r"engine rounding, embeddings differ .* 1e-05 at most"):
        opened(EXACT)


def test_half_keeps_the_types_of_inputs_and_outputs() -> None:
    model = nvidia.in_half(onnx.load_from_string(prelu(SLOPES)))
    kinds = [
        value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)
    ]
    assert kinds == [onnx.TensorProto.FLOAT] * 2
    assert {tensor.data_type for tensor in model.graph.initializer} == {onnx.TensorProto.FLOAT16}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["mobilefacenet_casia", "mobilefacenet_ms1m"])
def test_real_models_say_the_same_split_and_on_any_number_of_lanes(name: str) -> None:
    folder = Settings.from_environment().real_data
    file = None if folder is None else folder / "models" / f"{name}.onnx"
    if file is None or not file.is_file():
        pytest.skip(f"no real models: XFV_REAL_DATA is {folder}")
    io, images = probe(file, FED), np.repeat(probe_images(), 4, axis=0)

    def rows(engine: Engine, threads: int, batch: int = 16) -> NDArray[np.float32]:
        return OnnxEmbedder(file, FED, io, batch=batch, threads=threads, engine=engine)(images)

    # ONNX Runtime chooses kernels by processor: elsewhere the last bit may differ.
    plain = rows(PLAIN, 1)
    scale = np.linalg.norm(plain, axis=1, keepdims=True)
    others = [rows(PLAIN, 2), rows(PLAIN, 4), rows(PLAIN, 2, batch=23)]
    if "casia" in name:
        others.append(rows(ENGINES["onnxruntime+prelu"], 2))
    for other in others:
        np.testing.assert_allclose(other / scale, plain / scale, atol=1e-6)
