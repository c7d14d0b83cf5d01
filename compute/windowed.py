"""Embedding the occluded copies of an image by windows: only what a patch reaches is run.

The activations of the image as it is are computed once (``Stage`` by ``Stage``, see
``graphs.stages``); for each occlusion, windows are cut out of them and run. The embeddings are
those of the whole graph up to rounding, which ``open_windowed`` makes sure of.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto

from compute.distances import unit_vectors
from compute.engines.session import first_line
from compute.errors import EmbeddingError, GraphError
from compute.graphs.local import Cut, local_prefix
from compute.graphs.probes import probe_images
from compute.graphs.stages import WINDOW, Box, Boxes, PatchPlan, Stage, gain, part, plan, tail
from compute.occlusion import OcclusionSpec, occluded_row

if TYPE_CHECKING:
    from compute.embedding import ModelIO, Preprocessing

LEAST_GAIN: Final = 1.25
"""Estimated gain below which the whole graph is run: estimates are that far off."""
TOLERANCE: Final = 1e-5
"""How far an element of a unit embedding may be from that of the whole graph."""
_TOGETHER: Final = 12
"""Occlusions of a row that are run together: what they hold stays in the cache."""

Open = Callable[[bytes], Any]
Values = NDArray[np.float32]
Embed = Callable[[NDArray[np.uint8]], Values]


@dataclass(frozen=True)
class _Job:
    """Neighbours in one row of a grid, and which of all occlusions they are."""

    plan: PatchPlan
    row: int
    columns: range
    place: slice


class WindowedOccluder:
    """uint8 (112, 112, 3) RGB -> float32 (K, D): all occluded copies, by windows, on the CPU.

    Parameters
    ----------
    model
        Whole, without weights in other files; not modified.
    preprocessing, io
        How it is fed, as for ``OnnxEmbedder``.
    open_session
        Opens a model given as bytes, for one thread.
    threads
        How many rows are worked on at a time, 0 for as many as there are processors. Embeddings do
        not depend on it.

    Raises
    ------
    GraphError
        Where windows cannot be used, or would save too little; the message is the reason.
    """

    def __init__(
        self,
        model: ModelProto,
        preprocessing: Preprocessing,
        io: ModelIO,
        spec: OcclusionSpec,
        *,
        open_session: Open,
        threads: int = 0,
    ) -> None:
        if io.precision != "float32" or io.batch:
            raise GraphError("windows need a float32 model with an open batch")
        try:
            inferred = onnx.shape_inference.infer_shapes(model)
        except (onnx.shape_inference.InferenceError, ValueError) as error:
            raise GraphError(f"the shapes within the model cannot be inferred ({error})") from error
        prefix = local_prefix(inferred, io)
        plans = plan(prefix, spec)
        self.gain = gain(prefix, spec, plans)
        if self.gain < LEAST_GAIN:
            raise GraphError(
                f"windows would save little: {self.gain:.2f} x, expected {LEAST_GAIN} x or more"
            )
        self._spec = spec
        self._dimension = io.dimension
        self._view = (slice(*prefix.view[0]), slice(*prefix.view[1]))
        self._reverse = preprocessing.color == "bgr"
        self._mean = np.array(preprocessing.mean, dtype=np.float32)
        self._std = np.array(preprocessing.std, dtype=np.float32)
        self._threads = threads or len(os.sched_getaffinity(0))
        self._jobs = list(_jobs(spec, plans))
        self._open_all(inferred, prefix.cuts, io.output, plans, open_session)

    def _open_all(
        self,
        model: ModelProto,
        cuts: Sequence[Cut],
        output: str,
        plans: Sequence[PatchPlan],
        open_session: Open,
    ) -> None:
        ways = {(stage.start, stage.end) for each in plans for stage in each.stages}
        self._stages = {
            (start, end): open_session(part(model, cuts[start], [cuts[end]]))
            for start, end in sorted(ways)
        }
        self._end = plans[0].end
        self._tail = open_session(tail(model, cuts[self._end], output))
        self._kept = sorted({end for _, end in ways})
        self._whole = open_session(part(model, cuts[0], [cuts[end] for end in self._kept]))

    def __call__(
        self, image: NDArray[np.uint8], *, advance: Callable[[int], object] = lambda _: None
    ) -> Values:
        """Embed all occluded copies of an image, in the order of the deviations.

        ``advance`` is called with the number of copies done since the last call.

        Raises
        ------
        EmbeddingError
            Where a part of the graph fails; the message names no file.
        """
        rows = np.empty((self._spec.count, self._dimension), np.float32)
        with closing(self._run(image, self._jobs)) as done:
            for job, embeddings in done:
                rows[job.place] = embeddings
                advance(len(embeddings))
        return rows

    def stages(self, patch_size: int) -> int:
        """Return in how many stages the occlusions of a patch size are run by windows."""
        return next(len(j.plan.stages) for j in self._jobs if j.plan.patch_size == patch_size)

    def deviation(self, whole: Embed, image: NDArray[np.uint8]) -> float:
        """Return how far unit embeddings are from those of the whole graph, the largest difference.

        Of each patch size the first, middle and last patch of the first, middle and last row are
        compared: borders and the inside.
        """
        chosen = [
            _Job(each, row, range(column, column + 1), slice(0))
            for each in {id(job.plan): job.plan for job in self._jobs}.values()
            for row in _ends(len(each.touched.rows))
            for column in _ends(len(each.touched.columns))
        ]
        copies = [
            occluded_row(image, self._spec, job.plan.patch_size, job.row)[job.columns.start]
            for job in chosen
        ]
        expected = unit_vectors(whole(np.stack(copies)))
        found = unit_vectors(np.concatenate([rows for _, rows in self._run(image, chosen)]))
        return float(np.abs(found - expected).max())

    def _run(
        self, image: NDArray[np.uint8], jobs: Sequence[_Job]
    ) -> Generator[tuple[_Job, Values], None, None]:
        view = self._fed(image[self._view])
        answers = _answers(self._whole, view[None])
        base = {0: view, **{k: each[0] for k, each in zip(self._kept, answers, strict=True)}}
        pool = ThreadPoolExecutor(self._threads)
        try:
            done = pool.map(lambda job: self._embed(image, base, job), jobs)
            yield from zip(jobs, done, strict=True)
        finally:
            pool.shutdown(cancel_futures=True)  # of rows that nobody will take

    def _embed(self, image: NDArray[np.uint8], base: Mapping[int, Values], job: _Job) -> Values:
        copies = occluded_row(image, self._spec, job.plan.patch_size, job.row)
        held = job.plan.touched
        values = [self._fed(copies[k][self._view][held[job.row, k]]) for k in job.columns]
        for stage in job.plan.stages:
            values = self._advance(stage, base, held, values, job)
            held = stage.kept
        whole = np.repeat(base[self._end][None], len(values), axis=0)
        for activations, value, column in zip(whole, values, job.columns, strict=True):
            activations[held[job.row, column]] = value
        (embeddings,) = _answers(self._tail, whole)
        if embeddings.size != len(values) * self._dimension:
            raise EmbeddingError(
                f"gives shape {embeddings.shape} for {len(values)} occlusions by windows, "
                f"expected ({len(values)}, {self._dimension})"
            )
        rows: Values = embeddings.reshape(len(values), self._dimension)
        return rows

    def _advance(
        self,
        stage: Stage,
        base: Mapping[int, Values],
        held: Boxes,
        values: Sequence[Values],
        job: _Job,
    ) -> list[Values]:
        """Run one stage: from values in ``held``, (h, w, c) each, to those in ``stage.kept``."""
        session, around = self._stages[stage.start, stage.end], base[stage.start]
        results = [np.empty((0, 0, 1), np.float32)] * len(values)
        boxes = [stage.window[job.row, column] for column in job.columns]
        alike = defaultdict(list)
        for k, box in enumerate(boxes):
            alike[_sides(box)].append(k)
        for sides, members in alike.items():
            if 0 in sides:
                continue  # a patch that the model does not see
            windows = np.empty((len(members), *sides, around.shape[2]), np.float32)
            for window, k in zip(windows, members, strict=True):
                window[...] = around[boxes[k]]
                _overlay(window, boxes[k], values[k], held[job.row, job.columns[k]])
            (answers,) = _answers(session, windows)
            for answer, k in zip(answers, members, strict=True):
                kept = stage.kept[job.row, job.columns[k]]
                results[k] = answer[_within(kept, boxes[k], stage.step)]
        return results

    def _fed(self, pixels: NDArray[np.uint8]) -> Values:
        """Return what the model sees of (h, w, 3) uint8 RGB."""
        ordered = pixels[..., ::-1] if self._reverse else pixels
        fed: Values = (ordered.astype(np.float32) - self._mean) / self._std
        return fed


def open_windowed(
    model: ModelProto,
    preprocessing: Preprocessing,
    io: ModelIO,
    spec: OcclusionSpec,
    *,
    open_session: Open,
    threads: int,
    whole: Embed,
) -> WindowedOccluder:
    """Open a model for windows after running it beside the whole graph on a probe image.

    Parameters
    ----------
    whole
        Embeds images by the whole graph.

    Raises
    ------
    GraphError
        As ``WindowedOccluder``, and where the embeddings are not those of the whole graph.
    """
    occluder = WindowedOccluder(
        model, preprocessing, io, spec, open_session=open_session, threads=threads
    )
    try:
        off = occluder.deviation(whole, probe_images()[0])
    except EmbeddingError as error:
        raise GraphError(f"windows cannot be checked on the probe image ({error})") from error
    if not off <= TOLERANCE:
        raise GraphError(
            f"by windows, embeddings differ by {off:.1e} from those of the whole graph, expected "
            f"{TOLERANCE:.0e} at most"
        )
    return occluder


def _jobs(spec: OcclusionSpec, plans: Sequence[PatchPlan]) -> Iterator[_Job]:
    place = 0
    for each in plans:
        count = len(spec.positions(each.patch_size))
        for row in range(count):
            for start in range(0, count, _TOGETHER):
                columns = range(start, min(start + _TOGETHER, count))
                yield _Job(each, row, columns, slice(place, place + len(columns)))
                place += len(columns)


def _answers(session: Any, given: Values) -> Sequence[Values]:
    """Run a part of the graph on windows; ``EmbeddingError`` where it fails."""
    try:
        answers: Sequence[Values] = session.run(None, {WINDOW: given})
    except Exception as error:
        raise EmbeddingError(
            f"fails on windows of shape {given.shape} ({first_line(error)})"
        ) from error
    return answers


def _ends(count: int) -> list[int]:
    return sorted({0, count // 2, count - 1})


def _sides(box: Box) -> tuple[int, int]:
    return box[0].stop - box[0].start, box[1].stop - box[1].start


def _within(inner: Box, outer: Box, step: tuple[int, int]) -> Box:
    """Return a box in the coordinates of what a stage answers for a window."""
    top, left = outer[0].start // step[0], outer[1].start // step[1]
    return (
        slice(inner[0].start - top, inner[0].stop - top),
        slice(inner[1].start - left, inner[1].stop - left),
    )


def _overlay(window: Values, box: Box, value: Values, held: Box) -> None:
    """Write what is held into a window, as far as they meet."""
    top, left = max(box[0].start, held[0].start), max(box[1].start, held[1].start)
    bottom, right = min(box[0].stop, held[0].stop), min(box[1].stop, held[1].stop)
    if top < bottom and left < right:
        met = (slice(top, bottom), slice(left, right))
        window[_within(met, box, (1, 1))] = value[_within(met, held, (1, 1))]
