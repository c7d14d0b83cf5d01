"""The engines by name: what each needs, what it is called in results, how far it may be off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from onnx import ModelProto

from compute.engines import nvidia, onnx_runtime, openvino
from compute.engines.lanes import lanes_for
from compute.engines.nvidia import CUDA, TENSORRT
from compute.engines.session import Open
from compute.errors import ModelError
from compute.graphs.rewrites import split_prelu

EXACT: Final = 1e-5
"""How far a distance may be off where an engine computes in float32 as the plain one does."""

ROUNDED: Final = 5e-3
"""The same where it computes with 10 bits of mantissa, as TF32 and float16 have."""

_SPLIT: Final = "PReLU as convolutions"
_CPU_BATCHES: Final = (16, 32, 46)  # 46 divides 1058
_GPU_BATCHES: Final = (46, 529)


@dataclass(frozen=True)
class Engine:
    """One way to run a model.

    Attributes
    ----------
    name
        As ``--engine`` takes it.
    bound
        How far a cosine distance, and a coordinate of a unit embedding, may be from the plain
        engine's.
    batches
        Batches worth trying.
    lanes
        Parts of a batch that run side by side, of processor threads and batch.
    windows
        Its edit of a graph whose parts ONNX Runtime runs on the CPU, window by window, for
        occlusions (``compute.windowed``); None where it runs whole graphs.
    title
        What is stored with results, versions included.
    why_not
        What is missing, and what to do; empty where the engine is here.
    """

    name: str
    open: Open
    title: Callable[[], str]
    why_not: Callable[[], str] = str
    bound: float = EXACT
    batches: tuple[int, ...] = _CPU_BATCHES
    lanes: Callable[[int, int], int] = lanes_for
    windows: Callable[[ModelProto], ModelProto] | None = None

    @property
    def is_exact(self) -> bool:
        """Whether it may be chosen for its speed: it computes in float32."""
        return self.bound <= EXACT


def _one_lane(threads: int, batch: int) -> int:  # noqa: ARG001  a device takes batches in turn
    return 1


def _cuda(name: str, precision: nvidia.Precision, bound: float) -> Engine:
    return Engine(
        name,
        partial(nvidia.open_cuda, precision=precision),
        partial(onnx_runtime.title, CUDA, precision),
        partial(nvidia.why_not, CUDA),
        bound,
        _GPU_BATCHES,
        _one_lane,
    )


def _tensorrt(name: str, precision: nvidia.Precision) -> Engine:
    return Engine(
        name,
        partial(nvidia.open_tensorrt, precision=precision),
        partial(nvidia.tensorrt_title, precision),
        partial(nvidia.why_not, TENSORRT),
        ROUNDED,
        _GPU_BATCHES,
        _one_lane,
    )


PLAIN: Final = Engine(
    "onnxruntime", onnx_runtime.open_plain, onnx_runtime.title, windows=lambda model: model
)
"""ONNX Runtime on the CPU, the file as it is: what all others are measured against."""

ENGINES: Final = {
    engine.name: engine
    for engine in (
        PLAIN,
        Engine(
            "onnxruntime+prelu",
            onnx_runtime.open_split,
            partial(onnx_runtime.title, onnx_runtime.CPU, _SPLIT),
            windows=lambda model: split_prelu(model)[0],
        ),
        Engine("openvino", openvino.open_model, openvino.title, openvino.why_not),
        _cuda("cuda", "float32", EXACT),
        _cuda("cuda-tf32", "tf32", ROUNDED),
        _cuda("cuda-fp16", "float16", ROUNDED),
        _tensorrt("tensorrt", "tf32"),
        _tensorrt("tensorrt-fp16", "float16"),
    )
}


def available() -> list[Engine]:
    """Return the engines that are here, the plainest first."""
    return [engine for engine in ENGINES.values() if not engine.why_not()]


def engine_named(name: str) -> Engine:
    """Return an engine that can be used here; ``ModelError`` says what it needs."""
    engine = ENGINES.get(name)
    if engine is None:
        raise ModelError(f"--engine {name!r}: expected auto or one of {', '.join(ENGINES)}.")
    missing = engine.why_not()
    if missing:
        raise ModelError(f"--engine {name}: {missing}.")
    return engine


def engine_titled(title: str) -> Engine:
    """Return the engine that results were made with, by its ``title``.

    Raises
    ------
    ModelError
        Where it is not here; says what is.
    """
    here = {engine.title(): engine for engine in available()}
    if title not in here:
        raise ModelError(f"Engine {title} is not here; there are {'; '.join(here)}.")
    return here[title]
