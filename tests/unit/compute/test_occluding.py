"""Occlusion inside the graph: the model is fed what NumPy would feed it, bit for bit."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper

from compute.embedding import DYNAMIC, ModelIO, OnnxEmbedder, Preprocessing
from compute.engines.catalogue import Engine
from compute.engines.nvidia import in_half
from compute.engines.onnx_runtime import model_of, open_plain
from compute.engines.session import Session, Terms
from compute.explanation import embed_occlusions, explain_pair
from compute.graphs import onnx_graph
from compute.graphs.occluding import even_batch
from compute.graphs.probing import probe
from compute.occlusion import BLURS, OcclusionSpec, fill_image, masks, occluded_batches
from tests import onnx_models

ODD = Preprocessing("bgr", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
COARSE = OcclusionSpec(patch_sizes=(20, 41), stride=30)
PIXELS = 112 * 112 * 3


def image(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def echo(opset: int = 17, *, half: bool = False, layout: str = "nchw") -> bytes:
    """Return a model that answers with what it is fed."""
    kind = onnx.TensorProto.FLOAT16 if half else onnx.TensorProto.FLOAT
    sides = (3, 112, 112) if layout == "nchw" else (112, 112, 3)
    graph = helper.make_graph(
        [helper.make_node("Identity", ["fed"], ["answer"])],
        "echo",
        [helper.make_tensor_value_info("fed", kind, ("N", *sides))],
        [helper.make_tensor_value_info("answer", kind, ("N", *sides))],
    )
    opsets = [helper.make_opsetid("", opset)]
    data: bytes = helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString()
    return data


def fed(
    spec: OcclusionSpec, preprocessing: Preprocessing, seed: int = 0, **options: Any
) -> NDArray[np.float32]:
    """Return what a model is fed with for each occlusion, (K, 37632)."""
    layout = options.get("layout", "nchw")
    io = ModelIO("fed", "answer", layout, DYNAMIC, PIXELS)
    if options.get("half"):
        io = replace(io, precision="float16")
    embed = OnnxEmbedder(Path("echo"), preprocessing, io, threads=1, data=echo(**options))
    answers = embed.occluded(image(seed), spec)
    assert embed.obstacle.startswith("by the whole graph: ")
    return answers


def expected(
    spec: OcclusionSpec,
    preprocessing: Preprocessing,
    seed: int = 0,
    *,
    half: bool = False,
    layout: str = "nchw",
) -> NDArray[np.float32]:
    """Read DESIGN's rules one by one: mask, blend, round, order, normalise."""
    mask = np.concatenate([masks(spec, p) for p in spec.patch_sizes])[..., None]
    blend = image(seed) * (1 - mask) + fill_image(spec) * mask
    pixels = np.rint(blend).astype(np.uint8)
    if preprocessing.color == "bgr":
        pixels = pixels[..., ::-1]
    mean, std = (np.array(v, np.float32) for v in (preprocessing.mean, preprocessing.std))
    values = (pixels.astype(np.float32) - mean) / std
    if half:
        values = values.astype(np.float16).astype(np.float32)
    if layout == "nchw":
        values = values.transpose(0, 3, 1, 2)
    rows: NDArray[np.float32] = values.reshape(len(values), -1)
    return rows


def channels(low: float, high: float) -> st.SearchStrategy[tuple[float, ...]]:
    each = st.floats(low, high, width=32)
    return st.tuples(each, each, each)


@st.composite
def specs(draw: st.DrawFn) -> OcclusionSpec:
    sizes = st.lists(st.integers(1, 112), min_size=1, max_size=3, unique=True)
    options = {
        "patch_sizes": draw(sizes),
        "stride": draw(st.integers(17, 112)),
        "shape": draw(st.sampled_from(["square", "circle"])),
        "fill": draw(st.sampled_from(["black", "gray", "white", "noise"])),
        "blur": draw(st.sampled_from(BLURS)),
        "grid": draw(st.sampled_from(["paper", "published", "full"])),
        "seed": draw(st.integers(0, 9)),
    }
    try:
        return OcclusionSpec.from_dict(options)
    except ValueError:  # a size without a position on this grid
        assume(False)
        raise


