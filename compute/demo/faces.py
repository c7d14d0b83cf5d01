"""Drawing of a face: an identity and a nuisance in, an RGB crop out.

`render` draws the scene, `develop` adds what a camera adds (blur and noise).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.demo.canvas import (
    MIDLINE,
    SIDE,
    SUPERSAMPLING,
    Canvas,
    Colour,
    Layer,
    Points,
    View,
    ellipse,
    mirror,
    mix,
    palette,
    rgb,
    spline,
)
from compute.demo.features import (
    EYE_X,
    EYE_Y,
    MIDDLE,
    Complexion,
    draw_brows,
    draw_eyes,
    draw_mouth,
    draw_nose,
)
from compute.demo.hair import HAIRS, draw_back_hair, draw_beard, draw_front_hair
from compute.demo.identity import Details, Face, Identity, Nuisance, Skin

SKINS = np.array(
    [
        [250, 222, 203],
        [243, 205, 178],
        [232, 186, 152],
        [214, 163, 124],
        [190, 136, 97],
        [158, 106, 74],
        [122, 79, 55],
        [88, 56, 41],
    ],
    dtype=np.float32,
)
BACKDROPS = np.array(
    [
        [176, 192, 204],
        [120, 140, 152],
        [196, 190, 176],
        [140, 150, 128],
        [92, 96, 112],
        [206, 206, 204],
        [150, 128, 118],
    ],
    dtype=np.float32,
)
CLOTHES = np.array(
    [[42, 52, 74], [120, 44, 46], [58, 84, 74], [210, 206, 198], [70, 70, 72], [150, 128, 88]],
    dtype=np.float32,
)


@dataclass(frozen=True)
class Render:
    """A drawing before the camera.

    Attributes
    ----------
    pixels : ndarray of uint8, shape (112, 112, 3)
        RGB.
    face : ndarray of bool, shape (112, 112)
        The face from chin to crown, hair over it included.
    """

    pixels: NDArray[np.uint8]
    face: NDArray[np.bool_]


def complexion(identity: Identity) -> Complexion:
    """Mix the colours that an identity's skin and hair lend to its parts."""
    skin: Skin = identity.skin
    base = palette(SKINS, skin.tone) + rgb(3, 0, -5) * np.float32(skin.undertone)
    depth = (skin.tone + 1.0) / 2.0
    shade = (base * rgb(0.66, 0.53, 0.48)).astype(np.float32)
    light = mix(base, rgb(255, 240, 222), 0.42 - 0.12 * depth)
    lip = mix((base * rgb(0.84, 0.58, 0.56)).astype(np.float32), rgb(150, 70, 72), 0.25)
    return Complexion(
        base.astype(np.float32), shade, light, lip, palette(HAIRS, identity.hair.colour), depth
    )


def face_outline(face: Face) -> Points:
    """Outline of the face from the chin around: float64 (n, 2), pixels of the crop."""
    chin = 107.6 + 2.2 * face.length
    cheek = 37.6 + 2.3 * face.cheek
    jaw = 28.8 + 4.6 * face.jaw
    right = (
        np.array(
            [
                [10.0 + 3.6 * face.chin, chin - 1.4],
                [jaw, 93.5 + 1.5 * face.length],
                [cheek - 1.8, 76.0],
                [cheek, 56.0],
                [36.6 + 1.8 * face.temple, 30.0],
                [29.5, 6.0],
            ]
        )
        + MIDLINE
    )
    points = np.concatenate([[[MIDDLE, chin]], right, [[MIDDLE, -8.5]], mirror(right)[::-1]])
    return spline(points, closed=True)


def render(identity: Identity, nuisance: Nuisance) -> Render:
    """Draw a face.

    Parameters
    ----------
    identity : Identity
        Who.
    nuisance : Nuisance
        How; its noise and blur are left to `develop`.

    Returns
    -------
    Render
        Depends on nothing but the arguments.
    """
    canvas = Canvas(View(nuisance))
    look = complexion(identity)
    head = _draw_behind(canvas, identity, nuisance, look)
    face = canvas.stencil(face_outline(identity.face))
    _draw_skin(canvas, identity, look, face)
    draw_beard(canvas, identity, look.hair, face)
    draw_nose(canvas, identity.nose, nuisance, look)
    draw_mouth(canvas, identity.mouth, nuisance, look)
    draw_eyes(canvas, identity.eyes, nuisance, look)
    _draw_marks(canvas, identity.details, look)
    front = draw_front_hair(canvas, identity, look.hair, look, face)
    draw_brows(canvas, identity.brows, nuisance, look)
    _draw_glasses(canvas, identity.details, nuisance)
    head = np.maximum(head, face)
    if front is not None:
        head = np.maximum(head, front)
    _light(canvas, nuisance, head)
    small = cv2.resize(cv2.merge(list(canvas.pixels)), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    inside = cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA) >= 0.5
    return Render(np.rint(np.clip(small, 0, 255)).astype(np.uint8), inside)


