"""Write the golden conformance vectors: ``python -m tests.golden.make_conformance``.

Provenance. Everything here is a second, naive reading of the method (see ``README.md``), written
for clarity and never for speed: loops over patches, the whole N x N matrix of distances for
method I, OpenCV for every Gaussian, matplotlib for the colours, ``colorsys`` pixel by pixel for
Algorithm 2. It imports nothing of ``compute``, so that an error there cannot hide here too.

The inputs are drawn from ``np.random.default_rng`` with the seeds below. The embedder is
``tanh(P (block means / 255 - 1/2))`` in float64, returned as float32: means of 8 x 8 pixels, and a
fixed random P. It is not a face model, and need not be: the vectors pin the method around it.
"""

from __future__ import annotations

import base64
import colorsys
import json
from functools import cache
from pathlib import Path
from typing import Any, Final

import cv2
import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

FOLDER: Final = Path(__file__).resolve().parent
IMAGE_SEEDS: Final = (11, 12)
EMBEDDER_SEED: Final = 13
CSCORE_SEED: Final = 14
SIZE: Final = 112
EMBEDDING_SIZE: Final = 16

DEFAULT_SPEC: Final[dict[str, Any]] = {
    "patch_sizes": [7, 14, 28],
    "stride": 5,
    "shape": "square",
    "fill": "black",
    "blur": 0,
    "grid": "paper",
    "seed": 0,
}
SETS: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "default": (DEFAULT_SPEC, "count"),
    "coverage": (DEFAULT_SPEC, "coverage"),
    "published": (DEFAULT_SPEC | {"grid": "published"}, "count"),
    "full_gray_coverage": (DEFAULT_SPEC | {"grid": "full", "fill": "gray"}, "coverage"),
    "blur14_white": (DEFAULT_SPEC | {"blur": 14, "fill": "white"}, "count"),
    "circle_noise": (DEFAULT_SPEC | {"shape": "circle", "fill": "noise", "seed": 7}, "count"),
    "circle_blur7_full_coverage": (
        DEFAULT_SPEC | {"shape": "circle", "blur": 7, "grid": "full"},
        "coverage",
    ),
    "only14": (DEFAULT_SPEC | {"patch_sizes": [14]}, "count"),
    "odd_order_blur56": (
        DEFAULT_SPEC | {"patch_sizes": [20, 9], "stride": 11, "blur": 56, "fill": "gray"},
        "coverage",
    ),
}
ROWS: Final = ("I1", "I2", "II1", "II2", "III")
SIDES: Final = (("I1", 1), ("I2", 2), ("II1", 1), ("II2", 2), ("III", 1), ("III", 2))
XMAP_SETS: Final = ("default",)
"""Whose X-Maps are kept: they depend on the map alone, so that one set tells all."""
FULL_MAPS: Final = (("default", "III"),)
"""Whose map is whole in the JSON; of the others it has every third pixel, both borders included."""

Image = NDArray[np.uint8]
Vector = NDArray[np.float64]


