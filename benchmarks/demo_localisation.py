"""Measure whether the maps find what really differs: ``python -m benchmarks.demo_localisation``.

For every masked pair of the demo dataset (two drawings that differ in one or two parts of the
face) the pixel AUROC of -S against the mask: the chance that a pixel of the mask is redder than
one outside. Beside the three methods stand a random map, smoothed as the maps are, and a Gaussian
in the middle of the crop, which is what knowing nothing but where faces are would give.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from scipy.stats import rankdata

from compute import OcclusionSpec
from compute.demo import MODEL_PATH, DemoDataset, draw_demo
from compute.demo.evaluate import accepted_pairs, accuracy, embed, pair_distances
from compute.explanation import OccludedFace, embed_occlusions, pair_deviations
from compute.xmaps import similarity_map

Normalise = Literal["count", "coverage"]
SIDE = 112
RESAMPLES = 10_000
SEED = 20220712


@dataclass(frozen=True)
class Localisation:
    """One row of the table: AUROC of each masked pair, mean and 95 % bootstrap interval."""

    name: str
    values: NDArray[np.float64]
    mean: float
    low: float
    high: float


def pixel_auroc(score: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """Area under the ROC curve of a map against a mask, ties counted half.

    Parameters
    ----------
    score : ndarray of float64, shape (112, 112)
        Higher where a difference is claimed.
    mask : ndarray of bool, shape (112, 112)
        Where the difference is; neither empty nor full.

    Returns
    -------
    float
        In [0, 1].
    """
    ranks = rankdata(score.ravel())[mask.ravel()]
    inside, outside = int(mask.sum()), int((~mask).sum())
    return float((ranks.sum() - inside * (inside + 1) / 2) / (inside * outside))


def bootstrap(
    name: str, values: NDArray[np.float64], clusters: NDArray[np.int64] | None = None
) -> Localisation:
    """Mean and percentile interval over resampled pairs, or over resampled clusters of pairs."""
    rng = np.random.default_rng(SEED)
    groups = np.arange(len(values)) if clusters is None else clusters
    _, members = np.unique(groups, return_inverse=True)
    sums = np.bincount(members, weights=values)
    sizes = np.bincount(members)
    drawn = rng.integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    low, high = np.quantile(means, (0.025, 0.975))
    return Localisation(name, values, float(values.mean()), float(low), float(high))


def centred_map() -> NDArray[np.float64]:
    """Gaussian about the middle of the crop, a quarter of its side wide: float64 (112, 112)."""
    place = (np.arange(SIDE) - (SIDE - 1) / 2) / (SIDE / 4)
    bump: NDArray[np.float64] = np.exp(-0.5 * (place[:, None] ** 2 + place[None, :] ** 2))
    return bump


def random_maps(count: int) -> Iterator[NDArray[np.float64]]:
    """White noise through the Gaussian of the maps: float64 (112, 112) each."""
    rng = np.random.default_rng(SEED)
    for _ in range(count):
        noise = rng.standard_normal((SIDE, SIDE))
        yield np.asarray(cv2.GaussianBlur(noise, (5, 5), 5.0), dtype=np.float64)


def occlude_images(
    dataset: DemoDataset, session: onnxruntime.InferenceSession, spec: OcclusionSpec
) -> dict[int, OccludedFace]:
    """Embed every image of a masked pair, once, under all occlusions."""
    wanted = sorted({i for p in dataset.pairs if p.mask is not None for i in (p.image1, p.image2)})

    def black_box(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        return embed(session, images)

    faces: dict[int, OccludedFace] = {}
    start = time.perf_counter()
    for done, index in enumerate(wanted, 1):
        image = dataset.pixels[index]
        occluded = embed_occlusions(black_box, image, spec)
        faces[index] = OccludedFace(black_box(image[None])[0], occluded)
        if done % 50 == 0 or done == len(wanted):
            rate = done * spec.count / (time.perf_counter() - start)
            print(f"{done}/{len(wanted)} images, {rate:.0f} occlusions/s", flush=True)
    return faces


def localise(
    dataset: DemoDataset,
    faces: dict[int, OccludedFace],
    spec: OcclusionSpec,
    normalise: Normalise,
    patch_sizes: tuple[int, ...] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Score the maps of every masked pair: method -> float64 (pairs,), sides averaged."""
    scores: dict[str, list[float]] = {"I": [], "II": [], "III": []}
    for pair in dataset.pairs:
        if pair.mask is None:
            continue
        mask = dataset.masks[pair.mask]
        rows = pair_deviations(faces[pair.image1], faces[pair.image2], spec)
        found: dict[str, list[float]] = {"I": [], "II": [], "III": []}
        for (method, _), deviations in rows.items():
            made = similarity_map(deviations, spec, normalise=normalise, patch_sizes=patch_sizes)
            found[method].append(pixel_auroc(-made.values, mask))
        for name, sides in found.items():
            scores[name].append(float(np.mean(sides)))
    return {method: np.array(values) for method, values in scores.items()}