@settings(max_examples=60, deadline=None)
@given(
    spec=specs(),
    preprocessing=st.builds(
        Preprocessing, st.sampled_from(["rgb", "bgr"]), channels(0, 255), channels(0.125, 256)
    ),
    seed=st.integers(0, 3),
    half=st.booleans(),
    layout=st.sampled_from(["nchw", "nhwc"]),
)
def test_the_model_is_fed_bit_for_bit_what_the_rules_say(
    spec: OcclusionSpec, preprocessing: Preprocessing, seed: int, half: bool, layout: str
) -> None:
    found = fed(spec, preprocessing, seed, half=half, layout=layout)
    assert (
        found.tobytes() == expected(spec, preprocessing, seed, half=half, layout=layout).tobytes()
    )


@pytest.mark.parametrize("opset", range(9, 23))
@pytest.mark.parametrize(
    "more",
    [{}, {"shape": "circle", "fill": "noise"}, {"blur": 14, "fill": "gray"}],
    ids=["square", "circle", "soft"],
)
def test_every_opset_that_models_come_in(opset: int, more: dict[str, Any]) -> None:
    spec = OcclusionSpec.from_dict({**COARSE.to_dict(), **more})
    assert np.array_equal(fed(spec, ODD, opset=opset), expected(spec, ODD))


def embedder(folder: Path, model: bytes, **options: Any) -> OnnxEmbedder:
    path = folder / "model.onnx"
    path.write_bytes(model)
    return OnnxEmbedder(path, ODD, probe(path, ODD, **options), batch=5, threads=1)


def outside(embed: OnnxEmbedder, spec: OcclusionSpec) -> NDArray[np.float32]:
    """Embed copies that NumPy made."""
    return np.concatenate([embed(copies) for copies in occluded_batches(image(), spec, batch=16)])


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (onnx_models.toy(), {}),
        (onnx_models.toy(batch=1), {}),
        (onnx_models.toy(batch=7, layout="nhwc"), {}),
        (onnx_models.toy(input_name="data:0", tail=(1, 1)), {}),
        (onnx_models.toy(input_name="occlusion/image"), {}),
        (onnx_models.fixed(1, "squeezed"), {}),
        (onnx_models.opset(9), {}),
        (onnx_models.opset(9, weights_as_inputs=True), {}),
        (onnx_models.several_outputs(), {"output": "embedding"}),
        (onnx_models.half_input(), {}),
    ],
    ids=[
        *("toy", "one image", "seven", "odd names", "our names", "squeezed", "old", "ir 3"),
        *("outputs", "float16 input"),
    ],
)
def test_embeddings_are_those_of_copies_made_outside(
    model: bytes, options: dict[str, Any], tmp_path: Path
) -> None:
    embed = embedder(tmp_path, model, **options)
    done: list[int] = []
    found = embed.occluded(image(), COARSE, advance=done.append)
    assert embed.obstacle.startswith("by the whole graph: ")
    assert found.dtype == np.float32
    assert len(found) == sum(done) == COARSE.count
    assert np.allclose(found, outside(embed, COARSE), rtol=1e-5, atol=1e-4)
    # Another spec on the same model, and back.
    white = OcclusionSpec.from_dict({**COARSE.to_dict(), "fill": "white"})
    other = embed.occluded(image(), white)
    assert np.allclose(other, outside(embed, white), rtol=1e-5, atol=1e-4)
    assert not np.allclose(found, other, rtol=1e-2)
    assert np.array_equal(embed.occluded(image(), COARSE), found)


def test_a_model_in_float16_rounds_no_worse(tmp_path: Path) -> None:
    embed = embedder(tmp_path, onnx_models.half(), half=True)
    copies = np.concatenate(list(occluded_batches(image(), COARSE, batch=16)))
    exact = onnx_models.toy_embeddings(copies, color="bgr", mean=ODD.mean, std=ODD.std)
    # On a CPU it is emulated, and what need not be rounded between two nodes may not be.
    assert np.abs(embed.occluded(image(), COARSE) - exact).max() < 0.05
    assert np.abs(outside(embed, COARSE) - exact).max() < 0.05


def test_all_occlusions_of_the_paper_in_their_order(tmp_path: Path) -> None:
    embed = embedder(tmp_path, onnx_models.toy())
    spec = OcclusionSpec()
    found = embed.occluded(image()[::-1], spec)  # not contiguous, and not to be changed
    copies = np.concatenate(list(occluded_batches(image()[::-1], spec, batch=64)))
    wanted = onnx_models.toy_embeddings(copies, color="bgr", mean=ODD.mean, std=ODD.std)
    assert np.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("what", ["old", "damaged"])
