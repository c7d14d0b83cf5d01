"""Families: a person and the siblings who differ in one or two parts.

Those of the dataset and those the model was trained on come from different seeds; what the two
have in common is only the way of drawing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from compute.demo.identity import SWAPPABLE, Identity, draw_identity, draw_sibling

_DATASET, _TRAINING = 1, 2  # first words of the seeds
SEED = 20220712
TRAINING_FAMILIES = 900


@dataclass(frozen=True)
class Family:
    """A person first, then the siblings; `parts[k]` are those that member k does not share."""

    members: tuple[Identity, ...]
    parts: tuple[tuple[str, ...], ...]


def dataset_rng(*key: int) -> np.random.Generator:
    """Chance for the dataset: another stream for every key."""
    return np.random.default_rng([SEED, _DATASET, *key])


def training_rng(*key: int) -> np.random.Generator:
    """Chance for the training set: another stream for every key, none of them the dataset's."""
    return np.random.default_rng([SEED, _TRAINING, *key])


def draw_parts(rng: np.random.Generator) -> tuple[str, ...]:
    """Choose the one or two parts that a sibling has from somebody else."""
    count = 1 if rng.random() < 0.6 else 2
    chosen = set(rng.permutation(len(SWAPPABLE))[:count].tolist())
    return tuple(part for index, part in enumerate(SWAPPABLE) if index in chosen)


def lookalike(identity: Identity, rng: np.random.Generator) -> Identity:
    """Draw somebody else with the same hair and skin: an impostor who is not easy."""
    other = draw_identity(rng)
    return replace(other, hair=identity.hair, skin=identity.skin, details=identity.details)


def training_family(index: int, siblings: int = 3) -> Family:
    """Draw a family of the training set.

    Parameters
    ----------
    index : int
        Which one, from 0.
    siblings : int
        How many besides the first member.

    Returns
    -------
    Family
        Every fourth first member looks like that of the family before.
    """
    rng = training_rng(index)
    first = draw_identity(rng)
    if index % 4 == 3:
        first = lookalike(draw_identity(training_rng(index - 1)), rng)
    members, parts = [first], [()]  # type: tuple[list[Identity], list[tuple[str, ...]]]
    for _ in range(siblings):
        chosen = draw_parts(rng)
        members.append(draw_sibling(first, chosen, rng, contrast=0.6))
        parts.append(chosen)
    return Family(tuple(members), tuple(parts))
