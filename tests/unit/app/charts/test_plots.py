"""Axes and shapes of the drawn charts, on places that can be computed by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.charts import linear_axis, log_axis, make_plot


def test_an_axis_places_values_and_writes_round_ticks() -> None:
    axis = linear_axis(0, 2, start=100, stop=500, words="distance", most_ticks=5)

    assert axis.place(0) == 100
    assert axis.place(1.5) == 400
    assert [(tick.label, tick.place) for tick in axis.ticks] == [
        ("0.0", 100),
        ("0.5", 200),
        ("1.0", 300),
        ("1.5", 400),
        ("2.0", 500),
    ]


def test_steps_of_a_quarter_and_thousands_are_written_out() -> None:
    quarters = linear_axis(0, 1, start=0, stop=1, words="", most_ticks=5)
    thousands = linear_axis(0, 3000, start=0, stop=1, words="", most_ticks=4)

    assert [tick.label for tick in quarters.ticks] == ["0.00", "0.25", "0.50", "0.75", "1.00"]
    assert [tick.label for tick in thousands.ticks] == ["0", "1,000", "2,000", "3,000"]


def test_zero_between_negative_and_positive_has_no_sign() -> None:
    axis = linear_axis(-1, 1, start=0, stop=1, words="", most_ticks=3)

    assert [tick.label for tick in axis.ticks] == ["−1", "0", "1"]


@given(
    st.floats(-1e6, 1e6),
    st.floats(1e-6, 1e6),
    st.integers(2, 12),
)
def test_ticks_stay_within_the_axis_and_within_their_number(
    low: float, wide: float, most: int
) -> None:
    span = wide * max(1.0, abs(low))  # of a narrower one a float cannot tell the ends apart
    axis = linear_axis(low, low + span, start=0, stop=100, words="", most_ticks=most)

    assert len(axis.ticks) <= most
    assert all(-1e-3 <= tick.place <= 100 + 1e-3 for tick in axis.ticks)
    assert all(a.place < b.place for a, b in zip(axis.ticks, axis.ticks[1:], strict=False))


@pytest.mark.parametrize(("low", "high"), [(1, 1), (2, 1), (0, float("inf")), (float("nan"), 1)])
def test_an_empty_range_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="expected two finite, rising numbers"):
        linear_axis(low, high, start=0, stop=1, words="")


def test_bars_stand_on_the_floor_and_empty_bins_are_left_out() -> None:
    plot = make_plot((0, 2, "d"), (0, 10, "pairs"), width=258, height=162)

    bars = plot.bars([0, 0.5, 1, 2], [10, 0, 5])

    assert [(bar.low, bar.high, bar.count) for bar in bars] == [(0, 0.5, 10), (1, 2, 5)]
    first, second = bars
    assert (first.x, first.width) == (46, 50)  # 200 units for [0, 2]
    assert (first.y, first.height) == (24, 100)
    assert (second.y, second.height) == (74, 50)


def test_a_path_has_a_gap_where_a_value_is_missing() -> None:
    plot = make_plot((0, 2, "d"), (0, 1, "c"), width=258, height=162)

    path = plot.path([0, 1, 1.5, 2], [0, 1, float("nan"), 0.5])

    assert path == "M46.00,124.00L146.00,24.00M246.00,74.00"


def test_a_logarithmic_axis_has_equal_ratios_equally_far_apart() -> None:
    axis = log_axis(0.001, 1, start=0, stop=300, words="rate")

    assert [axis.place(value) for value in (0.001, 0.01, 0.1, 1)] == pytest.approx(
        [0, 100, 200, 300]
    )
    assert [tick.label for tick in axis.ticks] == ["0.1 %", "1 %", "10 %", "100 %"]
    with pytest.raises(ValueError, match="0 < low < high"):
        log_axis(0, 1, start=0, stop=1, words="")
