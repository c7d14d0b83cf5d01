"""The URL is the state of the viewer: reading what was written gives the same choice."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.errors import BadQuery
from app.viewer.choices import METHODS, NORMALISATIONS, SCALES, VIEWS, Choice

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
CHOICES = st.builds(
    Choice,
    model=st.none() | NAMES,
    spec=st.none() | NAMES,
    method=st.sampled_from(METHODS),
    view=st.sampled_from(VIEWS),
    patch=st.sets(st.integers(1, 111), max_size=4).map(lambda sizes: tuple(sorted(sizes))),
    normalise=st.sampled_from(NORMALISATIONS),
    scale=st.sampled_from(SCALES),
    blend=st.integers(0, 100),
    mask=st.booleans(),
    results=st.text(max_size=30),
)


def read(query: str) -> Choice:
    return Choice.from_args(MultiDict(parse_qsl(query, keep_blank_values=True)))


@given(CHOICES)
def test_a_choice_survives_its_own_url(choice: Choice) -> None:
    assert read(choice.to_query()) == choice


def test_defaults_need_no_parameters() -> None:
    assert read("") == Choice()
    assert Choice().to_query() == ""
    assert Choice().is_published


@pytest.mark.parametrize("query", ["model=a&method=III&spec=b&results=x%3Dy", "method=II"])
def test_method_model_and_set_leave_the_published_picture(query: str) -> None:
    assert read(query).is_published


@pytest.mark.parametrize(
    "query", ["blend=99", "view=map", "patch=7", "normalise=coverage", "scale=shared", "mask=1"]
)
def test_anything_else_needs_a_picture_of_its_own(query: str) -> None:
    assert not read(query).is_published


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("method=IV", "Allowed: I, II, III"),
        ("view=heat", "Allowed: xmap, map, original"),
        ("normalise=max", "Allowed: count, coverage"),
        ("blend=101", "from 0 to 100"),
        ("blend=٣", "from 0 to 100"),
        ("blend=-1", "from 0 to 100"),
        ("patch=0", "from 1 to 111"),
        ("patch=seven", "from 1 to 111"),
        ("method=I&method=II", "once"),
        ("colour=red", "Unknown parameter 'colour'"),
        ("results=" + "x" * 4001, "longer than 4000"),
    ],
)
def test_what_cannot_be_read_is_named(query: str, said: str) -> None:
    with pytest.raises(BadQuery) as caught:
        read(query)

    assert said in caught.value.message


def test_all_patch_sizes_are_the_same_as_none() -> None:
    assert read("patch=7&patch=28&patch=14").with_patches_of((7, 14, 28)).patch == ()
    assert read("patch=28").with_patches_of((7, 14, 28)).patch == (28,)


def test_a_patch_size_that_the_set_lacks_is_named() -> None:
    with pytest.raises(BadQuery, match=r"no patch size 9.*7, 14"):
        read("patch=9").with_patches_of((7, 14))
