"""ONNX Runtime on NVIDIA GPUs: CUDA and TensorRT, with inputs and outputs bound to the device.

The options are pure functions, and binding is tested on the CPU. None of it was measured on a GPU
yet; docs/models.md says so.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from ctypes.util import find_library
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto

from compute.engines.onnx_runtime import (
    CPU,
    Provider,
    installed,
    model_of,
    session_with,
    title,
    version,
)
from compute.engines.session import Terms
from compute.errors import ModelError
from compute.graphs import onnx_graph
from compute.graphs.occluding import behind_occlusions
from compute.graphs.rewrites import with_constant_batch

CUDA: Final = "CUDAExecutionProvider"
TENSORRT: Final = "TensorrtExecutionProvider"

Precision = Literal["float32", "tf32", "float16"]

_INSTALL: Final = (
    "In an environment of its own run: pip install -r requirements/gpu.txt (onnxruntime-gpu in "
    "place of onnxruntime, never beside it)"
)
_DRIVER: Final = Path("/proc/driver/nvidia")


def why_not(provider: str) -> str:
    """Return what is missing, and what to do; empty where the engine may be here."""
    have = onnxruntime.get_available_providers()
    if provider not in have:
        return (
            f"ONNX Runtime {version()} here has no {provider}, only {', '.join(have)}. {_INSTALL}"
        )
    if not gpus():
        return f"{_DRIVER} names no GPU. Install NVIDIA's driver, or use another --engine"
    if provider == TENSORRT and not (find_spec("tensorrt") or find_library("nvinfer")):
        return "TensorRT is not installed. Install NVIDIA's package tensorrt for your CUDA"
    return ""


def tensorrt_title(precision: Precision) -> str:
    """Return what runs the models, as it is stored with results: another TensorRT is another."""
    return title(TENSORRT, f"TensorRT {installed('tensorrt') or 'of the system'}", precision)


def gpus(driver: Path = _DRIVER) -> list[str]:
    """Return the models of the GPUs that the driver names."""
    found = []
    for path in sorted(driver.glob("gpus/*/information")):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "Model":
                found.append(value.strip())
    return found


def cuda_options(precision: Precision) -> dict[str, str]:
    """Return the options of the CUDA provider.

    HEURISTIC picks the same convolution for the same shape every time, so that a run that resumes
    gives the same bytes; EXHAUSTIVE picks by a measurement. DEFAULT is a slow fall-back since ONNX
    Runtime 1.20. TF32 would be on by default.
    """
    return {
        "cudnn_conv_algo_search": "HEURISTIC",
        "cudnn_conv_use_max_workspace": "1",
        "use_tf32": "1" if precision == "tf32" else "0",
    }


def tensorrt_options(model: ModelProto, precision: Precision, folder: Path) -> dict[str, str]:
    """Return the options of the TensorRT provider for a model with constant shapes.

    Parameters
    ----------
    folder
        Where built engines are kept; one for each model, version and GPU (``cache_folder``).
    """
    shapes = ",".join(
        f"{value.name}:{'x'.join(str(side.dim_value) for side in value.type.tensor_type.shape.dim)}"
        for value in _inputs(model)
    )
    return {
        "trt_fp16_enable": "1" if precision == "float16" else "0",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(folder),
        "trt_profile_min_shapes": shapes,
        "trt_profile_opt_shapes": shapes,
        "trt_profile_max_shapes": shapes,
    }


def cache_folder(cache: Path, data: bytes, versions: Mapping[str, str]) -> Path:
    """Return the folder of what TensorRT built of this very model, with these very versions."""
    key = {"model": hashlib.sha256(data).hexdigest(), **versions}
    name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
    return cache / "tensorrt" / name


def open_cuda(
    path: Path, data: bytes | None, terms: Terms, *, precision: Precision = "float32"
) -> BoundSession:
    """Open a model on the GPU with the CUDA provider."""
    model = _made_for(path, data, terms, precision)
    providers: list[Provider] = [(CUDA, cuda_options(precision)), CPU]
    return _on_gpu(path, onnx_graph.write(model), providers, terms)


def open_tensorrt(
    path: Path, data: bytes | None, terms: Terms, *, precision: Precision = "tf32"
) -> BoundSession:
    """Open a model with TensorRT, and with CUDA what that does not know; built engines are kept."""
    if terms.cache is None:
        raise ModelError(f"{path}: TensorRT needs a folder to keep what it builds in.")
    # TensorRT rounds to float16 where it likes to; the file stays in float32 for it.
    if find_spec("tensorrt"):
        import_module("tensorrt")  # loads its libraries from where pip puts them
    model = _made_for(path, data, terms, "float32")
    written = onnx_graph.write(model)
    versions = {
        "onnxruntime": version(),
        "tensorrt": installed("tensorrt") or "",
        "gpu": ", ".join(gpus()),
        "precision": precision,
    }
    folder = cache_folder(terms.cache, written, versions)
    folder.mkdir(parents=True, exist_ok=True)
    providers: list[Provider] = [
        (TENSORRT, tensorrt_options(model, precision, folder)),
        (CUDA, cuda_options(precision)),
        CPU,
    ]
    return _on_gpu(path, written, providers, terms)


def in_half(model: ModelProto) -> ModelProto:
    """Return the model in float16; inputs and outputs keep their types, and what occludes too."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    if onnx_graph.uses_half(model):
        return model
    return behind_occlusions(model, partial(convert_float_to_float16, keep_io_types=True))


