"""Occlusion inside a model's graph: one image and the places of a batch in, embeddings out.

Nodes in front of the model draw what ``compute.occlusion`` draws and feed it as ``OnnxEmbedder``
feeds it, the same to the bit. An image is normalised once for all its copies, and what travels to
the model's device is 37 KB and three numbers per copy instead of 150 KB per copy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from compute.errors import GraphError
from compute.occlusion import IMAGE_SHAPE, IMAGE_SIZE, OcclusionSpec, fill_image, mask_template

if TYPE_CHECKING:
    from compute.embedding import ModelIO, Preprocessing

OLDEST_OPSET: Final = 9
"""The first with Where; all else that is needed here is older, or made of older nodes."""
_ROUND_OPSET: Final = 11
# Added to a float64 below 2^51 and taken away again it leaves the nearest whole number, half to
# even: there are no bits left for a fraction.
_ROUNDING: Final = np.float64(1.5 * 2**52)
_LARGEST: Final = 2**31 - 1  # bytes of a protobuf message


@dataclass(frozen=True)
class OccludingGraph:
    """A model with its occlusions in front.

    Attributes
    ----------
    data
        The ONNX file.
    image
        Name of the input for the image, (112, 112, 3) uint8 RGB.
    places
        Name of the input for what is hidden in each copy, (batch, 3) int32: rows of ``occlusions``.
    batch
        Copies per run, constant.
    batches
        All occlusions of the spec, one array per run; the last one repeats the last occlusion.
    """

    data: bytes
    image: str
    places: str
    batch: int
    batches: tuple[NDArray[np.int32], ...]


def occlusions(spec: OcclusionSpec) -> NDArray[np.int32]:
    """Return where each occlusion lies: (K, 3) int32, its y, its x, and which patch size it has.

    In the order of the deviations; the size is an index into ``spec.patch_sizes``.
    """
    rows = [
        (y, x, size)
        for size, p in enumerate(spec.patch_sizes)
        for y in spec.positions(p)
        for x in spec.positions(p)
    ]
    return np.array(rows, dtype=np.int32)


def even_batch(count: int, near: int) -> int:
    """Return the batch near ``near`` that embeds ``count`` images with the fewest to spare.

    From three quarters to three halves of it a model is as fast per image; a last batch that is
    nearly empty costs as much as a full one. 1058 at 16 gives 23, 46 times.
    """
    sizes = range(max(1, near * 3 // 4), near * 3 // 2 + 1)
    if count < sizes.stop:
        return count
    return min(sizes, key=lambda size: (-(-count // size) * size, abs(size - near)))


def occluding_graph(
    model: ModelProto, preprocessing: Preprocessing, io: ModelIO, spec: OcclusionSpec, *, batch: int
) -> OccludingGraph:
    """Put the occlusions of ``spec`` in front of a model, at the model's own opset.

    Parameters
    ----------
    model
        Whole, without weights in other files; not modified.
    preprocessing, io
        How it is fed, as for ``OnnxEmbedder``.
    batch
        Copies per run.

    Raises
    ------
    GraphError
        Where that cannot be done; the message is the reason. The model itself may be sound.
    """
    opset = next((each.version for each in model.opset_import if each.domain in _ONNX), 0)
    if opset < OLDEST_OPSET:
        raise GraphError(f"the model is of opset {opset}, expected {OLDEST_OPSET} or later")
    if io.input not in {value.name for value in model.graph.input}:
        raise GraphError(f"the model has no input {io.input!r}")
    whole = ModelProto()
    whole.CopyFrom(model)
    graph = whole.graph
    nodes = _Nodes(_free_prefix(model))
    _Front(nodes, preprocessing, io, spec, batch=batch, opset=opset).build()
    nodes.nodes.extend(graph.node)
    del graph.node[:]
    graph.node.extend(nodes.nodes)
    others = [value for value in graph.input if value.name != io.input]
    held = [tensor for tensor in graph.initializer if tensor.name != io.input]
    outputs = [value for value in graph.output if value.name == io.output]
    for field in (graph.input, graph.initializer, graph.output):
        del field[:]
    image, placed = nodes.named("image"), nodes.named("places")
    graph.input.append(helper.make_tensor_value_info(image, TensorProto.UINT8, IMAGE_SHAPE))
    graph.input.append(helper.make_tensor_value_info(placed, TensorProto.INT32, (batch, 3)))
    graph.input.extend(others)
    graph.initializer.extend(held)
    graph.output.extend(outputs)
    if whole.ByteSize() > _LARGEST:
        raise GraphError("the model fills the 2 GiB that an ONNX file may have")
    data = whole.SerializeToString(deterministic=True)
    return OccludingGraph(data, image, placed, batch, _batches(spec, batch))


_ONNX: Final = ("", "ai.onnx")


def _batches(spec: OcclusionSpec, batch: int) -> tuple[NDArray[np.int32], ...]:
    rows = occlusions(spec)
    padded = np.pad(rows, ((0, -len(rows) % batch), (0, 0)), mode="edge")
    return tuple(padded.reshape(-1, batch, 3))


def _free_prefix(model: ModelProto) -> str:
    """Return a prefix that no name of the model begins with, in whatever inner graph it is."""
    data = model.SerializeToString()
    prefix = "occlusion/"
    while prefix.encode() in data:
        prefix = f"_{prefix}"
    return prefix


class _Nodes:
    """Nodes of a graph in the making; each is called by its operator and returns its output."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self._prefix = prefix

    def named(self, name: str) -> str:
        return f"{self._prefix}{name}"

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        # A node, not an initializer: those must be listed as inputs too before IR version 4.
        return self("Constant", value=numpy_helper.from_array(np.ascontiguousarray(value)))

    def __call__(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        made = output or self.named(f"{operator}_{len(self.nodes)}")
        self.nodes.append(helper.make_node(operator, inputs, [made], name=made, **attributes))
        return made


class _Front:
    """What is put in front of one model: pixels and places to the model's input."""

    def __init__(
        self,
        nodes: _Nodes,
        preprocessing: Preprocessing,
        io: ModelIO,
        spec: OcclusionSpec,
        *,
        batch: int,
        opset: int,
    ) -> None:
        self._add = nodes
        self._preprocessing = preprocessing
        self._io = io
        self._spec = spec
        self._batch = batch
        self._opset = opset
        planar = io.layout == "nchw"
        self._channels = (1, 3, 1, 1) if planar else (1, 1, 1, 3)
        self._rows = (1, 1, IMAGE_SIZE, 1) if planar else (1, IMAGE_SIZE, 1, 1)
        self._columns = (1, 1, 1, IMAGE_SIZE) if planar else (1, 1, IMAGE_SIZE, 1)

    def build(self) -> None:
        """Add all nodes; the last one gives the model's input."""
        add = self._add
        image = self._image()
        fed = self._blended(image) if self._spec.blur else self._replaced(image)
        half = self._io.precision == "float16"
        kind = TensorProto.FLOAT16 if half else TensorProto.FLOAT
        add("Cast", fed, to=kind, output=self._io.input)

    def _image(self) -> str:
        """Return the image in the model's layout and colour order, still uint8."""
        add = self._add
        image = add.named("image")
        if self._preprocessing.color == "bgr":
            image = add("Gather", image, add.constant(np.array([2, 1, 0])), axis=2)
        image = add("Reshape", image, add.constant(np.array((1, *IMAGE_SHAPE))))
        return add("Transpose", image, perm=[0, 3, 1, 2]) if self._io.layout == "nchw" else image

    def _fill(self) -> NDArray[np.uint8]:
        """Return what shows through a patch, as ``_image``; one pixel where all are alike."""
        fill = fill_image(self._spec)[None]
        if self._preprocessing.color == "bgr":
            fill = fill[..., ::-1]
        if self._spec.fill != "noise":
            fill = fill[:, :1, :1]
        return fill.transpose(0, 3, 1, 2) if self._io.layout == "nchw" else fill

    def _replaced(self, image: str) -> str:
        """Choose between image and fill where edges are hard, both normalised before."""
        add = self._add
        pixels = self._normalised(add("Cast", image, to=TensorProto.FLOAT))
        fill = self._normalised(add.constant(self._fill().astype(np.float32)))
        hidden = self._in_circle() if self._spec.shape == "circle" else self._in_square()
        return add("Where", hidden, fill, pixels)

    def _blended(self, image: str) -> str:
        """Blend image and fill by the soft mask M, I (1 - M) + fill M, rounded half to even.

        In float64, as NumPy does it: float32 would round some pixels to the other side.
        """
        add = self._add
        mask = self._soft_mask()
        kept = add("Sub", add.constant(np.float64(1)), mask)
        blend = add("Mul", add("Cast", image, to=TensorProto.DOUBLE), kept)
        if self._spec.fill != "black":
            fill = self._fill().astype(np.float64)
            # Where all pixels are alike one number stands for them: a third of the products.
            fill = fill if self._spec.fill == "noise" else fill.flat[:1]
            blend = add("Add", blend, add("Mul", add.constant(fill), mask))
        if self._opset >= _ROUND_OPSET:
            whole = add("Round", blend)
        else:
            large = add.constant(_ROUNDING)
            whole = add("Sub", add("Add", blend, large), large)
        return self._normalised(add("Cast", whole, to=TensorProto.FLOAT))

    def _normalised(self, pixels: str) -> str:
        add = self._add
        mean, std = (
            add.constant(np.array(values, dtype=np.float32).reshape(self._channels))
            for values in (self._preprocessing.mean, self._preprocessing.std)
        )
        return add("Div", add("Sub", pixels, mean), std)

    def _distances(self) -> tuple[str, str]:
        """Return how far each row and each column lies behind the first one of the patch."""
        add = self._add
        wanted = add("Cast", add.named("places"), to=TensorProto.FLOAT)
        distances = []
        for axis, shape in enumerate((self._rows, self._columns)):
            first = self._per_copy(add("Gather", wanted, add.constant(np.array([axis])), axis=1))
            along = add.constant(np.arange(IMAGE_SIZE, dtype=np.float32).reshape(shape))
            distances.append(add("Sub", along, first))
        return distances[0], distances[1]

    def _of_size(self, values: list[float]) -> str:
        """Return for each copy what belongs to its patch size."""
        add = self._add
        size = add("Gather", add.named("places"), add.constant(np.array([2])), axis=1)
        return self._per_copy(add("Gather", add.constant(np.array(values, np.float32)), size))

    def _per_copy(self, values: str) -> str:
        shape = self._add.constant(np.array((self._batch, 1, 1, 1)))
        return self._add("Reshape", values, shape)

    def _sides(self) -> list[float]:
        return [float(self._spec.drawn_size(p)) for p in self._spec.patch_sizes]

    def _in_square(self) -> str:
        add = self._add
        side, zero = self._of_size(self._sides()), add.constant(np.float32(0))
        spans = [
            add("And", add("Not", add("Less", distance, zero)), add("Less", distance, side))
            for distance in self._distances()
        ]
        return add("And", *spans)

    def _in_circle(self) -> str:
        """Compare squared distances from the centre, in half pixels, which are whole numbers."""
        add = self._add
        last = self._of_size([side - 1 for side in self._sides()])
        beyond = self._of_size([side**2 + 1 for side in self._sides()])
        squares = []
        for distance in self._distances():
            from_centre = add("Sub", add("Add", distance, distance), last)
            squares.append(add("Mul", from_centre, from_centre))
        return add("Less", add("Add", *squares), beyond)

    def _soft_mask(self) -> str:
        """Look each pixel up in the template of its patch size, which has a border of zeros.

        What lies outside the template falls on the border. Indices are float32 on the way, exact
        below 2^24, for there are no whole Max and Min before opset 12.
        """
        add = self._add
        templates: list[NDArray[np.float64]] = []
        starts, widths, reaches = [], [], []
        for p in self._spec.patch_sizes:
            template, reach = mask_template(self._spec, p)
            bordered = np.pad(template, 1)
            starts.append(float(sum(each.size for each in templates)))
            widths.append(float(len(bordered)))
            reaches.append(float(reach + 1))
            templates.append(bordered)
        start, width, border = (self._of_size(each) for each in (starts, widths, reaches))
        last = self._of_size([each - 1 for each in widths])
        zero = add.constant(np.float32(0))
        rows, columns = (
            add("Min", add("Max", add("Add", distance, border), zero), last)
            for distance in self._distances()
        )
        place = add("Add", add("Add", add("Mul", rows, width), start), columns)
        values = add.constant(np.concatenate([each.ravel() for each in templates]))
        return add("Gather", values, add("Cast", place, to=TensorProto.INT32))
