"""Embedding faces with an ONNX model: preprocessing, one constant batch shape, checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from compute.distances import unit_vectors
from compute.errors import EmbeddingError, ModelError
from compute.occlusion import IMAGE_SIZE

DEFAULT_BATCH: Final = 16
"""Fastest on two cores for the models measured; larger batches fall out of the cache."""

# Stands for the batch dimension where the file leaves it open; TOML has no null.
DYNAMIC: Final = 0

_PROBES: Final = 4
_ROW_TOLERANCE: Final = 1e-4


@dataclass(frozen=True)
class Preprocessing:
    """What becomes of uint8 RGB on its way into a model: (x - mean) / std, x in 0..255.

    Attributes
    ----------
    color
        Channel order of the model's input, ``rgb`` or ``bgr``.
    mean, std
        One value per channel, in the order of the input's channels.
    """

    color: Literal["rgb", "bgr"] = "rgb"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)

    def __post_init__(self) -> None:
        if self.color not in ("rgb", "bgr"):
            raise ValueError(f"color={self.color!r}: expected 'rgb' or 'bgr'.")
        for name in ("mean", "std"):
            values = getattr(self, name)
            if len(values) != 3 or not np.isfinite(values).all():
                raise ValueError(f"{name}={values}: expected three finite numbers.")
        if min(self.std) <= 0:
            raise ValueError(f"std={self.std}: expected numbers above 0.")


@dataclass(frozen=True)
class ModelIO:
    """Input and output of an ONNX model.

    Attributes
    ----------
    layout
        ``nchw`` or ``nhwc``.
    batch
        The batch that the file fixes, or 0 where it leaves it open.
    dimension
        D, the length of an embedding.
    precision
        Type of the input, ``float32`` or ``float16``; embeddings become float32 whatever they are.
    """

    input: str
    output: str
    layout: Literal["nchw", "nhwc"]
    batch: int
    dimension: int
    precision: Literal["float32", "float16"] = "float32"

    def __post_init__(self) -> None:
        if self.layout not in ("nchw", "nhwc"):
            raise ValueError(f"layout={self.layout!r}: expected 'nchw' or 'nhwc'.")
        if self.precision not in ("float32", "float16"):
            raise ValueError(f"precision={self.precision!r}: expected 'float32' or 'float16'.")
        for name in ("batch", "dimension"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name}={value!r}: expected a whole number, 0 or more.")


def load(path: Path, *, threads: int) -> Any:
    """Open an ONNX file on the CPU; ``ModelError`` where it is none."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised, too, and told once
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:
        raise ModelError(
            f"{path}: not an ONNX model that can be loaded ({_first_line(error)})."
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]


def engine_name() -> str:
    """Return what runs the models, as it is stored with results."""
    return f"onnxruntime {onnxruntime.__version__} CPUExecutionProvider"


