"""Explaining a pair: methods I to III with embedders computable by hand."""

from __future__ import annotations

import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from compute import OcclusionSpec, PairExplanation, explain_pair
from compute.distances import cosine_distances
from compute.errors import EmbeddingError
from compute.explanation import METHODS, ROWS, row_name
from compute.occlusion import occluded_batches

ONE_PATCH = OcclusionSpec(patch_sizes=(56,), stride=56)  # a single occlusion, at the top left
SMALL = OcclusionSpec(patch_sizes=(14, 28), stride=14, fill="gray")
ROOT_HALF = 0.5**0.5

Pixels = NDArray[np.uint8]


def float32(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, dtype=np.float32)


def two_quadrants(images: Pixels) -> NDArray[np.float32]:
    """Embed as (mean red of the top left quadrant, mean red of the bottom right one)."""
    corners = (images[:, :56, :56, 0], images[:, 56:, 56:, 0])
    return float32(np.stack([c.mean(axis=(1, 2)) for c in corners], axis=1))


def quadrants_image(top_left: int, bottom_right: int) -> Pixels:
    image = np.zeros((112, 112, 3), dtype=np.uint8)
    image[:56, :56] = top_left
    image[56:, 56:] = bottom_right
    return image


def mean_colour(images: Pixels) -> NDArray[np.float32]:
    return float32(images.mean(axis=(1, 2)))


def blocks(images: Pixels) -> NDArray[np.float32]:
    """Embed as a fixed random projection of the means of 14 x 14 pixels."""
    weights = np.random.default_rng(1).normal(size=(8 * 8 * 3, 12))
    means = images.reshape(len(images), 8, 14, 8, 14, 3).mean(axis=(2, 4))
    return float32(np.tanh((means.reshape(len(images), -1) / 255 - 0.5) @ weights))


def random_image(seed: int) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def small(**options: Any) -> PairExplanation:
    return explain_pair(blocks, random_image(1), random_image(2), spec=SMALL, **options)


def test_all_methods_by_hand() -> None:
    # Unit embeddings: (1, 1)/sqrt 2 and (0.6, 0.8); both (0, 1) once the top left is black
    found = explain_pair(
        two_quadrants, quadrants_image(100, 100), quadrants_image(30, 40), spec=ONE_PATCH
    )
    distance = 1 - 1.4 * ROOT_HALF
    expected = {
        ("I", 1): 0.0 - distance,
        ("I", 2): 0.0 - distance,
        ("II", 1): 0.2 - distance,
        ("II", 2): 1 - ROOT_HALF - distance,
        ("III", 1): 0.0 - distance,
        ("III", 2): 0.0 - distance,
    }
    assert found.distance == pytest.approx(distance, abs=1e-12)
    for (method, side), deviation in expected.items():
        got = found.deviations(method, side)  # type: ignore[arg-type]
        np.testing.assert_allclose(got, [deviation], rtol=0, atol=1e-12)
        assert found.status(method, side) == "ok"  # type: ignore[arg-type]
    # Positive: hiding it raised the distance, a similar region
    assert found.similarity_map("II", 1)[20, 20] == pytest.approx(1)
    assert found.similarity_map("III", 1)[20, 20] == pytest.approx(-1)
    assert found.scale("II", 1) == pytest.approx((0.2 - distance) / 56**2, rel=1e-9)
    assert found.scale("II", 1, normalise="coverage") == pytest.approx(0.2 - distance, rel=1e-9)


