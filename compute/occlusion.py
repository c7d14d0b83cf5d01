"""Systematic occlusion (Algorithm 1, eq. 4): where patches lie, and what they do to an image.

Pure NumPy, shared by the pipeline and the site. A patch is a small *template* of mask values
pasted at every position of a regular grid; blurring only makes the template larger and softer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

IMAGE_SIZE: Final = 112
IMAGE_SHAPE: Final = (IMAGE_SIZE, IMAGE_SIZE, 3)

Shape = Literal["square", "circle"]
Fill = Literal["black", "gray", "white", "noise"]
Grid = Literal["paper", "published", "full"]

BLURS: Final = (0, 7, 14, 56)
_FILL_VALUES: Final = {"black": 0, "gray": 128, "white": 255}


@dataclass(frozen=True)
class OcclusionSpec:
    """How an image is occluded; the defaults are the paper's.

    Parameters
    ----------
    patch_sizes
        Sides p of the patches in pixels, each once, in the order of the deviations.
    stride
        Distance s between neighbouring patches in pixels.
    shape
        ``square``, or ``circle`` inscribed in the square.
    fill
        What a patch shows: ``black`` (0), ``gray`` (128), ``white`` (255) or ``noise`` (one uniform
        image drawn from ``seed``, the same for all occlusions).
    blur
        0 for a hard edge; else the 0/1 mask goes through a Gaussian with kernel ``blur | 1`` and
        sigma ``blur`` and is divided by its maximum (paper, section 4.4).
    grid
        ``paper``: floor((112 - p) / s) positions per axis. ``published``: what the authors' code
        does, ceil((112 - p) / s) positions and patches of (p + 1) x (p + 1) pixels. ``full``: the
        last patch is flush with the border, so that squares cover every pixel where s <= p.
    seed
        Seed of the noise fill.

    Raises
    ------
    ValueError
        Where an option is not one of the above.
    """

    patch_sizes: tuple[int, ...] = (7, 14, 28)
    stride: int = 5
    shape: Shape = "square"
    fill: Fill = "black"
    blur: int = 0
    grid: Grid = "paper"
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "patch_sizes", _as_tuple("patch_sizes", self.patch_sizes))
        for name in ("stride", "blur", "seed"):
            _require_int(name, getattr(self, name))
        for p in self.patch_sizes:
            _require_int("patch_sizes", p)
        if not self.patch_sizes or len(set(self.patch_sizes)) != len(self.patch_sizes):
            raise ValueError(
                f"patch_sizes={self.patch_sizes}: expected one or more different sizes."
            )
        if not 1 <= self.stride <= IMAGE_SIZE:
            raise ValueError(f"stride={self.stride}: expected 1 to {IMAGE_SIZE} pixels.")
        if self.seed < 0:
            raise ValueError(f"seed={self.seed}: expected 0 or more.")
        choices = (("shape", get_args(Shape)), ("fill", get_args(Fill)), ("grid", get_args(Grid)))
        for name, allowed in (*choices, ("blur", BLURS)):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one of {allowed}.")
        for p in self.patch_sizes:
            if not 1 <= p <= IMAGE_SIZE or not self.positions(p):
                raise ValueError(
                    f"patch size {p} with stride {self.stride} on the {self.grid!r} grid has no "
                    f"position in an image of {IMAGE_SIZE} pixels; take smaller ones."
                )

    def drawn_size(self, patch_size: int) -> int:
        """Return the side in pixels of what is drawn: p, or p + 1 on the published grid."""
        return patch_size + 1 if self.grid == "published" else patch_size

    def positions(self, patch_size: int) -> tuple[int, ...]:
        """Return the offsets of the patches along one axis, from the top or left, in pixels."""
        reach = IMAGE_SIZE - patch_size
        if self.grid == "paper":
            return tuple(range(0, reach // self.stride * self.stride, self.stride))
        starts = tuple(range(0, reach, self.stride))
        return (*starts, reach) if self.grid == "full" else starts

    @property
    def counts(self) -> tuple[int, ...]:
        """N of each patch size: the number of its occlusions."""
        return tuple(len(self.positions(p)) ** 2 for p in self.patch_sizes)

    @property
    def count(self) -> int:
        """K: the number of occlusions of one image, all patch sizes together."""
        return sum(self.counts)

    def slices(self) -> dict[int, slice]:
        """Return where each patch size lies in the K deviations."""
        ends = np.cumsum(self.counts).tolist()
        return {
            p: slice(end - n, end)
            for p, n, end in zip(self.patch_sizes, self.counts, ends, strict=True)
        }

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as JSON and TOML take them."""
        return {**asdict(self), "patch_sizes": list(self.patch_sizes)}

    @classmethod
    def from_dict(cls, options: Mapping[str, Any]) -> OcclusionSpec:
        """Build a spec from named options; an unknown one raises ``ValueError`` and is named."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(options) - known)
        if unknown:
            raise ValueError(f"unknown option {unknown[0]!r}: expected some of {sorted(known)}.")
        return cls(**options)


def _as_tuple(name: str, value: Any) -> tuple[Any, ...]:
    try:
        return tuple(value)
    except TypeError as error:
        raise ValueError(f"{name}={value!r}: expected a list of whole numbers.") from error


def _require_int(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name}={value!r}: expected a whole number.")  # noqa: TRY004  one error type


def gaussian_kernel(size: int, sigma: float) -> NDArray[np.float64]:
    """Return a centred Gaussian, (size,) float64, of sum 1."""
    x = np.arange(size) - (size - 1) / 2
    weights = np.exp(-(x**2) / (2 * sigma**2))
    kernel: NDArray[np.float64] = weights / weights.sum()
    return kernel


@lru_cache(maxsize=64)
def mask_template(spec: OcclusionSpec, patch_size: int) -> tuple[NDArray[np.float64], int]:
    """Return the mask of one patch and how far it reaches beyond the patch.

    Returns
    -------
    template
        (q + 2r, q + 2r) float64 in [0, 1], where q is the drawn size; read-only.
    reach
        r, in pixels: 0 without blur. At offset (y, x) the template covers rows from y - r on.
    """
    q = spec.drawn_size(patch_size)
    if spec.shape == "circle":
        squared = (np.arange(q) - (q - 1) / 2) ** 2
        hard = (squared[:, None] + squared[None, :] <= (q / 2) ** 2).astype(np.float64)
    else:
        hard = np.ones((q, q))
    reach = 0
    template = hard
    if spec.blur:
        kernel = gaussian_kernel(spec.blur | 1, spec.blur)
        reach = len(kernel) // 2
        # A full convolution: patches lie inside the image, so "zero outside" is a mere crop.
        along = np.apply_along_axis(np.convolve, 0, hard, kernel)
        soft = np.apply_along_axis(np.convolve, 1, along, kernel)
        template = soft / soft.max()
    template.setflags(write=False)
    return template, reach


@dataclass(frozen=True)
class _Window:
    """Where a template meets the image: rows and columns of both."""

    image: tuple[slice, slice]
    template: tuple[slice, slice]


def _span(offset: int, reach: int, length: int) -> tuple[slice, slice]:
    start, stop = offset - reach, offset - reach + length
    inside = slice(max(start, 0), min(stop, IMAGE_SIZE))
    return inside, slice(inside.start - start, inside.stop - start)


def _windows(spec: OcclusionSpec, patch_size: int) -> Iterator[_Window]:
    template, reach = mask_template(spec, patch_size)
    spans = [_span(offset, reach, len(template)) for offset in spec.positions(patch_size)]
    for rows, template_rows in spans:
        for columns, template_columns in spans:
            yield _Window((rows, columns), (template_rows, template_columns))


def masks(spec: OcclusionSpec, patch_size: int) -> NDArray[np.float64]:
    """Return all masks of one patch size, (N, 112, 112) float64 in [0, 1], by y, then x."""
    template, _ = mask_template(spec, patch_size)
    windows = list(_windows(spec, patch_size))
    result = np.zeros((len(windows), IMAGE_SIZE, IMAGE_SIZE))
    for mask, window in zip(result, windows, strict=True):
        mask[window.image] = template[window.template]
    return result


def fill_image(spec: OcclusionSpec) -> NDArray[np.uint8]:
    """Return what shows through a patch, (112, 112, 3) uint8."""
    if spec.fill == "noise":
        return np.random.default_rng(spec.seed).integers(0, 256, IMAGE_SHAPE, dtype=np.uint8)
    return np.full(IMAGE_SHAPE, _FILL_VALUES[spec.fill], dtype=np.uint8)


def occluded_batches(
    image: NDArray[np.uint8], spec: OcclusionSpec, *, batch: int
) -> Iterator[NDArray[np.uint8]]:
    """Yield the occluded copies of an image (eq. 4) in order: patch size, then y, then x.

    Parameters
    ----------
    image
        (112, 112, 3) uint8 RGB; never modified.
    spec
        What to occlude with.
    batch
        How many copies to yield at a time; the last batch may be shorter.

    Yields
    ------
    (n, 112, 112, 3) uint8 RGB, n <= ``batch``; each batch is an array of its own. A soft mask M
    gives I (1 - M) + fill M, rounded half to even.
    """
    fill = fill_image(spec)
    patches = ((p, window) for p in spec.patch_sizes for window in _windows(spec, p))
    for start in range(0, spec.count, batch):
        copies = np.repeat(image[None], min(batch, spec.count - start), axis=0)
        for copy, (p, window) in zip(copies, patches, strict=False):
            _hide(copy, fill, spec, p, window)
        yield copies


def occluded_row(
    image: NDArray[np.uint8], spec: OcclusionSpec, patch_size: int, row: int
) -> NDArray[np.uint8]:
    """Return the copies of one row of the grid of a patch size, (n, 112, 112, 3) uint8 RGB."""
    columns = len(spec.positions(patch_size))
    windows = islice(_windows(spec, patch_size), row * columns, (row + 1) * columns)
    copies = np.repeat(image[None], columns, axis=0)
    fill = fill_image(spec)
    for copy, window in zip(copies, windows, strict=True):
        _hide(copy, fill, spec, patch_size, window)
    return copies


def _hide(
    copy: NDArray[np.uint8],
    fill: NDArray[np.uint8],
    spec: OcclusionSpec,
    patch_size: int,
    window: _Window,
) -> None:
    template, _ = mask_template(spec, patch_size)
    alpha = template[window.template][..., None]
    if spec.blur:
        blend = copy[window.image] * (1 - alpha) + fill[window.image] * alpha
        copy[window.image] = np.rint(blend).astype(np.uint8)
    else:
        np.copyto(copy[window.image], fill[window.image], where=alpha > 0)
