"""SCRFD, a face detector with landmarks, through ONNX Runtime (J. Guo et al., 2021)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.engines.onnx_runtime import load
from compute.errors import ModelError

_SIDE: Final = 640
_STRIDES: Final = (8, 16, 32)
_ANCHORS: Final = 2
_OVERLAP: Final = 0.4


class Scrfd:
    """Finds faces and their five landmarks.

    Its networks answer, for strides of 8, 16 and 32 pixels and two anchors at each place, a score,
    the distances to the sides of the face and the offsets of the landmarks, both in strides.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._session = load(path, threads=0)
        self._input = self._session.get_inputs()[0].name

    def faces(self, image: NDArray[np.uint8], *, score: float) -> NDArray[np.float64]:
        """Return faces as (N, 14): x, y, width, height, then the landmarks, x and y in turn.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        score
            Least score of a face, in (0, 1).
        """
        height, width = image.shape[:2]
        scale = _SIDE / max(height, width)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        canvas = np.zeros((_SIDE, _SIDE, 3), dtype=np.uint8)
        canvas[: size[1], : size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
        fed = ((canvas.astype(np.float32) - 127.5) / 128).transpose(2, 0, 1)[None]
        answers = self._session.run(None, {self._input: np.ascontiguousarray(fed)})
        found, scores = _decoded(self._path, answers, score)
        if not len(found):
            return found
        kept = cv2.dnn.NMSBoxes(found[:, :4].tolist(), scores.tolist(), score, _OVERLAP)
        faces: NDArray[np.float64] = found[np.asarray(kept, dtype=np.int64).ravel()] / scale
        return faces


def _decoded(
    path: Path, answers: list[NDArray[np.float32]], least: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return candidates (N, 14) in pixels of the canvas, and their scores (N,)."""
    # By length of a row and number of rows: their order differs between exports.
    tables = [np.asarray(answer, dtype=np.float64) for answer in answers]
    tables = [table.reshape(-1, table.shape[-1]) for table in tables]
    by_kind = {
        length: sorted((t for t in tables if t.shape[1] == length), key=len, reverse=True)
        for length in (1, 4, 10)
    }
    rows = [(_SIDE // stride) ** 2 * _ANCHORS for stride in _STRIDES]
    if any([len(table) for table in by_kind[length]] != rows for length in by_kind):
        shapes = [list(answer.shape) for answer in answers]
        raise ModelError(
            f"{path}: answers shapes {shapes}, expected scores, boxes and landmarks of SCRFD: "
            f"{rows} rows of 1, 4 and 10."
        )
    faces, scores = [], []
    for stride, score, sides, points in zip(
        _STRIDES, by_kind[1], by_kind[4], by_kind[10], strict=True
    ):
        places = np.arange(_SIDE // stride) * stride
        grid = np.stack(np.meshgrid(places, places), axis=-1).reshape(-1, 2)
        centres = np.repeat(grid, _ANCHORS, axis=0)
        good = score[:, 0] >= least
        centre = centres[good]
        corner = centre - sides[good, :2] * stride
        size = (sides[good, :2] + sides[good, 2:]) * stride
        marks = np.tile(centre, 5) + points[good] * stride
        faces.append(np.concatenate([corner, size, marks], axis=1))
        scores.append(score[good, 0])
    return np.concatenate(faces), np.concatenate(scores)
