"""Verification of the demo dataset by a model, with nothing but the protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compute.demo.pairs import FOLDS, DemoDataset


@dataclass(frozen=True)
class DemoReport:
    """Shares in [0, 1]: correct over all pairs, accepted genuine, rejected masked and strangers."""

    accuracy: float
    genuine_accepted: float
    masked_rejected: float
    strangers_rejected: float


def embed(session: Any, pixels: NDArray[np.uint8], batch: int = 16) -> NDArray[np.float32]:
    """Embed crops.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Of a model that takes NCHW RGB as (x - 127.5) / 127.5.
    pixels : ndarray of uint8, shape (N, 112, 112, 3)
        RGB.
    batch : int
        Images per run.

    Returns
    -------
    ndarray of float32, shape (N, D)
    """
    scaled = (pixels.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
    planes = np.ascontiguousarray(scaled.transpose(0, 3, 1, 2))
    parts = [
        session.run(None, {"input": planes[start : start + batch]})[0]
        for start in range(0, len(planes), batch)
    ]
    return np.concatenate(parts)


def pair_distances(dataset: DemoDataset, session: Any) -> NDArray[np.float64]:
    """Cosine distance of every pair: float64 (600,), in [0, 2]."""
    embeddings = embed(session, dataset.pixels).astype(np.float64)
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    first = unit[[pair.image1 for pair in dataset.pairs]]
    second = unit[[pair.image2 for pair in dataset.pairs]]
    distances: NDArray[np.float64] = np.clip(1.0 - (first * second).sum(axis=1), 0.0, 2.0)
    return distances


def best_threshold(distances: NDArray[np.float64], genuine: NDArray[np.bool_]) -> float:
    """Observed distance of highest accuracy under ``d <= t``, the smallest on ties."""
    order = np.argsort(distances, kind="stable")
    ranked, same = distances[order], genuine[order]
    correct = np.cumsum(same) + (~same).sum() - np.cumsum(~same)
    # Of equal distances only the last one counts all pairs that the threshold accepts.
    last = np.append(ranked[1:] != ranked[:-1], True)
    return float(ranked[last][np.argmax(correct[last])])


def accepted_pairs(dataset: DemoDataset, distances: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Predict genuine or not, every fold with the threshold of the nine others: bool (600,)."""
    genuine = np.array([pair.genuine for pair in dataset.pairs])
    folds = np.array([pair.fold for pair in dataset.pairs])
    accepted = np.zeros(len(genuine), dtype=np.bool_)
    for fold in range(FOLDS):
        held = folds == fold
        accepted[held] = distances[held] <= best_threshold(distances[~held], genuine[~held])
    return accepted


def accuracy(dataset: DemoDataset, distances: NDArray[np.float64]) -> DemoReport:
    """Verify the dataset fold by fold and count.

    Parameters
    ----------
    dataset : DemoDataset
        The protocol.
    distances : ndarray of float64, shape (600,)
        One per pair.

    Returns
    -------
    DemoReport
    """
    genuine = np.array([pair.genuine for pair in dataset.pairs])
    masked = np.array([pair.mask is not None for pair in dataset.pairs])
    accepted = accepted_pairs(dataset, distances)
    return DemoReport(
        accuracy=float((accepted == genuine).mean()),
        genuine_accepted=float(accepted[genuine].mean()),
        masked_rejected=float((~accepted[masked]).mean()),
        strangers_rejected=float((~accepted[~genuine & ~masked]).mean()),
    )
