"""The protocol of the demo dataset: who meets whom, in ten folds, and what differs between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from compute.demo.canvas import SIDE
from compute.demo.faces import Render, develop, render
from compute.demo.families import Family, dataset_rng, draw_parts, lookalike
from compute.demo.identity import (
    SWAPPABLE,
    Identity,
    draw_identity,
    draw_nuisance,
    draw_sibling,
    part_codes,
)

FOLDS = 10
PER_LABEL = 30
EXPLAINED_PER_LABEL = 8  # of every fold; they share few images, so that explaining them is cheap
MASK_SHARE = (0.03, 0.25)  # of the face
# Per fold: pictures of the first member and of every sibling. The first two families make the
# explained pairs and have 7 + 5 images between them.
_PLAN = ((3, 2, 2), (3, 2), (4, 2), (3, 2), (3, 2), (3, 2), (3, 2))
_LOOKALIKES = {3: 2, 6: 5}  # this family's first member has the hair and skin of that one's


@dataclass(frozen=True)
class DemoPair:
    """Two images by index; `mask` is a row of `DemoDataset.masks` or None."""

    image1: int
    image2: int
    genuine: bool
    fold: int
    mask: int | None


@dataclass(frozen=True)
class DemoDataset:
    """The drawn dataset.

    Attributes
    ----------
    names : tuple of str
        Per image, such as ``id014/id014_0002.png``.
    identities : tuple of str
        Per image, such as ``id014``; siblings are different identities.
    pixels : ndarray of uint8, shape (M, 112, 112, 3)
        RGB.
    pairs : tuple of DemoPair
        600, fold by fold, genuine before impostor.
    masks : ndarray of bool, shape (Q, 112, 112)
        Where the two drawings of a pair differ before blur and noise, gaps closed: outside, they
        are the same to the byte.
    """

    names: tuple[str, ...]
    identities: tuple[str, ...]
    pixels: NDArray[np.uint8]
    pairs: tuple[DemoPair, ...]
    masks: NDArray[np.bool_]


@dataclass(frozen=True)
class _Picture:
    """One image of the dataset: member and nuisance say which of the family, by index."""

    family: int
    member: int
    shot: int
    index: int
    drawing: Render


def difference_mask(first: Render, second: Render) -> NDArray[np.bool_]:
    """Mask the pixels where two drawings differ.

    Parameters
    ----------
    first, second : Render
        Drawn with the same nuisance.

    Returns
    -------
    ndarray of bool, shape (112, 112)
        Every differing pixel, and the gaps of up to two pixels between them.
    """
    differs = (first.pixels != second.pixels).any(axis=2).astype(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    return cv2.morphologyEx(differs, cv2.MORPH_CLOSE, kernel) > 0


def _dataset_family(fold: int, index: int, first: Identity) -> Family:
    """Give a first member the siblings that the plan asks for."""
    siblings = len(_PLAN[index]) - 1
    rng = dataset_rng(fold, index, 1)
    if siblings == 1:
        chosen = [draw_parts(rng)]
    else:
        # One part each, not the same: between themselves the siblings then differ in two.
        order = rng.permutation(len(SWAPPABLE))[:siblings]
        chosen = [(SWAPPABLE[part],) for part in order]
    members = [first, *(draw_sibling(first, parts, rng) for parts in chosen)]
    return Family(tuple(members), ((), *chosen))


def dataset_families(fold: int) -> tuple[Family, ...]:
    """Draw the families of one fold: 7 people and their 8 siblings.

    Parameters
    ----------
    fold : int
        0..9.

    Returns
    -------
    tuple of Family
    """
    firsts: list[Identity] = []
    for index in range(len(_PLAN)):
        rng = dataset_rng(fold, index, 0)
        model = _LOOKALIKES.get(index)
        firsts.append(draw_identity(rng) if model is None else lookalike(firsts[model], rng))
    return tuple(_dataset_family(fold, index, first) for index, first in enumerate(firsts))


def _shoot(
    fold: int, families: tuple[Family, ...], start: int, tick: Callable[[], None]
) -> tuple[list[_Picture], list[NDArray[np.uint8]]]:
    """Draw the images of a fold; a family's k-th pictures share all nuisance but noise and blur."""
    pictures: list[_Picture] = []
    images: list[NDArray[np.uint8]] = []
    for index, family in enumerate(families):
        shots = [draw_nuisance(dataset_rng(fold, index, 2, k)) for k in range(max(_PLAN[index]))]
        for member, identity in enumerate(family.members):
            for shot in range(_PLAN[index][member]):
                rng = dataset_rng(fold, index, 3, member, shot)
                nuisance = replace(
                    shots[shot],
                    noise=float(rng.uniform(1.0, 5.0)),
                    noise_seed=int(rng.integers(2**31)),
                )
                drawing = render(identity, nuisance)
                pictures.append(_Picture(index, member, shot, start + len(images), drawing))
                images.append(develop(drawing.pixels, nuisance))
                tick()
    return pictures, images


