"""Names and pair ids: what other sites and papers refer to."""

from __future__ import annotations

import pytest

from compute.datasets.catalogue import (
    CATALOGUE,
    OWN_BLOCK,
    OWN_BLOCKS,
    own_block,
    require_name,
)
from compute.errors import DatasetError


def test_ids_are_those_that_were_promised() -> None:
    assert {
        name: (facts.first_pair_id, facts.last_pair_id) for name, facts in CATALOGUE.items()
    } == {
        "lfw": (1, 6000),
        "calfw": (6001, 12000),
        "cplfw": (12001, 18000),
        "sllfw": (18001, 24000),
        "xqlfw": (24001, 30000),
        "demo": (30001, 30600),
        "mlfw": (40001, 46000),
        "agedb-30": (50001, 56000),
        "cfp-fp": (60001, 67000),
    }
    assert all(require_name(name) == name for name in CATALOGUE)


def test_official_lists_go_by_fold_or_by_label() -> None:
    assert CATALOGUE["xqlfw"].labels() == ([True] * 300 + [False] * 300) * 10
    assert CATALOGUE["cfp-fp"].labels() == ([True] * 350 + [False] * 350) * 10
    assert CATALOGUE["calfw"].labels() == [True] * 3000 + [False] * 3000


def test_blocks_follow_from_names_and_stay_apart() -> None:
    first = own_block("mine", set())
    assert first == own_block("mine", {1})
    assert (first - 1) % OWN_BLOCK == 0
    second = own_block("mine", {first})
    assert second != first
    names = [f"set-{i}" for i in range(200)]
    taken: set[int] = set()
    for name in names:
        taken.add(own_block(name, taken))
    assert len(taken) == len(names)
    assert min(taken) > 1_000_000
    assert max(taken) + OWN_BLOCK < 2**31
    with pytest.raises(DatasetError, match="blocks of pair ids are taken"):
        own_block("mine", {OWN_BLOCK * i + 1 for i in range(1, OWN_BLOCKS + 1)})


@pytest.mark.parametrize(
    "name", ["", "Mine", "a__b", "../a", "a/b", "_a", "-a", "a.b", "a" * 65, "ä"]
)
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(DatasetError, match=r"Unknown dataset.*a name of your own"):
        require_name(name)