def develop(pixels: NDArray[np.uint8], nuisance: Nuisance) -> NDArray[np.uint8]:
    """Add the camera's blur and noise.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (112, 112, 3)
        As rendered.
    nuisance : Nuisance
        Its `blur` (standard deviation in pixels), `noise` (in grey levels) and `noise_seed`.

    Returns
    -------
    ndarray of uint8, shape (112, 112, 3)
    """
    image = pixels.astype(np.float32)
    if nuisance.blur > 0.2:
        image = cast(Layer, cv2.GaussianBlur(image, (7, 7), nuisance.blur))
    rng = np.random.default_rng(nuisance.noise_seed)
    grain = rng.standard_normal(pixels.shape, dtype=np.float32)
    # Film grain is mostly common to the channels.
    grain = 0.8 * grain[:, :, :1] + 0.6 * grain
    image = image + np.float32(nuisance.noise) * grain
    return np.rint(np.clip(image, 0, 255)).astype(np.uint8)


def _draw_behind(canvas: Canvas, identity: Identity, nuisance: Nuisance, look: Complexion) -> Layer:
    """Paint backdrop, back hair, clothes, neck and ears; returns the cover of all but the first."""
    side = canvas.pixels.shape[1]
    wall = palette(BACKDROPS, 2 * nuisance.background - 1)
    down = np.linspace(1.12, 0.82, side, dtype=np.float32)[:, None]
    sweep = np.linspace(-0.1, 0.1, side, dtype=np.float32)[None, :]
    canvas.pixels[:] = wall[:, None, None] * (down + sweep * np.float32(2 * nuisance.backdrop - 1))
    canvas.glow(96 * nuisance.backdrop + 8, 20, 50, 60, mix(wall, rgb(255, 255, 255), 0.5), 0.5)
    back = draw_back_hair(canvas, identity, look.hair)
    neck = (
        np.array(
            [
                [-26, 84],
                [-25, 100],
                [-27, 108],
                [-40, 126],
                [40, 126],
                [27, 108],
                [25, 100],
                [26, 84],
            ]
        )
        + MIDLINE
    )
    neck_cover = canvas.stencil(spline(neck, closed=True))
    canvas.cover(neck_cover, mix(look.skin, look.shade, 0.8))
    chest = (
        np.array(
            [
                [-70, 112],
                [-38, 104.5],
                [-27, 106],
                [-14, 118],
                [14, 118],
                [27, 106],
                [38, 104.5],
                [70, 112],
                [70, 140],
                [-70, 140],
            ]
        )
        + MIDLINE
    )
    chest_cover = canvas.stencil(spline(chest, closed=True))
    canvas.cover(chest_cover, palette(CLOTHES, 2 * nuisance.clothes - 1))
    head = np.maximum(neck_cover, chest_cover)
    if back is not None:  # long hair covers the ears
        return cast(Layer, np.maximum(head, back))
    x = 38.4 + 2.3 * identity.face.cheek
    size = 9.3 + 1.6 * identity.face.ears
    for sign in (1.0, -1.0):
        ear = ellipse(MIDDLE + sign * (x + 1.2), 59.0, 4.4, size)
        ear_cover = canvas.stencil(ear)
        canvas.cover(ear_cover, mix(look.skin, look.shade, 0.25))
        canvas.fill(
            ellipse(MIDDLE + sign * (x + 2.0), 58.5, 2.2, size * 0.68), look.shade, 0.6, soft=0.8
        )
        head = np.maximum(head, ear_cover)
    return head


def _draw_skin(canvas: Canvas, identity: Identity, look: Complexion, face: Layer) -> None:
    canvas.cover(face, look.skin)
    # The face turns away from the eye at its rim.
    rim = cv2.GaussianBlur(
        cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA),
        (31, 31),
        6.0,
        borderType=cv2.BORDER_REPLICATE,
    )
    rim = cv2.resize(rim, face.shape[::-1], interpolation=cv2.INTER_LINEAR)
    canvas.cover(face * np.clip(1.5 - 1.5 * rim, 0.0, 1.0), look.shade, 0.8)
    blush = mix(look.skin, rgb(206, 84, 76), 0.5)
    strength = 0.34 + 0.2 * identity.skin.blush
    for sign in (1.0, -1.0):
        canvas.glow(MIDDLE + sign * 22.5, 76.0, 14.0, 11.0, blush, strength, clip=face)
        canvas.glow(MIDDLE + sign * 22.0, 65.5, 11.0, 6.5, look.light, 0.4, clip=face)
        canvas.glow(MIDDLE + sign * 29.0, 90.0, 9.0, 15.0, look.shade, 0.22, clip=face)
    canvas.glow(MIDDLE, 29.0, 26.0, 15.0, look.light, 0.5, clip=face)
    canvas.glow(MIDDLE, 103.0, 8.0, 4.5, look.light, 0.42, clip=face)


