"""Hair on the head and on the face."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.demo.canvas import (
    MIDLINE,
    Canvas,
    Colour,
    Layer,
    Points,
    mix,
    rgb,
    spline,
)
from compute.demo.features import MIDDLE, Complexion
from compute.demo.identity import BEARDS, HAIR_STYLES, Identity

HAIRS = np.array(
    [
        [22, 18, 20],
        [46, 30, 24],
        [82, 52, 34],
        [126, 70, 38],
        [142, 62, 30],
        [196, 146, 84],
        [226, 194, 136],
        [168, 164, 160],
    ],
    dtype=np.float32,
)
# Hairline from the middle of the forehead outwards, at 0, 10, 20, 28 and 34 pixels.
_OFFSETS = np.array([0.0, 10.0, 20.0, 28.0, 34.0])
_LINES = {
    "buzz": (19.0, 18.5, 19.5, 25.0, 38.0),
    "parted": (20.0, 18.5, 21.0, 27.0, 42.0),
    "fringe": (34.0, 34.5, 35.5, 37.0, 46.0),
    "long": (13.0, 19.0, 27.0, 37.0, 52.0),
    "wavy": (15.0, 18.5, 24.0, 35.0, 52.0),
    "curly": (19.0, 19.5, 22.0, 28.0, 42.0),
    "swept": (15.0, 13.0, 14.5, 23.0, 40.0),
}
_VOLUME = {
    "buzz": 1.0,
    "parted": 5.0,
    "fringe": 5.5,
    "long": 5.0,
    "wavy": 7.5,
    "curly": 10.0,
    "swept": 4.5,
}


def _outer(identity: Identity, bottom: float) -> Points:
    """Outline of the hair from the left at `bottom` over the crown to the right."""
    style = HAIR_STYLES[identity.hair.style]
    volume = _VOLUME[style] * (1.0 + 0.25 * identity.hair.volume)
    width = 37.0 + 2.0 * identity.face.temple + volume
    angle = np.linspace(np.pi, 2 * np.pi, 40)
    radius = np.ones_like(angle)
    if style == "curly":
        radius += 0.035 * np.abs(np.sin(angle * 11.0 + identity.details.seed % 7))
    arc = np.stack(
        [MIDDLE + width * np.cos(angle) * radius, 40.0 + (50.0 + volume) * np.sin(angle) * radius],
        axis=1,
    )
    if style in ("long", "wavy"):
        rows = np.linspace(54.0, bottom, 9)[:, None]
        sway = (2.2 if style == "wavy" else 0.5) * np.sin((rows - 40.0) / 6.5)
        right = np.concatenate([arc[-1:, :1] + sway, rows], axis=1)
        return np.concatenate([(right * [-1, 1] + 2 * MIDLINE)[::-1], arc, right])
    inward = 6.0 if style == "curly" else 0.0
    ends = np.array([[arc[0, 0] + inward, bottom], [arc[-1, 0] - inward, bottom]])
    return np.concatenate([ends[:1], arc, ends[1:]])


def draw_back_hair(canvas: Canvas, identity: Identity, colour: Colour) -> Layer | None:
    """Paint what hangs behind the neck; returns its cover, None for short hair."""
    style = HAIR_STYLES[identity.hair.style]
    if style not in ("long", "wavy"):
        return None
    reach = 42.0 + 2.5 * identity.hair.volume + (4.0 if style == "wavy" else 0.0)
    wave = 2.6 if style == "wavy" else 0.5
    rows = np.linspace(36.0, 122.0, 24)
    # Grows out of the cap of front hair instead of sticking out from it.
    width = reach - 6.0 * np.clip((66.0 - rows) / 30.0, 0.0, 1.0) ** 2
    right = np.stack([MIDDLE + width + wave * np.sin(rows / 6.5), rows], axis=1)
    left = np.stack([MIDDLE - width - wave * np.sin(rows / 6.5 + 0.6), rows], axis=1)
    cover = canvas.stencil(np.concatenate([right, left[::-1]]))
    canvas.cover(cover, mix(colour, rgb(0, 0, 0), 0.38))
    _strands(canvas, identity, cover, colour, falling=True)
    return cover


def _hairline(identity: Identity, style: str) -> Points:
    heights = np.array(_LINES[style]) + 2.6 * identity.hair.line * np.array([1, 1, 1, 0.7, 0.3])
    side = np.stack([_OFFSETS, heights], axis=1)
    if style in ("long", "wavy"):
        # Locks hang in front of the ears down to the shoulders.
        ends = np.array([[36.5, 66.0], [35.0, 84.0], [37.5, 118.0]])
    else:
        ends = np.array([[38.5, 56.0 if style in ("buzz", "swept") else 61.0]])
    half = np.concatenate([side, ends])
    right = half * [1.0, 1.0] + MIDLINE
    left = half[1:] * [-1.0, 1.0] + MIDLINE
    line = np.concatenate([left[::-1], right])
    if style in ("parted", "fringe", "swept", "long"):
        # A parting off the middle lowers one side of the hairline and lifts the other.
        lean = (line[:, 0] - MIDDLE) / 34.0
        sign = 1.0 if identity.hair.parting >= 0 else -1.0
        amount = {"parted": 5.0, "fringe": 2.0, "swept": 2.5, "long": 1.5}[style]
        line[:, 1] += sign * amount * lean * (1.0 - lean**2) * (1.0 + abs(identity.hair.parting))
    return spline(line, closed=False)


def draw_front_hair(
    canvas: Canvas, identity: Identity, colour: Colour, look: Complexion, face: Layer
) -> Layer | None:
    """Paint the hair that frames the face and its shadow on the forehead; returns its cover."""
    style = HAIR_STYLES[identity.hair.style]
    if style == "bald":
        canvas.glow(MIDDLE - 8.0, 12.0, 24.0, 12.0, look.light, 0.5, clip=face)
        return None
    line = _hairline(identity, style)
    outer = _outer(identity, float(line[-1, 1]))
    outline = np.concatenate([outer, line[::-1]])
    shadow = canvas.stencil(outline + np.array([0.0, 1.6]), soft=1.6)
    canvas.cover(shadow * face, mix(look.shade, rgb(40, 20, 20), 0.3), 0.6)
    soft = {"buzz": 1.6, "curly": 0.6}.get(style, 0.2)
    cover = canvas.stencil(outline, soft=soft)
    if style == "buzz":
        cover = cast(Layer, cover * np.float32(0.82))
    canvas.cover(cover, colour)
    _strands(canvas, identity, cover, colour, falling=False)
    return cover


def _strands(
    canvas: Canvas, identity: Identity, cover: Layer, colour: Colour, *, falling: bool
) -> None:
    """Lay light and dark strands along the flow of the hair, within its cover."""
    style = HAIR_STYLES[identity.hair.style]
    rng = np.random.default_rng([identity.details.seed, int(falling)])
    if style == "curly":
        curves = _curls(rng)
    elif falling:
        curves = _falling_strands(rng, 2.4 if style == "wavy" else 0.7)
    else:
        loose = style in ("wavy", "curly", "buzz")
        crown = MIDDLE + 14.0 * identity.hair.parting * (not loose)
        curves = _combed_strands(rng, crown, 1.6 if style == "wavy" else 0.0)
    placed = canvas.view.place(curves.reshape(-1, 2)).reshape(curves.shape)
    corners = np.rint(placed * 16).astype(np.int32)
    flow = np.full(cover.shape, 128, dtype=np.uint8)
    # Many shades between dark and light, fine over broad: hair, not stripes.
    tones = rng.permutation(np.linspace(44.0, 222.0, len(corners)))
    for k, (line, tone) in enumerate(zip(corners, tones, strict=True)):
        thick = 1 if style == "buzz" else 3 - 2 * k // len(corners)
        cv2.polylines(
            flow,
            [line],
            isClosed=False,
            color=float(tone),
            thickness=thick,
            lineType=cv2.LINE_AA,
            shift=4,
        )
    soft = cv2.GaussianBlur(flow, (3, 3), 0.8).astype(np.float32)
    gain = cover * (soft - 128.0) * np.float32((0.5 if style == "buzz" else 1.0) / 128.0)
    lift, drop = np.clip(gain, 0.0, 1.0), np.clip(gain, -1.0, 0.0)
    bright = (mix(colour, rgb(255, 226, 190), 0.24) - colour) * np.float32(1.3)
    for plane, high, low in zip(canvas.pixels, bright, colour, strict=True):
        plane += lift * high + drop * (low * np.float32(0.62))
    if not falling:
        _sheen(canvas, cover, colour)


def _curls(rng: np.random.Generator) -> NDArray[np.float64]:
    places = rng.uniform((4, -8), (108, 66), (260, 2))
    start = rng.uniform(0.0, 2 * np.pi, (260, 1)) + np.linspace(0.0, 3.9, 7)
    radius = rng.uniform(1.6, 2.8, (260, 1))
    ring = np.stack([radius * np.cos(start), 0.85 * radius * np.sin(start)], axis=2)
    return places[:, None, :] + ring


def _falling_strands(rng: np.random.Generator, sway: float) -> NDArray[np.float64]:
    x = np.concatenate([rng.uniform(0, 28, 44), rng.uniform(84, 112, 44)])[:, None]
    y = np.broadcast_to(22.0 + 100.0 * np.linspace(0.0, 1.0, 12), (88, 12))
    phase = rng.normal(0.0, 0.3, (88, 1))
    return np.stack([x + sway * np.sin(y / 6.5 + phase), y], axis=2)


def _combed_strands(rng: np.random.Generator, crown: float, wave: float) -> NDArray[np.float64]:
    along = np.linspace(0.0, 1.0, 9)
    angle = rng.uniform(0.0, 1.0, (150, 1))
    lean = angle - 0.5
    x = crown + 16.0 * lean + (MIDDLE - crown + 78.0 * lean) * along
    x = x + 34.0 * lean * np.sin(np.pi * along) + wave * np.sin(along * 11.0)
    y = -14.0 + (80.0 - 36.0 * np.sin(np.pi * angle)) * along - 8.0 * np.sin(np.pi * along)
    return np.stack([x, y], axis=2)


def _sheen(canvas: Canvas, cover: Layer, colour: Colour) -> None:
    """Add the band of light that runs around the crown."""
    band = np.array(
        [
            [MIDDLE - 36, 24.0],
            [MIDDLE - 18, 7.0],
            [MIDDLE, 2.5],
            [MIDDLE + 18, 7.0],
            [MIDDLE + 36, 24.0],
        ]
    )
    canvas.stroke(
        band,
        (2.0, 7.0, 9.0, 7.0, 2.0),
        mix(colour, rgb(255, 238, 214), 0.5),
        0.28,
        soft=2.5,
        clip=cover,
    )


def draw_beard(canvas: Canvas, identity: Identity, colour: Colour, face: Layer) -> None:
    """Paint stubble, beard or moustache; the mouth is painted over it later."""
    style = BEARDS[identity.details.beard]
    if style == "none":
        return
    rng = np.random.default_rng([identity.details.seed, 3])
    full = np.array(
        [
            [-37, 62],
            [-33, 78],
            [-22, 84],
            [-12, 84],
            [0, 83],
            [12, 84],
            [22, 84],
            [33, 78],
            [37, 62],
            [44, 80],
            [34, 108],
            [0, 120],
            [-34, 108],
            [-44, 80],
        ]
    )
    chin = np.array(
        [[-16, 85], [0, 82.5], [16, 85], [18, 100], [12, 116], [0, 118], [-12, 116], [-18, 100]]
    )
    lip = np.array(
        [[-17, 90], [-10, 84], [0, 81.5], [10, 84], [17, 90], [12, 90], [0, 89], [-12, 90]]
    )
    shape = {"stubble": full, "full": full, "goatee": chin, "moustache": lip}[style]
    soft, opacity = (4.0, 0.34) if style == "stubble" else (1.4, 0.86)
    outline = spline(shape.astype(np.float64) + MIDLINE, closed=True)
    cover = canvas.stencil(outline, soft=soft) * face
    canvas.cover(cover, mix(colour, rgb(20, 14, 14), 0.25), opacity)
    roots = rng.uniform((12, 60), (100, 114), (420, 2))
    tips = roots + np.stack([(roots[:, 0] - MIDDLE) * 0.03, np.full(420, 2.8)], axis=1)
    ends = canvas.view.place(np.concatenate([roots, tips])).reshape(2, -1, 2).transpose(1, 0, 2)
    lines = list(np.ascontiguousarray(np.rint(ends * 16), dtype=np.int32))
    flow = np.full(cover.shape, 128, dtype=np.uint8)
    for tone, some in ((66.0, lines[:210]), (206.0, lines[210:])):
        cv2.polylines(
            flow, some, isClosed=False, color=tone, thickness=1, lineType=cv2.LINE_AA, shift=4
        )
    gain = cover * (flow.astype(np.float32) - 128.0) * np.float32(0.2 * opacity)
    canvas.pixels += gain
