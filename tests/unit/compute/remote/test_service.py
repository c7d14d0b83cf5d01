"""Black boxes as the pipeline uses them: batches, what pins them, and the service of the docs."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import asdict, replace
from http.server import ThreadingHTTPServer
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from app.settings import ROOT
from compute.distances import cosine_distances
from compute.errors import ComputeError, ModelError, RemoteError
from compute.explanation import METHODS, explain_pair
from compute.graphs.probes import probe_images
from compute.occlusion import OcclusionSpec
from compute.remote.protocol import Answers
from compute.remote.service import (
    RemoteEmbedder,
    RemoteEndpoint,
    RemoteScorer,
    probe_service,
    require_same,
)
from compute.remote.transport import Manners
from tests.black_box import BlackBox, Reply, serving
from tests.onnx_models import toy_embeddings

OPEN = Manners(allow_private=True)


@pytest.fixture
def box() -> Iterator[BlackBox]:
    with serving(BlackBox()) as box:
        yield box


def endpoint(box: BlackBox, **more: Any) -> RemoteEndpoint:
    given: dict[str, Any] = {"url": box.url, "answers": "embeddings", "batch": 3, "manners": OPEN}
    return RemoteEndpoint(**given | more)


def faces(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


def test_embeddings_come_in_batches_and_in_order(box: BlackBox) -> None:
    embed = RemoteEmbedder(endpoint(box))
    images = faces(7)
    found = embed(images)
    assert found.dtype == np.float32
    assert np.array_equal(found, toy_embeddings(images).astype(np.float32))
    assert [len(asked["images"]) for _, _, asked in box.seen] == [3, 3, 1]
    assert embed(images[:0]).shape == (0, 16)


def test_distances_send_an_image_once_per_request(box: BlackBox) -> None:
    score = RemoteScorer(endpoint(box, answers="distances"))
    images = faces(4)
    pairs = [(0, 1), (0, 2), (3, 0), (2, 2)]
    rows = toy_embeddings(images)
    expected = cosine_distances(rows[[a for a, _ in pairs]], rows[[b for _, b in pairs]])
    assert np.abs(score(images, pairs) - expected).max() < 1e-12
    first, second = (asked for _, _, asked in box.seen)
    assert (len(first["images"]), first["pairs"]) == (4, [[0, 1], [0, 2], [3, 0]])
    assert (len(second["images"]), second["pairs"]) == (1, [[0, 0]])


def test_what_the_service_refuses_is_nan(box: BlackBox) -> None:
    images = faces(3)
    images[1] = 7
    embed = RemoteEmbedder(endpoint(box, dimension=16))
    assert np.isnan(embed(images)).any(axis=1).tolist() == [False, True, False]
    assert np.isnan(embed(images[1:2])).all()
    assert embed(images[1:2]).shape == (1, 16)
    score = RemoteScorer(endpoint(box, answers="distances"))
    assert np.isnan(score(images, [(0, 1), (0, 2)])).tolist() == [True, False]


def test_another_length_is_another_model(box: BlackBox) -> None:
    embed = RemoteEmbedder(endpoint(box, dimension=17))
    with pytest.raises(RemoteError, match="length 16, expected 17"):
        embed(faces(1))


@pytest.mark.parametrize("answers", ["embeddings", "distances"])
def test_probing_pins_what_answers(box: BlackBox, answers: Any) -> None:
    pinned = probe_service(endpoint(box, answers=answers))
    rows = toy_embeddings(probe_images())
    assert pinned.probes[0] == pytest.approx(cosine_distances(rows[:1], rows[1:2])[0], abs=1e-6)
    assert (len(pinned.probes), pinned.dimension) == (6, 16 if answers == "embeddings" else 0)
    assert len(pinned.sha256) == 64
    assert pinned.sha256 != replace(pinned, url="http://127.0.0.1/").sha256
    require_same(pinned)
    assert RemoteEndpoint.from_dict(asdict(pinned)) == pinned
    box.embed = lambda images: toy_embeddings(images, seed=1)
    with pytest.raises(ModelError, match=r"moved by .* since it was added.*another name"):
        require_same(pinned)


def neighbours(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    rows = toy_embeddings(images)
    moved: NDArray[np.float64] = rows - rows.mean(axis=0) / 2
    return moved


def blind(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    return np.ones((len(images), 4))


@pytest.mark.parametrize(
    ("embed", "message"),
    [
        (neighbours, "another answer alone than among others"),
        (blind, "4 different images the same answer"),
        (lambda images: np.zeros((len(images), 4)), "zero embedding"),
    ],
)
def test_probing_refuses_what_is_no_model(box: BlackBox, embed: Any, message: str) -> None:
    box.embed = embed
    with pytest.raises(ModelError, match=message):
        probe_service(endpoint(box, batch=16))


def test_probing_refuses_similarities_and_null(box: BlackBox) -> None:
    box.script = lambda number: Reply(
        body={"protocol": 1, "distances": ([0.3] * 6 + [1.0] * 4)[: 1 if number else 10]}
    )
    with pytest.raises(ModelError, match="these are similarities"):
        probe_service(endpoint(box, answers="distances", batch=16))
    for answers in ("embeddings", "distances"):
        box.script = lambda _, what=answers: Reply(body={"protocol": 1, what: [None]})  # type: ignore[misc]
        with pytest.raises(ModelError, match="gives null for a probe image"):
            probe_service(endpoint(box, answers=answers, batch=1))


@pytest.mark.parametrize(
    "wrong",
    [{"batch": 0}, {"batch": 1025}, {"answers": "scores"}, {"url": "http://127.0.0.1/?key=1"}],
)
def test_endpoints_that_make_no_sense(box: BlackBox, wrong: dict[str, Any]) -> None:
    with pytest.raises(ComputeError, match="expected"):
        endpoint(box, **wrong)


def test_an_explanation_by_a_black_box_is_that_of_the_model(box: BlackBox) -> None:
    spec = OcclusionSpec(patch_sizes=(56,), stride=28)
    first, second = faces(2)
    embed = RemoteEmbedder(endpoint(box, batch=16))
    found = explain_pair(embed, first, second, spec=spec, batch=16)
    expected = explain_pair(
        lambda images: toy_embeddings(images).astype(np.float32), first, second, spec=spec
    )
    assert found.distance == expected.distance
    for method in METHODS:
        assert np.array_equal(found.deviations(method, 1), expected.deviations(method, 1))


def test_the_service_of_the_documentation_speaks_the_protocol() -> None:
    page = (ROOT / "docs" / "black-box.md").read_text(encoding="utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    written: dict[str, Any] = {}
    exec(program[: program.rindex("ThreadingHTTPServer(")], written)
    written["Service"].log_message = lambda *_: None
    server = ThreadingHTTPServer(("127.0.0.1", 0), written["Service"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    answers: Answers
    try:
        for answers in get_args(Answers):
            require_same(probe_service(RemoteEndpoint(url, answers, 16, OPEN)))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
