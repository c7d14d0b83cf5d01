"""What is known against the labels of LFW."""

from __future__ import annotations

import pytest

from compute.datasets.errata import ELSEWHERE, ONE_PERSON, ONE_PHOTOGRAPH, SHOWS, notes_of
from compute.datasets.formats.lfw import image_name


def note(name1: str, number1: int, name2: str, number2: int) -> str | None:
    return notes_of(image_name(name1, number1), image_name(name2, number2), name1, name2)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        (("Ricky_Ray", 1, "Bart_Hendricks", 1), "Both images are one photograph."),
        (("Leslie_Ann_Woodward", 2, "Leslie_Ann_Woodward", 1), "Both images are one photograph."),
        (
            ("Vecdi_Gonul", 1, "Ann", 1),
            "Vecdi_Gonul/Vecdi_Gonul_0001.jpg is also in LFW as "
            "Abdullah_Gul/Abdullah_Gul_0012.jpg.",
        ),
        (
            ("Prince_Felipe", 2, "Felipe_De_Borbon", 1),
            "Prince_Felipe and Felipe_De_Borbon are said to be one person.",
        ),
        (
            ("Michael_Schumacher", 8, "Emmy_Rossum", 1),
            "Emmy_Rossum/Emmy_Rossum_0001.jpg is said to be in LFW under another name, too. "
            "Michael_Schumacher/Michael_Schumacher_0008.jpg is said to show Rubens_Barrichello.",
        ),
        (("Michael_Schumacher", 7, "Prince_Felipe", 1), None),
        (("Ricky_Ray", 2, "Bart_Hendricks", 2), None),
        (("Prince_Felipe", 1, "Prince_Felipe", 2), None),
    ],
)
def test_a_pair_is_noted_for_its_images_and_its_names(
    pair: tuple[str, int, str, int], expected: str | None
) -> None:
    assert note(*pair) == expected
    name1, number1, name2, number2 = pair
    turned = note(name2, number2, name1, number1)
    assert (turned is None) == (expected is None)


def test_images_of_another_numbering_are_not_mistaken_for_these() -> None:
    assert notes_of("Ricky_Ray_0001.jpg", "Bart_Hendricks_0001.jpg", "", "") is None


def test_every_entry_says_something_of_itself() -> None:
    for images in ONE_PHOTOGRAPH:
        first, second = sorted(images)
        assert notes_of(first, second, "a", "b") == "Both images are one photograph."
    for names in ONE_PERSON:
        first, second = sorted(names)
        assert notes_of("x", "y", first, second) is not None
    for image in ELSEWHERE | SHOWS.keys():
        assert notes_of(image, "y", "a", "b") is not None
