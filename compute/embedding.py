"""Embedding faces with an ONNX model: preprocessing, one constant batch shape, checks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray

from compute.engines.catalogue import PLAIN, ROUNDED, Engine
from compute.engines.lanes import Lanes
from compute.engines.onnx_runtime import load
from compute.engines.session import Session, Terms, first_line
from compute.errors import EmbeddingError, GraphError, ModelError
from compute.graphs import onnx_graph
from compute.graphs.occluding import OccludingGraph, even_batch, occluding_graph, occlusions
from compute.graphs.probes import probe_images
from compute.occlusion import OcclusionSpec, occluded_batches
from compute.windowed import WindowedOccluder, open_windowed

DEFAULT_BATCH: Final = 16
"""Fastest on two cores for the models measured; larger batches fall out of the cache."""

# Stands for the batch dimension where the file leaves it open; TOML has no null.
DYNAMIC: Final = 0


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


@dataclass(frozen=True)
class _Occluder:
    """A model that is open for the occlusions of a spec: by windows, or with them in its graph.

    Where it is only the latter, or neither, the obstacle says why.
    """

    spec: OcclusionSpec
    windows: WindowedOccluder | None = None
    opened: tuple[OccludingGraph, Session] | None = None
    obstacle: str = ""


class OnnxEmbedder:
    """uint8 (N, 112, 112, 3) RGB -> float32 (N, D) through an engine.

    Every call runs at one constant batch, the last one padded: an embedding does not depend on how
    many images are asked for at a time. A batch is run in as many parts of one size as the engine
    has lanes, side by side, unless the file fixes it. Of the occluded copies of an image only what
    a patch reaches is run (``windowed``), where that saves enough and agrees; else they are made
    inside the graph, in parts of a size of their own (``graphs.occluding``).

    Parameters
    ----------
    data
        Stands for the file's content where that was changed on its way in.
    engine
        What runs the model. Whether it says what the plain one says is for ``open_embedder`` to
        check.
    cache
        Folder for what an engine keeps between runs.
    """

    def __init__(
        self,
        path: Path,
        preprocessing: Preprocessing,
        io: ModelIO,
        *,
        batch: int = DEFAULT_BATCH,
        threads: int = 0,
        data: bytes | None = None,
        engine: Engine = PLAIN,
        cache: Path | None = None,
    ) -> None:
        self.batch = io.batch or batch
        self._path = path
        self._data = data
        self._preprocessing = preprocessing
        self._io = io
        self._engine = engine
        self._threads = threads
        self._cache = cache
        self._lanes = Lanes(1 if io.batch else engine.lanes(threads, self.batch))
        self._part = -(-self.batch // self._lanes.count)
        self._session = self._open(data, self._part)
        self._occluder: _Occluder | None = None
        self._reverse = preprocessing.color == "bgr"
        shape = (1, 3, 1, 1) if io.layout == "nchw" else (1, 1, 1, 3)
        self._mean = np.array(preprocessing.mean, dtype=np.float32).reshape(shape)
        self._std = np.array(preprocessing.std, dtype=np.float32).reshape(shape)

    def __call__(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Embed any number of images; ``EmbeddingError`` for output that is not (N, D)."""
        starts = range(0, len(images), self._part)
        parts = list(self._lanes.map(self._run, (images[i : i + self._part] for i in starts)))
        return np.concatenate(parts) if parts else np.empty((0, self._io.dimension), np.float32)

    def _run(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        padded = np.zeros((self._part, *images.shape[1:]), dtype=np.uint8)
        padded[: len(images)] = images
        # Padding repeats a real image: an all-black one may upset a model's normalisation.
        padded[len(images) :] = images[-1]
        ordered = padded[..., ::-1] if self._reverse else padded
        planar = ordered.transpose(0, 3, 1, 2) if self._io.layout == "nchw" else ordered
        pixels = planar.astype(np.float32, order="C")
        np.subtract(pixels, self._mean, out=pixels)
        np.divide(pixels, self._std, out=pixels)
        with np.errstate(over="ignore"):  # what float16 cannot hold gives no finite embedding
            given = pixels.astype(self._io.precision, copy=False)
        output = self._answer(self._session, {self._io.input: given}, self._part)
        return output[: len(images)]

    @property
    def obstacle(self) -> str:
        """How the last image was occluded otherwise than by windows, and why; empty else."""
        return self._occluder.obstacle if self._occluder else ""

    def occluded(
        self,
        image: NDArray[np.uint8],
        spec: OcclusionSpec,
        *,
        advance: Callable[[int], object] = lambda _: None,
    ) -> NDArray[np.float32]:
        """Embed all occluded copies of an image: (K, D) float32, in the order of the deviations.

        Parameters
        ----------
        image
            (112, 112, 3) uint8 RGB.
        advance
            Called with the number of copies done since the last call.

        Raises
        ------
        EmbeddingError
            For output that is not (N, D).
        """
        still = image.copy()
        still.setflags(write=False)  # an engine may leave it on its device for all batches
        if self._occluder is None or self._occluder.spec != spec:
            self._occluder = self._open_occluder(spec)
        if self._occluder.windows is not None:
            try:
                return self._occluder.windows(still, advance=advance)
            except EmbeddingError as error:
                raise EmbeddingError(f"{self._path}: {error}.") from error
        count = spec.count
        rows = np.empty((count, self._io.dimension), np.float32)
        start = 0
        for part in self._occluded_parts(still, self._occluder):
            stop = min(start + len(part), count)  # the last batch is padded
            rows[start:stop] = part[: stop - start]
            advance(stop - start)
            start = stop
        return rows

    def _occluded_parts(
        self, image: NDArray[np.uint8], occluder: _Occluder
    ) -> Iterator[NDArray[np.float32]]:
        if occluder.opened is None:
            yield from map(self, occluded_batches(image, occluder.spec, batch=self.batch))
            return
        graph, session = occluder.opened
        yield from self._lanes.map(
            lambda places: self._run_inside(graph, session, image, places), graph.batches
        )

    def _run_inside(
        self,
        graph: OccludingGraph,
        session: Session,
        image: NDArray[np.uint8],
        places: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        return self._answer(session, {graph.image: image, graph.places: places}, graph.batch)

    def _open_occluder(self, spec: OcclusionSpec) -> _Occluder:
        """Open the model for windows or with occlusions in its graph, if it says the same then."""
        data = self._data
        try:
            model = onnx_graph.read(self._path)[0] if data is None else onnx.load_from_string(data)
            try:
                return _Occluder(spec, self._open_windows(model, spec))
            except (GraphError, ModelError) as error:
                told = f"by the whole graph: {error}"
            batch = self._io.batch or even_batch(spec.count, self._part)
            graph = occluding_graph(model, self._preprocessing, self._io, spec, batch=batch)
            session = self._open(graph.data, batch)
            bound = ROUNDED if onnx_graph.uses_half(model) else self._engine.bound
            off = self._off(graph, session, spec)
        except (GraphError, ModelError, EmbeddingError) as error:
            return _Occluder(spec, obstacle=f"outside the graph: {error}")
        if not off <= bound:  # nor where it is not a number
            told = f"inside, {self._engine.name} is off by {off:.0e}, allowed {bound:.0e}"
            return _Occluder(spec, obstacle=f"outside the graph: {told}")
        return _Occluder(spec, opened=(graph, session), obstacle=told)

    def _off(self, graph: OccludingGraph, session: Session, spec: OcclusionSpec) -> float:
        """Return how far embeddings are from those of copies made outside, over all patch sizes.

        The largest difference of a coordinate by the embedding's length; a copy that has no
        direction outside, either, has no part in it. On a fixed image: every run, and every worker
        of a run, finds the same.
        """
        image = probe_images()[0]
        spread = np.linspace(0, spec.count - 1, graph.batch).astype(int).tolist()
        copies = enumerate(occluded_batches(image, spec, batch=1))
        chosen = {place: copy[0] for place, copy in copies if place in spread}
        outside = self(np.stack([chosen[place] for place in spread])).astype(np.float64)
        inside = self._run_inside(graph, session, image, occlusions(spec)[spread])
        with np.errstate(all="ignore"):
            off = np.abs(inside - outside).max(axis=1) / np.linalg.norm(outside, axis=1)
        directed = np.isfinite(outside).all(axis=1) & outside.any(axis=1)
        return float(off[directed].max(initial=0.0))

    def _open_windows(self, model: onnx.ModelProto, spec: OcclusionSpec) -> WindowedOccluder:
        if self._engine.windows is None:
            raise GraphError(f"engine {self._engine.name} runs whole graphs")
        return open_windowed(
            self._engine.windows(model),
            self._preprocessing,
            self._io,
            spec,
            open_session=lambda data: load(self._path, threads=1, data=data),
            threads=self._threads,
            whole=self,
        )

    def _open(self, data: bytes | None, batch: int) -> Session:
        return self._engine.open(
            self._path, data, Terms(self._threads, batch, self._cache, self._lanes.count)
        )

    def _answer(
        self, session: Session, feeds: dict[str, NDArray[Any]], batch: int
    ) -> NDArray[np.float32]:
        """Run one batch: (batch, D) float32."""
        io = self._io
        try:
            (output,) = session.run([io.output], feeds)
        except Exception as error:
            shapes = ", ".join(str(given.shape) for given in feeds.values())
            raise EmbeddingError(
                f"{self._path}: fails on input of shape {shapes} ({first_line(error)})."
            ) from error
        # A batch of one may come without its dimension: a squeezed (D,).
        led = batch == 1 or output.shape[:1] == (batch,)
        if not led or output.size != batch * io.dimension:
            raise EmbeddingError(
                f"{self._path}: output {io.output!r} has shape {output.shape} for "
                f"{batch} images, expected ({batch}, {io.dimension})."
            )
        rows: NDArray[np.float32] = output.reshape(batch, io.dimension)
        return rows.astype(np.float32, copy=False)