def test_mean_colour_by_hand() -> None:
    red = np.zeros((112, 112, 3), dtype=np.uint8)
    red[..., 0] = 200
    both = red.copy()
    both[..., 1] = 200
    found = explain_pair(
        mean_colour, red, both, spec=OcclusionSpec(patch_sizes=(56,), stride=56, fill="white")
    )
    # A quarter turned white: red (213.75, 63.75, 63.75), both (213.75, 213.75, 63.75)
    red_hidden = np.array([213.75, 63.75, 63.75])
    both_hidden = np.array([213.75, 213.75, 63.75])

    def d(u: Any, v: Any) -> float:
        return float(1 - u @ v / np.sqrt((u @ u) * (v @ v)))

    plain_red, plain_both = np.array([1.0, 0, 0]), np.array([1.0, 1, 0])
    original = 1 - ROOT_HALF
    assert found.distance == pytest.approx(original, abs=1e-9)
    assert found.deviations("II", 1)[0] == pytest.approx(d(red_hidden, plain_both) - original)
    assert found.deviations("II", 2)[0] == pytest.approx(d(plain_red, both_hidden) - original)
    assert found.deviations("III", 2)[0] == pytest.approx(d(red_hidden, both_hidden) - original)


def test_methods_equal_their_equations_with_the_whole_matrix() -> None:
    image1, image2 = random_image(1), random_image(2)
    found = small()
    one, two = (
        np.concatenate([blocks(b) for b in occluded_batches(image, SMALL, batch=50)])
        for image in (image1, image2)
    )
    f1, f2 = blocks(image1[None]), blocks(image2[None])
    original = cosine_distances(f1, f2)[0]
    for part in SMALL.slices().values():
        n = part.stop - part.start
        matrix = cosine_distances(
            np.repeat(one[part], n, axis=0), np.tile(two[part], (n, 1))
        ).reshape(n, n)
        expected: dict[Any, Any] = {
            ("I", 1): matrix.mean(axis=1),
            ("I", 2): matrix.mean(axis=0),
            ("II", 1): cosine_distances(one[part], np.repeat(f2, n, axis=0)),
            ("II", 2): cosine_distances(np.repeat(f1, n, axis=0), two[part]),
            ("III", 1): matrix.diagonal(),
        }
        for (method, side), distances in expected.items():
            np.testing.assert_allclose(
                found.deviations(method, side)[part], distances - original, rtol=0, atol=1e-13
            )


@pytest.mark.parametrize("batch", [1, 7, 16, 1058])
def test_the_batch_does_not_change_the_result(batch: int) -> None:
    spec = OcclusionSpec()
    image1, image2 = random_image(1), random_image(2)
    usual = explain_pair(blocks, image1, image2, spec=spec, batch=64)
    other = explain_pair(blocks, image1, image2, spec=spec, batch=batch)
    for method, side in ROWS:
        np.testing.assert_allclose(
            other.deviations(method, side), usual.deviations(method, side), rtol=0, atol=1e-6
        )


def test_no_call_is_larger_than_the_batch_and_each_occlusion_is_embedded_once() -> None:
    sizes: list[int] = []

    def counting(images: Pixels) -> NDArray[np.float32]:
        sizes.append(len(images))
        return blocks(images)

    explain_pair(counting, random_image(1), random_image(2), spec=SMALL, batch=16)
    assert max(sizes) == 16
    assert sum(sizes) == 2 * (1 + SMALL.count), "all methods share one pass"


def test_a_batch_of_one_is_kept_for_the_originals_too() -> None:
    sizes: list[int] = []

    def counting(images: Pixels) -> NDArray[np.float32]:
        sizes.append(len(images))
        return blocks(images)

    explain_pair(counting, random_image(1), random_image(2), spec=ONE_PATCH, batch=1)
    assert max(sizes) == 1


