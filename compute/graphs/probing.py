"""Finding out how a model is fed, and whether its answers can be embeddings, on fixed images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np

from compute.distances import unit_vectors
from compute.embedding import DYNAMIC, ModelIO, OnnxEmbedder, Preprocessing
from compute.engines.onnx_runtime import load
from compute.engines.session import first_line
from compute.errors import EmbeddingError, ModelError
from compute.graphs.probes import PROBES, probe_images
from compute.occlusion import IMAGE_SIZE

Layout = Literal["nchw", "nhwc"]

SIDES: Final[dict[Layout, tuple[int, int, int]]] = {
    "nchw": (3, IMAGE_SIZE, IMAGE_SIZE),
    "nhwc": (IMAGE_SIZE, IMAGE_SIZE, 3),
}
"""An image on its way in, by layout."""

_ROW_TOLERANCE: Final = 1e-4
_HALF_TOLERANCE: Final = 5e-3  # float16 keeps three digits, and sums in an order of its own
_PRECISIONS: Final[dict[str, Literal["float32", "float16"]]] = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
}


def probe(
    path: Path,
    preprocessing: Preprocessing,
    layout: Literal["auto", "nchw", "nhwc"] = "auto",
    output: str | None = None,
    *,
    data: bytes | None = None,
    half: bool = False,
) -> ModelIO:
    """Find out how a model is fed, and check what it answers on fixed probe images.

    Parameters
    ----------
    output
        Which output is the embedding; may be left out where only one can be.
    data
        Content in place of the file's.
    half
        Whether the model computes in float16: its rows may differ by more.

    Raises
    ------
    ModelError
        For a file that cannot be loaded, more than one input, no output or several that could be
        the embedding, another type or shape, or embeddings that are not finite, zero, equal for
        different faces, or mixed between rows.
    """
    session = load(path, threads=1, data=data)
    io = _with_output(path, session, _fed(path, session, layout), output)
    images = probe_images()
    try:
        together = OnnxEmbedder(path, preprocessing, io, batch=PROBES, threads=1, data=data)(images)
    except EmbeddingError as error:
        if io.batch != DYNAMIC:
            raise ModelError(str(error)) from error
        # The file says any batch and means one: it is run at one.
        io = replace(io, batch=1)
        together = OnnxEmbedder(path, preprocessing, io, threads=1, data=data)(images)
    try:
        units = unit_vectors(together)
    except EmbeddingError as error:
        raise ModelError(
            f"{path}: {error} The probes are ordinary images: check --color, --mean and --std, or "
            "the export of the model."
        ) from error
    if np.allclose(units, units[0], atol=1e-6):
        raise ModelError(
            f"{path}: gives {len(images)} different images the same embedding. Check --mean and "
            "--std (fed is (x - mean) / std with x in 0..255), or the export of the model."
        )
    single = OnnxEmbedder(path, preprocessing, io, batch=1, threads=1, data=data)
    alone = unit_vectors(np.concatenate([single(image[None]) for image in images]))
    difference = float(np.abs(alone - units).max())
    if difference > tolerance_of(half=half or io.precision == "float16"):
        raise ModelError(
            f"{path}: the embedding of an image depends on its neighbours in the batch (by "
            f"{difference:.2g}). Export the model in inference mode."
        )
    return io


def tolerance_of(*, half: bool) -> float:
    """Return how far a coordinate of a unit embedding may be off between batches."""
    return _HALF_TOLERANCE if half else _ROW_TOLERANCE


def _fed(path: Path, session: Any, layout: Literal["auto", "nchw", "nhwc"]) -> ModelIO:
    """Return how the model is fed; output and dimension are still open."""
    inputs = session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(repr(each.name) for each in inputs)
        raise ModelError(
            f"{path}: has {len(inputs)} inputs ({names}), expected one. Export the model with the "
            "image as its only input."
        )
    (given,) = inputs
    if given.type not in _PRECISIONS:
        raise ModelError(
            f"{path}: input {given.name!r} is {given.type}, expected tensor(float) or "
            "tensor(float16). Export the model with one of these as its input."
        )
    found = _layout(path, given.name, given.shape, layout)
    first = given.shape[0]
    batch = first if isinstance(first, int) and first > 0 else DYNAMIC
    return ModelIO(given.name, "", found, batch, 0, _PRECISIONS[given.type])


def _layout(path: Path, name: str, shape: Sequence[int | str | None], asked: str) -> Layout:
    fits: list[Layout] = []
    if len(shape) == 4:
        for layout, sides in SIDES.items():
            open_or_equal = (
                not isinstance(have, int) or have in (side, 0, -1)
                for have, side in zip(shape[1:], sides, strict=True)
            )
            if all(open_or_equal):
                fits.append(layout)
    wanted = [layout for layout in fits if asked in ("auto", layout)]
    if not wanted:
        raise ModelError(
            f"{path}: input {name!r} has shape {list(shape)}, expected [N, 3, 112, 112] (nchw) or "
            f"[N, 112, 112, 3] (nhwc){'' if asked == 'auto' else f', and --layout {asked}'}."
        )
    if len(wanted) > 1:
        raise ModelError(
            f"{path}: input {name!r} has shape {list(shape)}, which fits nchw and nhwc. Say which "
            "with --layout."
        )
    return wanted[0]


def _with_output(path: Path, session: Any, io: ModelIO, asked: str | None) -> ModelIO:
    """Choose the output that is the embedding: the one asked for, or the only one that can be."""
    names = [each.name for each in session.get_outputs()]
    listed = ", ".join(repr(name) for name in names)
    if asked is not None and asked not in names:
        raise ModelError(f"{path}: has no output {asked!r}; its outputs: {listed}.")
    black = np.zeros((io.batch or 1, *SIDES[io.layout]), io.precision)
    chosen = names if asked is None else [asked]
    try:
        answers = dict(zip(chosen, session.run(chosen, {io.input: black}), strict=True))
    except Exception as error:
        raise ModelError(f"{path}: fails on a black image ({first_line(error)}).") from error
    lengths = {name: _length(answer, len(black)) for name, answer in answers.items()}
    fits = [(name, length) for name, length in lengths.items() if length is not None]
    if len(fits) == 1:
        ((name, length),) = fits
        return replace(io, output=name, dimension=length)
    shapes = ", ".join(f"{name!r} {_described(answer)}" for name, answer in answers.items())
    if not fits and len(answers) == 1:
        ((name, answer),) = answers.items()
        raise ModelError(
            f"{path}: output {name!r} has {_described(answer)} for {len(black)} image(s), expected "
            f"[{len(black)}, D] of floats, D > 1: one embedding per image."
        )
    if not fits:
        raise ModelError(
            f"{path}: none of its {len(names)} outputs is an embedding; for {len(black)} image(s) "
            f"they are {shapes}, expected [{len(black)}, D] of floats, D > 1."
        )
    raise ModelError(
        f"{path}: has {len(names)} outputs ({listed}), expected one embedding: say which with "
        f"--output NAME. For {len(black)} image(s) they are {shapes}."
    )


def _length(answer: Any, batch: int) -> int | None:
    """Return D where an answer holds one embedding per image, (N, D) with any sides of 1."""
    if not isinstance(answer, np.ndarray) or answer.dtype.kind != "f":
        return None
    led = answer.shape[:1] == (batch,)
    # A model made for one image may drop the dimension of the batch.
    sides = answer.shape[1:] if led else answer.shape if batch == 1 else ()
    long = [side for side in sides if side != 1]
    return math.prod(long) if len(long) == 1 else None


def _described(answer: Any) -> str:
    if not isinstance(answer, np.ndarray):
        return f"a {type(answer).__name__}"
    kind = "" if answer.dtype.kind == "f" else f" of {answer.dtype}"
    return f"shape {list(answer.shape)}{kind}"
