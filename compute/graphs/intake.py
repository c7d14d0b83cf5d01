"""A model on its way into the registry: read whole, cleaned, its batch opened.

Every change is checked by running both: the file as it was given, and the one that is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from compute.distances import unit_vectors
from compute.embedding import DEFAULT_BATCH, DYNAMIC, ModelIO, OnnxEmbedder, Preprocessing
from compute.errors import EmbeddingError, ModelError
from compute.graphs import onnx_graph
from compute.graphs.probes import probe_images
from compute.graphs.probing import SIDES, probe

_SAME: Final = 1e-5
_SAME_HALF: Final = 5e-3
_BATCHES: Final = (1, 3, DEFAULT_BATCH)


@dataclass(frozen=True)
class Intake:
    """What is kept of a model file.

    Attributes
    ----------
    data
        The content to keep: the file's own where nothing was changed.
    io
        How what is kept is fed.
    changes
        What was changed, in words.
    """

    data: bytes
    io: ModelIO
    changes: tuple[str, ...]


def take_in(
    path: Path,
    preprocessing: Preprocessing,
    layout: Literal["auto", "nchw", "nhwc"] = "auto",
    output: str | None = None,
) -> Intake:
    """Read and check a model; open its batch where every row stays what it was.

    Raises
    ------
    ModelError
        For a file that is no model, or a model that gives no embeddings (``probe``).
    """
    model, beside = onnx_graph.read(path)
    half = onnx_graph.uses_half(model)
    data = onnx_graph.write(model) if beside else path.read_bytes()
    io = probe(path, preprocessing, layout, output, data=data, half=half)
    changes = [f"weights taken in from {', '.join(beside)}"] if beside else []
    given = _Candidate(model, data, io)
    kept = given
    for edit in (_without_denormals, _with_any_batch):
        edited, what = edit(kept)
        if edited is not None and _gives_the_same(path, preprocessing, given, edited, half=half):
            kept = edited
            changes.append(what)
    return Intake(kept.data, kept.io, tuple(changes))


@dataclass(frozen=True)
class _Candidate:
    model: ModelProto
    data: bytes
    io: ModelIO


def _without_denormals(given: _Candidate) -> tuple[_Candidate | None, str]:
    cleaned, count = onnx_graph.without_denormals(given.model)
    if not count:
        return None, ""
    candidate = _Candidate(cleaned, onnx_graph.write(cleaned), given.io)
    return candidate, f"{count:,} denormal weights set to zero"


def _with_any_batch(given: _Candidate) -> tuple[_Candidate | None, str]:
    io = given.io
    if io.batch == DYNAMIC:
        return None, ""
    opened = onnx_graph.open_batch(given.model, io.input, (io.batch, *SIDES[io.layout]))
    if opened is None:
        return None, ""
    any_batch = replace(io, batch=DYNAMIC)
    candidate = _Candidate(opened, onnx_graph.write(opened), any_batch)
    return candidate, f"made for batches of {io.batch}, opened to any (checked row by row)"


def _gives_the_same(
    path: Path, preprocessing: Preprocessing, given: _Candidate, edited: _Candidate, *, half: bool
) -> bool:
    """Tell whether every row is what it was, whatever batch the edited model runs at."""
    wanted = _rows(path, preprocessing, given, DEFAULT_BATCH)
    limit = _SAME_HALF if half else _SAME
    batches = _BATCHES if edited.io.batch == DYNAMIC else (edited.io.batch,)
    try:
        return all(
            np.abs(_rows(path, preprocessing, edited, batch) - wanted).max() <= limit
            for batch in batches
        )
    except (EmbeddingError, ModelError):
        # It does not even run: the edit was wrong, and the file is kept as it was.
        return False


def _rows(
    path: Path, preprocessing: Preprocessing, candidate: _Candidate, batch: int
) -> NDArray[np.float64]:
    embed = OnnxEmbedder(
        path, preprocessing, candidate.io, batch=batch, threads=1, data=candidate.data
    )
    return unit_vectors(embed(probe_images()))