def test_a_graph_that_cannot_take_it_says_why_and_gives_the_same(what: str, tmp_path: Path) -> None:
    embed = embedder(tmp_path, onnx_models.opset(8 if what == "old" else 17))
    if what == "damaged":
        (tmp_path / "model.onnx").write_bytes(b"gone since")
    found = embed.occluded(image(), COARSE)
    shown = "opset 8, expected 9 or later" if what == "old" else "model.onnx: not an ONNX model"
    assert shown in embed.obstacle
    assert np.array_equal(found, outside(embed, COARSE))


def half_engine(path: Path, data: bytes | None, terms: Terms) -> Any:
    """Open a model as a GPU would be given it in float16."""
    halved = onnx_graph.write(in_half(model_of(path, data)))
    return open_plain(path, halved, terms)


@pytest.mark.parametrize("more", [{}, {"shape": "circle"}, {"blur": 56, "fill": "noise"}])
def test_float16_leaves_places_and_pixels_exact(tmp_path: Path, more: dict[str, Any]) -> None:
    spec = OcclusionSpec.from_dict({**COARSE.to_dict(), **more})
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_models.toy())
    half = Engine("half", half_engine, str, bound=1e-5)
    embed = OnnxEmbedder(path, ODD, probe(path, ODD), batch=5, threads=1, engine=half)
    found = embed.occluded(image(), spec)
    assert embed.obstacle.startswith("by the whole graph: ")
    assert np.array_equal(found, outside(embed, spec))


class Drifting:
    """A session that is off where occlusions are in the graph."""

    def __init__(self, session: Session, by: float) -> None:
        self._session = session
        self._by = by

    def run(self, outputs: Sequence[str], feeds: Mapping[str, NDArray[Any]], /) -> Any:
        (rows,) = self._session.run(outputs, feeds)
        return [rows + self._by * np.abs(rows).max()] if len(feeds) > 1 else [rows]


@pytest.mark.parametrize(("by", "told"), [(0.01, r"\de-0[23]"), (np.nan, "nan"), (np.inf, "inf")])
def test_an_engine_that_is_off_inside_the_graph_is_not_used_there(
    tmp_path: Path, by: float, told: str
) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(onnx_models.toy())
    engine = Engine("drifting", lambda *given: Drifting(open_plain(*given), by), str)
    embed = OnnxEmbedder(path, ODD, probe(path, ODD), batch=5, threads=1, engine=engine)
    found = embed.occluded(image(), COARSE)
    assert re.fullmatch(
        rf"outside the graph: inside, drifting is off by {told}, allowed 1e-05", embed.obstacle
    )
    assert np.array_equal(found, outside(embed, COARSE))


def test_the_library_uses_it_and_says_the_same(tmp_path: Path) -> None:
    embed = embedder(tmp_path, onnx_models.toy())
    calls: list[int] = []

    def watched(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        calls.append(len(images))
        return embed(images)

    inside = explain_pair(embed, image(1), image(2), spec=COARSE)
    by_hand = explain_pair(watched, image(1), image(2), spec=COARSE)
    assert sum(calls) == 2 * COARSE.count + 2
    for side in (1, 2):
        for method in ("I", "II", "III"):
            ours, theirs = (each.deviations(method, side) for each in (inside, by_hand))
            assert np.abs(ours - theirs).max() < 1e-6
    rows = embed_occlusions(embed, image(1), COARSE)
    assert np.array_equal(rows, embed.occluded(image(1), COARSE))


@pytest.mark.parametrize(
    ("count", "near", "size"),
    [(1058, 16, 23), (1058, 23, 23), (1130, 16, 13), (1056, 16, 16), (50, 64, 50), (1, 16, 1)],
)
def test_batches_leave_little_to_spare(count: int, near: int, size: int) -> None:
    assert even_batch(count, near) == size


@given(st.integers(1, 20_000), st.integers(1, 600))
def test_a_batch_is_near_what_was_asked_for_and_wastes_least(count: int, near: int) -> None:
    size = even_batch(count, near)
    assert size == count <= near * 3 // 2 or near * 3 // 4 <= max(size, 1) <= near * 3 // 2
    assert -(-count // size) * size <= -(-count // near) * near
