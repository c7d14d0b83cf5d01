"""How a model is fed: said in the words of the command, and the ways that are usual."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Final, Literal

from compute.embedding import Preprocessing

NORMALISATIONS: Final[tuple[tuple[tuple[float, ...], tuple[float, ...]], ...]] = (
    ((0.0,) * 3, (1.0,) * 3),
    ((0.0,) * 3, (255.0,) * 3),
    ((127.5,) * 3, (127.5,) * 3),
    ((127.5,) * 3, (128.0,) * 3),
    ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
)
"""Means and standard deviations, in 0..255 and RGB, that face models are trained with."""


def ways_to_feed() -> list[Preprocessing]:
    """Return every usual colour order with every usual normalisation."""
    ways = []
    colors: tuple[Literal["rgb", "bgr"], ...] = ("rgb", "bgr")
    for color, (mean, std) in product(colors, NORMALISATIONS):
        # A normalisation goes with the colours, in whatever order they are fed.
        order = 1 if color == "rgb" else -1
        ways.append(Preprocessing(color, _three(mean[::order]), _three(std[::order])))
    return ways


def described(preprocessing: Preprocessing) -> str:
    """Return how a model is fed, in the words of the command."""
    mean, std = (_numbers(values) for values in (preprocessing.mean, preprocessing.std))
    return f"--color {preprocessing.color} --mean {mean} --std {std}"


def add_again(name: str) -> str:
    """Return what to do about a model that is fed wrongly."""
    return f"Remove it (flask models remove {name}) and add it so."


def what_is_wrong(given: Preprocessing, right: Preprocessing) -> str:
    """Name what two ways to feed a model differ in."""
    return " and ".join(differences(given, right))


def differences(given: Preprocessing, right: Preprocessing) -> list[str]:
    """Return what two ways to feed a model differ in: none, one or both, by name."""
    order = given.color != right.color
    turned = -1 if order else 1
    scale = (given.mean, given.std) != (right.mean[::turned], right.std[::turned])
    return [*(["colour order"] if order else []), *(["normalisation"] if scale else [])]


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    first, second, third = values
    return first, second, third


def _numbers(values: Sequence[float]) -> str:
    same = len(set(values)) == 1
    return ",".join(f"{value:g}" for value in (values[:1] if same else values))