def _draw_marks(canvas: Canvas, details: Details, look: Complexion) -> None:
    """Freckles over the cheeks and a mole; never where a part could be."""
    rng = np.random.default_rng([details.seed, 5])
    for _ in range(details.freckles):
        x = MIDDLE + float(rng.choice((-1.0, 1.0))) * float(rng.uniform(13.0, 30.0))
        y = float(rng.normal(71.0, 4.0))
        radius = float(rng.uniform(0.35, 0.75))
        canvas.fill(
            ellipse(x, y, radius, radius, 10),
            mix(look.shade, rgb(120, 60, 30), 0.4),
            float(rng.uniform(0.35, 0.75)),
        )
    if details.mole:
        x = MIDDLE + (21.0 + 3.0 * abs(details.mole_x)) * (1.0 if details.mole_x > 0 else -1.0)
        y = 82.0 + 7.0 * details.mole_y
        canvas.fill(ellipse(x, y, 1.5, 1.5, 14), mix(look.shade, rgb(30, 16, 12), 0.65), 0.95)


def _draw_glasses(canvas: Canvas, details: Details, nuisance: Nuisance) -> None:
    if not details.glasses:
        return
    power = 2.0 if details.glasses == 1 else 4.0  # round or nearly rectangular
    frame = palette(
        np.array([[24, 22, 24], [70, 40, 26], [120, 96, 60]], dtype=np.float32),
        (details.seed % 1000) / 500.0 - 1.0,
    )
    angle = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
    for sign in (1.0, -1.0):
        x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** (2 / power) * 13.6
        y = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** (2 / power) * 11.0
        rim = np.stack([MIDDLE + sign * EYE_X + x, EYE_Y + 1.0 + y], axis=1)
        canvas.glow(
            MIDDLE + sign * EYE_X - 5.0, EYE_Y - 4.0, 6.0, 4.0, rgb(255, 255, 255), 0.3, lift=5.0
        )
        ring = np.concatenate([rim, rim[:2]])
        canvas.stroke(ring, (1.9, 1.9), frame, 0.95, lift=5.0)
        arm = np.array([[MIDDLE + sign * 31.0, EYE_Y - 2.0], [MIDDLE + sign * 39.5, EYE_Y - 1.0]])
        canvas.stroke(arm, (1.8, 1.4), frame, 0.95, lift=3.0)
    shift = 0.4 * nuisance.light_x
    bridge = np.array(
        [[MIDDLE - 4.4, EYE_Y - 1.5], [MIDDLE, EYE_Y - 3.0], [MIDDLE + 4.4, EYE_Y - 1.5]]
    )
    canvas.stroke(bridge, (1.9, 1.6 + shift, 1.9), frame, 0.95, lift=6.0)


def _light(canvas: Canvas, nuisance: Nuisance, head: Layer) -> None:
    """Shade the head as an ellipsoid under one lamp and set exposure and colour of the light."""
    grid = np.linspace(0.0, SIDE, 56, dtype=np.float32)
    middle = canvas.view.place(np.array([[MIDDLE, 60.0]]), lift=-40.0)[0] / SUPERSAMPLING
    across = (grid[None, :] - np.float32(middle[0])) / np.float32(50.0)
    down = (grid[:, None] - np.float32(middle[1])) / np.float32(68.0)
    front = np.sqrt(np.clip(1.0 - across**2 - down**2, 0.04, 1.0))
    norm = np.sqrt(across**2 + down**2 + front**2)
    lamp = np.array([nuisance.light_x, nuisance.light_y, 0.9])
    lamp = lamp / np.linalg.norm(lamp)
    facing = (across * lamp[0] + down * lamp[1] + front * lamp[2]) / norm
    shade = 1.0 + nuisance.contrast * 1.25 * (np.clip(facing, 0.0, 1.0) - 0.72)
    wide = cv2.resize(shade.astype(np.float32), head.shape[::-1], interpolation=cv2.INTER_LINEAR)
    gain: Layer = 1.0 + head * (wide - 1.0)
    tint: Colour = rgb(1.0, 1.0, 1.0) + rgb(0.05, 0.0, -0.07) * np.float32(nuisance.warmth)
    canvas.pixels *= gain * (tint * np.float32(nuisance.exposure))[:, None, None]