def draw_face(seed: int) -> Image:
    """Draw something smooth with two eyes, a nose and a mouth, and blobs where the seed says."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:SIZE, 0:SIZE].astype(np.float64)
    picture = np.empty((SIZE, SIZE, 3))
    picture[...] = rng.uniform(60, 120, 3)
    places: list[tuple[float, ...]] = [  # y, x, width, strength
        (56, 56, 40, 70),
        (50, 38, 7, -90),
        (50, 74, 7, -90),
        (71, 56, 8, 30),
        (92, 56, 9, -60),
    ]
    for _ in range(12):
        place = (*rng.uniform(0, SIZE, 2), rng.uniform(4, 14), rng.uniform(-50, 50))
        places.append(place)
    for cy, cx, width, strength in places:
        away = (y - cy - rng.normal(0, 2)) ** 2 + (x - cx - rng.normal(0, 2)) ** 2
        blob = np.exp(-away / (2 * width**2))
        picture += strength * blob[..., None] * rng.uniform(0.6, 1.2, 3)
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


@cache
def projection() -> Vector:
    """Return P of the embedder, (588, 16): one row for each block and channel."""
    return np.random.default_rng(EMBEDDER_SEED).normal(0, 0.2, (14 * 14 * 3, EMBEDDING_SIZE))


def embed(images: Image) -> NDArray[np.float32]:
    """Embed uint8 RGB images, (N, 112, 112, 3), as float32, (N, 16)."""
    sums = images.reshape(len(images), 14, 8, 112, 3).sum(axis=2, dtype=np.uint32)
    blocks = sums.reshape(len(images), 14, 14, 8, 3).sum(axis=3) / 64
    features = blocks.reshape(len(images), -1) / 255 - 0.5
    embeddings: NDArray[np.float32] = np.tanh(features @ projection()).astype(np.float32)
    return embeddings


def positions(spec: dict[str, Any], p: int) -> list[int]:
    """Return the offsets of a patch along one axis."""
    stride, last = spec["stride"], SIZE - p
    if spec["grid"] == "paper":
        return [i * stride for i in range(last // stride)]
    if spec["grid"] == "published":
        return [i * stride for i in range(-(-last // stride))]
    offsets = [0]
    while offsets[-1] < last:
        offsets.append(min(offsets[-1] + stride, last))
    return offsets


def draw_masks(spec: dict[str, Any], p: int) -> list[Vector]:
    """Return the masks of one patch size, by y, then x."""
    q = p + 1 if spec["grid"] == "published" else p
    masks = []
    for top in positions(spec, p):
        for left in positions(spec, p):
            mask = np.zeros((SIZE, SIZE))
            centre_y, centre_x = top + (q - 1) / 2, left + (q - 1) / 2
            for y in range(top, top + q):
                for x in range(left, left + q):
                    away = (y - centre_y) ** 2 + (x - centre_x) ** 2
                    if spec["shape"] == "square" or away <= (q / 2) ** 2:
                        mask[y, x] = 1
            if spec["blur"]:
                side, sigma = spec["blur"] | 1, spec["blur"]
                mask = np.asarray(
                    cv2.GaussianBlur(
                        mask, (side, side), sigma, sigmaY=sigma, borderType=cv2.BORDER_CONSTANT
                    )
                )
                mask = mask / mask.max()
            masks.append(mask)
    return masks


def fill_image(spec: dict[str, Any]) -> Image:
    """Return what is seen through a patch."""
    if spec["fill"] == "noise":
        return np.random.default_rng(spec["seed"]).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    value = {"black": 0, "gray": 128, "white": 255}[spec["fill"]]
    return np.full((SIZE, SIZE, 3), value, dtype=np.uint8)


def occlude(image: Image, fill: Image, mask: Vector) -> Image:
    """Return I (1 - M) + fill M, rounded half to even."""
    m = mask[..., None]
    return np.rint(image * (1 - m) + fill * m).astype(np.uint8)


def unit(embeddings: NDArray[np.float32]) -> Vector:
    """Return the rows at length 1, in float64."""
    rows = embeddings.astype(np.float64)
    return np.stack([row / np.sqrt(np.sum(row * row)) for row in rows])


def measure(
    image1: Image, image2: Image, spec: dict[str, Any], masks: dict[int, list[Vector]]
) -> tuple[float, dict[str, Vector]]:
    """Return the distance of the pair and the deviations of the five rows (eq. 6 to 8)."""
    fill = fill_image(spec)
    f1, f2 = unit(embed(np.stack([image1, image2])))
    original = 1 - float(np.dot(f1, f2))
    parts: dict[str, list[Vector]] = {row: [] for row in ROWS}
    for p in spec["patch_sizes"]:
        o1 = unit(np.concatenate([embed(occlude(image1, fill, m)[None]) for m in masks[p]]))
        o2 = unit(np.concatenate([embed(occlude(image2, fill, m)[None]) for m in masks[p]]))
        all_distances = 1 - o1 @ o2.T
        parts["I1"].append(all_distances.mean(axis=1))
        parts["I2"].append(all_distances.mean(axis=0))
        parts["II1"].append(1 - o1 @ f2)
        parts["II2"].append(1 - o2 @ f1)
        parts["III"].append(np.diagonal(all_distances))
    return original, {row: np.concatenate(part) - original for row, part in parts.items()}


def draw_map(
    deviations: Vector, spec: dict[str, Any], normalise: str, masks: dict[int, list[Vector]]
) -> tuple[Vector, float]:
    """Return the similarity map and its scale (eq. 9 and 10, then the smoothing)."""
    sizes = spec["patch_sizes"]
    mean = np.zeros((SIZE, SIZE))
    start = 0
    for p in sizes:
        total, covered = np.zeros((SIZE, SIZE)), np.zeros((SIZE, SIZE))
        for deviation, mask in zip(deviations[start:], masks[p], strict=False):
            total += deviation * mask
            covered += mask
        start += len(masks[p])
        if normalise == "count":
            mean += total / len(masks[p]) / (p**2 * len(sizes))
        else:
            mean += np.where(covered > 0, total / np.where(covered > 0, covered, 1), 0) / len(sizes)
    smooth = np.asarray(
        cv2.GaussianBlur(mean, (5, 5), 5, sigmaY=5, borderType=cv2.BORDER_REFLECT_101),
        dtype=np.float64,
    )
    scale = float(np.abs(smooth).max())
    return smooth / scale, scale


def colour_table() -> Vector:
    """Return matplotlib's PiYG, (256, 3) in [0, 1]."""
    return np.asarray(mpl.colormaps["PiYG"](np.arange(256)))[:, :3]


