"""Degradations: what each does to an image, and the same bytes for the same seed."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from compute.datasets.degrade import Degradation, degrade, parse_degradation
from compute.errors import DatasetError, ImageError

ALL = ["downsample=4", "jpeg=20", "blur=2", "noise=10", "occlusion=0.25"]


def noise_image(seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8)


def steps(*texts: str) -> list[Degradation]:
    return [parse_degradation(text) for text in texts]


@pytest.mark.parametrize("text", [*ALL, "blur=0.5", "jpeg=100"])
def test_what_is_parsed_prints_alike(text: str) -> None:
    assert str(parse_degradation(text)) == text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("jpeg", "expected jpeg=QUALITY, a whole number 1 to 100"),
        ("jpeg=", "expected jpeg=QUALITY"),
        ("jpeg=low", "expected jpeg=QUALITY"),
        ("jpeg=0", "jpeg=0: expected jpeg=QUALITY"),
        ("jpeg=20.5", "a whole number"),
        ("downsample=0.5", "expected downsample=FACTOR, 1 to 16"),
        ("blur=nan", r"expected blur=SIGMA \(pixels\)"),
        ("noise=inf", "expected noise=DEVIATION"),
        ("occlusion=1", "expected occlusion=PART"),
        ("rotate=3", "'rotate': expected one of downsample=FACTOR, jpeg=QUALITY, blur="),
        ("", "expected one of downsample"),
    ],
)
def test_what_cannot_be_parsed_says_what_there_is(text: str, what: str) -> None:
    with pytest.raises(DatasetError, match=what):
        parse_degradation(text)


@pytest.mark.parametrize("text", ALL)
def test_the_same_seed_gives_the_same_bytes_and_the_image_stays(text: str) -> None:
    image = noise_image()
    first = degrade(image, steps(text), seed=3, name="Ann/Ann_0001.jpg")
    assert (image == noise_image()).all()
    assert (first == degrade(image, steps(text), seed=3, name="Ann/Ann_0001.jpg")).all()
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert (first != image).any()


@pytest.mark.parametrize("text", ["noise=10", "occlusion=0.1"])
def test_chance_goes_by_seed_and_image_and_place(text: str) -> None:
    image = np.full((112, 112, 3), 200, np.uint8)
    results = [
        degrade(image, steps(text), seed=0, name="a"),
        degrade(image, steps(text), seed=1, name="a"),
        degrade(image, steps(text), seed=0, name="b"),
        degrade(image, steps("jpeg=100", text), seed=0, name="a"),
    ]
    assert len({result.tobytes() for result in results}) == 4


def test_noise_has_its_deviation() -> None:
    image = np.full((112, 112, 3), 128, np.uint8)
    noisy = degrade(image, steps("noise=10")).astype(np.float64)
    assert noisy.std() == pytest.approx(10, rel=0.02)
    assert noisy.mean() == pytest.approx(128, abs=0.2)


def test_an_occlusion_is_one_black_square_of_its_area() -> None:
    image = np.full((112, 112, 3), 200, np.uint8)
    black = (degrade(image, steps("occlusion=0.25")) == 0).all(axis=2)
    rows, columns = np.flatnonzero(black.any(axis=1)), np.flatnonzero(black.any(axis=0))
    assert black.sum() == 56 * 56
    assert [int(np.ptp(rows)), int(np.ptp(columns))] == [55, 55]


def test_down_sampling_keeps_means_and_loses_detail() -> None:
    stripes = np.zeros((112, 112, 3), np.uint8)
    stripes[:, ::2] = 200
    assert np.unique(degrade(stripes, steps("downsample=2"))).tolist() == [100]
    flat = np.full((112, 112, 3), 77, np.uint8)
    for text in ("downsample=7.3", "blur=20", "downsample=16"):
        assert (degrade(flat, steps(text)) == 77).all()


def test_blur_spreads_a_point_evenly_in_every_direction() -> None:
    point = np.zeros((112, 112, 3), np.uint8)
    point[56, 56] = 255
    blurred = degrade(point, steps("blur=1"))
    assert blurred[56, 56, 0] == pytest.approx(255 / (2 * np.pi), abs=2)
    assert (blurred == blurred.transpose(1, 0, 2)).all()
    assert (blurred[56, 55] == blurred[56, 57]).all()


def test_jpeg_keeps_the_order_of_colours_and_loses_more_at_lower_quality() -> None:
    red = np.zeros((112, 112, 3), np.uint8)
    red[..., 0] = 200
    assert np.abs(degrade(red, steps("jpeg=90")).astype(int) - red).max() <= 3
    image = np.repeat(np.arange(112, dtype=np.uint8)[:, None, None] * 2, 112, axis=1)
    image = np.repeat(image, 3, axis=2)
    image[40:60, 40:60] = noise_image()[:20, :20]

    def lost(quality: int) -> float:
        there = degrade(image, steps(f"jpeg={quality}"))
        return float(np.abs(there.astype(int) - image).mean())

    assert lost(95) < lost(50) < lost(10)


def test_steps_are_taken_in_their_order() -> None:
    image = noise_image()
    one = degrade(degrade(image, steps("blur=2")), steps("jpeg=10"))
    assert (degrade(image, steps("blur=2", "jpeg=10")) == one).all()
    assert (degrade(image, steps("jpeg=10", "blur=2")) != one).any()
    assert (degrade(image, []) == image).all()


@pytest.mark.parametrize(
    "image",
    [np.zeros((112, 112), np.uint8), np.zeros((112, 112, 3)), np.zeros((64, 64, 3), np.uint8)],
)
def test_another_image_is_refused(image: NDArray[np.uint8]) -> None:
    with pytest.raises(ImageError, match=r"Ann: .*expected uint8 \(112, 112, 3\)"):
        degrade(image, steps("jpeg=20"), name="Ann")
