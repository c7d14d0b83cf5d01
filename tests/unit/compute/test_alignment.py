"""Landmarks onto the template: the transform, the warp, and the pinned detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.settings import Settings
from compute.alignment import (
    DETECTOR_FILE,
    TEMPLATE,
    LandmarkDetector,
    align,
    find_detector,
    similarity_transform,
)
from compute.errors import DatasetError, HashMismatchError, ImageError


def transform(scale: float, angle: float, shift: tuple[float, float]) -> NDArray[np.float64]:
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, shift[0]], [s, c, shift[1]]])


def apply(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    moved: NDArray[np.float64] = points @ matrix[:, :2].T + matrix[:, 2]
    return moved


@given(
    scale=st.floats(0.05, 20),
    angle=st.floats(-np.pi, np.pi),
    x=st.floats(-500, 500),
    y=st.floats(-500, 500),
)
def test_a_known_transform_is_recovered(scale: float, angle: float, x: float, y: float) -> None:
    known = transform(scale, angle, (x, y))
    found = similarity_transform(TEMPLATE, apply(known, TEMPLATE))
    assert np.allclose(found, known, atol=1e-7 * max(1, scale, abs(x), abs(y)))


def test_two_points_suffice() -> None:
    found = similarity_transform([(0, 0), (1, 0)], [(5, 5), (5, 7)])
    assert np.allclose(found, transform(2, np.pi / 2, (5, 5)))


def test_mirrored_points_give_no_reflection() -> None:
    mirrored = TEMPLATE * (-1, 1)
    found = similarity_transform(mirrored, TEMPLATE)
    assert np.linalg.det(found[:, :2]) > 0
    a, b = found[0, :2]
    assert np.allclose(found[1, :2], (-b, a))


def test_the_transform_is_the_best_of_all_similarities() -> None:
    random = np.random.default_rng(0)
    source = TEMPLATE + random.normal(0, 8, TEMPLATE.shape)
    found = similarity_transform(source, TEMPLATE)
    error = ((apply(found, source) - TEMPLATE) ** 2).sum()
    for _ in range(300):
        other = found.copy()
        da, db = random.normal(0, 0.02, 2)
        other[:, :2] += [[da, -db], [db, da]]
        other[:, 2] += random.normal(0, 1, 2)
        assert ((apply(other, source) - TEMPLATE) ** 2).sum() >= error


@pytest.mark.parametrize(
    "points", [np.full((5, 2), 50.0), np.full((5, 2), np.nan), np.full((5, 2), np.inf)]
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_landmarks_without_extent_are_refused(points: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="coincide or are not finite"):
        similarity_transform(points, TEMPLATE)


def dots(shape: tuple[int, int], points: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Draw a soft dot at each point, each with its own colour."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.zeros((*shape, 3))
    for number, point in enumerate(points):
        blob = 255 * np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / 18)
        image[..., number % 3] += blob
    return np.clip(image, 0, 255).astype(np.uint8)


def centre_of_mass(patch: NDArray[np.float64]) -> NDArray[np.float64]:
    y, x = np.mgrid[: patch.shape[0], : patch.shape[1]]
    centre: NDArray[np.float64] = np.array([(x * patch).sum(), (y * patch).sum()]) / patch.sum()
    return centre


def test_align_puts_landmarks_onto_the_template_and_keeps_colours() -> None:
    landmarks = apply(transform(1.4, 0.35, (60, 20)), TEMPLATE)
    aligned = align(dots((250, 250), landmarks), landmarks)
    assert aligned.shape == (112, 112, 3)
    assert aligned.dtype == np.uint8
    for number, (x, y) in enumerate(TEMPLATE):
        left, top = round(x) - 6, round(y) - 6
        patch = aligned[top : top + 13, left : left + 13, number % 3].astype(np.float64)
        assert np.allclose(centre_of_mass(patch), (x - left, y - top), atol=0.25)


def test_what_lies_outside_the_photograph_is_black() -> None:
    white = np.full((60, 60, 3), 255, np.uint8)
    aligned = align(white, TEMPLATE * 0.5 + (2, 2))
    assert aligned[56, 56].tolist() == [255, 255, 255]
    assert not align(white, TEMPLATE - (0, 112))[:100].any()


def test_an_identity_transform_keeps_the_pixels() -> None:
    image = np.random.default_rng(1).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    assert np.array_equal(align(image, TEMPLATE), image)


def test_a_detector_of_another_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / DETECTOR_FILE
    path.write_bytes(b"some other network")
    with pytest.raises(HashMismatchError, match=rf"{path}: SHA-256 is .* expected ebafce4e.*Fetch"):
        LandmarkDetector(path)


def test_a_missing_detector_is_named(tmp_path: Path) -> None:
    with pytest.raises(HashMismatchError, match=rf"{tmp_path}/none.onnx is missing.*Fetch"):
        LandmarkDetector(tmp_path / "none.onnx")


def test_the_first_folder_with_the_detector_wins(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b", tmp_path / "c"]
    for folder in folders[1:]:
        folder.mkdir()
        (folder / DETECTOR_FILE).touch()
    assert find_detector(folders) == folders[1] / DETECTOR_FILE
    with pytest.raises(DatasetError, match=rf"in none of: {folders[0]}\. Fetch.*--detector"):
        find_detector(folders[:1])


def test_a_detector_is_asked_for_by_name_or_file(tmp_path: Path) -> None:
    (tmp_path / DETECTOR_FILE).touch()
    (tmp_path / "scrfd_10g.onnx").touch()
    assert find_detector([tmp_path], Path("yunet")) == tmp_path / DETECTOR_FILE
    assert find_detector([tmp_path], Path("scrfd_10g")) == tmp_path / "scrfd_10g.onnx"
    assert find_detector([], tmp_path / DETECTOR_FILE) == tmp_path / DETECTOR_FILE
    with pytest.raises(DatasetError, match=r"gone\.onnx: no such file.*one of yunet, scrfd_10g"):
        find_detector([tmp_path], tmp_path / "gone.onnx")
    with pytest.raises(
        DatasetError, match=r"scrfd_500m\.onnx is in .*flask models pull scrfd_500m"
    ):
        find_detector([tmp_path], Path("scrfd_500m"))


@pytest.fixture(scope="module")
def detector() -> LandmarkDetector:
    folder = Settings.from_environment().real_data
    if folder is None or not (folder / "models" / DETECTOR_FILE).is_file():
        pytest.skip("no real data: XFV_REAL_DATA has no models/" + DETECTOR_FILE)
    return LandmarkDetector(folder / "models" / DETECTOR_FILE)


@pytest.mark.realdata
@pytest.mark.parametrize("shape", [(250, 250), (32, 32), (33, 77), (32, 900), (32, 50_000)])
@pytest.mark.parametrize("fill", [np.zeros, np.ones])
def test_no_face_is_an_error_that_names_the_image(
    shape: tuple[int, int],
    fill: Callable[..., NDArray[np.uint8]],
    detector: LandmarkDetector,
) -> None:
    with pytest.raises(ImageError, match=rf"A/A_0001.jpg: no face found.*{shape[1]} x {shape[0]}"):
        detector.landmarks(fill((*shape, 3), dtype=np.uint8) * 200, "A/A_0001.jpg")