def test_an_embedder_may_reuse_its_buffer() -> None:
    buffer = np.empty((16, 12), dtype=np.float32)

    def reusing(images: Pixels) -> NDArray[np.float32]:
        buffer[: len(images)] = blocks(images)
        return buffer[: len(images)]

    found = explain_pair(reusing, random_image(1), random_image(2), spec=SMALL)
    assert found.distance == pytest.approx(small().distance, abs=1e-12)
    np.testing.assert_allclose(
        found.deviations("II", 1), small().deviations("II", 1), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize(("fill", "value"), [("black", 0), ("gray", 128), ("white", 255)])
def test_a_fill_like_the_image_gives_a_flat_map(fill: Any, value: int) -> None:
    image = np.full((112, 112, 3), value, dtype=np.uint8)
    spec = OcclusionSpec(patch_sizes=(14, 28), fill=fill, blur=7)
    found = explain_pair(lambda images: mean_colour(images) + 1, image, image, spec=spec)
    assert found.distance == pytest.approx(0, abs=1e-12)
    for method in METHODS:
        for side in (1, 2):
            np.testing.assert_array_equal(found.similarity_map(method, side), 0)
            assert found.scale(method, side) == 0
            assert found.status(method, side) == "flat"


def test_noise_over_the_same_noise_is_flat() -> None:
    spec = OcclusionSpec(patch_sizes=(28,), fill="noise", seed=4)
    noise = np.random.default_rng(4).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    found = explain_pair(blocks, noise, random_image(1), spec=spec)
    assert found.status("II", 1) == "flat"
    assert found.status("II", 2) == "ok"


def test_swapping_the_images_swaps_the_sides() -> None:
    there = small()
    back = explain_pair(blocks, random_image(2), random_image(1), spec=SMALL)
    assert back.distance == pytest.approx(there.distance, abs=1e-15)
    for method in METHODS:
        for side, other in ((1, 2), (2, 1)):
            np.testing.assert_allclose(
                there.similarity_map(method, side),  # type: ignore[arg-type]
                back.similarity_map(method, other),  # type: ignore[arg-type]
                rtol=0,
                atol=1e-10,
            )


def test_method_iii_has_one_map_and_the_others_two() -> None:
    found = small()
    np.testing.assert_array_equal(found.deviations("III", 1), found.deviations("III", 2))
    np.testing.assert_array_equal(found.similarity_map("III", 1), found.similarity_map("III", 2))
    assert found.scale("III", 1) == found.scale("III", 2)
    for method in ("I", "II"):
        assert np.abs(found.deviations(method, 1) - found.deviations(method, 2)).max() > 1e-3
    assert [row_name(method, side) for method, side in ROWS] == ["I1", "I2", "II1", "II2", "III"]


def test_an_image_with_itself_is_least_far_unoccluded() -> None:
    found = explain_pair(blocks, random_image(1), random_image(1), spec=SMALL)
    assert found.distance == pytest.approx(0, abs=1e-12)
    assert found.deviations("II", 1).min() >= -1e-12
    np.testing.assert_allclose(found.deviations("III", 1), 0, rtol=0, atol=1e-12)
    assert found.status("III", 1) == "flat"


def test_the_default_is_the_paper() -> None:
    found = explain_pair(blocks, random_image(1), random_image(2))
    assert found.spec == OcclusionSpec()
    for method, side in ROWS:
        assert found.deviations(method, side).shape == (1058,)
        assert found.deviations(method, side).dtype == np.float64
        assert found.similarity_map(method, side).dtype == np.float64
        assert np.abs(found.similarity_map(method, side)).max() == 1


def test_images_are_never_modified_whatever_the_embedder_does() -> None:
    image1, image2 = random_image(1), random_image(2)

    def greedy(images: Pixels) -> NDArray[np.float32]:
        embeddings = blocks(images)
        images[:] = 0
        return embeddings

    found = explain_pair(greedy, image1, image2, spec=SMALL)
    np.testing.assert_array_equal(image1, random_image(1))
    np.testing.assert_array_equal(image2, random_image(2))
    np.testing.assert_array_equal(found.deviations("I", 2), small().deviations("I", 2))


def test_deviations_are_handed_out_as_copies() -> None:
    found = small()
    found.deviations("I", 1)[:] = 0
    assert found.status("I", 1) == "ok"


@pytest.mark.parametrize("size", [1e-30, 1e30])
def test_tiny_and_huge_embeddings_give_the_same_explanation(size: float) -> None:
    def scaled(images: Pixels) -> NDArray[np.float32]:
        return (blocks(images).astype(np.float64) * size).astype(np.float32)

    found = explain_pair(scaled, random_image(1), random_image(2), spec=SMALL)
    assert found.distance == pytest.approx(small().distance, abs=1e-6)


def test_float64_embeddings_keep_their_range() -> None:
    def double(images: Pixels) -> Any:
        return blocks(images).astype(np.float64) * 1e60

    found = explain_pair(double, random_image(1), random_image(2), spec=SMALL)
    assert found.distance == pytest.approx(small().distance, abs=1e-12)


@pytest.mark.parametrize("name", ["image1", "image2"])
@pytest.mark.parametrize(
    ("bad", "shown"),
    [
        (np.zeros((112, 112), dtype=np.uint8), r"\(112, 112\)"),
        (np.zeros((3, 112, 112), dtype=np.uint8), r"\(3, 112, 112\)"),
        (np.zeros((112, 112, 3)), "float64"),
        ([[0]], "list"),
    ],
)
def test_a_bad_image_names_itself(name: str, bad: Any, shown: str) -> None:
    images = {"image1": random_image(1), "image2": random_image(2), name: bad}
    with pytest.raises(ValueError, match=f"{name} is .*{shown}"):
        explain_pair(blocks, **images, spec=ONE_PATCH)


@pytest.mark.parametrize("methods", [(), ("IV",), ("I", "1"), "II"])
def test_bad_methods_are_named(methods: Any) -> None:
    with pytest.raises(ValueError, match="methods="):
        small(methods=methods)


def test_an_empty_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="batch=0"):
        small(batch=0)


