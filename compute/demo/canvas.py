"""A small antialiased painter: posed curves, strokes and soft spots on a supersampled canvas.

Points are given in pixels of the 112 x 112 crop, of a head seen from the front; `View` turns the
head and aligns it again as a face aligner would, `Canvas` fills what the view has placed.
"""

from __future__ import annotations

from math import ceil, floor
from typing import NamedTuple, cast

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
        yaw, pitch = np.deg2rad(nuisance.yaw), np.deg2rad(nuisance.pitch)
        self._cos_yaw, self._sin_yaw = float(np.cos(yaw)), float(np.sin(yaw))
        self._cos_pitch, self._sin_pitch = float(np.cos(pitch)), float(np.sin(pitch))
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
        x = offset[:, 0] * self._cos_yaw + height * self._sin_yaw
        height = height * self._cos_yaw - offset[:, 0] * self._sin_yaw
        turned = np.empty(len(points), dtype=np.complex128)
        turned.real = x
        turned.imag = offset[:, 1] * self._cos_pitch + height * self._sin_pitch
        return turned

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
        return cast(Points, moved.view(np.float64).reshape(-1, 2) * SUPERSAMPLING)


class _Window(NamedTuple):
    """A rectangle of the canvas; being a pair of slices, it indexes a layer as it is."""

    rows: slice
    columns: slice

    def blank(self) -> NDArray[np.uint8]:
        """Zeros of its size."""
        height = self.rows.stop - self.rows.start
        return np.zeros((height, self.columns.stop - self.columns.start), dtype=np.uint8)

    def subpixels(self, placed: Points) -> NDArray[np.int32]:
        """Points of the canvas relative to its corner, in the fixed point that OpenCV takes."""
        corner = np.array([self.columns.start, self.rows.start])
        fixed = np.rint((placed - corner) * (1 << _SUBPIXEL_BITS))
        return cast(NDArray[np.int32], fixed.astype(np.int32))


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
            window, cover = found
            whole[window] = cover
        return whole

    def _window(self, low: Points, high: Points, margin: int) -> _Window | None:
        """Rows and columns from `low` to `high`, both (x, y), and a margin; None if outside."""
        side = self.pixels.shape[1]
        left, top = (max(0, floor(value) - margin) for value in low.tolist())
        right, bottom = (min(side, ceil(value) + margin + 1) for value in high.tolist())
        if right <= left or bottom <= top:
            return None
        return _Window(slice(top, bottom), slice(left, right))

    def _cover(self, placed: Points, soft: float) -> tuple[_Window, Layer] | None:
        margin = ceil(soft * SUPERSAMPLING * 2) + 2
        window = self._window(placed.min(axis=0), placed.max(axis=0), margin)
        if window is None:
            return None
        patch = window.blank()
        cv2.fillPoly(
            patch, [window.subpixels(placed)], 255.0, lineType=cv2.LINE_AA, shift=_SUBPIXEL_BITS
        )
        if soft > 0.0:
            size = 2 * round(soft * SUPERSAMPLING * 1.5) + 1
            patch = cast(
                NDArray[np.uint8],
                cv2.GaussianBlur(
                    patch, (size, size), soft * SUPERSAMPLING / 1.5, borderType=cv2.BORDER_CONSTANT
                ),
            )
        return window, patch.astype(np.float32) * np.float32(1 / 255)

    def _blend(self, window: _Window, cover: Layer, colour: Colour, clip: Layer | None) -> None:
        if clip is not None:
            cover = cover * clip[window]
        for plane, value in zip(self.pixels, colour, strict=True):
            area = plane[window]
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
            window, cover = found
            self._blend(window, cover * np.float32(opacity), colour, clip)

    def cover(self, cover: Layer, colour: Colour, opacity: float = 1.0) -> None:
        """Paint a whole-canvas cover in one colour."""
        everything = _Window(slice(None), slice(None))
        self._blend(everything, cover * np.float32(opacity), colour, None)

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
        window = self._window(placed.min(axis=0), placed.max(axis=0), 3)
        if window is None:
            return
        patch = window.blank()
        lines = list(window.subpixels(placed).reshape(len(curves), -1, 2))
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
        self._blend(window, cover, colour, None)

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
        radii = np.array([radius_x, radius_y]) * SUPERSAMPLING
        window = self._window(centre - radii, centre + radii, 0)
        if window is None:
            return
        left, top = window.columns.start, window.rows.start
        across = (np.arange(left, window.columns.stop) - centre[0]) / radii[0]
        down = (np.arange(top, window.rows.stop) - centre[1]) / radii[1]
        bump = np.maximum(1.0 - across[None, :] ** 2 - down[:, None] ** 2, 0.0) ** 2
        cover = (opacity * bump).astype(np.float32)
        self._blend(window, cover, colour, clip)
