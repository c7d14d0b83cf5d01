"""How a model is fed: a wrong colour order or normalisation is named, a right one never."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.distances import cosine_distances
from compute.embedding import OnnxEmbedder, Preprocessing
from compute.errors import EmbeddingError, ModelError
from compute.graphs.probes import probe_images
from compute.graphs.probing import probe
from compute.models.checks import (
    Embed,
    Labelled,
    accuracy,
    better_way,
    check_probes,
    probe_distances,
    separation,
)
from compute.models.feeding import described, ways_to_feed, what_is_wrong
from tests.onnx_models import toy, toy_embeddings

RGB = Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3)
BGR = replace(RGB, color="bgr")
IMAGENET = Preprocessing("rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
TURNED = Preprocessing("bgr", (103.53, 116.28, 123.675), (57.375, 57.12, 58.395))


def test_the_usual_ways_are_all_orders_with_all_normalisations() -> None:
    ways = ways_to_feed()
    assert len(ways) == len(set(ways)) == 10
    assert {IMAGENET, TURNED, RGB, BGR} <= set(ways)


@pytest.mark.parametrize(
    ("given", "right", "name"),
    [
        (BGR, RGB, "colour order"),
        (IMAGENET, TURNED, "colour order"),
        (RGB, replace(RGB, std=(128.0,) * 3), "normalisation"),
        (RGB, TURNED, "colour order and normalisation"),
    ],
)
def test_what_is_wrong_is_named(given: Preprocessing, right: Preprocessing, name: str) -> None:
    assert what_is_wrong(given, right) == what_is_wrong(right, given) == name


def test_a_way_is_told_in_the_words_of_the_command() -> None:
    assert described(RGB) == "--color rgb --mean 127.5 --std 127.5"
    assert described(TURNED).endswith("--mean 103.53,116.28,123.675 --std 57.375,57.12,58.395")


@pytest.fixture
def embed_as(tmp_path: Path) -> Callable[[Preprocessing], Embed]:
    path = tmp_path / "toy.onnx"
    path.write_bytes(toy())
    io = probe(path, RGB)
    return lambda way: OnnxEmbedder(path, way, io, threads=1)


def test_probe_distances_are_cosine_distances_pair_by_pair(
    embed_as: Callable[[Preprocessing], Embed],
) -> None:
    rows = toy_embeddings(probe_images(), mean=RGB.mean, std=RGB.std)
    wanted = cosine_distances(rows[[0, 0, 0, 1, 1, 2]], rows[[1, 2, 3, 2, 3, 3]])
    assert np.allclose(probe_distances(embed_as(RGB)), wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("right", "given", "name"),
    [
        (RGB, BGR, "colour order"),
        (TURNED, IMAGENET, "colour order"),
        (IMAGENET, RGB, "normalisation"),
        (BGR, IMAGENET, "colour order and normalisation"),
    ],
)
def test_answers_on_record_name_what_is_wrong(
    right: Preprocessing,
    given: Preprocessing,
    name: str,
    embed_as: Callable[[Preprocessing], Embed],
) -> None:
    expected = probe_distances(embed_as(right))
    check_probes("toy", right, expected, embed_as)
    wanted = rf"'toy': wrong {name}\..*with {described(right)} they"
    with pytest.raises(ModelError, match=wanted):
        check_probes("toy", given, expected, embed_as)


def test_answers_that_no_way_gives_are_said(
    embed_as: Callable[[Preprocessing], Embed],
) -> None:
    with pytest.raises(ModelError, match="no usual way to feed it mends that"):
        check_probes("toy", RGB, [0.5] * 6, embed_as)


@pytest.fixture(scope="module")
def people() -> Labelled:
    """Return pairs of "people" that differ in the balance of red and blue: order matters."""
    generator = np.random.default_rng(0)
    count = 120
    base = generator.normal(128, 25, (count, 1, 1, 3))
    images = np.repeat(base, 2, axis=0) + generator.normal(0, 6, (2 * count, 1, 1, 3))
    pictures = np.clip(np.rint(images), 0, 255).astype(np.uint8)
    first = np.arange(0, 2 * count, 2)
    genuine = np.arange(count) % 2 == 0
    second = np.where(genuine, first + 1, np.roll(first + 1, 4))
    return Labelled(pictures, first, second, genuine, np.arange(count) // 12)


def colours(right: Preprocessing) -> Callable[[Preprocessing], Embed]:
    """Return a model that reads colours well only as it was trained, by what it is fed."""

    def embed(way: Preprocessing, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if way.std[0] == 1:
            raise EmbeddingError("drowned")
        blur = 1.0 if way == right else 6.0
        noise = np.random.default_rng(1).normal(0, blur, images[:, 0, 0].shape)
        return (images[:, 0, 0].astype(np.float32) - 128 + noise).astype(np.float32)

    return lambda way: partial(embed, way)


def test_a_better_way_is_found_on_pairs(people: Labelled) -> None:
    embed_as = colours(RGB)
    seen: list[int] = []
    own = people.distances(embed_as(BGR))
    found = better_way(people, BGR, own, embed_as, advance=seen.append)
    assert found is not None
    assert found.way == RGB
    assert found.separation > found.own == separation(own, people.genuine)
    assert seen == [len(people.images)] * 9


def test_ways_that_few_pairs_cannot_tell_apart_are_named() -> None:
    """Two ways are far better than the given one, and differ from each other by luck."""
    count = 120
    genuine = np.arange(count) % 2 == 0
    rows, images = np.arange(count), np.zeros((2 * count, 112, 112, 3), np.uint8)
    pairs = Labelled(images, rows, rows + count, genuine, rows % 10)

    def made(distances: NDArray[np.float64]) -> Embed:
        """Return a model that finds the pairs so far apart."""
        cosines = 1 - distances
        seconds = np.column_stack([cosines, np.sqrt(1 - cosines**2)])
        embeddings = np.concatenate([np.tile([1.0, 0.0], (count, 1)), seconds])
        return lambda _: embeddings.astype(np.float32)

    random = np.random.default_rng(0)
    good = np.where(genuine, 0.4, 1.0) + random.normal(0, 0.1, count)
    likely = [RGB, IMAGENET]
    answers = {way: good + random.normal(0, 0.05, count) for way in likely}
    poor = np.where(genuine, 0.6, 0.7) + random.normal(0, 0.1, count)
    best, other = sorted(likely, key=lambda way: -separation(answers[way], genuine))
    reached = [separation(answers[way], genuine) for way in (best, other)]
    assert reached[0] > 1.01 * reached[1]
    fed = replace(other, color="bgr", mean=other.mean[::-1], std=other.std[::-1])

    found = better_way(pairs, fed, poor, lambda way: made(answers.get(way, poor)))

    assert found is not None
    assert found.way == other  # only the colour order changes
    assert found.others == [best]


def test_the_right_way_has_no_better(people: Labelled) -> None:
    embed_as = colours(RGB)
    assert better_way(people, RGB, people.distances(embed_as(RGB)), embed_as) is None


def test_a_way_as_good_as_another_is_not_better(people: Labelled) -> None:
    unread = colours(IMAGENET)

    def alike(way: Preprocessing) -> Embed:
        return unread(RGB if way == IMAGENET else way)

    assert better_way(people, RGB, people.distances(alike(RGB)), alike) is None


def test_separation_by_hand() -> None:
    distances = np.array([0.0, 0.2, 1.0, 1.2])
    genuine = np.array([True, True, False, False])
    assert separation(distances, genuine) == pytest.approx(10)
    assert separation(np.ones(4), genuine) == 0


def test_accuracy_falls_short_only_beyond_chance(people: Labelled) -> None:
    distances = np.where(people.genuine, 0.2, 1.0)
    distances[:24] = 1.2 - distances[:24]
    found = accuracy(people, distances, 0.99)
    assert found.measured == pytest.approx(0.8)
    assert found.tolerance == pytest.approx(3 * np.sqrt(0.99 * 0.01 / 120) + 0.005)
    assert found.is_short
    assert not accuracy(people, distances, 0.82).is_short
    assert not accuracy(people, distances, None).is_short
