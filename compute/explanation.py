"""Explaining one pair (eq. 6 to 8): deviations of all methods from one pass over the occlusions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol, get_args, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from compute.distances import cosine_distances, require_usable, unit_vectors
from compute.errors import EmbeddingError
from compute.occlusion import IMAGE_SHAPE, OcclusionSpec, occluded_batches
from compute.xmaps import Normalise, SimilarityMap, similarity_map

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""uint8 (N, 112, 112, 3) RGB -> float32 (N, D): any black box."""

Method = Literal["I", "II", "III"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)
Side = Literal[1, 2]
SIDES: Final[tuple[Side, ...]] = get_args(Side)

ROWS: Final[tuple[tuple[Method, Side], ...]] = (
    ("I", 1),
    ("I", 2),
    ("II", 1),
    ("II", 2),
    ("III", 1),
)
"""What is stored of a pair, in this order: both sides of I and II, the one of III."""

DEFAULT_BATCH: Final = 16


def row_name(method: Method, side: Side) -> str:
    """Return the name of a row of ``ROWS``: I1, I2, II1, II2, III."""
    return method if method == "III" else f"{method}{side}"


@runtime_checkable
class Occluder(Protocol):
    """A model that makes the occluded copies of an image itself, and faster."""

    @property
    def obstacle(self) -> str:
        """Why it made the last ones no faster than others do; empty where it did."""

    def occluded(
        self,
        image: NDArray[np.uint8],
        spec: OcclusionSpec,
        *,
        advance: Callable[[int], object] = ...,
    ) -> NDArray[np.float32]:
        """Embed all copies of an image that ``occluded_batches`` yields: (K, D) float32.

        ``advance`` is called with the number of copies done since the last call.
        """


