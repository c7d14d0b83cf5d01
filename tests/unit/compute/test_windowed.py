"""Occlusion by windows: the embeddings of the whole graph, at borders and soft edges too."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from compute import demo
from compute.distances import unit_vectors
from compute.embedding import ModelIO, OnnxEmbedder, Preprocessing
from compute.engines.onnx_runtime import load
from compute.errors import EmbeddingError, GraphError
from compute.explanation import embed_occlusions
from compute.graphs import stages
from compute.graphs.local import local_prefix
from compute.graphs.probing import probe
from compute.occlusion import OcclusionSpec, occluded_batches, occluded_row
from compute.windowed import WindowedOccluder, open_windowed
from tests import onnx_models

FED = Preprocessing("bgr", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
COARSE = OcclusionSpec(patch_sizes=(9, 21), stride=26)
DIMENSION = 8


class Net:
    """A small network with random weights, written down operator by operator."""

    def __init__(self, layout: str = "nchw") -> None:
        self._rng = np.random.default_rng(0)
        self.nodes: list[NodeProto] = []
        self.held: list[TensorProto] = []
        self.layout = layout
        self.last = "image"

    def add(self, kind: str, *inputs: str, **options: Any) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, [*inputs], [name], **options))
        self.last = name
        return name

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        name = f"held{len(self.held)}"
        self.held.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def conv(self, of: str, inputs: int, outputs: int, size: int = 3, **options: Any) -> str:
        group = options.get("group", 1)
        shape = (outputs, inputs // group, size, size)
        weights = self._rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
        bias = self._rng.standard_normal(outputs)
        options.setdefault("pads", [size // 2] * 4)
        return self.add("Conv", of, self.constant(weights), self.constant(bias), **options)

    def prelu(self, of: str, channels: int) -> str:
        slopes = self._rng.uniform(-0.5, 0.5, (channels, 1, 1))
        return self.add("PRelu", of, self.constant(slopes))

    def norm(self, of: str, channels: int) -> str:
        values = [self._rng.uniform(0.5, 1.5, channels) for _ in range(4)]
        return self.add("BatchNormalization", of, *(self.constant(each) for each in values))

    def model(self) -> ModelProto:
        """Flatten what came last and multiply it with a matrix."""
        self.add("Flatten", self.last)
        (answer,) = onnx.shape_inference.infer_shapes(self._model(())).graph.output
        features = answer.type.tensor_type.shape.dim[1].dim_value
        matrix = self._rng.standard_normal((features, DIMENSION)) / np.sqrt(features)
        self.add("MatMul", self.last, self.constant(matrix))
        return self._model(("n", DIMENSION))

    def _model(self, shape: tuple[str | int, ...]) -> ModelProto:
        sides = (3, 112, 112) if self.layout == "nchw" else (112, 112, 3)
        given = helper.make_tensor_value_info("image", TensorProto.FLOAT, ("n", *sides))
        answer = helper.make_tensor_value_info(self.last, TensorProto.FLOAT, shape or None)
        graph = helper.make_graph(self.nodes, "net", [given], [answer], self.held)
        opsets = [helper.make_opsetid("", 17)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def mobile() -> Net:
    """Depthwise convolutions, strides, PReLU, a residual block: MobileFaceNet in small."""
    net = Net()
    x = net.prelu(net.conv("image", 3, 4, strides=[2, 2]), 4)
    x = net.add("Relu", net.conv(x, 4, 4, group=4))
    x = net.conv(x, 4, 4, strides=[2, 2])
    y = net.prelu(net.conv(x, 4, 8, size=1), 8)
    y = net.prelu(net.conv(y, 8, 8, group=8), 8)
    x = net.add("Add", x, net.conv(y, 8, 4, size=1))
    net.add("Relu", net.conv(x, 4, 4, strides=[2, 2]))
    return net


def residual() -> Net:
    """Normalisation before padded convolutions, a shortcut of its own: IResNet in small."""
    net = Net()
    x = net.prelu(net.norm(net.conv("image", 3, 4), 4), 4)
    y = net.prelu(net.norm(net.conv(net.norm(x, 4), 4, 4), 4), 4)
    y = net.norm(net.conv(y, 4, 4, strides=[2, 2]), 4)
    short = net.norm(net.conv(x, 4, 4, size=1, strides=[2, 2]), 4)
    x = net.add("Add", y, short)
    x = net.add("Mul", x, net.constant(np.arange(1, 5).reshape(4, 1, 1) / 3))
    net.conv(x, 4, 4, strides=[2, 2])
    return net


def uneven() -> Net:
    """Dilation, padding at one side only, pooling, sizes that strides do not divide."""
    net = Net()
    x = net.conv("image", 3, 4, size=3, dilations=[2, 2], pads=[2, 0, 2, 1])
    x = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 0, 0])
    a = net.conv(x, 4, 2, size=5)
    b = net.add("Sigmoid", net.conv(x, 4, 2, size=1))
    x = net.add("Concat", a, b, axis=1)
    net.add("AveragePool", x, kernel_shape=[3, 3], strides=[3, 3], pads=[1, 1, 1, 1])
    return net


def cropped() -> Net:
    """Columns 8 to 103 alone are looked at: some patches change nothing."""
    net = Net()
    bounds = (net.constant(each, np.int64) for each in ([8], [104], [3], [1]))
    x = net.add("Slice", "image", *bounds)
    x = net.add("Relu", net.conv(x, 3, 4, strides=[2, 2]))
    net.conv(x, 4, 4, strides=[4, 4])
    return net


def channels_last() -> Net:
    net = Net("nhwc")
    x = net.add("Transpose", "image", perm=[0, 3, 1, 2])
    x = net.add("Relu", net.conv(x, 3, 4, strides=[2, 2]))
    net.conv(x, 4, 4, strides=[4, 4])
    return net


NETS = (mobile, residual, uneven, cropped, channels_last)


def built(make: Callable[[], Net]) -> tuple[ModelProto, ModelIO]:
    net = make()
    model = net.model()
    layout: Any = net.layout
    return model, ModelIO("image", net.last, layout, 0, DIMENSION)


def image(seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def whole(model: ModelProto, io: ModelIO) -> OnnxEmbedder:
    return OnnxEmbedder(Path("net"), FED, io, threads=1, data=model.SerializeToString())


def by_windows(model: ModelProto, io: ModelIO, spec: OcclusionSpec) -> WindowedOccluder:
    return WindowedOccluder(model, FED, io, spec, open_session=opened, threads=1)


def opened(data: bytes) -> Any:
    return load(Path("part"), threads=1, data=data)


def largest_difference(
    occluder: WindowedOccluder, embed: OnnxEmbedder, spec: OcclusionSpec
) -> float:
    copies = np.concatenate(list(occluded_batches(image(), spec, batch=64)))
    difference = unit_vectors(occluder(image())) - unit_vectors(embed(copies))
    return float(np.abs(difference).max())


@pytest.fixture
def as_many_stages_as_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moving data costs nothing: small networks are run in stages, too."""
    monkeypatch.setattr(stages, "_MOVED", 0)
    monkeypatch.setattr(stages, "_CALLED", 0)
    monkeypatch.setattr("compute.windowed.LEAST_GAIN", 1.0)


