"""Cosine distance: eq. (1) in float64, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from compute.distances import cosine_distances, unit_vectors
from compute.errors import EmbeddingError


def test_identical_orthogonal_and_opposite_vectors() -> None:
    first = [[3.0, 4.0], [1.0, 0.0], [1.0, 2.0], [1.0, 0.0]]
    second = [[6.0, 8.0], [0.0, 5.0], [-2.0, -4.0], [1.0, 1.0]]
    expected = [0.0, 1.0, 2.0, 1 - 1 / np.sqrt(2)]
    np.testing.assert_allclose(cosine_distances(first, second), expected, rtol=0, atol=1e-15)


@settings(deadline=None)
@given(
    arrays.arrays(
        np.float32,
        (2, 3),
        elements=st.floats(-(2.0**100), 2.0**100, width=32).filter(
            lambda x: x == 0 or abs(x) > 1e-30
        ),
    ).filter(lambda rows: bool(np.abs(rows).max(axis=1).all()))
)
def test_distance_lies_in_range_and_is_symmetric(rows: np.ndarray) -> None:
    there = cosine_distances(rows[:1], rows[1:])
    back = cosine_distances(rows[1:], rows[:1])
    assert there.dtype == np.float64
    assert 0 <= there[0] <= 2
    assert there[0] == back[0]


@pytest.mark.parametrize("size", [1e-30, 1e30, 1e-300, 1e300])
def test_tiny_and_huge_embeddings_neither_vanish_nor_overflow(size: float) -> None:
    first, second = np.array([[size, 0.0]]), np.array([[size, size]])
    assert cosine_distances(first, second)[0] == pytest.approx(1 - 1 / np.sqrt(2), abs=1e-15)


def test_float32_embeddings_are_measured_in_float64() -> None:
    first = np.array([[1.0, 1e-5]], dtype=np.float32)
    second = np.array([[1.0, 0.0]], dtype=np.float32)
    # 1 - 1/sqrt(1 + 1e-10): in float32 it would be 0
    assert cosine_distances(first, second)[0] == pytest.approx(5e-11, rel=1e-4)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_names_the_first_embedding_that_is_not_finite(bad: float) -> None:
    rows = np.ones((4, 3))
    rows[2, 1] = rows[3, 0] = bad
    with pytest.raises(EmbeddingError, match=r"embedding 2 is not finite \(2 of 4"):
        unit_vectors(rows)


def test_names_the_first_embedding_that_is_zero() -> None:
    with pytest.raises(EmbeddingError, match=r"embedding 1 is zero \(1 of 2"):
        unit_vectors([[1.0, 2.0], [0.0, 0.0]])


@pytest.mark.parametrize("shape", [(3,), (2, 3, 1), (3, 0)])
def test_refuses_other_shapes_and_shows_them(shape: tuple[int, ...]) -> None:
    with pytest.raises(EmbeddingError, match=str(shape).replace("(", r"\(").replace(")", r"\)")):
        unit_vectors(np.ones(shape))


def test_refuses_different_shapes() -> None:
    with pytest.raises(EmbeddingError, match=r"\(1, 2\) and \(1, 3\)"):
        cosine_distances([[1.0, 2.0]], [[1.0, 2.0, 3.0]])


def test_does_not_modify_its_input() -> None:
    rows = np.array([[3.0, 4.0]])
    unit_vectors(rows)
    np.testing.assert_array_equal(rows, [[3.0, 4.0]])
