"""What an explained pair costs by the published flow: the yardstick of ``make bench``.

Written here after the description of the authors' program: for each
method anew, both images are occluded position by position, all copies embedded in batches of 64,
method I compares every copy of one image with every copy of the other, and a map is the mean over
one weighted mask per occlusion. So three methods take 2 x 3 x (1,130 + 1) = 6,786 forwards a pair.
The engine is the same plain session, on the same file, that everything else is compared with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from compute.blending import xmap
from compute.explanation import METHODS, Embed, Method

SIDE: Final = 112
STRIDE: Final = 5
PATCH_SIZES: Final = (7, 14, 28)
BATCH: Final = 64

Picture = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass
class Spent:
    """Seconds of one pair."""

    inference: float = 0.0
    all: float = 0.0


def explain(embed: Embed, pair: tuple[Picture, Picture]) -> tuple[list[Picture], Spent]:
    """Return the X-Maps of a pair, both sides of each method, and what they took."""
    spent, began = Spent(), time.perf_counter()

    def timed(images: NDArray[np.uint8]) -> Floats:
        start = time.perf_counter()
        found = embed(images)
        spent.inference += time.perf_counter() - start
        return found

    drawn = [picture for method in METHODS for picture in explain_by(method, timed, pair)]
    spent.all = time.perf_counter() - began
    return drawn, spent


def explain_by(method: Method, embed: Embed, pair: tuple[Picture, Picture]) -> Iterator[Picture]:
    """Yield the X-Maps of both images by one method, everything done anew for it."""
    original: list[Floats] = []
    occluded: list[Floats] = []
    weights: list[NDArray[np.float64]] = []
    for image in pair:
        copies, masks = zip(*_occlusions(image), strict=True)
        pixels = np.rint(np.stack([image / 255, *copies]) * 255).astype(np.uint8)
        rows = np.concatenate(
            [embed(pixels[start : start + BATCH]) for start in range(0, len(pixels), BATCH)]
        )
        original.append(rows[:1])
        occluded.append(rows[1:])
        weights.append(np.stack(masks))
    clean = cdist(original[0], original[1], "cosine")[0, 0]
    if method == "I":
        every = cdist(occluded[0], occluded[1], "cosine") - clean
        sides = (every.mean(axis=1), every.mean(axis=0))
    elif method == "II":
        sides = (
            cdist(occluded[0], original[1], "cosine")[:, 0] - clean,
            cdist(original[0], occluded[1], "cosine")[0] - clean,
        )
    else:
        both = np.diag(cdist(occluded[0], occluded[1], "cosine")) - clean
        sides = (both, both)
    for image, deviations, weighted in zip(pair, sides, weights, strict=True):
        mean = (deviations[:, None, None] * weighted).mean(axis=0)
        smooth = cv2.GaussianBlur(mean, (5, 5), 5)
        yield xmap(image, smooth / np.abs(smooth).max())


def _occlusions(image: Picture) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Yield each occluded copy in [0, 1], and its weighted mask: patches one pixel too large."""
    scaled = image / 255
    for patch in PATCH_SIZES:
        for y in range(0, SIDE - patch, STRIDE):
            for x in range(0, SIDE - patch, STRIDE):
                kept = cv2.rectangle(
                    np.ones((SIDE, SIDE, 3)), (x, y), (x + patch, y + patch), 0, -1
                )
                yield scaled * kept, (1 - kept[..., 0]) / patch**2


def measure(
    embeds: dict[str, Embed],
    pairs: Sequence[tuple[Picture, Picture]],
    *,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Return seconds a pair by model, the mean over ``pairs``; of that, seconds of inference."""
    found = {}
    for name, embed in embeds.items():
        embed(np.stack([pairs[0][0]] * BATCH))  # warm
        spent = [explain(embed, pair)[1] for pair in pairs]
        found[name] = {
            "pairs": len(pairs),
            "forwards_per_pair": 2 * len(METHODS) * (1 + sum(1 for _ in _occlusions(pairs[0][0]))),
            "seconds_per_pair": round(float(np.mean([each.all for each in spent])), 2),
            "inference_seconds_per_pair": round(
                float(np.mean([each.inference for each in spent])), 2
            ),
        }
        say(f"published flow, {name}: {found[name]['seconds_per_pair']} s a pair")
    return found
