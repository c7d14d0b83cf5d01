"""Receptive fields: what a change reaches, and what a window must hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from compute.graphs.receptive import EMPTY, Field, Span


@dataclass(frozen=True)
class Layer:
    """A convolution along one axis, the same padding at both ends."""

    size: int
    stride: int
    dilation: int
    pad: int

    @property
    def field(self) -> Field:
        pads = (self.pad, self.pad)
        return Field.of_kernel(self.size, stride=self.stride, dilation=self.dilation, pads=pads)

    def __call__(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        padded = np.pad(values, self.pad)
        reach = (self.size - 1) * self.dilation + 1
        count = (len(padded) - reach) // self.stride + 1
        taps = np.arange(self.size) * self.dilation
        # A bias, so that padding a layer is not the same as padding the one before.
        return np.array([padded[o * self.stride + taps].sum() + 1 for o in range(max(count, 0))])


LAYERS = st.builds(
    Layer,
    size=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pad=st.integers(0, 2),
)


def run(layers: list[Layer], values: NDArray[np.int64]) -> NDArray[np.int64]:
    for layer in layers:
        values = layer(values)
    return values


def field_of(layers: list[Layer]) -> Field:
    field = Field()
    for layer in layers:
        field = layer.field.after(field)
    return field


def test_a_three_by_three_convolution_spreads_a_change_by_one_and_stops_at_the_border() -> None:
    field = Field.of_kernel(3, stride=1, dilation=1, pads=(1, 1))
    assert field.reached((4, 6), 10) == (3, 7)
    assert field.reached((0, 2), 10) == (0, 3)
    assert field.reached((9, 10), 10) == (8, 10)
    assert field.window((3, 7), 10) == (2, 8)
    assert field.window((0, 3), 10) == (0, 4)


def test_a_stride_of_two_halves_a_change_and_begins_windows_at_even_indices() -> None:
    field = Field.of_kernel(3, stride=2, dilation=1, pads=(1, 1))  # output 4 sees 7, 8, 9
    assert field.reached((7, 8), 112) == (3, 5)
    assert field.reached((8, 9), 112) == (4, 5)
    assert field.window((4, 5), 112) == (6, 10)
    assert field.window((55, 56), 112) == (108, 112)


def test_two_convolutions_see_what_the_first_sees_of_what_the_second_sees() -> None:
    first = Field.of_kernel(3, stride=2, dilation=1, pads=(1, 1))
    second = Field.of_kernel(3, stride=1, dilation=2, pads=(2, 2))
    # Output o of the second sees 2 (o - 2) - 1 to 2 (o + 2) + 1.
    assert second.after(first) == Field(step=2, low=-5, high=5, more=1)


def test_branches_that_meet_see_what_either_sees_and_must_keep_step() -> None:
    wide = Field(step=2, low=-3, high=1)
    assert wide.joined(Field(step=2, low=-1, high=4)) == Field(step=2, low=-3, high=4)
    assert wide.joined(Field()) is None


def test_branches_that_meet_must_be_as_long_for_every_window() -> None:
    convolved = Field.of_kernel(3, stride=2, dilation=1, pads=(1, 1))
    pooled = Field.of_kernel(2, stride=2, dilation=1, pads=(0, 0))
    assert [(n + convolved.more) // 2 for n in (8, 9)] == [4, 5]
    assert [(n + pooled.more) // 2 for n in (8, 9)] == [4, 4]
    assert convolved.joined(pooled) is None
    one = Field.of_kernel(1, stride=2, dilation=1, pads=(0, 0))
    assert convolved.joined(one) == convolved


@given(st.lists(LAYERS, min_size=1, max_size=4), st.integers(8, 40))
def test_how_many_outputs_there_are_follows_from_the_field(
    layers: list[Layer], inputs: int
) -> None:
    ones = np.ones(inputs, dtype=np.int64)
    lengths = [len(run(layers[: k + 1], ones)) for k in range(len(layers))]
    assume(all(lengths))
    field = field_of(layers)
    assert (inputs + field.more) // field.step == lengths[-1]


@pytest.mark.parametrize("span", [(0, 0), (5, 5), (7, 3)])
def test_nothing_reaches_nothing(span: Span) -> None:
    field = Field.of_kernel(3, stride=1, dilation=1, pads=(1, 1))
    assert field.reached(span, 10) == EMPTY
    assert field.window(span, 10) == EMPTY


@given(st.lists(LAYERS, min_size=1, max_size=4), st.integers(8, 40), st.data())
def test_every_output_that_changes_is_reached_and_its_window_says_the_same(
    layers: list[Layer], inputs: int, data: st.DataObject
) -> None:
    values = np.random.default_rng(inputs).integers(1, 100, inputs)
    whole = run(layers, values)
    assume(len(whole) > 0)
    start = data.draw(st.integers(0, inputs - 1))
    stop = data.draw(st.integers(start + 1, inputs))
    changed = values.copy()
    changed[start:stop] += 1000
    expected = run(layers, changed)
    field = field_of(layers)

    first, last = field.reached((start, stop), len(whole))
    differs = np.flatnonzero(whole != expected)
    assert all(first <= o < last for o in differs)

    lower, upper = field.window((first, last), inputs)
    if first < last:
        answers = run(layers, changed[lower:upper])
        begin = first - lower // field.step
        assert answers[begin : begin + last - first].tolist() == expected[first:last].tolist()


@given(LAYERS, st.integers(8, 40), st.data())
def test_of_one_undilated_layer_exactly_what_changes_is_reached(
    layer: Layer, inputs: int, data: st.DataObject
) -> None:
    assume(layer.dilation == 1 and layer.size >= layer.stride and layer.pad < layer.size)
    values = np.ones(inputs, dtype=np.int64)
    start = data.draw(st.integers(0, inputs - 1))
    stop = data.draw(st.integers(start + 1, inputs))
    changed = values.copy()
    changed[start:stop] += 1000
    differs = np.flatnonzero(layer(values) != layer(changed)).tolist()
    assert differs == list(range(*layer.field.reached((start, stop), len(layer(values)))))
