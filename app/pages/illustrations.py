"""Figures of the method, drawn by the functions that compute: grids, masks, patches, deviations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from app.charts import Plot, make_plot
from compute.blending import PIYG
from compute.occlusion import (
    BLURS,
    Grid,
    OcclusionSpec,
    mask_template,
    occluded_batches,
)

PATCH: Final = 28
"""Size of the patch that is shown: large enough to be seen."""
PATCHES: Final = {
    "black": OcclusionSpec(patch_sizes=(PATCH,)),
    "gray": OcclusionSpec(patch_sizes=(PATCH,), fill="gray"),
    "white": OcclusionSpec(patch_sizes=(PATCH,), fill="white"),
    "noise": OcclusionSpec(patch_sizes=(PATCH,), fill="noise"),
    "circle": OcclusionSpec(patch_sizes=(PATCH,), shape="circle"),
    "blur-7": OcclusionSpec(patch_sizes=(PATCH,), blur=7),
    "blur-14": OcclusionSpec(patch_sizes=(PATCH,), blur=14),
    "blur-56": OcclusionSpec(patch_sizes=(PATCH,), blur=56),
}
"""What a patch can be, by the name of its picture."""


@dataclass(frozen=True)
class GridDrawing:
    """Where the patches of one grid lie, in pixels of the image.

    Attributes
    ----------
    name
        ``paper``, ``published`` or ``full``.
    counts
        (patch size, positions per axis) of every size.
    total
        Occlusions of one image.
    centres
        SVG path: a dot at the centre of every patch of the size shown.
    drawn
        Side of what is drawn at a position: p, or p + 1.
    last
        Offset of the last patch.
    covered
        Where the covered part ends, along both axes.
    """

    name: str
    counts: tuple[tuple[int, int], ...]
    total: int
    centres: str
    drawn: int
    last: int
    covered: int


def draw_grids() -> tuple[GridDrawing, ...]:
    """Return the three grids, each with the patches of `PATCH` pixels."""
    return tuple(_grid(OcclusionSpec(grid=name)) for name in get_args(Grid))


def _grid(spec: OcclusionSpec) -> GridDrawing:
    places, drawn = spec.positions(PATCH), spec.drawn_size(PATCH)
    dots = (f"M{x + drawn / 2:g},{y + drawn / 2:g}h0" for y in places for x in places)
    return GridDrawing(
        name=spec.grid,
        counts=tuple((p, len(spec.positions(p))) for p in spec.patch_sizes),
        total=spec.count,
        centres="".join(dots),
        drawn=drawn,
        last=places[-1],
        covered=places[-1] + drawn,
    )


@dataclass(frozen=True)
class MaskProfile:
    """A mask along the row through its centre, for one blur."""

    blur: int
    path: str


def draw_profiles() -> tuple[Plot, tuple[MaskProfile, ...]]:
    """Return a plot of mask values over pixels from the centre, and a line per blur."""
    plot = make_plot(
        (-56, 56, "pixels from the centre of the patch"), (0, 1, "mask M"), width=440, height=200
    )
    profiles = []
    for blur in BLURS:
        template, _ = mask_template(OcclusionSpec(patch_sizes=(PATCH,), blur=blur), PATCH)
        row = np.concatenate(([0.0], template[len(template) // 2], [0.0]))
        edges = np.arange(len(row)) - (len(row) - 1) / 2
        xs = np.repeat(edges, 2) + np.tile([-0.5, 0.5], len(row))  # a pixel has a width
        profiles.append(MaskProfile(blur, plot.path(xs, np.repeat(row, 2))))
    return plot, tuple(profiles)


def occlude_once(face: NDArray[np.uint8], spec: OcclusionSpec) -> NDArray[np.uint8]:
    """Return a face under the patch nearest to its centre, by the pipeline's own code.

    Parameters
    ----------
    face
        (112, 112, 3) uint8 RGB.
    spec
        Of one patch size.
    """
    places = spec.positions(spec.patch_sizes[0])
    middle = len(places) // 2
    copies = occluded_batches(face, spec, batch=1)
    (copy,) = islice(copies, middle * len(places) + middle, middle * len(places) + middle + 1)
    shown: NDArray[np.uint8] = copy[0]
    return shown


@dataclass(frozen=True)
class Cell:
    """One occlusion of a patch size: row and column of its position, and its colour."""

    x: int
    y: int
    colour: str
    deviation: float


@dataclass(frozen=True)
class DeviationGrid:
    """The deviations of one patch size at their positions, as they are before any mask."""

    patch_size: int
    side: int
    largest: float
    cells: tuple[Cell, ...]


def draw_deviations(deviations: Sequence[float], spec: OcclusionSpec) -> tuple[DeviationGrid, ...]:
    """Colour the deviations of every patch size, each on its own scale.

    Parameters
    ----------
    deviations
        (K,) in units of distance, sizes in spec order, then y, then x.
    """
    grids = []
    for p, place in spec.slices().items():
        values = np.asarray(deviations, dtype=np.float64)[place]
        side = len(spec.positions(p))
        largest = float(np.abs(values).max(initial=0.0))
        shares = values / largest if largest else values
        index = np.clip(np.floor((shares + 1) / 2 * 256), 0, 255).astype(int)
        colours = np.rint(PIYG[index] * 255).astype(int)
        grids.append(
            DeviationGrid(
                p,
                side,
                largest,
                tuple(
                    Cell(i % side, i // side, "#{:02x}{:02x}{:02x}".format(*rgb), float(value))
                    for i, (rgb, value) in enumerate(zip(colours.tolist(), values, strict=True))
                ),
            )
        )
    return tuple(grids)
