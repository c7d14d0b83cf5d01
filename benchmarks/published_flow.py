"""What an explained pair costs by the published flow: the yardstick of ``make bench``.

Written here after the description of the authors' program: for each
method anew, both images are occluded position by position, all copies embedded in batches of 64,
method I compares every copy of one image with every copy of the other, and a map is the mean over
one weighted mask per occlusion. So three methods take 2 x 3 x (1,130 + 1) = 6,786 forwards a pair.
The engine is the same plain session, on the same file, that everything else is compared with.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from benchmarks.faces import Bench
from compute.blending import xmap
from compute.engines.timing import cores
from compute.explanation import METHODS, Embed, Method
from compute.opening import open_embedder
from compute.registry import ModelRegistry

SIDE: Final = 112
STRIDE: Final = 5
PATCH_SIZES: Final = (7, 14, 28)
BATCH: Final = 64
PAIRS: Final = 3
FORWARDS: Final = 6 * (1 + sum(len(range(0, SIDE - p, STRIDE)) ** 2 for p in PATCH_SIZES))
"""Both images anew for each of three methods, each as it is and under every occlusion."""

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


def measure(bench: Bench, *, pairs: int = PAIRS) -> dict[str, Any]:
    """Return seconds a pair by model, and of these, seconds of inference.

    The first model is timed on ``pairs`` pairs, each other one on the first of them: the engine
    alone is another, and the time of a pair hardly varies.
    """
    found = {}
    for place, (name, entry) in enumerate(bench.models.items()):
        embed = open_embedder(ModelRegistry(bench.data), entry, batch=BATCH, threads=cores())
        pictures = bench.pictures(1 if place else pairs)
        embed(np.stack([pictures[0][0]] * BATCH))  # warms
        spent = [explain(embed, pair)[1] for pair in pictures]
        found[name] = {
            "pairs": len(pictures),
            "forwards_per_pair": FORWARDS,
            "seconds_per_pair": round(float(np.mean([each.all for each in spent])), 2),
            "inference_seconds_per_pair": round(
                float(np.mean([each.inference for each in spent])), 2
            ),
        }
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement in words."""
    return [
        f"{name}: {each['seconds_per_pair']} s a pair for three methods, "
        f"{each['inference_seconds_per_pair']} s of it inference ({each['forwards_per_pair']:,} "
        f"forwards; {each['pairs']} pairs timed)"
        for name, each in found.items()
    ]