def blend(image: Image, similarity_map: Vector) -> Image:
    """Return the X-Map (Algorithm 2), pixel by pixel."""
    colours = mpl.colormaps["PiYG"]((similarity_map + 1) / 2)
    result = np.empty_like(image)
    for y in range(SIZE):
        for x in range(SIZE):
            _, lightness, _ = colorsys.rgb_to_hls(*(image[y, x] / 255).tolist())
            red, green, blue, _ = colours[y, x].tolist()
            hue, _, _ = colorsys.rgb_to_hls(red, green, blue)
            _, saturation, _ = colorsys.rgb_to_hsv(red, green, blue)
            blended = colorsys.hls_to_rgb(hue, lightness, saturation)
            result[y, x] = [round(255 * value) for value in blended]
    return result


def draw_verification() -> tuple[Vector, NDArray[np.bool_], NDArray[np.int64]]:
    """Draw distances of 500 pairs with ties, their labels, and their folds."""
    rng = np.random.default_rng(CSCORE_SEED)
    genuine = rng.random(500) < 0.5
    distances = np.where(genuine, rng.normal(0.55, 0.17, 500), rng.normal(0.98, 0.15, 500))
    return np.round(np.clip(distances, 0.0, 2.0), 3), genuine, rng.integers(0, 10, 500)


def find_threshold(distances: Vector, genuine: NDArray[np.bool_]) -> float:
    """Try every observed distance, from the smallest on; a later one must be better."""
    best, best_right = -1.0, -1
    pairs = list(zip(distances.tolist(), genuine.tolist(), strict=True))
    for t in sorted(set(distances.tolist())):
        right = sum((d <= t) == g for d, g in pairs)
        if right > best_right:
            best, best_right = t, right
    return best


def sigmoid(d: Vector, L: float, d0: float, k: float, b: float) -> Vector:
    """Return c(d), eq. (2)."""
    result: Vector = L / (1 + np.exp(-k * (d - d0))) + b
    return result


def score_folds(
    distances: Vector, genuine: NDArray[np.bool_], folds: NDArray[np.int64]
) -> tuple[Vector, Vector]:
    """Return threshold and confidence of each pair, by the fit on the other folds (eq. 3)."""
    thresholds, confidences = np.empty(len(distances)), np.empty(len(distances))
    for fold in sorted(set(folds.tolist())):
        train_d, train_g = distances[folds != fold], genuine[folds != fold]
        t = find_threshold(train_d, train_g)
        centres = [(i + 0.5) * 2 / 400 for i in range(400)]
        counts = [[0, 0] for _ in centres]
        for d, g in zip(train_d, train_g, strict=True):
            # The edges are those of NumPy: a distance on an edge belongs to the bin on its right
            at = min(int(np.searchsorted(np.linspace(0, 2, 401), d, side="right")) - 1, 399)
            counts[at][int(not g)] += 1
        ratio = [
            g / (g + i) if g + i else float(centre <= t)
            for centre, (g, i) in zip(centres, counts, strict=True)
        ]
        found, _ = curve_fit(sigmoid, centres, ratio, p0=(1.0, t, -20.0, 0.0), method="dogbox")
        for index in np.flatnonzero(folds == fold):
            d = float(distances[index])
            c = min(max(float(sigmoid(np.array(d), *found)), 0.0), 1.0)
            thresholds[index] = t
            confidences[index] = min(max(c if d <= t else 1 - c, 0.5), 1.0)
    return thresholds, confidences


