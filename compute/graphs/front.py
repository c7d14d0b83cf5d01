"""The nodes in front of a model that occlude an image and feed the model with its copies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from compute.occlusion import IMAGE_SHAPE, IMAGE_SIZE, OcclusionSpec, fill_image, mask_template

if TYPE_CHECKING:
    from compute.embedding import ModelIO, Preprocessing

OLDEST_OPSET: Final = 9
"""The first with Where; all else that is needed here is older, or made of older nodes."""
_ROUND_OPSET: Final = 11
# Added to a float64 below 2^51 and taken away again it leaves the nearest whole number, half to
# even: there are no bits left for a fraction.
_ROUNDING: Final = np.float64(1.5 * 2**52)


class Nodes:
    """Nodes of a graph in the making: called with an operator and its inputs, gives its output."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[NodeProto] = []
        self._prefix = prefix

    def named(self, name: str) -> str:
        """Return a name that the model does not have."""
        return f"{self._prefix}{name}"

    def constant(self, value: NDArray[Any] | np.generic) -> str:
        """Add a constant; return its name."""
        # A node, not an initializer: those must be listed as inputs too before IR version 4.
        return self("Constant", value=numpy_helper.from_array(np.ascontiguousarray(value)))

    def __call__(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; return the name of its output."""
        name = self.named(f"{operator}_{len(self.nodes)}")
        made = output or name
        self.nodes.append(helper.make_node(operator, inputs, [made], name=name, **attributes))
        return made


class Front:
    """What is put in front of one model: image and places in, the model's input out.

    Parameters
    ----------
    nodes
        Where nodes are added; its names ``image`` and ``places`` are the inputs.
    opset
        The model's own, ``OLDEST_OPSET`` or later.
    """

    def __init__(
        self,
        nodes: Nodes,
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