def _likeness(first: Identity, second: Identity) -> float:
    """Root mean square difference of all codes, the number of the hair style taken as one."""
    gaps = [
        part_codes(first, part) - part_codes(second, part)
        for part in ("face", "skin", *SWAPPABLE, "hair")
    ]
    return float(np.sqrt(np.mean(np.concatenate(gaps) ** 2)))


def _strangers(
    fold: int, pictures: list[_Picture], families: tuple[Family, ...], count: int
) -> list[tuple[_Picture, _Picture]]:
    """Pair different families: a third as alike as can be found, the others at random."""
    rng = dataset_rng(fold, 99)
    later = [p for p in pictures if p.family >= 2]
    candidates = [
        (a, b) for k, a in enumerate(later) for b in later[k + 1 :] if a.family < b.family
    ]
    order = rng.permutation(len(candidates)).tolist()
    alike = sorted(
        order,
        key=lambda k: _likeness(
            families[candidates[k][0].family].members[candidates[k][0].member],
            families[candidates[k][1].family].members[candidates[k][1].member],
        ),
    )
    chosen: list[int] = []
    met: set[tuple[int, int, int, int]] = set()
    for pool, limit in ((alike, count // 3), (order, count)):
        for k in pool:
            if len(chosen) >= limit:
                break
            a, b = candidates[k]
            meeting = (a.family, a.member, b.family, b.member)
            if meeting not in met:
                met.add(meeting)
                chosen.append(k)
    return [candidates[k] for k in chosen]


def _genuine(pictures: list[_Picture]) -> list[tuple[_Picture, _Picture]]:
    return [
        (a, b)
        for k, a in enumerate(pictures)
        for b in pictures[k + 1 :]
        if (a.family, a.member) == (b.family, b.member)
    ]


def _siblings(pictures: list[_Picture]) -> list[tuple[_Picture, _Picture]]:
    return [
        (a, b)
        for k, a in enumerate(pictures)
        for b in pictures[k + 1 :]
        if a.family == b.family and a.member != b.member and a.shot == b.shot
    ]


def _fold_pairs(
    fold: int, pictures: list[_Picture], families: tuple[Family, ...]
) -> tuple[list[tuple[_Picture, _Picture]], list[tuple[_Picture, _Picture]]]:
    """List the 30 genuine and 30 impostor pairs of a fold, those to be explained first."""
    few = [p for p in pictures if p.family < 2]
    rest = [p for p in pictures if p.family >= 2]
    shared = _genuine(few)
    genuine = (shared + _genuine(rest))[:PER_LABEL]
    swaps = _siblings(few)
    head = [(few[0], next(p for p in few if p.family == 1 and p.shot == 1))]
    explained = swaps[: EXPLAINED_PER_LABEL - 1] + head
    later = _siblings(rest)
    # One meeting per sibling, and a second one where the light or pose makes it another pair.
    once = [pair for pair in later if pair[0].shot == 0]
    more = swaps[EXPLAINED_PER_LABEL - 1 :] + once + [p for p in later if p[0].shot == 1][:1]
    count = PER_LABEL - len(explained) - len(more)
    return genuine, explained + more + _strangers(fold, rest, families, count)


def draw_demo(progress: Callable[[int, int], None] | None = None) -> DemoDataset:
    """Draw the demo dataset.

    Parameters
    ----------
    progress : callable, optional
        Called with the number of images drawn and the number of all.

    Returns
    -------
    DemoDataset
        The same to the byte on every call.
    """
    total = FOLDS * sum(sum(family) for family in _PLAN)
    images: list[NDArray[np.uint8]] = []
    names: list[str] = []
    identities: list[str] = []
    pairs: list[DemoPair] = []
    masks: list[NDArray[np.bool_]] = []
    drawn = 0

    def tick() -> None:
        nonlocal drawn
        drawn += 1
        if progress is not None:
            progress(drawn, total)

    people = 0
    for fold in range(FOLDS):
        families = dataset_families(fold)
        pictures, fresh = _shoot(fold, families, len(images), tick)
        images += fresh
        labels: dict[tuple[int, int], str] = {}
        for picture in pictures:
            person = (picture.family, picture.member)
            if person not in labels:
                labels[person] = f"id{people:03d}"
                people += 1
            label = labels[person]
            identities.append(label)
            names.append(f"{label}/{label}_{picture.shot + 1:04d}.png")
        genuine, impostor = _fold_pairs(fold, pictures, families)
        for same, meetings in ((True, genuine), (False, impostor)):
            for a, b in meetings:
                mask = None
                if not same and a.family == b.family:
                    mask = len(masks)
                    masks.append(difference_mask(a.drawing, b.drawing))
                pairs.append(DemoPair(a.index, b.index, same, fold, mask))
    return DemoDataset(
        names=tuple(names),
        identities=tuple(identities),
        pixels=np.stack(images),
        pairs=tuple(pairs),
        masks=np.stack(masks) if masks else np.zeros((0, SIDE, SIDE), dtype=np.bool_),
    )