def make() -> dict[str, NDArray[Any]]:
    """Compute all vectors: names as in ``README.md`` to arrays."""
    image1, image2 = (draw_face(seed) for seed in IMAGE_SEEDS)
    vectors: dict[str, NDArray[Any]] = {"image1": image1, "image2": image2, "piyg": colour_table()}
    for name, (spec, normalise) in SETS.items():
        masks = {p: draw_masks(spec, p) for p in spec["patch_sizes"]}
        distance, deviations = measure(image1, image2, spec, masks)
        vectors["distance"] = np.array(distance)
        maps = {}
        for row in ROWS:
            maps[row], scale = draw_map(deviations[row], spec, normalise, masks)
            vectors[f"{name}.{row}.deviations"] = deviations[row]
            vectors[f"{name}.{row}.scale"] = np.array(scale)
            vectors[f"{name}.{row}.map"] = maps[row].astype(np.float32)
        if name in XMAP_SETS:
            for row, side in SIDES:
                picture = blend(image1 if side == 1 else image2, maps[row])
                vectors[f"{name}.{xmap_name(row, side)}.xmap"] = picture
    distances, genuine, folds = draw_verification()
    threshold, confidence = score_folds(distances, genuine, folds)
    verification = {
        "distances": distances,
        "genuine": genuine,
        "folds": folds,
        "threshold": threshold,
        "confidence": confidence,
    }
    return vectors | {f"cscore.{key}": value for key, value in verification.items()}


def xmap_name(row: str, side: int) -> str:
    """Return the name of one picture: III has one map and two images."""
    return f"III{side}" if row == "III" else row


def encode(array: NDArray[Any]) -> str:
    """Encode an array as base64: uint8, or little-endian float32."""
    stored = array if array.dtype == np.uint8 else array.astype("<f4")
    return base64.b64encode(np.ascontiguousarray(stored).tobytes()).decode("ascii")


def to_json(vectors: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """Return what the browser's test reads (layout in ``README.md``)."""
    sets: dict[str, Any] = {}
    for name, (spec, normalise) in SETS.items():
        rows = {}
        for row in ROWS:
            step = 1 if (name, row) in FULL_MAPS else 3
            rows[row] = {
                "deviations": encode(vectors[f"{name}.{row}.deviations"]),
                "scale": float(vectors[f"{name}.{row}.scale"]),
                "map_step": step,
                "map": encode(vectors[f"{name}.{row}.map"][::step, ::step]),
            }
        names = [xmap_name(row, side) for row, side in SIDES] if name in XMAP_SETS else []
        sets[name] = {
            "spec": spec,
            "normalise": normalise,
            "counts": [len(positions(spec, p)) ** 2 for p in spec["patch_sizes"]],
            "rows": rows,
            "xmaps": {xmap: encode(vectors[f"{name}.{xmap}.xmap"]) for xmap in names},
        }
    return {
        "format": 1,
        "size": SIZE,
        "images": {"1": encode(vectors["image1"]), "2": encode(vectors["image2"])},
        "distance": float(vectors["distance"]),
        "piyg": encode(vectors["piyg"]),
        "sets": sets,
    }


def main() -> None:
    """Write both files beside this script."""
    vectors = make()
    np.savez_compressed(FOLDER / "conformance.npz", allow_pickle=False, **vectors)
    text = json.dumps(to_json(vectors), indent=1) + "\n"
    (FOLDER / "conformance.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
