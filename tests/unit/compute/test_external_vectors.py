"""The library meets conformance vectors computed elsewhere, through a real ONNX engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.settings import Settings
from compute import OcclusionSpec, cross_validate, explain_pair
from compute.explanation import METHODS

pytestmark = pytest.mark.realdata

SETS: dict[str, tuple[OcclusionSpec, Any]] = {
    "default": (OcclusionSpec(), "count"),
    "coverage": (OcclusionSpec(), "coverage"),
    "published": (OcclusionSpec(grid="published"), "count"),
    "full_gray_coverage": (OcclusionSpec(grid="full", fill="gray"), "coverage"),
    "blur14_white": (OcclusionSpec(blur=14, fill="white"), "count"),
}


@pytest.fixture(scope="module")
def folder() -> Path:
    real_data = Settings.from_environment().real_data
    if real_data is None or not (real_data / "conformance" / "vectors.npz").is_file():
        pytest.skip(f"XFV_REAL_DATA={real_data}: no conformance/vectors.npz there")
    return real_data / "conformance"


@pytest.fixture(scope="module")
def vectors(folder: Path) -> Iterator[Any]:
    with np.load(folder / "vectors.npz", allow_pickle=False) as stored:
        yield dict(stored)


@pytest.fixture(scope="module")
def embed(folder: Path) -> Any:
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        folder / "toy.onnx", options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def call(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        planes = np.ascontiguousarray(images.transpose(0, 3, 1, 2), dtype=np.float32)
        result: NDArray[np.float32] = session.run(None, {name: planes})[0]
        return result

    return call


@pytest.mark.parametrize("name", SETS)
def test_maps_scales_and_deviations(vectors: Any, embed: Any, name: str) -> None:
    spec, normalise = SETS[name]
    result = explain_pair(embed, vectors["image1"], vectors["image2"], spec=spec)
    assert result.distance == pytest.approx(float(vectors["distance"]), abs=1e-5)
    for method in METHODS:
        for side in (1, 2):
            np.testing.assert_allclose(
                result.similarity_map(method, side, normalise=normalise),
                vectors[f"{name}.{method}.map{side}"],
                rtol=0,
                atol=1e-5,
            )
            assert result.scale(method, side, normalise=normalise) == pytest.approx(
                float(vectors[f"{name}.{method}.scale"][side - 1]), rel=1e-5
            )
            if name == "default":
                np.testing.assert_allclose(
                    result.deviations(method, side),
                    vectors[f"{name}.{method}.deviations{side}"],
                    rtol=0,
                    atol=1e-5,
                )


def test_cscore(vectors: Any) -> None:
    result = cross_validate(
        vectors["cscore.distances"], vectors["cscore.genuine"], vectors["cscore.folds"]
    )
    np.testing.assert_allclose(result.threshold, vectors["cscore.threshold"], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result.prediction, vectors["cscore.prediction"])
    np.testing.assert_allclose(result.confidence, vectors["cscore.confidence"], rtol=0, atol=2e-4)
