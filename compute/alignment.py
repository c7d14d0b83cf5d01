"""From photograph to aligned face: YuNet landmarks, ArcFace template, similarity transform."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from compute.errors import DatasetError, ImageError
from compute.files import require_sha256, sha256_of_file
from compute.images import to_bgr
from compute.occlusion import IMAGE_SIZE
from compute.scrfd import Scrfd

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
SCRFD_SHA256: Final = {
    "scrfd_10g": "5838f7fe053675b1c7a08b633df49e7af5495cee0493c7dcf6697200b85b5b91",
    "scrfd_500m": "5e4447f50245bbd7966bd6c0fa52938c61474a04ec7def48753668a9d8b4ea3a",
}
"""Other detectors, by the name under which ``flask models pull`` fetches them."""

_SCORE_THRESHOLD: Final = 0.5
_SIDE: Final = 640
"""Longest side, in pixels, of what YuNet looks at. In the faces of larger pictures its landmarks go
astray: of 16 photographs of LFW, enlarged to 2,000 pixels, the embeddings (MobileFaceNet, MS1M)
moved by a cosine distance of 0.45 on average; shrunk first, by 0.08."""


def find_detector(folders: Sequence[Path], asked: Path | None = None) -> Path:
    """Return the detector's file: the one asked for, by name or path, else YuNet.

    Parameters
    ----------
    folders
        Where detectors lie; the first that has it wins.
    asked
        A file, or a name: ``yunet`` or one of ``SCRFD_SHA256``. None is ``yunet``.

    Raises
    ------
    DatasetError
        Where it is nowhere.
    """
    named = {"yunet": DETECTOR_FILE, **{name: f"{name}.onnx" for name in SCRFD_SHA256}}
    name = "yunet" if asked is None else str(asked)
    if name not in named:
        if not Path(name).is_file():
            raise DatasetError(
                f"--detector {name}: no such file, and no name of a detector; expected a file or "
                f"one of {', '.join(named)}."
            )
        return Path(name)
    for folder in folders:
        if (folder / named[name]).is_file():
            return folder / named[name]
    looked = ", ".join(str(folder) for folder in folders)
    raise DatasetError(
        f"The face detector {named[name]} is in none of: {looked}. Fetch it (flask models pull "
        f"{name}), add its file (flask models add {name} --onnx FILE), or name one with --detector."
    )


class LandmarkDetector:
    """YuNet through ``cv2.FaceDetectorYN``, or SCRFD; the file must have a pinned hash.

    Attributes
    ----------
    sha256
        Hash of its file: what aligned faces depend on.
    """

    def __init__(self, path: Path) -> None:
        self.sha256 = sha256_of_file(path) if path.is_file() else ""
        self._yunet = None
        if self.sha256 in SCRFD_SHA256.values():
            self._scrfd = Scrfd(path)
            return
        require_sha256(path, DETECTOR_SHA256, remedy=f"Fetch it again from the {DETECTOR_SOURCE}.")
        # OpenCV 5 says at load that its new engine has no other targets than the default.
        cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        self._yunet = cv2.FaceDetectorYN.create(
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
        found = self._faces(image)
        if not len(found):
            raise ImageError(
                f"{name}: no face found ({'SCRFD' if self._yunet is None else 'YuNet'}, score "
                f"{_SCORE_THRESHOLD} or more; {width} x {height} pixels). Check the picture; its "
                "pairs are skipped."
            )
        centres = found[:, 0:2] + found[:, 2:4] / 2
        nearest = np.argmin(np.hypot(*(centres - (width / 2, height / 2)).T))
        # Both begin with the subject's right eye: the viewer's left, as the template does.
        return found[nearest, 4:14].reshape(5, 2)

    def _faces(self, image: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return faces as (N, 14 or more): x, y, width, height, landmarks."""
        if self._yunet is None:
            return self._scrfd.faces(image, score=_SCORE_THRESHOLD)
        scale = _SIDE / max(image.shape[:2])
        if scale < 1:
            size = [max(round(side * scale), 1) for side in image.shape[1::-1]]
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            found = _detected(self._yunet, np.asarray(small, np.uint8))
            found[:, :14] *= np.tile(np.divide(image.shape[1::-1], small.shape[1::-1]), 7)
            if len(found):
                return found
        # Small as it is, or with faces that are too small when it is shrunk.
        return _detected(self._yunet, image)


def _detected(yunet: cv2.FaceDetectorYN, image: NDArray[np.uint8]) -> NDArray[np.float64]:
    height, width = image.shape[:2]
    yunet.setInputSize((width, height))
    _, faces = yunet.detect(to_bgr(image))
    return np.empty((0, 14)) if faces is None else np.asarray(faces, dtype=np.float64)


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
