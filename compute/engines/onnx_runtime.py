"""ONNX Runtime on the CPU: what every other engine is measured against."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import onnx
import onnxruntime

from compute.engines.session import Session, Terms, first_line
from compute.errors import ModelError, UnsuitableError
from compute.graphs import onnx_graph
from compute.graphs.rewrites import split_prelu

CPU: Final = "CPUExecutionProvider"
Provider = str | tuple[str, dict[str, str]]


def load(path: Path, *, threads: int, data: bytes | None = None) -> Any:
    """Open an ONNX file on the CPU; ``ModelError`` where it is none.

    ``data`` stands for the file's content where that was changed on its way in.
    """
    return session_with(path, data, [CPU], threads=threads)


def session_with(
    path: Path, data: bytes | None, providers: Sequence[Provider], *, threads: int
) -> Any:
    """Open an ONNX file with the given execution providers, the first that can takes a node."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised, too, and told once
    try:
        return onnxruntime.InferenceSession(
            str(path) if data is None else data,
            options,
            providers=providers,
            enable_fallback=0,  # which would print, and try the same again
        )
    except Exception as error:
        raise ModelError(
            f"{path}: not an ONNX model that can be loaded ({first_line(error)})."
        ) from error


def title(provider: str = CPU, *further: str) -> str:
    """Return what runs the models, as it is stored with results."""
    return ", ".join([f"onnxruntime {version()} {provider}", *further])


def version() -> str:
    """Return the version of ONNX Runtime, whichever package brought it."""
    found: str = onnxruntime.__version__
    return found


def open_plain(path: Path, data: bytes | None, terms: Terms) -> Session:
    """Open a model as it is."""
    session: Session = load(path, threads=terms.threads_of_a_lane, data=data)
    return session


def open_split(path: Path, data: bytes | None, terms: Terms) -> Session:
    """Open a model with its PReLUs made of convolutions (``split_prelu``).

    Raises
    ------
    UnsuitableError
        Where there is none to split: it would be the plain engine under another name.
    """
    model, count = split_prelu(model_of(path, data))
    if not count:
        raise UnsuitableError(
            f"{path}: has no PReLU that can be made of convolutions. Use --engine onnxruntime."
        )
    return open_plain(path, onnx_graph.write(model), terms)


def model_of(path: Path, data: bytes | None) -> onnx.ModelProto:
    """Return the graph of a file, or of ``data`` in place of its content."""
    return onnx_graph.read(path)[0] if data is None else onnx.load_from_string(data)


def installed(name: str) -> str | None:
    """Return the version of a package; None where it is not installed."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