class OnnxEmbedder:
    """uint8 (N, 112, 112, 3) RGB -> float32 (N, D) through ONNX Runtime on the CPU.

    Every call runs at one constant batch, the last one padded: an embedding does not depend on how
    many images are asked for at a time.
    """

    def __init__(
        self,
        path: Path,
        preprocessing: Preprocessing,
        io: ModelIO,
        *,
        batch: int = DEFAULT_BATCH,
        threads: int = 0,
    ) -> None:
        self.batch = io.batch or batch
        self._path = path
        self._io = io
        self._session = load(path, threads=threads)
        self._reverse = preprocessing.color == "bgr"
        shape = (1, 3, 1, 1) if io.layout == "nchw" else (1, 1, 1, 3)
        self._mean = np.array(preprocessing.mean, dtype=np.float32).reshape(shape)
        self._std = np.array(preprocessing.std, dtype=np.float32).reshape(shape)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed any number of images; ``EmbeddingError`` for output that is not (N, D)."""
        parts = [
            self._run(images[start : start + self.batch])
            for start in range(0, len(images), self.batch)
        ]
        return np.concatenate(parts) if parts else np.empty((0, self._io.dimension), np.float32)

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        padded = np.zeros((self.batch, *images.shape[1:]), dtype=np.uint8)
        padded[: len(images)] = images
        # Padding repeats a real image: an all-black one may upset a model's normalisation.
        padded[len(images) :] = images[-1]
        ordered = padded[..., ::-1] if self._reverse else padded
        planar = ordered.transpose(0, 3, 1, 2) if self._io.layout == "nchw" else ordered
        pixels = planar.astype(np.float32, order="C")
        np.subtract(pixels, self._mean, out=pixels)
        np.divide(pixels, self._std, out=pixels)
        try:
            (output,) = self._session.run([self._io.output], {self._io.input: pixels})
        except Exception as error:
            raise EmbeddingError(
                f"{self._path}: fails on input of shape {pixels.shape} ({_first_line(error)})."
            ) from error
        if output.shape[0] != self.batch or output.size != self.batch * self._io.dimension:
            raise EmbeddingError(
                f"{self._path}: output {self._io.output!r} has shape {output.shape} for "
                f"{self.batch} images, expected ({self.batch}, {self._io.dimension})."
            )
        rows: NDArray[np.float32] = output.reshape(self.batch, self._io.dimension)
        return rows[: len(images)].astype(np.float32, copy=False)


def probe(
    path: Path,
    preprocessing: Preprocessing,
    layout: Literal["auto", "nchw", "nhwc"] = "auto",
) -> ModelIO:
    """Find out how a model is fed, and check what it answers on fixed probe images.

    Raises
    ------
    ModelError
        For a file that cannot be loaded, more than one input or output, another type or shape,
        output that is not finite, zero, equal for different faces, or mixed between rows.
    """
    session = load(path, threads=1)
    given = _only(path, "input", session.get_inputs())
    answer = _only(path, "output", session.get_outputs())
    if given.type != "tensor(float)":
        raise ModelError(f"{path}: input {given.name!r} is {given.type}, expected tensor(float).")
    found_layout = _layout(path, given.name, given.shape, layout)
    batch = given.shape[0] if isinstance(given.shape[0], int) and given.shape[0] > 0 else DYNAMIC
    io = ModelIO(given.name, answer.name, found_layout, batch, dimension=0)
    io = _with_dimension(path, session, io)
    images = probe_images()
    try:
        together = OnnxEmbedder(path, preprocessing, io, batch=len(images), threads=1)(images)
    except EmbeddingError:
        if io.batch != DYNAMIC:
            raise
        # The file says any batch and means one: it is run at one.
        io = ModelIO(io.input, io.output, io.layout, 1, io.dimension)
        together = OnnxEmbedder(path, preprocessing, io, threads=1)(images)
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
    single = OnnxEmbedder(path, preprocessing, io, batch=1, threads=1)
    alone = unit_vectors(np.concatenate([single(image[None]) for image in images]))
    difference = float(np.abs(alone - units).max())
    if difference > _ROW_TOLERANCE:
        raise ModelError(
            f"{path}: the embedding of an image depends on its neighbours in the batch (by "
            f"{difference:.2g}). Export the model in inference mode."
        )
    return io


def probe_images() -> NDArray[np.uint8]:
    """Return fixed images to try a model with, (4, 112, 112, 3) uint8 RGB: smooth colour noise."""
    coarse = np.random.default_rng(0).integers(0, 256, (_PROBES, 8, 8, 3))
    ramp = (np.arange(IMAGE_SIZE) + 0.5) / IMAGE_SIZE * 8 - 0.5
    low = np.clip(np.floor(ramp).astype(int), 0, 6)
    share = np.clip(ramp - low, 0, 1)[:, None, None]
    rows = coarse[:, low] * (1 - share) + coarse[:, low + 1] * share
    share = share[:, 0][None, None]
    smooth = rows[:, :, low] * (1 - share) + rows[:, :, low + 1] * share
    probes: NDArray[np.uint8] = np.rint(smooth).astype(np.uint8)
    return probes


def _only(path: Path, what: str, found: Sequence[Any]) -> Any:
    if len(found) != 1:
        names = ", ".join(repr(each.name) for each in found)
        raise ModelError(
            f"{path}: has {len(found)} {what}s ({names}), expected one. Export the model with the "
            f"{'image' if what == 'input' else 'embedding'} as its only {what}."
        )
    return found[0]


def _layout(
    path: Path, name: str, shape: Sequence[int | str | None], asked: str
) -> Literal["nchw", "nhwc"]:
    fits: list[Literal["nchw", "nhwc"]] = []
    expected: dict[Literal["nchw", "nhwc"], tuple[int, int, int]] = {
        "nchw": (3, IMAGE_SIZE, IMAGE_SIZE),
        "nhwc": (IMAGE_SIZE, IMAGE_SIZE, 3),
    }
    if len(shape) == 4:
        for layout, sides in expected.items():
            open_or_equal = (
                not isinstance(have, int) or have == side
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


def _with_dimension(path: Path, session: Any, io: ModelIO) -> ModelIO:
    sides = (3, IMAGE_SIZE, IMAGE_SIZE) if io.layout == "nchw" else (IMAGE_SIZE, IMAGE_SIZE, 3)
    batch = io.batch or 1
    try:
        (output,) = session.run([io.output], {io.input: np.zeros((batch, *sides), np.float32)})
    except Exception as error:
        raise ModelError(f"{path}: fails on a black image ({_first_line(error)}).") from error
    trailing = output.shape[2:]
    if output.ndim < 2 or output.shape[0] != batch or any(side != 1 for side in trailing):
        raise ModelError(
            f"{path}: output {io.output!r} has shape {list(output.shape)} for {batch} image(s), "
            f"expected [{batch}, D]: one embedding per image."
        )
    return ModelIO(io.input, io.output, io.layout, io.batch, dimension=int(output.shape[1]))
