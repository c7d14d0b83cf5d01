"""Seeded degradations of aligned faces: what a worse camera, channel or view would have left.

Pure functions of image, steps, seed and name (and of the versions of OpenCV and NumPy): the same
ones give the same bytes, whatever was degraded before.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.errors import DatasetError, ImageError
from compute.images import to_bgr
from compute.occlusion import IMAGE_SHAPE, IMAGE_SIZE

_Image = NDArray[np.uint8]


@dataclass(frozen=True)
class _Kind:
    apply: Callable[[_Image, float, np.random.Generator], _Image]
    least: float
    most: float
    whole: bool
    meaning: str


@dataclass(frozen=True)
class Degradation:
    """One step: its kind, and how much, in the unit of that kind.

    Attributes
    ----------
    kind
        ``downsample`` (factor), ``jpeg`` (quality), ``blur`` (sigma in pixels), ``noise`` (standard
        deviation in grey levels) or ``occlusion`` (part of the area).

    Raises
    ------
    DatasetError
        For an unknown kind, or an amount out of its range.
    """

    kind: str
    amount: float

    def __post_init__(self) -> None:
        rule = _rule(self.kind)
        sound = rule.least <= self.amount <= rule.most
        if not sound or (rule.whole and self.amount != int(self.amount)):
            raise _unsound(str(self), self.kind)

    def __str__(self) -> str:
        return f"{self.kind}={self.amount:g}"


def parse_degradation(text: str) -> Degradation:
    """Parse ``kind=amount``, such as ``jpeg=20``; ``DatasetError`` says what there is."""
    kind, _, amount = text.partition("=")
    _rule(kind)
    try:
        return Degradation(kind, float(amount))
    except ValueError:
        raise _unsound(text, kind) from None


def _rule(kind: str) -> _Kind:
    if kind not in _KINDS:
        there = ", ".join(f"{name}={rule.meaning}" for name, rule in _KINDS.items())
        raise DatasetError(f"Degradation {kind[:80]!r}: expected one of {there}.")
    return _KINDS[kind]


def _unsound(step: str, kind: str) -> DatasetError:
    rule = _KINDS[kind]
    return DatasetError(
        f"Degradation {step[:80]}: expected {kind}={rule.meaning}, "
        f"{'a whole number ' if rule.whole else ''}{rule.least:g} to {rule.most:g}."
    )


def degrade(
    image: _Image, steps: Sequence[Degradation], *, seed: int = 0, name: str = ""
) -> _Image:
    """Degrade an image by each step in turn.

    Parameters
    ----------
    image
        (112, 112, 3) uint8 RGB.
    seed
        Of noise and of the place of an occlusion, 0 or more.
    name
        The image's name: each image has chances of its own.

    Returns
    -------
    (112, 112, 3) uint8 RGB, another array.

    Raises
    ------
    ImageError
        For another shape or type.
    """
    if image.shape != IMAGE_SHAPE or image.dtype != np.uint8:
        raise ImageError(
            f"{name or 'image'}: {image.dtype} {image.shape}, expected uint8 {IMAGE_SHAPE}."
        )
    degraded = np.ascontiguousarray(image).copy()
    for place, step in enumerate(steps):
        # Of its own place: a step draws the same whatever the steps before it drew.
        digest = hashlib.sha256(f"{seed}/{place}/{step.kind}/{name}".encode()).digest()
        random = np.random.Generator(np.random.PCG64(int.from_bytes(digest[:16], "little")))
        degraded = _KINDS[step.kind].apply(degraded, step.amount, random)
    return degraded


def _downsample(image: _Image, factor: float, _: np.random.Generator) -> _Image:
    side = max(1, round(IMAGE_SIZE / factor))
    small = cv2.resize(image, (side, side), interpolation=cv2.INTER_AREA)
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return np.asarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR_EXACT), np.uint8)


def _jpeg(image: _Image, quality: float, _: np.random.Generator) -> _Image:
    done, data = cv2.imencode(".jpg", to_bgr(image), [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    if not done:
        raise ImageError(f"OpenCV could not encode an image as JPEG of quality {quality:g}.")
    return to_bgr(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8))


def _blur(image: _Image, sigma: float, _: np.random.Generator) -> _Image:
    return np.asarray(
        cv2.GaussianBlur(image, (0, 0), sigma, borderType=cv2.BORDER_REFLECT_101), np.uint8
    )


def _noise(image: _Image, deviation: float, random: np.random.Generator) -> _Image:
    noisy = image + random.normal(0.0, deviation, IMAGE_SHAPE)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def _occlude(image: _Image, part: float, random: np.random.Generator) -> _Image:
    side = max(1, round(IMAGE_SIZE * math.sqrt(part)))
    top, left = random.integers(0, IMAGE_SIZE - side + 1, 2)
    occluded = image.copy()
    occluded[top : top + side, left : left + side] = 0
    return occluded


_KINDS: Final = {
    "downsample": _Kind(_downsample, 1, 16, whole=False, meaning="FACTOR"),
    "jpeg": _Kind(_jpeg, 1, 100, whole=True, meaning="QUALITY"),
    "blur": _Kind(_blur, 0.1, 20, whole=False, meaning="SIGMA (pixels)"),
    "noise": _Kind(_noise, 0.1, 100, whole=False, meaning="DEVIATION (grey levels)"),
    "occlusion": _Kind(_occlude, 0.001, 0.9, whole=False, meaning="PART (of the area, black)"),
}
