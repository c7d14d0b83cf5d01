"""Parts of a batch side by side: in order, at the same time, and with the same rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.embedding import ModelIO, OnnxEmbedder, Preprocessing
from compute.engines.catalogue import ENGINES, Engine
from compute.engines.lanes import Lanes, lanes_for
from compute.engines.session import Terms
from compute.errors import EmbeddingError
from compute.graphs.probing import probe
from compute.occlusion import OcclusionSpec, occluded_batches
from tests.onnx_models import toy


@pytest.mark.parametrize(
    ("threads", "batch", "expected"),
    [
        (2, 16, 2),
        (1, 16, 1),
        (0, 16, 1),
        (8, 16, 4),
        (8, 46, 8),
        (64, 46, 11),
        (2, 1, 1),
        (2, 7, 1),
    ],
)
def test_a_lane_has_four_images_and_a_thread_at_least(
    threads: int, batch: int, expected: int
) -> None:
    assert lanes_for(threads, batch) == expected
    terms = Terms(threads, batch, lanes=expected)
    assert terms.threads_of_a_lane * expected <= max(threads, 0)


def test_results_keep_the_order_of_items() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.02 if item == 0 else 0)
        return item * item

    assert list(Lanes(2).map(slow_first, range(5))) == [0, 1, 4, 9, 16]
    assert list(Lanes(1).map(slow_first, range(3))) == [0, 1, 4]


def test_the_first_error_is_raised_where_results_are_taken() -> None:
    def odd(item: int) -> int:
        if item % 2 == 0:
            raise EmbeddingError(f"item {item}")
        return item

    with pytest.raises(EmbeddingError, match="item 2"):
        list(Lanes(2).map(odd, [1, 2, 3, 4]))


class Meeting:
    """A model that answers only once two parts of a batch are at work at the same time."""

    def __init__(self) -> None:
        self.opened: list[Terms] = []
        self._both = threading.Barrier(2)

    def open(self, path: Path, data: bytes | None, terms: Terms) -> Meeting:
        self.opened.append(terms)
        return self

    def run(
        self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], /
    ) -> list[NDArray[Any]]:
        self._both.wait(timeout=20)
        (pixels,) = feeds.values()
        return [pixels.mean(axis=(2, 3))]


def test_parts_of_a_batch_run_at_the_same_time(tmp_path: Path) -> None:
    model = Meeting()
    engine = Engine("meeting", model.open, lambda: "meeting")
    io = ModelIO("image", "mean", "nchw", 0, 3)
    embed = OnnxEmbedder(tmp_path, Preprocessing(), io, batch=16, threads=2, engine=engine)
    assert model.opened == [Terms(threads=2, batch=8, lanes=2)]
    images = np.arange(32, dtype=np.uint8)[:, None, None, None] * np.ones((112, 112, 3), np.uint8)
    np.testing.assert_array_equal(embed(images)[:, 0], np.arange(32))


def test_a_batch_that_the_file_fixes_is_run_whole(tmp_path: Path) -> None:
    path = tmp_path / "fixed.onnx"
    path.write_bytes(toy(batch=8))
    io = probe(path, Preprocessing())
    embed = OnnxEmbedder(path, Preprocessing(), io, threads=2)
    images = np.random.default_rng(0).integers(0, 256, (9, 112, 112, 3), dtype=np.uint8)
    assert embed(images).shape == (9, 16)


def test_occlusions_run_side_by_side_and_keep_their_order(tmp_path: Path) -> None:
    path = tmp_path / "toy.onnx"
    path.write_bytes(toy())
    io, spec = probe(path, Preprocessing()), OcclusionSpec(patch_sizes=(28, 14), stride=7)
    image = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    done: list[int] = []
    one, two = (OnnxEmbedder(path, Preprocessing(), io, threads=threads) for threads in (1, 2))
    rows = two.occluded(image, spec, advance=done.append)
    assert two.obstacle.startswith("by the whole graph: ")
    assert sum(done) == len(rows) == spec.count
    np.testing.assert_allclose(rows, one.occluded(image, spec), rtol=1e-5)
    outside = two(np.concatenate(list(occluded_batches(image, spec, batch=16))))
    np.testing.assert_allclose(rows, outside, rtol=1e-5)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_rows_do_not_depend_on_lanes(tmp_path: Path, name: str) -> None:
    engine = ENGINES[name]
    if engine.why_not():
        pytest.skip(engine.why_not())
    path = tmp_path / "toy.onnx"
    path.write_bytes(toy())
    io = probe(path, Preprocessing())
    images = np.random.default_rng(0).integers(0, 256, (21, 112, 112, 3), dtype=np.uint8)
    rows = [
        OnnxEmbedder(path, Preprocessing(), io, threads=threads, batch=batch, engine=engine)(images)
        for threads, batch in ((1, 16), (2, 16), (3, 16), (2, 23))
    ]
    for other in rows[1:]:
        np.testing.assert_allclose(other, rows[0], rtol=1e-5)
