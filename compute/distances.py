"""Cosine distance (eq. 1): unit vectors and differences in float64, whatever the embeddings."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from compute.errors import EmbeddingError


def require_usable(rows: NDArray[np.floating]) -> None:
    """Raise ``EmbeddingError`` unless every row of (N, D) embeddings has a direction.

    The first row that is not finite, or zero, is named.
    """
    if rows.ndim != 2 or rows.shape[1] == 0:
        raise EmbeddingError(f"embeddings have shape {rows.shape}, expected (N, D).")
    for wrong, what, are in (
        (~np.isfinite(rows).all(axis=1), "not finite", "are not"),
        (~rows.any(axis=1), "zero", "are"),
    ):
        bad = np.flatnonzero(wrong)
        if bad.size:
            raise EmbeddingError(f"embedding {bad[0]} is {what} ({bad.size} of {len(rows)} {are}).")


def unit_vectors(embeddings: ArrayLike) -> NDArray[np.float64]:
    """Return the rows of ``embeddings`` at length 1.

    Parameters
    ----------
    embeddings
        (N, D), any float type.

    Returns
    -------
    (N, D) float64.

    Raises
    ------
    EmbeddingError
        Where a row is not finite or has no length; the first such row is named.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    require_usable(rows)
    # Scaled before squaring: tiny float32 values would vanish and huge ones overflow.
    scaled = rows / np.abs(rows).max(axis=1, keepdims=True)
    unit: NDArray[np.float64] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return unit


def cosine_distances(first: ArrayLike, second: ArrayLike) -> NDArray[np.float64]:
    """Return the cosine distance of each row of ``first`` to the same row of ``second`` (eq. 1).

    Both are (N, D); the result is (N,) float64 in [0, 2].
    """
    u, v = unit_vectors(first), unit_vectors(second)
    if u.shape != v.shape:
        raise EmbeddingError(f"embeddings have shapes {u.shape} and {v.shape}, expected the same.")
    distances: NDArray[np.float64] = np.clip(1.0 - np.einsum("nd,nd->n", u, v), 0.0, 2.0)
    return distances
