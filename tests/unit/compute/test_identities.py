"""Who is who where only pairs are known."""

from __future__ import annotations

import pytest

from compute.datasets.identities import with_identities
from compute.datasets.pairs import NamedPair
from compute.errors import DatasetError


def pair(first: str, second: str, genuine: bool, names: tuple[str, str] = ("", "")) -> NamedPair:
    return NamedPair(first, second, *names, genuine)


def test_whom_genuine_pairs_join_is_one_person() -> None:
    filled = with_identities(
        [pair("a", "x", False), pair("a", "b", True), pair("c", "b", True), pair("c", "y", False)],
        where="list",
    )
    assert [(each.identity1, each.identity2) for each in filled] == [
        ("person-00001", "person-00002"),
        ("person-00001", "person-00001"),
        ("person-00001", "person-00001"),
        ("person-00001", "person-00003"),
    ]


def test_names_that_are_given_stay() -> None:
    given = [pair("a", "b", True, ("Ada", "Ada")), pair("a", "c", False, ("Ada", "Eve"))]
    assert with_identities(given, where="list") == given


def test_a_label_that_others_contradict_is_named() -> None:
    pairs = [pair("a", "b", True), pair("b", "c", True), pair("a", "c", False)]
    with pytest.raises(DatasetError, match=r"pairs\.csv: pair 3 \(a, c\) is labelled impostor"):
        with_identities(pairs, where="pairs.csv")
