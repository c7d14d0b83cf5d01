"""Identities where a source names none: by the folders of images, or by the genuine pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from compute.datasets.pairs import NamedPair
from compute.errors import DatasetError


def with_identities(pairs: Sequence[NamedPair], *, where: str) -> list[NamedPair]:
    """Fill in identities that are empty.

    Where every genuine pair lies in one folder and every impostor pair in two, and there are both,
    folders are persons, and an image's identity is the name of its folder. Else images that genuine
    pairs join, directly or through others, get one identity, numbered in the order of the list
    (``person-00001``). Two that nothing joins may still be one person: pairs cannot say that.

    Parameters
    ----------
    where
        What to call the source in an error.

    Raises
    ------
    DatasetError
        Where an impostor pair stands between two images that genuine pairs join.
    """
    if _folders_are_persons(pairs):
        return [
            replace(
                pair,
                identity1=pair.identity1 or _folder(pair.image1),
                identity2=pair.identity2 or _folder(pair.image2),
            )
            for pair in pairs
        ]
    parents: dict[str, str] = {}

    def root(image: str) -> str:
        while parents.setdefault(image, image) != image:
            parents[image] = image = parents[parents[image]]
        return image

    for pair in pairs:
        first, second = root(pair.image1), root(pair.image2)
        if pair.genuine:
            parents[second] = first
    numbers: dict[str, str] = {}
    filled = []
    for number, pair in enumerate(pairs, start=1):
        roots = root(pair.image1), root(pair.image2)
        if not pair.genuine and roots[0] == roots[1]:
            raise DatasetError(
                f"{where}: pair {number} ({pair.image1}, {pair.image2}) is labelled impostor, but "
                "genuine pairs join its images. Correct the labels, or give the identities."
            )
        first, second = (
            numbers.setdefault(each, f"person-{len(numbers) + 1:05d}") for each in roots
        )
        filled.append(
            replace(pair, identity1=pair.identity1 or first, identity2=pair.identity2 or second)
        )
    return filled


def _folders_are_persons(pairs: Sequence[NamedPair]) -> bool:
    """Tell whether folders say of all pairs what their labels say, and have a name each."""
    images = {image for pair in pairs for image in (pair.image1, pair.image2)}
    places = {image.rpartition("/")[0] for image in images}
    named = len({place.rpartition("/")[2] for place in places} - {""}) == len(places)
    return (
        named
        and {pair.genuine for pair in pairs} == {True, False}
        and all(
            pair.genuine == (pair.image1.rpartition("/")[0] == pair.image2.rpartition("/")[0])
            for pair in pairs
        )
    )


def _folder(image: str) -> str:
    return image.split("/")[-2]