@pytest.mark.usefixtures("as_many_stages_as_can_be")
@pytest.mark.parametrize("make", NETS, ids=lambda make: make.__name__)
def test_windows_give_the_embeddings_of_the_whole_graph(make: Callable[[], Net]) -> None:
    model, io = built(make)
    occluder = by_windows(model, io, COARSE)
    assert occluder.gain > 1.1
    assert all(occluder.stages(p) > 1 for p in COARSE.patch_sizes)
    assert largest_difference(occluder, whole(model, io), COARSE) < 1e-5


@pytest.mark.usefixtures("as_many_stages_as_can_be")
@pytest.mark.parametrize(
    "spec",
    [
        OcclusionSpec(patch_sizes=(9, 21), stride=23, grid="published"),
        OcclusionSpec(patch_sizes=(9, 21), stride=23, grid="full", fill="noise", seed=3),
        OcclusionSpec(patch_sizes=(10,), stride=23, shape="circle", fill="white"),
        OcclusionSpec(patch_sizes=(7, 14), stride=33, blur=7, fill="gray"),
        OcclusionSpec(patch_sizes=(7,), stride=33, blur=14, grid="full"),
        OcclusionSpec(patch_sizes=(3, 1), stride=37, grid="full"),
    ],
    ids=str,
)
def test_grids_fills_shapes_and_soft_edges_are_those_of_the_copies(spec: OcclusionSpec) -> None:
    model, io = built(mobile)
    occluder = by_windows(model, io, spec)
    assert largest_difference(occluder, whole(model, io), spec) < 1e-5


