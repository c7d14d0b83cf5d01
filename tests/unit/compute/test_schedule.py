"""The order of pairs, and a cache that is as good as one can be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.store import PairRecord
from compute.schedule import ImageCache, by_component, cut, in_turn, planned_computations

Uses = Sequence[tuple[int, int]]


def pairs_of(edges: Uses) -> list[PairRecord]:
    return [
        PairRecord(i + 1, a, b, genuine=i % 2 == 0, fold=i % 10) for i, (a, b) in enumerate(edges)
    ]


def lfw_like() -> list[PairRecord]:
    """10 folds of 6 genuine and 6 impostor pairs, fold by fold."""
    return [
        PairRecord(1 + 12 * fold + i, 2 * i, 2 * i + 1, genuine=i < 6, fold=fold)
        for fold in range(10)
        for i in range(12)
    ]


@pytest.mark.parametrize("count", [1, 2, 7, 20, 40, 120])
def test_the_first_pairs_take_folds_and_labels_in_turn(count: int) -> None:
    chosen = in_turn(lfw_like())[:count]
    for value in (True, False):
        assert abs(sum(pair.genuine is value for pair in chosen) - count / 2) <= 1
    sizes = [sum(pair.fold == fold for pair in chosen) for fold in range(10)]
    assert max(sizes) - min(sizes) <= 2
    assert len({pair.id for pair in chosen}) == count


def test_a_larger_limit_only_adds_pairs_and_the_given_order_is_moot() -> None:
    pairs = lfw_like()
    ordered = in_turn(pairs)
    assert in_turn(pairs[::-1]) == ordered
    assert [(pair.fold, pair.genuine) for pair in ordered[:4]] == [
        (0, True),
        (0, False),
        (1, True),
        (1, False),
    ]
    assert ordered[0].id == 1
    assert ordered[20].id == 2


edges = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=25)


@given(edges)
def test_components_stay_together_and_no_pair_is_lost(drawn: list[tuple[int, int]]) -> None:
    pairs = pairs_of(drawn)
    ordered = by_component(pairs)
    assert sorted(ordered, key=lambda pair: pair.id) == pairs
    parent = list(range(13))

    def root(image: int) -> int:
        while parent[image] != image:
            image = parent[image]
        return image

    for a, b in drawn:
        parent[root(a)] = root(b)
    runs = [root(pair.image1) for pair in ordered]
    changes = sum(a != b for a, b in pairwise(runs))
    assert changes == max(0, len(set(runs)) - 1)


def test_the_order_is_the_same_every_time() -> None:
    random = np.random.default_rng(0)
    pairs = pairs_of([(int(a), int(b)) for a, b in random.integers(0, 60, (100, 2))])
    assert by_component(pairs) == by_component(list(pairs))
    assert by_component([]) == []


def test_a_chain_needs_room_for_two_images_only() -> None:
    random = np.random.default_rng(1)
    names = random.permutation(50).tolist()
    links = [(names[i], names[i + 1]) for i in range(49)]
    shuffled = pairs_of([links[i] for i in random.permutation(49)])
    uses = [(pair.image1, pair.image2) for pair in by_component(shuffled)]
    assert planned_computations(uses, 2) == 50


def fewest(uses: Uses, capacity: int) -> int:
    """Try every way to drop images: the fewest computations that any strategy needs."""

    @cache
    def best(step: int, held: frozenset[int]) -> int:
        if step == len(uses):
            return 0
        needed = frozenset(uses[step])
        have = held | needed
        cost = len(needed - held)
        spare = sorted(have - needed)
        options = [have]
        if len(have) > capacity:
            room = capacity - len(needed)
            options = [
                needed | frozenset(image for bit, image in enumerate(spare) if chosen >> bit & 1)
                for chosen in range(2 ** len(spare))
                if chosen.bit_count() == room
            ]
        return cost + min(best(step + 1, option) for option in options)

    return best(0, frozenset())


small = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=11)


@settings(max_examples=200, deadline=None)
@given(small, st.integers(1, 5))
def test_the_cache_is_as_good_as_the_best_strategy_and_never_too_full(
    uses: list[tuple[int, int]], capacity: int
) -> None:
    room = max(capacity, max(len(set(images)) for images in uses))
    computed: list[int] = []

    def compute(image: int) -> str:
        # What is being computed needs room as well.
        assert len(images._held) < room
        computed.append(image)
        return f"image {image}"

    images = ImageCache(uses, capacity, compute)
    for step, wanted in enumerate(uses):
        assert images.get(step, wanted) == [f"image {image}" for image in wanted]
        assert len(images._held) <= room
    assert not images._held
    assert images.computed == len(computed) == fewest(uses, room)
    assert images.again == len(computed) - len(set(computed))
    assert planned_computations(uses, capacity) == len(computed)


@given(small)
def test_with_room_enough_every_image_is_computed_once(uses: list[tuple[int, int]]) -> None:
    distinct = len({image for images in uses for image in images})
    assert planned_computations(uses, distinct) == distinct
    assert planned_computations(uses, 10**9) == distinct


def test_an_image_is_let_go_after_its_last_use() -> None:
    images: ImageCache[int] = ImageCache([(1, 2), (2, 3), (3, 3)], 10, lambda image: image)
    assert images.get(0, (1, 2)) == [1, 2]
    assert set(images._held) == {2}
    images.get(1, (2, 3))
    assert set(images._held) == {3}
    assert images.get(2, (3, 3)) == [3, 3]
    assert not images._held


def test_what_is_none_is_held_too() -> None:
    calls: list[int] = []

    def compute(image: int) -> None:
        calls.append(image)

    images: ImageCache[None] = ImageCache([(1, 2), (1, 3)], 3, compute)
    images.get(0, (1, 2))
    images.get(1, (1, 3))
    assert calls == [1, 2, 3]


@given(edges, st.integers(1, 5))
def test_shards_keep_the_order_lose_nothing_and_have_few_images(
    drawn: list[tuple[int, int]], size: int
) -> None:
    pairs = by_component(pairs_of(drawn))
    shards = cut(pairs, size)
    assert [pair for shard in shards for pair in shard] == pairs
    counts = [len(images_of(shard)) for shard in shards]
    assert all(size <= count <= 2 * size for count in counts[:-1])
    assert all(count <= 2 * size for count in counts[-1:])


def test_a_component_that_fits_is_one_shard_and_small_ones_are_put_together() -> None:
    fives = [(5 * i + j, 5 * i + j + 1) for i in range(20) for j in range(4)]
    shards = cut(by_component(pairs_of(fives)), 8)
    assert [len(images_of(shard)) for shard in shards] == [10] * 10
    assert sum(len(images_of(shard)) for shard in shards) == len({i for e in fives for i in e})


def test_a_component_that_is_too_large_is_cut_where_it_is_thin() -> None:
    # Three cliques of six images, each linked to the next by one pair.
    cliques = [(6 * c + i, 6 * c + j) for c in range(3) for i in range(6) for j in range(i)]
    shards = cut(by_component(pairs_of([*cliques, (0, 6), (7, 12)])), 4)
    assert sum(len(images_of(shard)) for shard in shards) - 18 <= 3


def images_of(pairs: Sequence[PairRecord]) -> set[int]:
    return {image for pair in pairs for image in (pair.image1, pair.image2)}


def test_a_full_cache_reckons_with_what_it_holds_not_with_all_that_is_to_come() -> None:
    """Memory beside what is held does not grow with the number of pairs."""
    random = np.random.default_rng(0)
    uses = [(int(a), int(b)) for a, b in random.integers(0, 50, (3000, 2))]
    images: ImageCache[int] = ImageCache(uses, 10, lambda image: image)
    for step, wanted in enumerate(uses):
        images.get(step, wanted)
        assert len(images._due) <= 2 * 10 + 102
