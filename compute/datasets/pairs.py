"""Labelled pairs and their folds."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compute.errors import DatasetError

FOLDS: Final = 10

_STARTS: Final = 8
"""Seeded beginnings of the search for disjoint folds; the one that loses fewest pairs is kept."""
_PASSES: Final = 20
_SLACK: Final = 1.05
"""How much more than its even share a part of a split group may hold."""


@dataclass(frozen=True)
class NamedPair:
    """Two images by name, as a pair list gives them."""

    image1: str
    image2: str
    identity1: str
    identity2: str
    genuine: bool


def folds_of(genuine: Sequence[bool]) -> list[int]:
    """Return the fold of each pair: 10 * (ordinal within its label) // (number with that label).

    It gives every fold its share of both labels, for lists that are ordered by fold and for lists
    that put all genuine pairs first.
    """
    totals = Counter(genuine)
    seen: Counter[bool] = Counter()
    folds = []
    for label in genuine:
        folds.append(FOLDS * seen[label] // totals[label])
        seen[label] += 1
    return folds


def identity_disjoint_folds(
    pairs: Sequence[NamedPair], folds: int = FOLDS, seed: int = 0
) -> list[int | None]:
    """Put identities into folds, so that what a threshold was fitted on shows nobody of its test.

    People that pairs join stay together where they can. A group that is larger than a fold must be
    split, and pairs across the cut have no fold; the search keeps them few, and folds about equal.

    Parameters
    ----------
    folds
        How many.
    seed
        Where the search begins: the same pairs, folds and seed give the same result.

    Returns
    -------
    The fold of each pair; None where its identities are in two folds, so that it can be no part of
    such a protocol.

    Raises
    ------
    DatasetError
        Where an identity is unknown, or a fold would be without genuine or impostor pairs.
    """
    for number, pair in enumerate(pairs):
        if not pair.identity1 or not pair.identity2:
            raise DatasetError(
                f"Pair {number + 1} ({pair.image1}, {pair.image2}) names no identity: expected one "
                "for each image. Identity-disjoint folds need to know who is where."
            )
    graph = _People(pairs)
    best = graph.best_folds(folds, seed)
    placed = [
        int(best[a]) if best[a] == best[b] else None for a, b in zip(*graph.ends, strict=True)
    ]
    for fold in range(folds):
        labels = {pair.genuine for pair, its in zip(pairs, placed, strict=True) if its == fold}
        if len(labels) < 2:
            raise DatasetError(
                f"{graph.count} identities in {len(pairs)} pairs are too few, or too closely "
                f"joined, for {folds} identity-disjoint folds: fold {fold} would lack genuine or "
                "impostor pairs. Ask for fewer folds."
            )
    return placed


class _People:
    """Identities, and the pairs that join them."""

    def __init__(self, pairs: Sequence[NamedPair]) -> None:
        numbers: dict[str, int] = {}
        for pair in pairs:
            numbers.setdefault(pair.identity1, len(numbers))
            numbers.setdefault(pair.identity2, len(numbers))
        self.count = len(numbers)
        self.ends = (
            [numbers[pair.identity1] for pair in pairs],
            [numbers[pair.identity2] for pair in pairs],
        )
        totals = Counter(pair.genuine for pair in pairs)
        # (M, 2): which part of all genuine and of all impostor pairs a person's pairs are, a pair
        # of two persons being half each one's.
        self.load = np.zeros((self.count, 2))
        self.neighbours: list[list[int]] = [[] for _ in range(self.count)]
        for pair, a, b in zip(pairs, *self.ends, strict=True):
            for end in (a, b):
                self.load[end, int(pair.genuine)] += 0.5 / totals[pair.genuine]
            if a != b:
                self.neighbours[a].append(b)
                self.neighbours[b].append(a)

    def best_folds(self, folds: int, seed: int) -> NDArray[np.int64]:
        """Return the fold of each identity, (M,), from the start that loses fewest pairs."""
        best, fewest = np.zeros(self.count, dtype=np.int64), len(self.ends[0]) + 1
        for start in range(_STARTS):
            found = self._folds(folds, np.random.default_rng([seed, start]))
            lost = sum(found[a] != found[b] for a, b in zip(*self.ends, strict=True))
            if lost < fewest:
                best, fewest = found, lost
            if fewest == 0:
                break
        return best

    def _folds(self, folds: int, random: np.random.Generator) -> NDArray[np.int64]:
        """Make parts, then pack them, the largest first."""
        parts = [
            part for group in self._groups(random) for part in self._split(group, 1 / folds, random)
        ]
        loads = [self.load[part].sum(axis=0) for part in parts]
        held = np.zeros((folds, 2))
        fold = np.zeros(self.count, dtype=np.int64)
        for i in sorted(range(len(parts)), key=lambda i: -loads[i].sum()):
            chosen = int(np.argmin(held @ loads[i]))
            held[chosen] += loads[i]
            fold[parts[i]] = chosen
        return fold

    def _groups(self, random: np.random.Generator) -> list[list[int]]:
        """Return the connected people, each group in the order of a walk in depth."""
        groups, seen = [], np.zeros(self.count, dtype=bool)
        for first in random.permutation(self.count):
            group, waiting = [], [int(first)]
            while waiting:
                person = waiting.pop()
                if seen[person]:
                    continue
                seen[person] = True
                group.append(person)
                others = self.neighbours[person]
                waiting += [others[i] for i in random.permutation(len(others))]
            if group:
                groups.append(group)
        return groups

    def _split(
        self, group: list[int], share: float, random: np.random.Generator
    ) -> list[list[int]]:
        """Cut a group that is larger than a fold into even parts that few pairs join."""
        load = self.load[group].max(axis=1)
        count = int(np.ceil(self.load[group].sum(axis=0).max() / share - 1e-9))
        if count < 2 or len(group) == 1:
            return [group]
        # Along the walk few pairs are cut; then everyone moves to where most neighbours are.
        even = load.sum() / count
        part = dict(
            zip(group, np.minimum(np.cumsum(load) / even, count - 1).astype(int), strict=True)
        )
        weight = dict(zip(group, load, strict=True))
        held = np.bincount(list(part.values()), weights=load, minlength=count)
        for _ in range(_PASSES):
            moved = False
            for i in random.permutation(len(group)):
                person = group[i]
                here = part[person]
                joined = Counter(part[other] for other in self.neighbours[person])
                there = max(joined, key=lambda p: (joined[p], -held[p]))
                if joined[there] > joined[here] and held[there] + weight[person] <= _SLACK * even:
                    held[[here, there]] += (-weight[person], weight[person])
                    part[person] = there
                    moved = True
            if not moved:
                break
        parts: defaultdict[int, list[int]] = defaultdict(list)
        for person in group:
            parts[part[person]].append(person)
        return list(parts.values())
