"""The library meets the golden vectors, and the golden vectors meet their own script."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute import OcclusionSpec, PairExplanation, cross_validate, explain_pair, xmap
from compute.blending import PIYG
from compute.explanation import ROWS, row_name
from compute.xmaps import similarity_map
from tests.golden import make_conformance as reference

GOLDEN = Path(reference.__file__).parent


@pytest.fixture(scope="module")
def golden() -> dict[str, NDArray[Any]]:
    with np.load(GOLDEN / "conformance.npz", allow_pickle=False) as stored:
        return dict(stored)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    text = (GOLDEN / "conformance.json").read_text(encoding="utf-8")
    return dict(json.loads(text))


@cache
def explanation(name: str) -> PairExplanation:
    image1, image2 = (reference.draw_face(seed) for seed in reference.IMAGE_SEEDS)
    spec = OcclusionSpec.from_dict(reference.SETS[name][0])
    return explain_pair(reference.embed, image1, image2, spec=spec)


def floats(text: str) -> NDArray[np.float32]:
    return np.frombuffer(base64.b64decode(text), dtype="<f4")


def pixels(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(112, 112, 3)


@pytest.mark.parametrize("name", reference.SETS)
def test_deviations_maps_and_scales_meet_the_golden_ones(
    golden: dict[str, NDArray[Any]], name: str
) -> None:
    normalise: Any = reference.SETS[name][1]
    result = explanation(name)
    assert result.distance == pytest.approx(float(golden["distance"]), abs=1e-12)
    for method, side in ROWS:
        key = f"{name}.{row_name(method, side)}"
        np.testing.assert_allclose(
            result.deviations(method, side), golden[f"{key}.deviations"], rtol=0, atol=1e-12
        )
        np.testing.assert_allclose(
            result.similarity_map(method, side, normalise=normalise),
            golden[f"{key}.map"],
            rtol=0,
            atol=1e-7,  # stored as float32
        )
        assert result.scale(method, side, normalise=normalise) == pytest.approx(
            float(golden[f"{key}.scale"]), rel=1e-12
        )


@pytest.mark.parametrize(("row", "side"), reference.SIDES)
def test_xmaps_meet_the_golden_ones(golden: dict[str, NDArray[Any]], row: str, side: Any) -> None:
    method: Any = row.rstrip("12")
    picture = xmap(golden[f"image{side}"], explanation("default").similarity_map(method, side))
    expected = golden[f"default.{reference.xmap_name(row, side)}.xmap"]
    difference = np.abs(picture.astype(int) - expected)
    assert difference.max() <= 1
    assert np.count_nonzero(difference) <= 30, "only values within rounding of a half may differ"


def test_colours_are_those_of_matplotlib(golden: dict[str, NDArray[Any]]) -> None:
    np.testing.assert_allclose(PIYG, golden["piyg"], rtol=0, atol=1e-12)


def test_cscore_meets_the_golden_one(golden: dict[str, NDArray[Any]]) -> None:
    result = cross_validate(
        golden["cscore.distances"], golden["cscore.genuine"], golden["cscore.folds"]
    )
    assert {score.status for score in result.folds.values()} == {"ok"}
    np.testing.assert_array_equal(result.threshold, golden["cscore.threshold"])
    np.testing.assert_array_equal(
        result.prediction, golden["cscore.distances"] <= golden["cscore.threshold"]
    )
    np.testing.assert_allclose(result.confidence, golden["cscore.confidence"], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", reference.SETS)
def test_json_gives_the_maps_from_its_own_deviations(document: dict[str, Any], name: str) -> None:
    one = document["sets"][name]
    spec = OcclusionSpec.from_dict(one["spec"])
    assert list(spec.counts) == one["counts"]
    assert list(one["rows"]) == list(reference.ROWS)
    for row in one["rows"].values():
        drawn = similarity_map(floats(row["deviations"]), spec, normalise=one["normalise"])
        step = row["map_step"]
        expected = floats(row["map"])
        np.testing.assert_allclose(
            drawn.values[::step, ::step].ravel(), expected, rtol=0, atol=1e-5
        )
        assert drawn.scale == pytest.approx(row["scale"], rel=1e-5)


def test_json_gives_the_xmaps_from_its_own_images_and_deviations(document: dict[str, Any]) -> None:
    one = document["sets"]["default"]
    spec = OcclusionSpec.from_dict(one["spec"])
    assert len(one["xmaps"]) == 6
    for name, expected in one["xmaps"].items():
        row = one["rows"]["III" if name.startswith("III") else name]
        drawn = similarity_map(floats(row["deviations"]), spec).values
        picture = xmap(pixels(document["images"][name[-1]]), drawn)
        # A map value on the border of two of the 256 colours falls either way in float32
        differing = (np.abs(picture.astype(int) - pixels(expected)) > 1).any(axis=2)
        assert np.count_nonzero(differing) <= 10


def test_regenerating_gives_the_committed_vectors(
    golden: dict[str, NDArray[Any]], document: dict[str, Any]
) -> None:
    again = reference.make()
    assert sorted(again) == sorted(golden)
    for name, value in again.items():
        if name == "cscore.confidence":
            np.testing.assert_allclose(value, golden[name], rtol=0, atol=1e-6, err_msg=name)
        elif name.endswith(".map"):
            np.testing.assert_allclose(value, golden[name], rtol=0, atol=1e-7, err_msg=name)
        elif name.endswith(".xmap"):
            assert np.abs(value.astype(int) - golden[name]).max() <= 1, name
        else:
            np.testing.assert_allclose(value, golden[name], rtol=0, atol=1e-9, err_msg=name)
    assert same_layout(reference.to_json(golden), document)


def same_layout(expected: Any, stored: Any) -> bool:
    """Tell whether the JSON says what the npz says: exactly, for it is a mere encoding of it."""
    return bool(json.loads(json.dumps(expected)) == stored)