def embed_checked(embed: Embed, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Call ``embed`` and refuse what no distance can be computed from, naming what is wrong."""
    embeddings = np.asarray(embed(images))
    if embeddings.ndim != 2 or len(embeddings) != len(images) or embeddings.shape[1] == 0:
        raise EmbeddingError(
            f"embed returned shape {embeddings.shape} for {len(images)} images, "
            f"expected ({len(images)}, D)."
        )
    require_usable(embeddings)
    # A copy, for an engine may hand out one buffer at every call; float64 keeps its range.
    return np.array(embeddings, dtype=np.result_type(embeddings, np.float32))


def embed_occlusions(
    embed: Embed,
    image: NDArray[np.uint8],
    spec: OcclusionSpec,
    *,
    batch: int = DEFAULT_BATCH,
    advance: Callable[[int], object] = lambda _: None,
) -> NDArray[np.float32]:
    """Embed all occluded copies of an image (eq. 5): (K, D) float32, in the order of the spec.

    An ``Occluder`` makes them itself; any other model is given ``batch`` copies at a time.
    ``advance`` is called with the number of copies done since the last call.
    """
    model: object = embed
    if isinstance(model, Occluder):
        occluded = model.occluded(image, spec, advance=advance)
        require_usable(occluded)
        return occluded
    parts = []
    for copies in occluded_batches(image, spec, batch=batch):
        parts.append(embed_checked(embed, copies))
        advance(len(copies))
    _require_one_length({part.shape[1] for part in parts})
    return np.concatenate(parts)


def _require_one_length(lengths: set[int]) -> None:
    if len(lengths) > 1:
        raise EmbeddingError(
            f"embed returned vectors of lengths {sorted(lengths)}, expected one for all images."
        )


@dataclass(frozen=True)
class OccludedFace:
    """The embeddings of one image: as it is, (D,), and under every occlusion, (K, D)."""

    original: NDArray[np.float32]
    occluded: NDArray[np.float32]


def pair_deviations(
    first: OccludedFace,
    second: OccludedFace,
    spec: OcclusionSpec,
    *,
    methods: Iterable[Method] = METHODS,
) -> dict[tuple[Method, Side], NDArray[np.float64]]:
    """Return d_occluded - d_original for the rows of the chosen methods (eq. 6 to 8).

    Method I needs no N x N matrix: the mean of 1 - u_i . v_j over j is 1 - u_i . mean_j(v_j),
    with the mean over the same patch size.

    Returns
    -------
    (K,) float64 for each (method, side) of ``ROWS``: patch sizes in spec order, then y, then x.
    """
    wanted = set(methods)
    lengths = {face.original.size for face in (first, second)}
    _require_one_length(lengths | {face.occluded.shape[1] for face in (first, second)})
    unit1, unit2 = unit_vectors(first.original[None])[0], unit_vectors(second.original[None])[0]
    occluded1, occluded2 = unit_vectors(first.occluded), unit_vectors(second.occluded)
    original = 1.0 - float(unit1 @ unit2)
    result: dict[tuple[Method, Side], NDArray[np.float64]] = {}
    if "I" in wanted:
        result["I", 1] = _to_mean(occluded1, occluded2, spec) - original
        result["I", 2] = _to_mean(occluded2, occluded1, spec) - original
    if "II" in wanted:
        result["II", 1] = _to_original(occluded1, unit2) - original
        result["II", 2] = _to_original(occluded2, unit1) - original
    if "III" in wanted:
        result["III", 1] = 1.0 - np.einsum("kd,kd->k", occluded1, occluded2) - original
    return result


def one_sided_deviations(face: OccludedFace, other: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return d_occluded - d_original of method II for one side, (K,) float64 (eq. 7).

    Of the other image only its embedding as it is counts, (D,).
    """
    _require_one_length({face.original.size, face.occluded.shape[1], other.size})
    own, still = unit_vectors(face.original[None])[0], unit_vectors(other[None])[0]
    return _to_original(unit_vectors(face.occluded), still) - (1.0 - float(own @ still))


def _to_original(own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return eq. (7): each occlusion's distance to the other image as it is."""
    distances: NDArray[np.float64] = 1.0 - own @ other
    return distances


def _to_mean(
    own: NDArray[np.float64], other: NDArray[np.float64], spec: OcclusionSpec
) -> NDArray[np.float64]:
    """Return eq. (6): each occlusion's mean distance to all of the other image, per patch size."""
    parts = [1.0 - own[part] @ other[part].mean(axis=0) for part in spec.slices().values()]
    return np.concatenate(parts)


class PairExplanation:
    """Why a model finds two faces as far apart as it does: deviations, maps and their scales."""

    def __init__(
        self,
        distance: float,
        spec: OcclusionSpec,
        deviations: dict[tuple[Method, Side], NDArray[np.float64]],
    ) -> None:
        self.distance = distance
        """Cosine distance of the two images as they are, in [0, 2] (eq. 1)."""
        self.spec = spec
        self._deviations = deviations

    def deviations(self, method: Method, side: Side) -> NDArray[np.float64]:
        """Return d_occluded - d_original, (K,) float64: patch sizes in spec order, then y, then x.

        ``side`` is 1 or 2; method III gives the same for both. ``ValueError`` for a side or a
        method that was not computed.
        """
        if side not in (1, 2):
            raise ValueError(f"side={side!r}: expected 1 or 2.")
        row: tuple[Method, Side] = (method, 1 if method == "III" else side)
        if row not in self._deviations:
            have = sorted({known for known, _ in self._deviations})
            raise ValueError(f"method={method!r} was not computed: expected one of {have}.")
        return self._deviations[row].copy()

    def similarity_map(
        self, method: Method, side: Side, *, normalise: Normalise = "count"
    ) -> NDArray[np.float64]:
        """Return the signed map of one side, (112, 112) float64 in [-1, 1]; positive is similar."""
        return self._map(method, side, normalise).values

    def scale(self, method: Method, side: Side, *, normalise: Normalise = "count") -> float:
        """Return max|S|, by which the map was divided, in units of distance; 0 where it is flat."""
        return self._map(method, side, normalise).scale

    def status(self, method: Method, side: Side) -> str:
        """Return ``ok``, or ``flat`` where no occlusion moved the distance by 1e-6 or more."""
        return self._map(method, side, "count").status

    def _map(self, method: Method, side: Side, normalise: Normalise) -> SimilarityMap:
        return similarity_map(self.deviations(method, side), self.spec, normalise=normalise)


def explain_pair(
    embed: Embed,
    image1: NDArray[np.uint8],
    image2: NDArray[np.uint8],
    *,
    spec: OcclusionSpec = OcclusionSpec(),  # noqa: B008  frozen
    methods: Sequence[Method] = METHODS,
    batch: int = DEFAULT_BATCH,
) -> PairExplanation:
    """Explain the distance of two aligned faces by systematic occlusion (paper, section 3.2).

    Parameters
    ----------
    embed
        The model, a black box: uint8 (N, 112, 112, 3) RGB -> float32 (N, D).
    image1, image2
        (112, 112, 3) uint8 RGB, aligned; never modified.
    spec
        How to occlude; the paper's choice by default.
    methods
        Which of I (eq. 6), II (eq. 7) and III (eq. 8) to compute; all share one pass.
    batch
        Images per call of ``embed``; bounds memory, does not change the result. An ``Occluder``
        takes its own.

    Raises
    ------
    ValueError
        For an image of another shape or dtype, an unknown method, or an empty batch.
    EmbeddingError
        Where the model returns another shape, values that are not finite, or zero vectors.
    """
    for name, image in (("image1", image1), ("image2", image2)):
        if (
            not isinstance(image, np.ndarray)
            or image.shape != IMAGE_SHAPE
            or image.dtype != np.uint8
        ):
            found = f"{getattr(image, 'dtype', type(image))} {getattr(image, 'shape', '')}"
            raise ValueError(f"{name} is {found}, expected uint8 {IMAGE_SHAPE} RGB.")
    unknown = [method for method in methods if method not in METHODS]
    if unknown or not methods or isinstance(methods, str):
        raise ValueError(f"methods={methods!r}: expected some of {METHODS}.")
    if batch < 1:
        raise ValueError(f"batch={batch}: expected 1 or more.")
    pair = np.stack([image1, image2])
    parts = [embed_checked(embed, pair[i : i + batch]) for i in range(0, 2, batch)]
    originals = [row for part in parts for row in part]
    _require_one_length({row.size for row in originals})
    distance = float(cosine_distances(originals[0][None], originals[1][None])[0])
    faces = (
        OccludedFace(original, embed_occlusions(embed, image, spec, batch=batch))
        for original, image in zip(originals, (image1, image2), strict=True)
    )
    deviations: dict[tuple[Method, Side], NDArray[np.float64]] = {}
    if set(methods) == {"II"}:
        # One face at a time: of the other, only the image as it is counts.
        for side, face in zip(SIDES, faces, strict=True):
            deviations["II", side] = one_sided_deviations(face, originals[side % 2])
    else:
        deviations = pair_deviations(next(faces), next(faces), spec, methods=methods)
    return PairExplanation(distance, spec, deviations)
