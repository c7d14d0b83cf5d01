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


def test_folders_are_persons_where_all_labels_agree() -> None:
    pairs = [
        pair("faces/ada/1.jpg", "faces/ada/2.jpg", True),
        pair("faces/ada/3.jpg", "faces/eve/1.jpg", False),
        pair("faces/bob/1.jpg", "faces/eve/1.jpg", False, ("Robert", "")),
    ]
    filled = with_identities(pairs, where="list")
    assert [(each.identity1, each.identity2) for each in filled] == [
        ("ada", "ada"),
        ("ada", "eve"),
        ("Robert", "eve"),
    ]


@pytest.mark.parametrize(
    "pairs",
    [
        [pair("ada/1.jpg", "ada/2.jpg", True), pair("ada/1.jpg", "ada/3.jpg", False)],
        [pair("ada/1.jpg", "more/2.jpg", True), pair("ada/1.jpg", "eve/3.jpg", False)],
        [pair("ada/1.jpg", "ada/2.jpg", True)],
        [pair("ada/1.jpg", "eve/2.jpg", False)],
        [pair("1.jpg", "2.jpg", True), pair("1.jpg", "ada/3.jpg", False)],
        [pair("a/x/1.jpg", "a/x/2.jpg", True), pair("a/x/1.jpg", "b/x/1.jpg", False)],
    ],
    ids=["impostors in one", "one in two", "no impostors", "no genuine", "no folder", "one name"],
)
def test_folders_that_labels_contradict_are_no_persons(pairs: list[NamedPair]) -> None:
    filled = with_identities(pairs, where="list")
    assert filled[0].identity1 == "person-00001"
