"""The state of the viewer in words, and TeX that sets what it is told."""

from __future__ import annotations

from urllib.parse import parse_qsl

import numpy as np
import pytest
from werkzeug.datastructures import MultiDict

from app.viewer.choices import Choice
from app.viewer.citation import escape, url_of
from app.viewer.maps import ShownMap
from app.viewer.words import about_text, place_name, settings_text, view_text


def read(query: str) -> Choice:
    return Choice.from_args(MultiDict(parse_qsl(query)))


@pytest.mark.parametrize(
    ("x", "y", "name"),
    [
        (38, 52, "the left eye"),
        (72, 50, "the right eye"),
        (56, 70, "the nose"),
        (55, 93, "the mouth"),
        (111, 111, "the lower right corner"),
    ],
)
def test_places_are_named_as_one_looks_at_them(x: int, y: int, name: str) -> None:
    assert place_name(x, y) == name


def test_only_what_was_chosen_is_told() -> None:
    assert settings_text(Choice(), (7, 14)) == "patches of 7, 14 px, normalised by count"
    told = settings_text(read("weight_7=2&top=30&sign=absolute&base=grey&blend=5"), (7, 14))
    assert told == (
        "patches of 7, 14 px, normalised by count; weights 7 px: 2, 14 px: 1; absolute values; "
        "strongest 30 % of the picture; over the face in grey; opacity 5 %"
    )


def test_both_sides_of_a_slider_are_told() -> None:
    assert view_text(read("compare=III")) == "X-Map of method I, right of the slider method III"
    assert view_text(read("view=original")) == "original face"


def test_the_strongest_places_are_told() -> None:
    values = np.zeros((112, 112))
    values[52, 38], values[110, 56] = 0.5, -0.25
    where = np.ones(values.shape, bool)

    text = about_text("Left face, A", "M", ShownMap(values, where, 0.1), Choice())

    assert text == (
        "Left face, A: X-Map of method I, model M; most similar near the left eye (column 38, "
        "row 52); most dissimilar near the chin (column 56, row 110)"
    )
    flat = about_text("Left face, A", "M", ShownMap(0 * values, where, 0.0), Choice())
    assert flat == "Left face, A: X-Map of method I, model M"


def test_tex_sets_every_character_as_it_stands() -> None:
    assert escape(r"50 % of A_1 & {b}\c~^") == (
        r"50 \% of A\_1 \& \{b\}\textbackslash{}c\textasciitilde{}\textasciicircum{}"
    )
    assert url_of("http://a/?x={1}") == "http://a/?x=%7B1%7D"
