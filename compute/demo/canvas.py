"""A small antialiased painter: posed curves, strokes and soft spots on a supersampled canvas.

Points are given in pixels of the 112 x 112 crop, of a head seen from the front; `View` turns the
head and aligns it again as a face aligner would, `Canvas` fills what the view has placed.
"""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.demo.identity import Nuisance

SIDE = 112  # of the crop
SUPERSAMPLING = 2  # on top of the antialiasing of the polygons themselves
CENTRE = np.array([56.0, 60.0])  # of the head
RADII = np.array([42.0, 58.0])
DEPTH = 40.0
MIDLINE = np.array([56.0, 0.0])  # adds the x of the middle to coordinates relative to it
# The ArcFace template made symmetric: eyes, tip of the nose, corners of the mouth.
LANDMARKS = np.array([[38.4, 51.6], [73.6, 51.6], [56.0, 71.7], [41.4, 92.3], [70.6, 92.3]])
_SUBPIXEL_BITS = 4

Points = NDArray[np.float64]
Layer = NDArray[np.float32]
Colour = NDArray[np.float32]


def rgb(red: float, green: float, blue: float) -> Colour:
    """Make a colour: float32 (3,), each channel in 0..255."""
    return np.array([red, green, blue], dtype=np.float32)


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Go from `first` (share 0) to `second` (share 1)."""
    return cast(Colour, (first + (second - first) * np.float32(share)).astype(np.float32))


def palette(stops: NDArray[np.float32], position: float) -> Colour:
    """Interpolate in a row of colours.

    Parameters
    ----------
    stops : ndarray of float32, shape (n, 3)
        Colours, evenly spaced.
    position : float
        In [-1, 1], from the first to the last.

    Returns
    -------
    ndarray of float32, shape (3,)
    """
    place = (float(np.clip(position, -1.0, 1.0)) + 1.0) / 2.0 * (len(stops) - 1)
    index = min(int(place), len(stops) - 2)
    return mix(stops[index], stops[index + 1], place - index)


def spline(points: Points, *, closed: bool, samples: int = 6) -> Points:
    """Run a Catmull-Rom curve through points.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 2)
        Points of the curve.
    closed : bool
        Whether the last point is joined to the first.
    samples : int
        Points per segment.

    Returns
    -------
    ndarray of float64, shape (m, 2)
    """
    ring = (
        np.concatenate([points[-1:], points, points[:2]])
        if closed
        else np.concatenate([2 * points[:1] - points[1:2], points, 2 * points[-1:] - points[-2:-1]])
    )
    before, start, end, after = ring[:-3], ring[1:-2], ring[2:-1], ring[3:]
    t = (np.arange(samples) / samples)[None, :, None]
    start_, slope = start[:, None], (end - before)[:, None] / 2
    end_, end_slope = end[:, None], (after - start)[:, None] / 2
    curve = (
        (2 * t**3 - 3 * t**2 + 1) * start_
        + (t**3 - 2 * t**2 + t) * slope
        + (-2 * t**3 + 3 * t**2) * end_
        + (t**3 - t**2) * end_slope
    ).reshape(-1, 2)
    return curve if closed else np.concatenate([curve, points[-1:]])


def ellipse(x: float, y: float, radius_x: float, radius_y: float, samples: int = 28) -> Points:
    """Outline of an axis-parallel ellipse: float64 (samples, 2)."""
    angle = np.linspace(0.0, 2.0 * np.pi, samples, endpoint=False)
    return np.stack([x + radius_x * np.cos(angle), y + radius_y * np.sin(angle)], axis=1)


def mirror(points: Points) -> Points:
    """Reflect in the vertical axis of the face."""
    return cast(Points, np.stack([2 * CENTRE[0] - points[:, 0], points[:, 1]], axis=1))


class View:
    """Where the points of a frontal head land in one picture.

    The head is turned as a solid paraboloid, projected, and aligned to the template by the
    similarity transform that fits five fixed landmarks: what differs between two people can never
    move anything but itself.
    """

    def __init__(self, nuisance: Nuisance) -> None:
        self._yaw = np.deg2rad(nuisance.yaw)
        self._pitch = np.deg2rad(nuisance.pitch)
        turned = self._turn(LANDMARKS, np.array([0.0, 0.0, 7.0, 0.0, 0.0]))
        target = LANDMARKS[:, 0] + 1j * LANDMARKS[:, 1]
        self._source_mean, self._target_mean = turned.mean(), target.mean()
        source = turned - self._source_mean
        self._factor = np.vdot(source, target - self._target_mean) / np.vdot(source, source)
        self._factor *= nuisance.scale * np.exp(1j * np.deg2rad(nuisance.roll))
        self._target_mean += nuisance.shift_x + 1j * nuisance.shift_y

    def _turn(self, points: Points, lift: Points | float) -> NDArray[np.complex128]:
        offset = points - CENTRE
        height = DEPTH * np.maximum(1.0 - ((offset / RADII) ** 2).sum(axis=1), 0.0) + lift
        x = offset[:, 0] * np.cos(self._yaw) + height * np.sin(self._yaw)
        height = height * np.cos(self._yaw) - offset[:, 0] * np.sin(self._yaw)
        y = offset[:, 1] * np.cos(self._pitch) + height * np.sin(self._pitch)
        return cast(NDArray[np.complex128], x + 1j * y)

    def place(self, points: Points, lift: Points | float = 0.0) -> Points:
        """Place points of the frontal head.

        Parameters
        ----------
        points : ndarray of float64, shape (n, 2)
            In pixels of the crop.
        lift : float or ndarray of float64, shape (n,)
            Height above the surface of the head, in the same pixels.

        Returns
        -------
        ndarray of float64, shape (n, 2)
            In pixels of the supersampled canvas.
        """
        moved = self._factor * (self._turn(points, lift) - self._source_mean) + self._target_mean
        return np.stack([moved.real, moved.imag], axis=1) * SUPERSAMPLING


class Canvas:
    """A float32 RGB picture, supersampled, and the view that places things on it.

    Attributes
    ----------
    pixels : ndarray of float32, shape (3, 224, 224)
        Planes of red, green and blue, in 0..255.
    """

    def __init__(self, view: View) -> None:
        side = SIDE * SUPERSAMPLING
        self.view = view
        self.pixels: Layer = np.zeros((3, side, side), dtype=np.float32)

    def stencil(self, points: Points, *, lift: Points | float = 0.0, soft: float = 0.0) -> Layer:
        """Cover of a closed outline over the whole canvas.

        Parameters
        ----------
        points : ndarray of float64, shape (n, 2)
            Outline in pixels of the crop.
        lift : float or ndarray of float64, shape (n,)
            Height above the head.
        soft : float
            Width of the soft edge in pixels of the crop.

        Returns
        -------
        ndarray of float32, shape (224, 224)
            In [0, 1].
        """
        whole = np.zeros(self.pixels.shape[1:], dtype=np.float32)
        found = self._cover(self.view.place(points, lift), soft)
        if found is not None:
            rows, columns, cover = found
            whole[rows, columns] = cover
        return whole

    def _cover(self, placed: Points, soft: float) -> tuple[slice, slice, Layer] | None:
        side = self.pixels.shape[1]
        margin = int(np.ceil(soft * SUPERSAMPLING * 2)) + 2
        low = np.clip(np.floor(placed.min(axis=0)).astype(int) - margin, 0, side)
        high = np.clip(np.ceil(placed.max(axis=0)).astype(int) + margin + 1, 0, side)
        if (high <= low).any():
            return None
        patch = np.zeros((int(high[1] - low[1]), int(high[0] - low[0])), dtype=np.uint8)
        corners = np.rint((placed - low) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        cv2.fillPoly(patch, [corners], 255.0, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS)
        if soft > 0.0:
            size = 2 * round(soft * SUPERSAMPLING * 1.5) + 1
            patch = cast(
                NDArray[np.uint8],
                cv2.GaussianBlur(
                    patch, (size, size), soft * SUPERSAMPLING / 1.5, borderType=cv2.BORDER_CONSTANT
                ),
            )
        cover = patch.astype(np.float32) * np.float32(1 / 255)
        return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0])), cover

    def _blend(
        self, rows: slice, columns: slice, cover: Layer, colour: Colour, clip: Layer | None
    ) -> None:
        if clip is not None:
            cover = cover * clip[rows, columns]
        for plane, value in zip(self.pixels, colour, strict=True):
            area = plane[rows, columns]
            area += cover * (value - area)

    def fill(
        self,
        points: Points,
        colour: Colour,
        opacity: float = 1.0,
        *,
        lift: Points | float = 0.0,
        soft: float = 0.0,
        clip: Layer | None = None,
    ) -> None:
        """Fill a closed outline; `clip` is a cover as `stencil` returns it."""
        found = self._cover(self.view.place(points, lift), soft)
        if found is not None:
            rows, columns, cover = found
            self._blend(rows, columns, cover * np.float32(opacity), colour, clip)

    def cover(self, cover: Layer, colour: Colour, opacity: float = 1.0) -> None:
        """Paint a whole-canvas cover in one colour."""
        everything = slice(None)
        self._blend(everything, everything, cover * np.float32(opacity), colour, None)

    def stroke(
        self,
        points: Points,
        widths: tuple[float, ...],
        colour: Colour,
        opacity: float = 1.0,
        *,
        lift: Points | float = 0.0,
        soft: float = 0.0,
        clip: Layer | None = None,
    ) -> None:
        """Draw a curve through `points` whose width runs through `widths` (tapered ends: 0)."""
        curve = spline(points, closed=False)
        tangent = np.gradient(curve, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-9)
        half = np.interp(
            np.linspace(0, 1, len(curve)), np.linspace(0, 1, len(widths)), np.array(widths) / 2
        )[:, None]
        outline = np.concatenate([curve + normal * half, (curve - normal * half)[::-1]])
        self.fill(outline, colour, opacity, lift=lift, soft=soft, clip=clip)

    def hatch(
        self,
        curves: NDArray[np.float64],
        colour: Colour,
        opacity: float = 1.0,
        *,
        lift: float = 0.0,
    ) -> None:
        """Draw many fine hairs at once: `curves` is float64 (n, points, 2), half a pixel wide."""
        placed = self.view.place(curves.reshape(-1, 2), lift)
        side = self.pixels.shape[1]
        low = np.clip(np.floor(placed.min(axis=0)).astype(int) - 3, 0, side)
        high = np.clip(np.ceil(placed.max(axis=0)).astype(int) + 4, 0, side)
        if (high <= low).any():
            return
        patch = np.zeros((int(high[1] - low[1]), int(high[0] - low[0])), dtype=np.uint8)
        corners = np.rint((placed - low) * (1 << _SUBPIXEL_BITS)).astype(np.int32)
        lines = list(corners.reshape(len(curves), -1, 2))
        cv2.polylines(
            patch,
            lines,
            isClosed=False,
            color=255.0,
            thickness=1,
            lineType=cv2.LINE_AA,
            shift=_SUBPIXEL_BITS,
        )
        cover = patch.astype(np.float32) * np.float32(opacity / 255)
        rows, columns = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        self._blend(rows, columns, cover, colour, None)

    def glow(
        self,
        x: float,
        y: float,
        radius_x: float,
        radius_y: float,
        colour: Colour,
        opacity: float,
        *,
        lift: float = 0.0,
        clip: Layer | None = None,
    ) -> None:
        """Tint a soft ellipse, strongest in the middle and exactly nothing from its rim on."""
        centre = self.view.place(np.array([[x, y]]), lift)[0]
        side = self.pixels.shape[1]
        radii = np.array([radius_x, radius_y]) * SUPERSAMPLING
        low = np.clip(np.floor(centre - radii).astype(int), 0, side)
        high = np.clip(np.ceil(centre + radii).astype(int) + 1, 0, side)
        if (high <= low).any():
            return
        across = (np.arange(low[0], high[0]) - centre[0]) / radii[0]
        down = (np.arange(low[1], high[1]) - centre[1]) / radii[1]
        bump = np.clip(1.0 - across[None, :] ** 2 - down[:, None] ** 2, 0.0, None) ** 2
        cover = (opacity * bump).astype(np.float32)
        rows, columns = slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))
        self._blend(rows, columns, cover, colour, clip)
