"""Folds: every one has its share of both labels, however the list is ordered."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.datasets.pairs import folds_of


def test_a_list_by_fold_keeps_its_folds() -> None:
    genuine = ([True] * 300 + [False] * 300) * 10
    assert folds_of(genuine) == [fold for fold in range(10) for _ in range(600)]


def test_a_list_with_genuine_pairs_first_is_cut_within_each_label() -> None:
    genuine = [True] * 3000 + [False] * 3000
    assert folds_of(genuine) == [fold for fold in range(10) for _ in range(300)] * 2


def test_labels_of_unequal_number_are_cut_each_by_itself() -> None:
    folds = folds_of([True] * 20 + [False] * 50)
    assert folds[:20] == [i // 2 for i in range(20)]
    assert folds[20:] == [i // 5 for i in range(50)]


@pytest.mark.parametrize("genuine", [[], [True], [False] * 3])
def test_few_pairs_have_folds_too(genuine: list[bool]) -> None:
    assert folds_of(genuine) == [10 * i // len(genuine) for i in range(len(genuine))]


@given(st.lists(st.booleans(), max_size=200))
def test_folds_are_balanced_and_ascend_within_a_label(genuine: list[bool]) -> None:
    folds = folds_of(genuine)
    for label in (True, False):
        own = [fold for fold, each in zip(folds, genuine, strict=True) if each is label]
        assert own == sorted(own)
        assert set(own) <= set(range(10))
        if len(own) >= 10:
            sizes = Counter(own)
            assert max(sizes.values()) - min(sizes.values()) <= 1
            assert len(sizes) == 10
