"""The demo dataset keeps its promises: protocol, masks, model."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest

from compute.demo import MODEL_PATH, DemoDataset, draw_demo
from compute.demo.evaluate import accuracy, best_threshold, embed, pair_distances
from compute.demo.faces import develop, render
from compute.demo.families import TRAINING_FAMILIES, dataset_rng, training_family
from compute.demo.identity import (
    SWAPPABLE,
    draw_identity,
    draw_nuisance,
    draw_sibling,
    part_codes,
)
from compute.demo.pairs import (
    EXPLAINED_PER_LABEL,
    FOLDS,
    PER_LABEL,
    dataset_families,
    difference_mask,
)


@pytest.fixture(scope="module")
def dataset() -> DemoDataset:
    return draw_demo()


@pytest.fixture(scope="module")
def session() -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(MODEL_PATH, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def distances(
    dataset: DemoDataset, session: onnxruntime.InferenceSession
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return pair_distances(dataset, session)


def test_protocol_has_ten_folds_of_thirty_and_thirty(dataset: DemoDataset) -> None:
    labels = [(pair.fold, pair.genuine) for pair in dataset.pairs]
    expected = [
        (fold, genuine)
        for fold in range(FOLDS)
        for genuine in (True, False)
        for _ in range(PER_LABEL)
    ]
    assert labels == expected


def test_images_are_named_by_identity_and_used(dataset: DemoDataset) -> None:
    count = len(dataset.names)
    assert dataset.pixels.shape == (count, 112, 112, 3)
    assert dataset.pixels.dtype == np.uint8
    assert len(set(dataset.names)) == len(dataset.identities) == count
    for name, identity in zip(dataset.names, dataset.identities, strict=True):
        assert name.startswith(f"{identity}/{identity}_")
    used = {index for pair in dataset.pairs for index in (pair.image1, pair.image2)}
    assert used <= set(range(count))
    assert len(used) > 0.95 * count


def test_labels_agree_with_identities_and_no_pair_comes_twice(dataset: DemoDataset) -> None:
    meetings = {frozenset((pair.image1, pair.image2)) for pair in dataset.pairs}
    assert len(meetings) == len(dataset.pairs)
    for pair in dataset.pairs:
        same = dataset.identities[pair.image1] == dataset.identities[pair.image2]
        assert same == pair.genuine
        assert pair.image1 != pair.image2
        assert pair.mask is None or not pair.genuine


def test_no_person_is_in_two_folds(dataset: DemoDataset) -> None:
    folds: dict[str, set[int]] = {}
    for pair in dataset.pairs:
        for index in (pair.image1, pair.image2):
            folds.setdefault(dataset.identities[index], set()).add(pair.fold)
    assert all(len(found) == 1 for found in folds.values())


def test_explained_pairs_share_few_images_and_most_impostors_have_masks(
    dataset: DemoDataset,
) -> None:
    for fold in range(FOLDS):
        start = fold * 2 * PER_LABEL
        genuine = dataset.pairs[start : start + EXPLAINED_PER_LABEL]
        first = start + PER_LABEL
        impostors = dataset.pairs[first : first + EXPLAINED_PER_LABEL]
        images = {i for pair in (*genuine, *impostors) for i in (pair.image1, pair.image2)}
        assert len(images) <= 12
        assert sum(pair.mask is not None for pair in impostors) >= 5


def test_masks_are_numbered_in_order_and_cover_a_part_of_the_face(dataset: DemoDataset) -> None:
    masked = [pair for pair in dataset.pairs if pair.mask is not None]
    assert [pair.mask for pair in masked] == list(range(len(dataset.masks)))
    assert len(masked) >= 120
    assert dataset.masks.dtype == np.bool_


@pytest.mark.parametrize("fold", [0, 5])
def test_masked_share_of_the_face_and_agreement_outside(fold: int) -> None:
    for index, family in enumerate(dataset_families(fold)):
        nuisance = draw_nuisance(dataset_rng(fold, index, 2, 0))
        drawings = [render(member, nuisance) for member in family.members]
        for k, first in enumerate(drawings):
            for second in drawings[k + 1 :]:
                mask = difference_mask(first, second)
                share = mask.sum() / (first.face | second.face).sum()
                assert 0.03 <= share <= 0.25
                assert np.array_equal(first.pixels[~mask], second.pixels[~mask])


def test_every_mask_lies_within_bounds(dataset: DemoDataset) -> None:
    area = dataset.masks.sum(axis=(1, 2))
    # The drawn faces cover between 7,000 and 9,600 of the 12,544 pixels.
    assert area.min() >= 0.03 * 9600
    assert area.max() <= 0.25 * 7000


def test_siblings_differ_in_exactly_the_parts_named() -> None:
    for family in dataset_families(3):
        first = family.members[0]
        for member, parts in zip(family.members, family.parts, strict=True):
            assert len(parts) <= 2
            assert replace(member, **{p: getattr(first, p) for p in parts}) == first
            for part in parts:
                gap = part_codes(member, part) - part_codes(first, part)
                assert np.sqrt(np.mean(gap**2)) >= 1.08


def test_every_swappable_part_is_what_differs_somewhere() -> None:
    counts = Counter(
        part
        for fold in range(FOLDS)
        for family in dataset_families(fold)
        for parts in family.parts
        for part in parts
    )
    assert set(counts) == set(SWAPPABLE)
    assert min(counts.values()) >= 10


def test_sibling_of_an_unknown_part_is_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="cannot exchange"):
        draw_sibling(draw_identity(rng), ("hair",), rng)


def test_no_identity_of_the_dataset_was_trained_on() -> None:
    tested = {
        member for fold in range(FOLDS) for f in dataset_families(fold) for member in f.members
    }
    trained = {
        member for index in range(TRAINING_FAMILIES) for member in training_family(index).members
    }
    assert len(tested) == 150
    assert not tested & trained
    faces = {member.eyes for member in tested}
    assert not faces & {member.eyes for member in trained}


def test_drawing_is_deterministic_to_the_byte(dataset: DemoDataset) -> None:
    identity = draw_identity(np.random.default_rng(5))
    nuisance = draw_nuisance(np.random.default_rng(6))
    first, second = render(identity, nuisance), render(identity, nuisance)
    assert first.pixels.tobytes() == second.pixels.tobytes()
    again, other = develop(first.pixels, nuisance), develop(second.pixels, nuisance)
    assert again.tobytes() == other.tobytes()
    # And the dataset's own first image can be drawn again from its seeds alone.
    shot = draw_nuisance(dataset_rng(0, 0, 2, 0))
    rng = dataset_rng(0, 0, 3, 0, 0)
    shot = replace(shot, noise=float(rng.uniform(1, 5)), noise_seed=int(rng.integers(2**31)))
    drawn = develop(render(dataset_families(0)[0].members[0], shot).pixels, shot)
    assert drawn.tobytes() == dataset.pixels[0].tobytes()


def test_images_are_neither_flat_nor_burnt_out(dataset: DemoDataset) -> None:
    values = dataset.pixels.reshape(len(dataset.pixels), -1)
    assert values.std(axis=1).min() > 15
    assert (values == 255).mean(axis=1).max() < 0.15


def test_model_file_is_small_and_carries_no_chatter(
    session: onnxruntime.InferenceSession,
) -> None:
    raw = MODEL_PATH.read_bytes()
    assert len(raw) < 1_500_000
    for chatter in (b"/home/", b"/tmp/", b".py", b"pytorch"):
        assert chatter not in raw
    (entry,) = session.get_inputs()
    assert entry.name == "input"
    assert entry.shape[1:] == [3, 112, 112]
    assert isinstance(entry.shape[0], str)


def test_model_does_not_depend_on_the_batch(
    dataset: DemoDataset, session: onnxruntime.InferenceSession
) -> None:
    together = embed(session, dataset.pixels[:5], batch=5)
    alone = embed(session, dataset.pixels[:5], batch=1)
    np.testing.assert_allclose(together, alone, rtol=1e-3, atol=1e-4)


def test_model_verifies_well_but_not_perfectly(
    dataset: DemoDataset, distances: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    report = accuracy(dataset, distances)
    assert 0.92 <= report.accuracy <= 0.99
    assert 0.6 <= report.masked_rejected < 1.0


def test_distances_are_spread_enough_for_a_confidence_fit(
    dataset: DemoDataset, distances: np.ndarray[tuple[int], np.dtype[np.float64]]
) -> None:
    genuine = np.array([pair.genuine for pair in dataset.pairs])
    bins = np.floor(distances * 200).astype(int)  # 400 bins on [0, 2]
    assert len(set(bins[genuine].tolist())) >= 20
    assert len(set(bins[~genuine].tolist())) >= 40
    assert distances[genuine].max() > distances[~genuine].min()


@pytest.mark.parametrize(
    ("distances", "genuine", "expected"),
    [
        ([0.1, 0.2, 0.8, 0.9], [True, True, False, False], 0.2),
        ([0.1, 0.5, 0.5, 0.9], [True, True, False, False], 0.1),
        ([0.3, 0.2, 0.1], [True, False, True], 0.1),
    ],
)
def test_threshold_is_the_smallest_of_the_best(
    distances: list[float], genuine: list[bool], expected: float
) -> None:
    assert best_threshold(np.array(distances), np.array(genuine)) == expected
