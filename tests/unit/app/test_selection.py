"""The window of a list is what sorting the whole list would show there."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.explorer import selection

# Few values, so that most rows are tied; infinite where a value is missing.
KEYS = st.lists(
    st.tuples(*[st.sampled_from([-1.0, 0.0, 0.5, 2.0, float("inf")])] * 3), min_size=1, max_size=60
)


@settings(deadline=None)
@given(KEYS, st.data())
def test_a_window_is_a_part_of_the_sorted_list(
    values: list[tuple[float, ...]], data: st.DataObject
) -> None:
    ids = np.random.default_rng(len(values)).permutation(len(values)).astype(np.float64)
    keys = [*np.array(values).T, ids]
    chosen = data.draw(st.lists(st.booleans(), min_size=len(values), max_size=len(values)))
    rows = np.flatnonzero(chosen)
    start = data.draw(st.integers(0, len(rows)))
    stop = data.draw(st.integers(0, len(rows)))
    expected = sorted(rows.tolist(), key=lambda row: [key[row] for key in keys])[start:stop]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selection, "FEW", data.draw(st.sampled_from([0, 1, 5])))
        found = selection._window(keys, rows, start, stop)
    assert found.tolist() == expected
