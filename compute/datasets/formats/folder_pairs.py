"""Pairs of a user's own images, one folder for each identity, where no list of pairs is given."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

import numpy as np

from compute.datasets.pairs import NamedPair
from compute.datasets.sources import ImageSource
from compute.errors import DatasetError

SUFFIXES: Final = (".bmp", ".jpeg", ".jpg", ".png", ".webp")
MOST_PAIRS: Final = 3000
"""Pairs of each label, unless more are asked for: as many as the sets of the LFW family have."""


def folder_images(source: ImageSource) -> list[str]:
    """Return the images of a folder or an archive, sorted, as ``identity/file``.

    An archive may hold them in a folder above; hidden files are no images.

    Raises
    ------
    DatasetError
        Where there is no image, or one that is in no folder of its identity, or too deep.
    """
    paths = [
        path
        for path in (PurePosixPath(path) for path in source.paths)
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    ]
    if not paths:
        raise DatasetError(
            f"{source.origin}: no image ({', '.join(SUFFIXES)}), expected one folder for each "
            "identity."
        )
    above = min((path.parent.parent for path in paths), key=lambda path: len(path.parts))
    for path in paths:
        if path.parent.parent != above or len(path.parts) < 2:
            raise DatasetError(
                f"{source.origin}/{path}: expected {source.origin / above}/IDENTITY/FILE, one "
                "folder for each identity."
            )
    return sorted(f"{path.parent.name}/{path.name}" for path in paths)


def pairs_of_folders(
    names: Iterable[str], *, per_label: int | None = None, seed: int = 0
) -> list[NamedPair]:
    """Choose as many genuine as impostor pairs, using every image as evenly as its folder allows.

    Parameters
    ----------
    names
        Images as ``identity/file``; their order does not matter.
    per_label
        Genuine pairs, and impostor pairs; by default all genuine ones there can be, at most 3000.
    seed
        The same names and seed give the same pairs.

    Returns
    -------
    Genuine pairs, then impostor pairs; no two images are paired twice.

    Raises
    ------
    DatasetError
        Where the images do not give as many pairs, or no pair of a label.
    """
    people: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(names)):
        people[_identity(name)].append(name)
    images = [name for folder in people.values() for name in folder]
    genuine = sum(len(folder) * (len(folder) - 1) // 2 for folder in people.values())
    impostor = len(images) * (len(images) - 1) // 2 - genuine
    wanted = min(genuine, impostor, MOST_PAIRS) if per_label is None else per_label
    if not 0 < wanted <= min(genuine, impostor):
        raise DatasetError(
            f"{len(images)} images of {len(people)} identities give {genuine} genuine and "
            f"{impostor} impostor pairs, expected at least {max(wanted, 1)} of each. Add images "
            "(two or more of some identities), or ask for fewer pairs."
        )
    random = np.random.default_rng(seed)
    return [
        NamedPair(a, b, _identity(a), _identity(b), genuine=label)
        for label in (True, False)
        for a, b in _Choice(people, random, same=label).pairs(wanted)
    ]


def _identity(name: str) -> str:
    parts = PurePosixPath(name).parts
    if len(parts) != 2 or "/" in parts or ".." in parts:
        raise DatasetError(f"{name!r}: expected an image as 'IDENTITY/FILE'.")
    return parts[0]


class _Choice:
    """Pairs, again and again, the image used least with the least used that it may go with."""

    def __init__(
        self, people: dict[str, list[str]], random: np.random.Generator, *, same: bool
    ) -> None:
        self._people = people
        self._random = random
        self._same = same
        images = [name for folder in people.values() for name in folder]
        self._partners: dict[str, set[str]] = {name: {name} for name in images}
        # How often an image is used; then chance, drawn anew with every use.
        self._turn = {name: (0, float(random.random())) for name in images}
        self._waiting = [(turn, name) for name, turn in self._turn.items()]
        heapq.heapify(self._waiting)

    def pairs(self, wanted: int) -> list[tuple[str, str]]:
        """Return ``wanted`` pairs; there must be as many."""
        chosen: list[tuple[str, str]] = []
        while len(chosen) < wanted:
            turn, first = heapq.heappop(self._waiting)
            if turn != self._turn[first]:
                continue  # it was used meanwhile and waits again
            second = self._inside(first) if self._same else self._outside(first)
            if second is None:
                continue  # it has met everyone it may go with
            self._partners[first].add(second)
            self._partners[second].add(first)
            chosen.append((first, second))
            for name in (first, second):
                self._turn[name] = (self._turn[name][0] + 1, float(self._random.random()))
                heapq.heappush(self._waiting, (self._turn[name], name))
        return chosen

    def _inside(self, first: str) -> str | None:
        free = (n for n in self._people[_identity(first)] if n not in self._partners[first])
        return min(free, key=self._turn.__getitem__, default=None)

    def _outside(self, first: str) -> str | None:
        passed = []
        second = None
        while self._waiting and second is None:
            turn, name = heapq.heappop(self._waiting)
            if turn == self._turn[name]:
                passed.append((turn, name))
                if _identity(name) != _identity(first) and name not in self._partners[first]:
                    second = name
        for entry in passed:
            heapq.heappush(self._waiting, entry)
        return second
