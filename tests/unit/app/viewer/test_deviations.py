"""Stored deviations come back as written; 16 bits lose less than anyone can see."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from app.viewer.deviations import DeviationsError, quantise, row_name, unpack


def test_unpack_returns_the_rows_that_were_stored() -> None:
    rows = np.arange(15, dtype="<f4").reshape(5, 3)

    assert np.array_equal(unpack(zlib.compress(rows.tobytes()), 3), rows)


@pytest.mark.parametrize(
    ("stored", "said"),
    [
        (b"not zlib", "cannot be decompressed"),
        (zlib.compress(b"\0" * 56), "56 bytes, expected 60"),
    ],
)
def test_unpack_names_what_is_wrong_with_damaged_rows(stored: bytes, said: str) -> None:
    with pytest.raises(DeviationsError, match=said):
        unpack(stored, 3)


def test_the_largest_deviation_uses_all_16_bits() -> None:
    deviations = np.array([[0.5, -1.0, 0.25]], dtype=np.float32)

    quantised = quantise(deviations, flat=False)

    assert quantised.scale == 1.0 / 32767
    assert quantised.values.tolist() == [[16384, -32767, 8192]]


def test_quantising_errs_by_half_a_step_at_most() -> None:
    deviations = np.random.default_rng(0).normal(0, 0.02, (5, 1058)).astype(np.float32)

    quantised = quantise(deviations, flat=False)
    back = np.frombuffer(quantised.to_bytes(), "<i2").reshape(5, 1058) * quantised.scale

    assert np.abs(back - deviations).max() <= quantised.scale / 2 * (1 + 1e-9)


@pytest.mark.parametrize(("value", "flat"), [(0.0, False), (9e-7, True)])
def test_a_flat_pair_has_scale_zero(value: float, flat: bool) -> None:
    quantised = quantise(np.full((5, 2), value, dtype=np.float32), flat=flat)

    assert quantised.scale == 0.0
    assert not quantised.values.any()


def test_method_three_explains_both_sides_with_one_row() -> None:
    assert [row_name(m, s) for m in ("I", "II", "III") for s in (1, 2)] == [
        "I1",
        "I2",
        "II1",
        "II2",
        "III",
        "III",
    ]
