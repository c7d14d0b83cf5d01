"""From photograph to aligned face: YuNet landmarks, ArcFace template, similarity transform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from compute.errors import DatasetError, ImageError
from compute.files import require_sha256
from compute.images import to_bgr
from compute.occlusion import IMAGE_SIZE

TEMPLATE: Final = np.array(
    [
        (38.2946, 51.6963),
        (73.5318, 51.5014),
        (56.0252, 71.7366),
        (41.5493, 92.3655),
        (70.7299, 92.2041),
    ]
)
"""ArcFace five-point template, (5, 2) x and y in pixels of 112 x 112: eyes, nose, mouth corners,
each from the viewer's left (J. Deng et al., ArcFace, 2019; values of the authors' code)."""

DETECTOR_FILE: Final = "face_detection_yunet_2026may.onnx"
DETECTOR_SHA256: Final = "ebafce4e3c118d6554634be5c27ab333b4c047a9a8c3faf1d7cf93101c22f0f0"
DETECTOR_SOURCE: Final = "OpenCV model zoo, models/face_detection_yunet (MIT licence)"
_SCORE_THRESHOLD: Final = 0.5


def find_detector(folders: Sequence[Path]) -> Path:
    """Return the first ``DETECTOR_FILE`` in ``folders``; ``DatasetError`` where none has it."""
    for folder in folders:
        if (folder / DETECTOR_FILE).is_file():
            return folder / DETECTOR_FILE
    looked = ", ".join(str(folder) for folder in folders)
    raise DatasetError(
        f"The face detector {DETECTOR_FILE} is in none of: {looked}. Fetch it from the "
        f"{DETECTOR_SOURCE} and put it into the first folder, or name it with --detector FILE."
    )


class LandmarkDetector:
    """YuNet through ``cv2.FaceDetectorYN``; the file must have the pinned hash."""

    def __init__(self, path: Path) -> None:
        require_sha256(path, DETECTOR_SHA256, remedy=f"Fetch it again from the {DETECTOR_SOURCE}.")
        # OpenCV 5 says at load that its new engine has no other targets than the default.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        self._detector = cv2.FaceDetectorYN.create(
            str(path), "", (IMAGE_SIZE, IMAGE_SIZE), score_threshold=_SCORE_THRESHOLD
        )

    def landmarks(self, image: NDArray[np.uint8], name: str) -> NDArray[np.float64]:
        """Find the five landmarks of the face nearest the centre.

        Parameters
        ----------
        image
            (H, W, 3) uint8 RGB.
        name
            What to call the image in an error.

        Returns
        -------
        (5, 2) float64, x and y in pixels, in the order of ``TEMPLATE``.

        Raises
        ------
        ImageError
            Where no face is found.
        """
        height, width = image.shape[:2]
        self._detector.setInputSize((width, height))
        _, faces = self._detector.detect(to_bgr(image))
        if faces is None or len(faces) == 0:
            raise ImageError(
                f"{name}: no face found (YuNet, score {_SCORE_THRESHOLD} or more; {width} x "
                f"{height} pixels). Check the picture; its pairs are skipped."
            )
        found = np.asarray(faces, dtype=np.float64)
        centres = found[:, 0:2] + found[:, 2:4] / 2
        nearest = np.argmin(np.hypot(*(centres - (width / 2, height / 2)).T))
        # YuNet begins with the subject's right eye: the viewer's left, as the template does.
        return found[nearest, 4:14].reshape(5, 2)


def similarity_transform(source: ArrayLike, target: ArrayLike) -> NDArray[np.float64]:
    """Return the least-squares similarity from ``source`` to ``target`` points.

    Rotation, one scale, translation; no reflection (S. Umeyama, 1991, eq. 40 to 43).

    Parameters
    ----------
    source, target
        (M, 2) points, M >= 2.

    Returns
    -------
    (2, 3) float64.
    """
    a, b = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    mean_a, mean_b = a.mean(axis=0), b.mean(axis=0)
    centred_a, centred_b = a - mean_a, b - mean_b
    variance = (centred_a**2).sum() / len(a)
    if not np.isfinite(variance) or variance == 0:
        raise ValueError("landmarks coincide or are not finite: no similarity transform exists.")
    u, singular, vt = np.linalg.svd(centred_b.T @ centred_a / len(a))
    signs = np.array([1.0, np.sign(np.linalg.det(u @ vt)) or 1.0])
    rotation = u @ np.diag(signs) @ vt
    scale = (singular * signs).sum() / variance
    linear = scale * rotation
    return np.column_stack([linear, mean_b - linear @ mean_a])


def align(image: NDArray[np.uint8], landmarks: ArrayLike) -> NDArray[np.uint8]:
    """Warp a face onto the template: (112, 112, 3) uint8 RGB, bilinear, black border.

    ``image`` is (H, W, 3) uint8 RGB, ``landmarks`` (5, 2) x and y in the order of ``TEMPLATE``.
    """
    matrix = similarity_transform(landmarks, TEMPLATE)
    warped = cv2.warpAffine(
        image,
        matrix,
        (IMAGE_SIZE, IMAGE_SIZE),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=0,
    )
    return np.asarray(warped, dtype=np.uint8)