def test_only_the_chosen_methods_are_there() -> None:
    found = small(methods=("II",))
    np.testing.assert_array_equal(found.deviations("II", 2), small().deviations("II", 2))
    with pytest.raises(ValueError, match=r"'III'.*\['II'\]"):
        found.deviations("III", 1)
    with pytest.raises(ValueError, match="side=3"):
        found.deviations("II", 3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="normalise='area'"):
        found.scale("II", 1, normalise="area")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("embed", "shown"),
    [
        (lambda images: np.ones(len(images)), "expected"),
        (lambda images: np.ones((len(images), 0)), "expected"),
        (lambda images: np.ones((len(images) + 1, 4)), r"\(3, 4\) for 2 images"),
        (lambda images: None, "expected"),
        (lambda images: np.zeros((len(images), 4)), "embedding 0 is zero"),
        (lambda images: np.full((len(images), 4), np.nan), "embedding 0 is not finite"),
        (lambda images: mean_colour(images) * (images[:, :1, 0, 0] > 0), "is zero"),
    ],
)
def test_a_bad_embedding_is_refused(embed: Any, shown: str) -> None:
    image = np.full((112, 112, 3), 9, dtype=np.uint8)
    with pytest.raises(EmbeddingError, match=shown):
        explain_pair(embed, image, image, spec=SMALL.from_dict({"patch_sizes": [28]}))


@pytest.mark.parametrize("methods", [("I", "II", "III"), ("II",)])
def test_an_embedder_that_changes_its_length_is_refused(methods: Any) -> None:
    def changing(images: Pixels) -> NDArray[np.float32]:
        return blocks(images)[:, : 5 if len(images) == 2 else 12]

    with pytest.raises(EmbeddingError, match="12"):
        explain_pair(changing, random_image(1), random_image(2), spec=SMALL, methods=methods)


def test_method_two_alone_says_the_same_and_holds_one_face_at_a_time() -> None:
    spread = np.random.default_rng(0).standard_normal((12, 8192)).astype(np.float32)

    def wide(images: Pixels) -> NDArray[np.float32]:
        return blocks(images) @ spread

    def explained(*methods: Any) -> tuple[PairExplanation, int]:
        tracemalloc.start()
        found = explain_pair(wide, random_image(1), random_image(2), spec=SMALL, methods=methods)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found, peak

    (two, less), (every, more) = explained("II"), explained("I", "II", "III")
    for side in (1, 2):
        assert np.array_equal(two.deviations("II", side), every.deviations("II", side))
    one_face = SMALL.count * 8192 * 8  # unit vectors are float64
    assert less < more - one_face