@pytest.mark.usefixtures("as_many_stages_as_can_be")
def test_threads_change_nothing() -> None:
    model, io = built(mobile)
    alone = by_windows(model, io, COARSE)
    together = WindowedOccluder(model, FED, io, COARSE, open_session=opened, threads=3)
    assert np.array_equal(alone(image()), together(image()))


def test_the_demo_model_is_run_by_windows() -> None:
    path = Path(demo.__file__).parent / "demo.onnx"
    embed = OnnxEmbedder(path, FED, probe(path, FED), threads=1)
    spec = OcclusionSpec(stride=13)
    done: list[int] = []
    rows = embed_occlusions(embed, image(), spec, advance=done.append)
    assert embed.obstacle == ""
    assert sum(done) == spec.count == len(rows)
    copies = np.concatenate(list(occluded_batches(image(), spec, batch=64)))
    assert np.abs(unit_vectors(rows) - unit_vectors(embed(copies))).max() < 1e-5


@pytest.mark.usefixtures("as_many_stages_as_can_be")
def test_a_patch_that_is_not_seen_leaves_the_embedding_as_it_is() -> None:
    model, io = built(cropped)
    spec = OcclusionSpec(patch_sizes=(7, 9), stride=100)
    rows = by_windows(model, io, spec)(image())
    as_it_is = whole(model, io)(image()[None])[0]
    assert np.allclose(rows[0], as_it_is, rtol=1e-5)  # columns 0 to 6
    assert not np.allclose(rows[1], as_it_is, rtol=1e-3)  # columns 0 to 8


def test_where_windows_save_little_the_whole_graph_is_run_and_says_why() -> None:
    embed = OnnxEmbedder(
        Path("toy"), FED, onnx_models_io(), threads=1, data=onnx_models.toy(batch="n")
    )
    rows = embed.occluded(image(), COARSE)
    assert embed.obstacle.startswith("by the whole graph: windows would save little: 0.")
    copies = np.concatenate(list(occluded_batches(image(), COARSE, batch=64)))
    assert np.allclose(rows, embed(copies), atol=1e-4)


def onnx_models_io() -> ModelIO:
    return ModelIO("image", "embedding", "nchw", 0, onnx_models.DIMENSION)