def score_table(
    dataset: DemoDataset, faces: dict[int, OccludedFace], spec: OcclusionSpec
) -> dict[str, NDArray[np.float64]]:
    """Score the two maps that know nothing and all methods: name -> float64 (pairs,)."""
    masks = [dataset.masks[pair.mask] for pair in dataset.pairs if pair.mask is not None]
    noise, centre = random_maps(len(masks)), centred_map()
    table = {
        "random": np.array([pixel_auroc(n, m) for n, m in zip(noise, masks, strict=True)]),
        "centred": np.array([pixel_auroc(centre, mask) for mask in masks]),
    }
    modes: tuple[Normalise, ...] = ("count", "coverage")
    for normalise in modes:
        for method, values in localise(dataset, faces, spec, normalise).items():
            table[f"{method} ({normalise})"] = values
    return table


def measure(model: Path = MODEL_PATH) -> dict[str, Any]:
    """Return the demo's accuracy in words, and under ``maps`` the figures of each map.

    ``mean`` with its 95 % intervals over pairs and over whole families, ``beats_centred`` as a
    share of pairs, and the mean over the pairs that the model ``rejected`` and those it took for
    genuine (``taken``).
    """
    dataset = draw_demo()
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    distances = pair_distances(dataset, session)
    spec = OcclusionSpec()
    table = score_table(dataset, occlude_images(dataset, session, spec), spec)
    masked = [pair for pair in dataset.pairs if pair.mask is not None]
    # Pairs of one family share faces; resampling whole families is the stricter interval.
    clusters = np.array([_family(dataset, pair.image1, pair.fold) for pair in masked])
    chosen = np.array([pair.mask is not None for pair in dataset.pairs])
    missed = accepted_pairs(dataset, distances)[chosen]
    maps = {}
    for name, values in table.items():
        row, strict = bootstrap(name, values), bootstrap(name, values, clusters)
        maps[name] = {
            "mean": row.mean,
            "over_pairs": [row.low, row.high],
            "over_families": [strict.low, strict.high],
            "beats_centred": float((values > table["centred"]).mean()),
            "rejected": float(values[~missed].mean()),
            "taken": float(values[missed].mean()),
        }
    return {
        "accuracy": str(accuracy(dataset, distances)),
        "pairs": len(masked),
        "families": len(set(clusters.tolist())),
        "rejected": int((~missed).sum()),
        "taken": int(missed.sum()),
        "maps": maps,
    }


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as tables."""
    told = [
        found["accuracy"],
        "",
        f"Pixel AUROC of -S against what differs: {found['pairs']} masked pairs, "
        f"{found['families']} families; by what the model decided: {found['rejected']} rejected, "
        f"{found['taken']} taken for genuine",
        f"{'map':<16}{'mean':>7}{'95 % over pairs':>19}{'over families':>18}{'beats centred':>15}"
        f"{'rejected':>10}{'taken':>10}",
    ]
    for name, row in found["maps"].items():
        (low, high), (strict_low, strict_high) = row["over_pairs"], row["over_families"]
        told.append(
            f"{name:<16}{row['mean']:>7.3f}{low:>10.3f} ..{high:>6.3f}"
            f"{strict_low:>9.3f} ..{strict_high:>6.3f}{row['beats_centred']:>14.0%}"
            f"{row['rejected']:>11.3f}{row['taken']:>10.3f}"
        )
    return told


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODEL_PATH)
    print("\n".join(lines(measure(parser.parse_args().model))))


def _family(dataset: DemoDataset, image: int, fold: int) -> int:
    """Return the least image of the family of an image: pairs link a family's images."""
    family = {image}
    linked = [p for p in dataset.pairs if p.fold == fold and (p.genuine or p.mask is not None)]
    for _ in range(4):
        for pair in linked:
            if pair.image1 in family or pair.image2 in family:
                family |= {pair.image1, pair.image2}
    return min(family)


if __name__ == "__main__":
    main()
