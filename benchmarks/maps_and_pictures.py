"""How long the maps, X-Maps and PNGs of a dataset's pairs take, each alone and all together.

    python -m benchmarks.maps_and_pictures [--pairs 100]

Deviations and faces are made up; what is done with them is what the pipeline does with real ones
(`compute/rendering.py`, `compute/publish/explanations.py`), on one thread.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import product
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from app.media import MediaStore
from compute.blending import xmap
from compute.explanation import ROWS
from compute.images import encode_png
from compute.occlusion import IMAGE_SIZE, OcclusionSpec
from compute.publish.explanations import write_pictures
from compute.rendering import render_stored
from compute.xmaps import NORMALISATIONS, similarity_map

PAIRS: Final = 100
DATASET: Final = 6000
"""Pairs of LFW."""
ROUNDS: Final = 3
SPEC: Final = OcclusionSpec()


class Pairs:
    """Made-up pairs, and what is measured of them."""

    def __init__(self, count: int) -> None:
        random = np.random.default_rng(0)
        self.faces = [made_up_face(random) for _ in range(count + 1)]
        self.stored = [made_up_deviations(random) for _ in range(count)]
        self.maps = [similarity_map(rows[0], SPEC).values for rows in self.stored]
        self.pictures = [xmap(*pair) for pair in zip(self.faces, self.maps, strict=False)]

    def draw_maps(self, _media: MediaStore) -> int:
        """Draw every map of all pairs."""
        for rows in self.stored:
            for row, normalise in product(rows, NORMALISATIONS):
                similarity_map(row, SPEC, normalise=normalise)
        return len(self.stored) * len(ROWS) * len(NORMALISATIONS)

    def blend(self, _media: MediaStore) -> int:
        """Draw one X-Map of each pair."""
        for face, values in zip(self.faces, self.maps, strict=False):
            xmap(face, values)
        return len(self.maps)

    def encode(self, _media: MediaStore) -> int:
        """Encode it."""
        for picture in self.pictures:
            encode_png(picture)
        return len(self.pictures)

    def write(self, media: MediaStore) -> int:
        """Encode and store it."""
        for picture in self.pictures:
            media.write("xmaps", encode_png(picture))
        return len(self.pictures)

    def publish(self, media: MediaStore) -> int:
        """Do all that is done for a pair, but for its row."""
        for i, rows in enumerate(self.stored):
            write_pictures(media, render_stored(rows, SPEC, (self.faces[i], self.faces[i + 1])))
        return len(self.stored)


def measure(pairs: int = PAIRS) -> dict[str, Any]:
    """Draw so many pairs; return what a second gives, and what 6,000 pairs would take.

    The best of some rounds: the rest of the machine only ever takes away.
    """
    drawn = Pairs(pairs)
    rates = {
        "maps": _best_rate(drawn.draw_maps),
        "X-Maps": _best_rate(drawn.blend),
        "PNGs": _best_rate(drawn.encode),
        "PNGs written": _best_rate(drawn.write),
        "pairs": _best_rate(drawn.publish),
    }
    maps = DATASET * len(ROWS) * len(NORMALISATIONS)
    size = sum(len(encode_png(picture)) for picture in drawn.pictures) / pairs
    return {
        "pairs": pairs,
        "per_second": {name: round(rate) for name, rate in rates.items()},
        "seconds_of_6000_pairs": {
            "maps": round(maps / rates["maps"], 1),
            "all": round(DATASET / rates["pairs"], 1),
        },
        "bytes_of_a_png": round(size),
    }


def _best_rate(task: Callable[[MediaStore], int]) -> float:
    """Return how many a second ``task`` does at its best, each time into an empty store."""
    rates = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="xfv-bench-") as folder:
            media = MediaStore(folder)
            began = time.perf_counter()
            done = task(media)
            rates.append(done / (time.perf_counter() - began))
    return max(rates)


def made_up_face(random: np.random.Generator) -> NDArray[np.uint8]:
    """Return something as smooth and as noisy as a photograph of a face."""
    rough = random.uniform(40, 215, (9, 9, 3))
    smooth = cv2.resize(rough, (IMAGE_SIZE, IMAGE_SIZE), interpolation=cv2.INTER_CUBIC)
    face: NDArray[np.uint8] = np.clip(smooth + random.normal(0, 4, smooth.shape), 0, 255).astype(
        "u1"
    )
    return face


def made_up_deviations(random: np.random.Generator) -> NDArray[np.float32]:
    """Return the five rows of a pair, smooth from place to place but for some noise."""
    rows = []
    for _ in ROWS:
        parts = []
        for patch_size in SPEC.patch_sizes:
            n = len(SPEC.positions(patch_size))
            smooth = cv2.resize(random.normal(0, 0.02, (6, 6)), (n, n))
            parts.append((smooth + random.normal(0, 0.004, (n, n))).ravel())
        rows.append(np.concatenate(parts))
    return np.stack(rows).astype("<f4")


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as a table."""
    return [
        *(f"{name:<30}{rate:>8,} a second" for name, rate in found["per_second"].items()),
        *(
            f"6,000 pairs, {name:<17}{seconds:>8} s"
            for name, seconds in found["seconds_of_6000_pairs"].items()
        ),
        f"a PNG has {found['bytes_of_a_png']:,} bytes",
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=PAIRS)
    print("\n".join(lines(measure(parser.parse_args(arguments).pairs))))


if __name__ == "__main__":
    main()