@pytest.mark.usefixtures("as_many_stages_as_can_be")
def test_windows_that_do_not_agree_are_refused_with_the_difference() -> None:
    model, io = built(mobile)
    right = whole(model, io)

    def other(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return right(images) + np.float32(1e-3)

    options: Any = {"open_session": opened, "threads": 1}
    assert open_windowed(model, FED, io, COARSE, whole=right, **options).gain > 1
    with pytest.raises(GraphError, match=r"differ by \d\.\de-0\d from those of the whole graph"):
        open_windowed(model, FED, io, COARSE, whole=other, **options)
    with pytest.raises(GraphError, match="probe image"):
        open_windowed(model, FED, io, COARSE, whole=lambda images: right(images) * 0, **options)


class Failing:
    """Parts of a graph that fail while they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = False
        monkeypatch.setattr("compute.embedding.load", self._load)

    def _load(self, *given: Any, **more: Any) -> Any:
        session = load(*given, **more)

        def run(*feeds: Any) -> Any:
            if self.now:
                raise RuntimeError("out of memory")
            return session.run(*feeds)

        return SimpleNamespace(run=run)


@pytest.mark.usefixtures("as_many_stages_as_can_be")
def test_a_model_that_fails_on_windows_names_its_file(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Failing(monkeypatch)
    embed = whole(*built(mobile))
    embed.occluded(image(), COARSE)
    assert embed.obstacle == ""
    failing.now = True
    with pytest.raises(EmbeddingError, match=r"net: fails on windows of shape .*out of memory"):
        embed.occluded(image(), COARSE)


@pytest.mark.usefixtures("as_many_stages_as_can_be")
def test_a_model_that_fails_on_windows_from_the_start_is_run_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Failing(monkeypatch).now = True
    embed = whole(*built(mobile))
    rows = embed.occluded(image(), COARSE)
    assert re.match(r"by the whole graph: .*probe image \(fails on windows", embed.obstacle)
    copies = np.concatenate(list(occluded_batches(image(), COARSE, batch=64)))
    assert np.allclose(rows, embed(copies), atol=1e-4)


@pytest.mark.usefixtures("as_many_stages_as_can_be")
def test_whoever_stops_in_the_midst_of_an_image_is_not_told_that_the_model_fails() -> None:
    embed = whole(*built(mobile))

    def stop(_: int) -> None:
        raise BrokenPipeError("nobody reads the progress")

    with pytest.raises(BrokenPipeError):
        embed.occluded(image(), COARSE, advance=stop)


def walked(net: Net) -> list[str]:
    model = onnx.shape_inference.infer_shapes(net.model())
    io = ModelIO("image", net.last, "nchw", 0, DIMENSION)
    kinds = {node.output[0]: node.op_type for node in net.nodes}
    return [kinds.get(cut.tensor, "input") for cut in local_prefix(model, io).cuts]


def test_cuts_lie_where_one_tensor_holds_all_and_values_have_settled() -> None:
    # In: after each activation; never between a residual block's ends; Flatten ends it.
    assert walked(mobile()) == ["input", "PRelu", "Relu", "Conv", "Add", "Relu"]


def test_an_operator_that_looks_at_everything_ends_the_local_part() -> None:
    net = Net()
    x = net.conv("image", 3, 4, strides=[8, 8])
    everywhere = net.add("GlobalAveragePool", x)
    net.add("Relu", net.add("Mul", x, everywhere))
    assert walked(net) == ["input", "Conv"]


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1}),
        ("MaxPool", {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ("Softmax", {"axis": 3}),
        ("Transpose", {"perm": [0, 1, 3, 2]}),
    ],
)
def test_what_depends_on_the_size_of_its_input_is_not_local(
    kind: str, options: dict[str, Any]
) -> None:
    net = Net()
    net.add(kind, net.conv("image", 3, 4, strides=[2, 2]), **options)
    assert walked(net) == ["input", "Conv"]


def test_branches_of_unlike_lengths_are_not_local() -> None:
    # Of 56 columns both give 28, of a window of 9 one gives 5 and the other 4.
    net = Net()
    x = net.conv("image", 3, 4, strides=[2, 2])
    short = net.add("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    net.add("Add", net.conv(x, 4, 4, strides=[2, 2]), short)
    assert walked(net) == ["input", "Conv"]


def test_a_constant_that_differs_from_place_to_place_is_not_local() -> None:
    net = Net()
    x = net.conv("image", 3, 4, strides=[2, 2])
    net.add("Add", x, net.constant(np.arange(56)))  # along the columns
    assert walked(net) == ["input", "Conv"]


def test_a_model_that_begins_with_all_pixels_has_no_local_part() -> None:
    with pytest.raises(GraphError, match="does not begin with operators"):
        walked(Net())


def test_a_row_of_copies_is_that_of_all_copies() -> None:
    spec = OcclusionSpec(patch_sizes=(20, 41), stride=30, blur=7)
    copies = np.concatenate(list(occluded_batches(image(), spec, batch=64)))
    rows = [
        copy
        for p in spec.patch_sizes
        for row in range(len(spec.positions(p)))
        for copy in occluded_row(image(), spec, p, row)
    ]
    assert np.array_equal(np.array(rows), copies)
