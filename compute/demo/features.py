"""Eyes, brows, nose and mouth: the parts that siblings exchange.

Every part paints only within its own neighbourhood, so that two drawings that differ in one part
agree everywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from compute.demo.canvas import (
    CENTRE,
    MIDLINE,
    Canvas,
    Colour,
    Points,
    ellipse,
    mirror,
    mix,
    palette,
    rgb,
    spline,
)
from compute.demo.identity import Brows, Eyes, Mouth, Nose, Nuisance

MIDDLE = float(CENTRE[0])
EYE_X, EYE_Y = 17.6, 51.6
NOSE_Y, MOUTH_Y = 71.7, 92.3
IRISES = np.array(
    [[38, 22, 14], [78, 44, 20], [122, 82, 34], [104, 120, 62], [96, 116, 128], [58, 118, 172]],
    dtype=np.float32,
)
INK = rgb(26, 16, 14)


@dataclass(frozen=True)
class Complexion:
    """Colours that the parts borrow from the skin and the hair around them."""

    skin: Colour
    shade: Colour
    light: Colour
    lip: Colour
    hair: Colour
    depth: float  # 0 light to 1 deep


def _side(points: Points, side: int) -> Points:
    """Keep the right of the picture (side 1) or reflect it to the left (side -1)."""
    return points if side > 0 else mirror(points)


def draw_eyes(canvas: Canvas, eyes: Eyes, nuisance: Nuisance, look: Complexion) -> None:
    """Paint both eyes with their lids and sockets."""
    for side in (1, -1):
        _draw_eye(canvas, eyes, nuisance, look, side)


def _draw_eye(canvas: Canvas, eyes: Eyes, nuisance: Nuisance, look: Complexion, side: int) -> None:
    x = EYE_X + 1.9 * eyes.spacing
    y = EYE_Y + 1.3 * eyes.height
    half = 8.1 + 1.7 * eyes.width
    open_ = (1.0 - 0.6 * nuisance.eye_close) * (1.0 - 0.12 * max(0.0, nuisance.smile))
    upper = (4.0 + 1.5 * eyes.opening) * open_
    lower = (2.5 + 0.9 * eyes.lower) * (0.5 + 0.5 * open_)
    rise = np.tan(np.deg2rad(11.0 * eyes.tilt)) * half

    def at(across: float, up: float) -> list[float]:
        """Point of the eye: `across` from inner (-1) to outer corner (1), `up` in pixels."""
        return [MIDDLE + x + across * half, y - up - across * rise * 0.7]

    lid = np.array(
        [at(-1, -0.6), at(-0.6, upper * 0.62), at(-0.05, upper), at(0.55, upper * 0.78), at(1, 0.3)]
    )
    under = np.array(
        [at(1, 0.3), at(0.55, -lower * 0.85), at(0.0, -lower), at(-0.6, -lower * 0.6), at(-1, -0.6)]
    )
    lid_curve, under_curve = spline(lid, closed=False), spline(under, closed=False)
    opening = _side(np.concatenate([lid_curve, under_curve[1:-1]]), side)
    shade = mix(look.skin, look.shade, 0.75)
    socket = MIDDLE + side * x
    canvas.glow(socket - side * 3.0, y - 3.0, half + 3.2, 7.8, look.shade, 0.45)
    canvas.glow(socket, y + lower + 3.2, half + 0.4, 4.0, look.shade, 0.32)
    canvas.glow(socket + side, y - upper - 2.4, half, 3.4, look.light, 0.28)

    clip = canvas.stencil(opening)
    canvas.fill(opening, mix(rgb(246, 242, 238), look.skin, 0.10))
    gaze = np.array([side * 1.0 * nuisance.gaze_x * side, 0.7 * nuisance.gaze_y])
    radius = 4.35 + 0.6 * eyes.iris_size
    cx, cy = socket + float(gaze[0]), y - (upper - lower) * 0.30 + float(gaze[1])
    iris = palette(IRISES, eyes.iris)
    canvas.fill(ellipse(cx, cy, radius, radius), mix(iris, INK, 0.62), clip=clip)
    canvas.fill(ellipse(cx, cy, radius * 0.86, radius * 0.86), iris, clip=clip, soft=0.25)
    canvas.glow(
        cx,
        cy + radius * 0.45,
        radius * 0.8,
        radius * 0.6,
        mix(iris, rgb(255, 240, 210), 0.5),
        0.75,
        clip=clip,
    )
    canvas.fill(ellipse(cx, cy, radius * 0.42, radius * 0.42, 20), rgb(10, 8, 8), clip=clip)
    # The upper lid throws a shadow on the eyeball.
    brim = np.concatenate([lid_curve, (lid_curve + np.array([0.0, 1.7]))[::-1]])
    canvas.fill(_side(brim, side), rgb(60, 42, 40), 0.5, soft=0.5, clip=clip)
    glint = 1.2 if nuisance.light_x >= 0 else -1.2
    canvas.fill(ellipse(cx + glint, cy - 1.35, 0.95, 0.95, 14), rgb(255, 255, 255), 0.95, clip=clip)
    canvas.fill(ellipse(cx - glint, cy + 1.4, 0.45, 0.45, 10), rgb(255, 255, 255), 0.5, clip=clip)
    canvas.fill(
        ellipse(socket - side * half * 0.88, y + 0.5 + rise * 0.6, 0.9, 0.8, 12),
        mix(look.lip, look.skin, 0.4),
        0.8,
    )

    # Lash line, lower lid, crease.
    weight = 1.5 + 0.7 * eyes.lashes
    lashes = np.concatenate([lid, [at(1.0 + 0.12 * (eyes.lashes + 1), 0.8 + 0.5 * eyes.lashes)]])
    line = mix(INK, mix(look.skin, INK, 0.7), 0.25)
    canvas.stroke(_side(lashes, side), (0.5, weight, weight * 1.15, weight, 0.2), line, 0.95)
    canvas.stroke(_side(under, side), (0.7, 0.75, 0.6, 0.3), mix(shade, INK, 0.45), 0.6)
    fold = 1.7 + 1.3 * (eyes.crease + 1.0)
    strength = 0.15 + 0.33 * (eyes.crease + 1.0)
    crease = lid[:4] - [0.0, fold]
    crease = np.concatenate([crease, [at(1.06, 1.2 + fold * 0.5)]])
    canvas.stroke(
        _side(crease, side),
        (0.1, 1.0, 1.2, 0.9, 0.1),
        mix(shade, INK, 0.4),
        min(0.8, strength),
        soft=0.25,
    )
    if eyes.lashes > 0.3:
        roots = np.array([at(a, upper * (1.02 - a**2 * 0.9)) for a in (0.2, 0.4, 0.6, 0.8, 1.0)])
        tips = roots + [[1.0 + 0.25 * k, -1.7 - 0.7 * eyes.lashes] for k in range(5)]
        curls = np.stack([roots, (roots + tips) / 2 + [0.4, 0.25], tips], axis=1)
        turned = _side(curls.reshape(-1, 2), side).reshape(curls.shape)
        canvas.hatch(turned, line)


def draw_brows(canvas: Canvas, brows: Brows, nuisance: Nuisance, look: Complexion) -> None:
    """Paint both brows, hair by hair over a soft ground."""
    inner = 8.2 + 2.4 * brows.gap
    length = 19.0 + 4.0 * brows.length
    y = EYE_Y - 12.0 - 2.5 * brows.height - 1.6 * nuisance.brow_raise
    arch = 2.4 + 2.0 * brows.arch
    rise = np.tan(np.deg2rad(2.0 + 9.0 * brows.tilt)) * length
    thick = 3.4 + 1.9 * brows.thickness
    base = (
        np.array(
            [
                [inner, y + 0.4],
                [inner + 0.3 * length, y - 0.35 * rise - 0.55 * arch],
                [inner + 0.65 * length, y - 0.8 * rise - arch],
                [inner + length, y - 0.75 * rise + 1.2],
            ]
        )
        + MIDLINE
    )
    colour = mix(mix(look.hair, INK, 0.35), look.skin, 0.2 * (1.0 - brows.darkness))
    opacity = 0.62 + 0.2 * brows.darkness
    widths = (thick * 0.7, thick, thick * 0.85, 0.3)
    path = spline(base, closed=False, samples=8)
    along = np.arange(0, len(path) - 2) / len(path)
    foot = path[: len(along)].copy()
    height = np.interp(along, (0.0, 0.33, 0.66, 1.0), widths) / 2
    tip = foot + np.stack([1.0 + 2.2 * along, -height * (1.15 - 0.5 * along)], axis=1)
    foot[:, 1] += height * 0.9
    hairs = np.stack([foot, (foot + tip) / 2 - [0.3, 0.0], tip], axis=1)
    for side in (1, -1):
        canvas.stroke(_side(base, side), tuple(w * 1.5 for w in widths), look.shade, 0.3, soft=0.8)
        canvas.stroke(_side(base, side), widths, colour, opacity, soft=0.35)
        turned = _side(hairs.reshape(-1, 2), side).reshape(hairs.shape)
        canvas.hatch(turned[::2], mix(colour, INK, 0.45), opacity)
        canvas.hatch(turned[1::2], mix(colour, look.hair, 0.5), opacity * 0.7)


def draw_nose(canvas: Canvas, nose: Nose, nuisance: Nuisance, look: Complexion) -> None:
    """Paint the nose: bridge, tip, wings, nostrils and the shadow they throw."""
    y = NOSE_Y + 3.0 * nose.length
    wing = 8.3 + 2.9 * nose.width
    bridge = 3.7 + 1.8 * nose.bridge
    ball = 4.3 + 1.6 * nose.tip
    relief = 0.75 + 0.25 * nose.relief
    away = -1.0 if nuisance.light_x >= 0 else 1.0  # the side in shade
    x = MIDDLE
    dark = mix(look.shade, INK, 0.35)

    # Cast shadow under the tip, leaning away from the light.
    canvas.glow(x + away * 3.2, y + 6.2, wing + 2.4, 4.8, look.shade, 0.75 * relief)
    # Flanks of the bridge: both a little, the far one more.
    for side in (1.0, -1.0):
        flank = np.array(
            [
                [x + side * bridge * 0.9, 55.5],
                [x + side * (bridge + 2.2), 60.0],
                [x + side * (wing - 0.6), y - 2.0],
                [x + side * (ball - 1.2), y - 1.5],
                [x + side * bridge * 0.75, 62.0],
            ]
        )
        strength = (0.62 if side == away else 0.28) * relief
        canvas.fill(spline(flank, closed=True), look.shade, strength, lift=3.0, soft=1.2)
    # Wings.
    for side in (1.0, -1.0):
        alar = ellipse(x + side * (wing - 2.6), y + 0.9, 3.3, 3.5)
        canvas.fill(alar, mix(look.skin, look.shade, 0.22), 0.9, lift=4.0, soft=0.8)
        curve = np.array(
            [
                [x + side * (wing - 1.6), y - 3.2],
                [x + side * (wing + 0.6), y - 0.4],
                [x + side * (wing + 0.2), y + 2.6],
                [x + side * (wing - 2.6), y + 4.0],
            ]
        )
        canvas.stroke(curve, (0.2, 1.2, 1.5, 0.4), dark, 0.75 * relief, lift=4.0, soft=0.3)
    # Tip and highlights.
    canvas.glow(
        x, y + 0.4, ball + 2.2, ball + 1.2, mix(look.skin, rgb(214, 120, 96), 0.25), 0.55, lift=7.0
    )
    canvas.stroke(
        np.array([[x, 55.5], [x, 62.0], [x, y - 5.0]]),
        (1.0, bridge * 0.75, bridge * 0.9),
        look.light,
        0.42 * relief,
        lift=5.0,
        soft=0.8,
    )
    canvas.glow(
        x - away * 1.1, y - 1.4, ball * 0.75, ball * 0.68, look.light, 0.8 * relief, lift=8.0
    )
    # Underside and nostrils.
    base = np.array(
        [
            [x - wing + 2.6, y + 3.9],
            [x - 2.4, y + 3.8],
            [x, y + 5.2 + 0.5 * nose.tip],
            [x + 2.4, y + 3.8],
            [x + wing - 2.6, y + 3.9],
        ]
    )
    canvas.stroke(base, (0.3, 0.9, 1.5, 0.9, 0.3), dark, 0.6, lift=6.0, soft=0.4)
    size = 1.0 + 0.5 * nose.nostrils
    for side in (1.0, -1.0):
        hole = np.array(
            [
                [x + side * (ball * 0.45), y + 3.6],
                [x + side * (wing * 0.42), y + 2.2],
                [x + side * (wing - 2.8), y + 2.9],
                [x + side * (wing * 0.5), y + 2.5 + 1.9 * size],
            ]
        )
        canvas.fill(spline(hole, closed=True), mix(look.shade, INK, 0.72), 0.88, lift=5.0, soft=0.3)


def draw_mouth(canvas: Canvas, mouth: Mouth, nuisance: Nuisance, look: Complexion) -> None:
    """Paint the lips, and the teeth where the mouth is open."""
    y = MOUTH_Y + 1.5 * mouth.height
    smile = nuisance.smile
    half = (12.8 + 3.1 * mouth.width) * (1.0 + 0.12 * smile)
    upper = (3.5 + 1.9 * mouth.upper) * (1.0 - 0.15 * smile)
    lower = (4.4 + 2.0 * mouth.lower) * (1.0 - 0.10 * smile)
    bow = 0.9 + 0.9 * mouth.bow
    corner = -1.9 * mouth.corners - 2.3 * smile
    gap = 3.4 * nuisance.mouth_open
    x = MIDDLE
    lip = mix(look.lip, rgb(186, 52, 62), 0.36 * (mouth.redness + 1.0))

    def line(heights: tuple[float, ...], across: tuple[float, ...]) -> Points:
        return np.array([[x + a * half, y + h] for a, h in zip(across, heights, strict=True)])

    corners = (-1.0, 1.0)
    top = line(
        (
            corner,
            corner * 0.35 - upper * 0.72,
            -upper,
            -upper + bow,
            -upper,
            corner * 0.35 - upper * 0.72,
            corner,
        ),
        (-1.0, -0.55, -0.2, 0.0, 0.2, 0.55, 1.0),
    )
    seam = line(
        (corner, corner * 0.4, 0.35, 0.0, 0.35, corner * 0.4, corner),
        (-1.0, -0.6, -0.2, 0.0, 0.2, 0.6, 1.0),
    )
    drop = line(
        (corner, corner * 0.3 + gap * 0.7, gap, gap, gap, corner * 0.3 + gap * 0.7, corner),
        (-1.0, -0.6, -0.2, 0.0, 0.2, 0.6, 1.0),
    )
    bottom = line(
        (
            corner,
            corner * 0.25 + gap * 0.8 + lower * 0.62,
            gap + lower,
            corner * 0.25 + gap * 0.8 + lower * 0.62,
            corner,
        ),
        (-1.0, -0.6, 0.0, 0.6, 1.0),
    )
    top_, seam_, drop_, bottom_ = (spline(c, closed=False) for c in (top, seam, drop, bottom))

    canvas.glow(x, y + gap + lower + 3.0, half * 0.72, 3.8, look.shade, 0.62)
    canvas.glow(x, y - upper - 3.4, 3.2, 4.2, look.shade, 0.30)
    for end in corners:
        canvas.glow(x + end * (half + 1.2), y + corner + 0.4, 3.4, 3.4, look.shade, 0.48)
    canvas.fill(np.concatenate([drop_, bottom_[::-1]]), lip, 0.92, soft=0.3)
    canvas.fill(np.concatenate([top_, seam_[::-1]]), mix(lip, INK, 0.24), 0.92, soft=0.3)
    canvas.glow(
        x - 1.5 * np.sign(-nuisance.light_x),
        y + gap + lower * 0.48,
        half * 0.46,
        lower * 0.42,
        mix(lip, rgb(255, 246, 240), 0.62),
        0.75,
    )
    shine = mix(lip, rgb(255, 236, 226), 0.5)
    canvas.glow(x, y - upper * 0.75, half * 0.3, upper * 0.4, shine, 0.4)
    if gap > 0.5:
        inside = canvas.stencil(np.concatenate([seam_, drop_[::-1]]))
        canvas.cover(inside, rgb(66, 20, 22))
        teeth = np.concatenate([seam_, (seam_ + np.array([0.0, 2.1]))[::-1]])
        canvas.fill(teeth, rgb(238, 232, 224), 0.95, soft=0.2, clip=inside)
    canvas.stroke(seam, (0.5, 1.1, 1.3, 1.1, 0.5), mix(lip, INK, 0.72), 0.9, soft=0.15)
