"""SCRFD: that what its network answers becomes faces in pixels of the picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from compute import alignment
from compute.alignment import TEMPLATE, LandmarkDetector
from compute.errors import ImageError, ModelError
from compute.files import sha256_of_file
from compute.scrfd import Scrfd


def network(tables: list[NDArray[np.float32]]) -> bytes:
    """Return a network that always answers the same."""
    nodes, outputs = [], []
    for number, table in enumerate(tables):
        held = numpy_helper.from_array(table, f"t{number}")
        nodes.append(helper.make_node("Constant", [], [f"o{number}"], value=held))
        outputs.append(
            helper.make_tensor_value_info(f"o{number}", TensorProto.FLOAT, list(table.shape))
        )
    given = helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [1, 3, "H", "W"])
    graph = helper.make_graph(nodes, "detector", [given], outputs)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(made)
    data: bytes = made.SerializeToString()
    return data


def answers(faces: list[tuple[int, int, int, float]]) -> list[NDArray[np.float32]]:
    """Return tables for faces 96 pixels wide at (stride index, row, column, score) of the grid."""
    scores, sides, points = [], [], []
    for stride in (8, 16, 32):
        rows = (640 // stride) ** 2 * 2
        scores.append(np.zeros((rows, 1), np.float32))
        sides.append(np.zeros((rows, 4), np.float32))
        points.append(np.zeros((rows, 10), np.float32))
    for level, row, column, score in faces:
        stride = (8, 16, 32)[level]
        place = (row * (640 // stride) + column) * 2 + 1
        scores[level][place] = score
        sides[level][place] = 48 / stride
        marks = (TEMPLATE - 56) / 112 * 96 / stride
        points[level][place] = marks.ravel()
    return [*scores, *sides, *points]


def detector(path: Path, faces: list[tuple[int, int, int, float]]) -> Scrfd:
    path.write_bytes(network(answers(faces)))
    return Scrfd(path)


@pytest.mark.parametrize(("height", "width"), [(640, 640), (320, 320), (100, 200)])
def test_a_face_is_in_pixels_of_the_picture(height: int, width: int, tmp_path: Path) -> None:
    # Stride 16, row 10, column 20: centre (320, 160) of the canvas.
    scrfd = detector(tmp_path / "d.onnx", [(1, 10, 20, 0.9)])
    (face,) = scrfd.faces(np.zeros((height, width, 3), np.uint8), score=0.5)
    scale = max(height, width) / 640
    assert np.allclose(face[:4], np.array([272, 112, 96, 96]) * scale, atol=1e-3)
    marks = ((TEMPLATE - 56) / 112 * 96 + (320, 160)) * scale
    assert np.allclose(face[4:].reshape(5, 2), marks, atol=1e-3)


def test_the_best_of_overlapping_faces_is_kept(tmp_path: Path) -> None:
    near = [(0, 20, 40, 0.6), (1, 10, 20, 0.9), (2, 5, 10, 0.8), (0, 60, 10, 0.7), (0, 1, 1, 0.4)]
    scrfd = detector(tmp_path / "d.onnx", near)
    faces = scrfd.faces(np.zeros((640, 640, 3), np.uint8), score=0.5)
    centres = faces[:, :2] + faces[:, 2:4] / 2
    assert sorted(map(tuple, centres.round().tolist())) == [(80, 480), (320, 160)]


def test_another_network_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.onnx"
    path.write_bytes(network(answers([])[:6]))
    with pytest.raises(ModelError, match=f"{path}: answers shapes .*expected scores, boxes and"):
        Scrfd(path).faces(np.zeros((9, 9, 3), np.uint8), score=0.5)


def test_it_aligns_as_the_other_detector_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "scrfd_10g.onnx"
    detector(path, [(1, 20, 20, 0.9), (1, 3, 3, 0.99)])
    monkeypatch.setitem(alignment.SCRFD_SHA256, "scrfd_10g", sha256_of_file(path))
    found = LandmarkDetector(path)
    assert found.sha256 == sha256_of_file(path)
    # The one nearest the centre, (320, 320) of the canvas
    marks = found.landmarks(np.zeros((640, 640, 3), np.uint8), "a.jpg")
    assert np.allclose(marks, (TEMPLATE - 56) / 112 * 96 + 320, atol=1e-3)
    detector(path, [])
    monkeypatch.setitem(alignment.SCRFD_SHA256, "scrfd_10g", sha256_of_file(path))
    with pytest.raises(ImageError, match=r"a\.jpg: no face found \(SCRFD"):
        LandmarkDetector(path).landmarks(np.zeros((50, 60, 3), np.uint8), "a.jpg")
