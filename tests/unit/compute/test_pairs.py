"""Folds: every one has its share of both labels, however the list is ordered."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.pairs import NamedPair, folds_of, identity_disjoint_folds
from compute.errors import DatasetError


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


def pair(identity1: str, identity2: str) -> NamedPair:
    return NamedPair(
        f"{identity1}/a.jpg", f"{identity2}/b.jpg", identity1, identity2, identity1 == identity2
    )


def require_disjoint(pairs: list[NamedPair], result: list[int | None]) -> None:
    """No identity is in two folds."""
    assert len(result) == len(pairs)
    folds: dict[str, set[int]] = defaultdict(set)
    for its, fold in zip(pairs, result, strict=True):
        if fold is not None:
            folds[its.identity1].add(fold)
            folds[its.identity2].add(fold)
    assert all(len(found) == 1 for found in folds.values())


def test_groups_of_people_are_folds_and_nothing_is_lost() -> None:
    pairs = [
        joined
        for group in range(10)
        for joined in (
            *(pair(f"{group}-{i}", f"{group}-{i}") for i in range(6)),
            *(pair(f"{group}-{i}", f"{group}-{(i + 1) % 6}") for i in range(6)),
        )
    ]
    result = identity_disjoint_folds(pairs)
    require_disjoint(pairs, result)
    assert None not in result
    assert sorted(Counter(result).values()) == [12] * 10


def test_a_chain_is_cut_once_for_two_folds() -> None:
    people = [f"p{i}" for i in range(20)]
    pairs = [pair(a, a) for a in people] + [pair(a, b) for a, b in pairwise(people)]
    result = identity_disjoint_folds(pairs, folds=2)
    require_disjoint(pairs, result)
    (cut,) = (i for i, fold in enumerate(result) if fold is None)
    assert not pairs[cut].genuine
    assert sorted(Counter(fold for fold in result[:20]).values()) == [10, 10]


def test_a_group_larger_than_a_fold_loses_few_pairs_and_folds_stay_even() -> None:
    random = np.random.default_rng(0)
    people = [f"p{i}" for i in range(400)]
    pairs = [pair(a, a) for a in people for _ in range(2)]
    while len(pairs) < 1200:
        a, b = random.choice(400, 2, replace=False)
        pairs.append(pair(people[a], people[b]))
    result = identity_disjoint_folds(pairs)
    require_disjoint(pairs, result)
    # Two people meet in a fold of ten by chance a tenth of the time: 360 would be lost.
    assert result.count(None) < 120
    sizes = Counter(fold for fold in result[:800] if fold is not None)
    assert max(sizes.values()) - min(sizes.values()) <= 12


@settings(deadline=None, max_examples=40)
@given(
    joins=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=60),
    folds=st.integers(2, 5),
)
def test_no_identity_is_in_two_folds(joins: list[tuple[int, int]], folds: int) -> None:
    pairs = [pair(f"p{a}", f"p{b}") for a, b in joins]
    try:
        result = identity_disjoint_folds(pairs, folds=folds)
    except DatasetError as error:
        assert f"for {folds} identity-disjoint folds" in str(error)
    else:
        require_disjoint(pairs, result)
        for fold in range(folds):
            labels = {
                its.genuine for its, found in zip(pairs, result, strict=True) if found == fold
            }
            assert labels == {True, False}


def test_the_same_seed_gives_the_same_folds() -> None:
    pairs = [pair(f"p{i}", f"p{(i * 7 + j) % 60}") for i in range(60) for j in (0, i * 6)]
    first = identity_disjoint_folds(pairs, folds=3, seed=1)
    assert first == identity_disjoint_folds(pairs, folds=3, seed=1)
    assert first != identity_disjoint_folds(pairs, folds=3, seed=2)


def test_a_pair_without_identities_is_named() -> None:
    pairs = [pair("a", "a"), NamedPair("x.jpg", "y.jpg", "", "", genuine=False)]
    with pytest.raises(DatasetError, match=r"Pair 2 \(x.jpg, y.jpg\) names no identity"):
        identity_disjoint_folds(pairs)


def test_too_few_people_are_refused() -> None:
    pairs = [pair("a", "a"), pair("a", "b"), pair("b", "b")]
    with pytest.raises(DatasetError, match="2 identities in 3 pairs are too few"):
        identity_disjoint_folds(pairs)
