"""Occlusion by windows: in which stages a graph is run so that only what a patch reaches is.

A *stage* is a part of the graph from one cut (``graphs.local``) to a later one, left as it is. It
is given a window of its input large enough for the outputs that a patch may change, and of what it
answers only those are kept. At the borders of the image the window ends with the image, so that
the padding of every operator in the stage stands where it belongs; on the other sides the padding
spoils nothing but outputs that are not kept. Between stages a window grows into the activations of
the image as it is, which are the same for all its occlusions. Long stages waste work on wide
windows, short ones on moving data; ``plan`` weighs that for each patch size.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper
from onnx.utils import Extractor

from compute.errors import GraphError
from compute.graphs.local import Cut, Fields, LocalPrefix
from compute.graphs.receptive import EMPTY, Span
from compute.occlusion import OcclusionSpec, mask_template

_MOVED: Final = 50
"""Multiply-adds in the time of moving one element between stages; measured on x86, AVX-512."""
_CALLED: Final = 200_000
"""Multiply-adds in the time that one call of a stage takes besides, per occlusion."""

Box = tuple[slice, slice]


@dataclass(frozen=True)
class Boxes:
    """A rectangle for each occlusion of a patch size: the product of a row and a column."""

    rows: tuple[Span, ...]
    columns: tuple[Span, ...]

    def __getitem__(self, place: tuple[int, int]) -> Box:
        """Return the rectangle of the patch in a row and a column of the grid."""
        rows, columns = self.rows[place[0]], self.columns[place[1]]
        if EMPTY in (rows, columns):
            return slice(0, 0), slice(0, 0)
        return slice(*rows), slice(*columns)

    @property
    def area(self) -> float:
        """The mean number of elements of a rectangle."""
        return _mean_length(self.rows) * _mean_length(self.columns)


@dataclass(frozen=True)
class Stage:
    """A part of the graph and, for each occlusion, its window.

    Attributes
    ----------
    start, end
        Indices of the cuts before and behind it.
    window
        What it is given of its input.
    kept
        What is kept of its output: all that may have changed.
    step
        Inputs per output, along rows and columns: its answer begins at ``window`` / ``step``.
    """

    start: int
    end: int
    window: Boxes
    kept: Boxes
    step: tuple[int, int]


@dataclass(frozen=True)
class PatchPlan:
    """How all occlusions of one patch size are embedded.

    Attributes
    ----------
    touched
        Which pixels of the view a patch changes.
    stages
        One after the other; what follows the last is run whole.
    cost
        Estimated multiply-adds of an occlusion, with what moving data takes.
    """

    patch_size: int
    touched: Boxes
    stages: tuple[Stage, ...]
    cost: float

    @property
    def end(self) -> int:
        """Index of the cut behind the last stage."""
        return self.stages[-1].end if self.stages else 0


def plan(prefix: LocalPrefix, spec: OcclusionSpec) -> tuple[PatchPlan, ...]:
    """Choose the cheapest stages for each patch size of a spec.

    All end at one cut: what follows it holds most weights, and is held once.
    """
    ways = [_Ways(prefix, spec, p) for p in spec.patch_sizes]

    def cost(end: int) -> float:
        return sum(count * each.costs[end] for count, each in zip(spec.counts, ways, strict=True))

    end = min(range(len(prefix.cuts)), key=cost)
    return tuple(each.plan(end) for each in ways)


def gain(prefix: LocalPrefix, spec: OcclusionSpec, plans: Sequence[PatchPlan]) -> float:
    """Return the estimated cost of running the whole graph by that of running it in stages."""
    whole = prefix.rest + sum(cut.cost for cut in prefix.cuts)
    staged = sum(count * each.cost for count, each in zip(spec.counts, plans, strict=True))
    return whole * spec.count / staged


class _Ways:
    """The cheapest way to each cut for one patch size.

    Attributes
    ----------
    costs
        Of an occlusion whose windows end at each cut.
    """

    def __init__(self, prefix: LocalPrefix, spec: OcclusionSpec, patch_size: int) -> None:
        cuts = prefix.cuts
        self._patch_size = patch_size
        self._changed = [_touched(prefix, spec, patch_size)]
        for cut in cuts[1:]:
            self._changed.append(_reached(self._changed[-1], cut))
        cheapest: list[float] = [0.0]
        self._stages: list[Stage | None] = [None]
        for end in range(1, len(cuts)):
            ways = [(cheapest[s.start] + cost, s) for s, cost in self._to(end, cuts)]
            best, stage = min(ways, key=lambda way: way[0])
            cheapest.append(best)
            self._stages.append(stage)
        self.costs = [
            cheapest[k]
            + sum(cut.cost for cut in cuts[k + 1 :])
            + prefix.rest
            + cuts[k].channels * cuts[k].sides[0] * cuts[k].sides[1] * _MOVED
            for k in range(len(cuts))
        ]

    def _to(self, end: int, cuts: Sequence[Cut]) -> Iterator[tuple[Stage, float]]:
        """Yield a stage to a cut from each one before it, and what it costs."""
        fields, whole = cuts[end].fields, cuts[end].cost
        for start in range(end - 1, -1, -1):
            first = cuts[start]
            stage = _stage(cuts, start, end, fields, self._changed[end])
            share = stage.window.area / (first.sides[0] * first.sides[1])
            moved = stage.window.area * first.channels + stage.kept.area * cuts[end].channels
            yield stage, share * whole + moved * _MOVED + _CALLED
            fields = fields[0].after(first.fields[0]), fields[1].after(first.fields[1])
            whole += first.cost

    def plan(self, end: int) -> PatchPlan:
        """Return the way to a cut."""
        path: list[Stage] = []
        last = end
        while (stage := self._stages[last]) is not None:
            path.append(stage)
            last = stage.start
        return PatchPlan(self._patch_size, self._changed[0], tuple(path[::-1]), self.costs[end])


def _reached(changed: Boxes, cut: Cut) -> Boxes:
    rows, columns = cut.fields
    return Boxes(
        tuple(rows.reached(span, cut.sides[0]) for span in changed.rows),
        tuple(columns.reached(span, cut.sides[1]) for span in changed.columns),
    )


def _touched(prefix: LocalPrefix, spec: OcclusionSpec, patch_size: int) -> Boxes:
    template, reach = mask_template(spec, patch_size)
    starts = [offset - reach for offset in spec.positions(patch_size)]
    rows, columns = (
        tuple(_seen((start, start + len(template)), view) for start in starts)
        for view in prefix.view
    )
    return Boxes(rows, columns)


def _seen(span: Span, view: Span) -> Span:
    first, stop = max(span[0], view[0]) - view[0], min(span[1], view[1]) - view[0]
    return (first, stop) if first < stop else EMPTY


def _stage(cuts: Sequence[Cut], start: int, end: int, fields: Fields, kept: Boxes) -> Stage:
    rows, columns = fields
    height, width = cuts[start].sides
    window = Boxes(
        tuple(rows.window(span, height) for span in kept.rows),
        tuple(columns.window(span, width) for span in kept.columns),
    )
    return Stage(start, end, window, kept, (rows.step, columns.step))


def _mean_length(spans: Sequence[Span]) -> float:
    return sum(stop - start for start, stop in spans) / len(spans)


WINDOW: Final = "windowed/given"
"""The input of every part: (n, height, width, channels) float32."""


def part(model: ModelProto, start: Cut, ends: Sequence[Cut]) -> bytes:
    """Return the part of a graph from one cut to others, as a model for windows of any size.

    Windows go in, and activations come out, as (n, height, width, channels), in the order of
    ``ends``: rows of a window are then contiguous, and ONNX Runtime on a CPU brings this order and
    its own (blocks of channels) into each other at the least cost.

    Parameters
    ----------
    model
        With inferred shapes; not modified.
    """
    names = [end.tensor for end in ends]
    nodes = _between(model, start.tensor, names)
    last = nodes[-1]
    if len(ends) == 1 and last.op_type == "Add" and list(last.input).count(start.tensor) == 1:
        # A residual block adds what it was given: nothing is turned twice for that.
        (other,) = (each for each in last.input if each != start.tensor)
        added = helper.make_node("Add", [WINDOW, f"{WINDOW}/other"], ["windowed/0"])
        nodes = [*nodes[:-1], _turned(other, f"{WINDOW}/other"), added]
    else:
        nodes += [_turned(name, f"windowed/{k}") for k, name in enumerate(names)]
    answers = [
        helper.make_tensor_value_info(f"windowed/{k}", TensorProto.FLOAT, None)
        for k in range(len(ends))
    ]
    return _model(model, start, nodes, answers)


def tail(model: ModelProto, start: Cut, end: str) -> bytes:
    """Return what follows a cut, as a model from (n, height, width, channels) to embeddings."""
    answers = [value for value in model.graph.output if value.name == end]
    return _model(model, start, _between(model, start.tensor, [end]), answers)


def _between(model: ModelProto, start: str, ends: Sequence[str]) -> list[NodeProto]:
    back = helper.make_node("Transpose", [WINDOW], [start], perm=(0, 3, 1, 2))
    try:
        return [back, *Extractor(model).extract_model([start], list(ends)).graph.node]
    except (KeyError, ValueError) as error:
        raise GraphError(f"the model cannot be cut at {start!r} ({error})") from error


def _turned(tensor: str, name: str) -> NodeProto:
    return helper.make_node("Transpose", [tensor], [name], perm=(0, 2, 3, 1))


def _model(
    model: ModelProto, start: Cut, nodes: list[NodeProto], answers: list[ValueInfoProto]
) -> bytes:
    sides = ("n", "height", "width", start.channels)
    window = helper.make_tensor_value_info(WINDOW, TensorProto.FLOAT, sides)
    used = {name for node in nodes for name in node.input}
    held = [tensor for tensor in model.graph.initializer if tensor.name in used]
    graph = helper.make_graph(nodes, "part", [window], answers, held)
    whole = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    data: bytes = whole.SerializeToString(deterministic=True)
    return data
