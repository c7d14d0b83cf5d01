"""OpenVINO on the CPU: optional (requirements/openvino.txt)."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compute.engines.onnx_runtime import installed, model_of
from compute.engines.session import Terms, first_line
from compute.errors import ModelError
from compute.graphs import onnx_graph
from compute.graphs.rewrites import with_constant_batch

PACKAGE: Final = "openvino"


def why_not() -> str:
    """Return what is missing, and what to do; empty where the engine is here."""
    if installed(PACKAGE):
        return ""
    return "OpenVINO is not installed. Run: pip install -r requirements/openvino.txt"


def title() -> str:
    """Return what runs the models, as it is stored with results."""
    return f"openvino {installed(PACKAGE)} CPU"


def options(terms: Terms) -> dict[str, Any]:
    """Return the properties that a model is compiled with.

    Precision is asked for by name: where a processor has bfloat16 that would be the default, and
    distances off by 1e-2.
    """
    given: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "EXECUTION_MODE_HINT": "ACCURACY",
        "PERFORMANCE_HINT": "LATENCY" if terms.lanes == 1 else "THROUGHPUT",
        "NUM_STREAMS": terms.lanes,
    }
    if terms.threads:
        given["INFERENCE_NUM_THREADS"] = terms.threads
    return given


def open_model(path: Path, data: bytes | None, terms: Terms) -> OpenVinoSession:
    """Compile a model for its one batch."""
    model = with_constant_batch(model_of(path, data), terms.batch)
    try:
        core = _core()
        compiled = core.compile_model(
            core.read_model(onnx_graph.write(model)), "CPU", options(terms)
        )
    except RuntimeError as error:
        raise ModelError(
            f"{path}: OpenVINO cannot load it ({first_line(error)}). Use another --engine."
        ) from error
    return OpenVinoSession(compiled, terms.lanes)


class OpenVinoSession:
    """A compiled model; so many calls run at a time, further ones wait."""

    def __init__(self, compiled: Any, lanes: int) -> None:
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(lanes):
            self._free.put(compiled.create_infer_request())
        self._outputs = {name: port for port in compiled.outputs for name in port.names}

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], /
    ) -> list[NDArray[Any]]:
        """Return the named outputs for the named inputs."""
        request = self._free.get()
        try:
            request.infer(dict(feeds), share_inputs=True)
            return [np.array(request.get_tensor(self._outputs[name]).data) for name in outputs]
        finally:
            self._free.put(request)


@cache
def _core() -> Any:
    # The package reports its import to its maker, unless the one that does so is missing: where
    # faces are at work nothing calls home.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino.Core()