def _made_for(path: Path, data: bytes | None, terms: Terms, precision: Precision) -> ModelProto:
    model = with_constant_batch(model_of(path, data), terms.batch)
    return in_half(model) if precision == "float16" else model


def _on_gpu(path: Path, data: bytes, providers: Sequence[Provider], terms: Terms) -> BoundSession:
    _preload()
    session = session_with(path, data, providers, threads=terms.threads)
    wanted, have = str(providers[0][0]), session.get_providers()
    if wanted not in have:
        # ONNX Runtime goes on without a provider that does not start, at a tenth of the speed.
        raise ModelError(
            f"{wanted} does not start here; ONNX Runtime offers {', '.join(have)} for {path}. The "
            f"GPU's driver must be new enough for CUDA 13, and cuDNN 9 installed. {_INSTALL}."
        )
    return BoundSession(session, "cuda")


@cache
def _preload() -> None:
    """Let ONNX Runtime find CUDA and cuDNN where pip puts them."""
    onnxruntime.preload_dlls(directory="")


class BoundSession:
    """An ONNX Runtime session whose inputs and outputs have their place on a device.

    An array that cannot be written to (``array.flags.writeable`` is off) and is the very one of the
    last call is not copied again: constants travel once. Outputs are written where those of the
    last call were, and copied out. Calls from several threads take turns.

    Parameters
    ----------
    device
        ``cuda``, or ``cpu`` (for tests).
    """

    def __init__(self, session: Any, device: str, device_id: int = 0) -> None:
        self._session = session
        self._device = (device, device_id)
        self._inputs: dict[str, _Placed] = {}
        self._outputs: dict[str, Any] = {}
        self._lock = threading.Lock()

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], /
    ) -> list[NDArray[Any]]:
        """Return the named outputs for the named inputs."""
        with self._lock:
            binding = self._session.io_binding()
            for name, array in feeds.items():
                binding.bind_ortvalue_input(name, self._placed(name, array))
            for name in outputs:
                if name in self._outputs:
                    binding.bind_ortvalue_output(name, self._outputs[name])
                else:
                    binding.bind_output(name, *self._device)
            self._session.run_with_iobinding(binding)
            made = dict(zip(outputs, binding.get_outputs(), strict=True))
            self._outputs |= made
            return [np.array(made[name].numpy()) for name in outputs]

    def _placed(self, name: str, array: NDArray[Any]) -> Any:
        """Return the array on the device, in the place of the one before if it is of its shape."""
        held = self._inputs.get(name)
        if held is not None and held.constant is array:
            return held.value
        array = np.ascontiguousarray(array)
        if held is not None and (held.shape, held.dtype) == (array.shape, array.dtype):
            value = held.value
        else:
            # Memory of its own: on the CPU ortvalue_from_numpy would share the caller's.
            value = onnxruntime.OrtValue.ortvalue_from_shape_and_type(
                array.shape, array.dtype, *self._device
            )
            self._outputs.clear()  # their shapes may follow from this one
        value.update_inplace(array)
        constant = None if array.flags.writeable else array
        self._inputs[name] = _Placed(value, array.shape, array.dtype, constant)
        return value


@dataclass(frozen=True)
class _Placed:
    """An array on the device, and where it came from if that cannot change."""

    value: Any
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    constant: NDArray[Any] | None


def _inputs(model: ModelProto) -> list[Any]:
    held = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in held]
