"""The URL is the state of the viewer: reading what was written gives the same choice."""

from __future__ import annotations

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from app.errors import BadQuery
from app.viewer.choices import (
    BASES,
    COLOURS,
    COMPARISONS,
    METHODS,
    NORMALISATIONS,
    SCALES,
    SIGNS,
    VIEWS,
    Choice,
)

NAMES = st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)
WEIGHTS = st.dictionaries(
    st.integers(1, 111),
    st.integers(0, 100_000).map(lambda n: n / 1000).filter(lambda w: w != 1),
    max_size=3,
).map(lambda weights: tuple(sorted(weights.items())))
LOOKS = st.sampled_from([(v, s) for v in VIEWS for s in SIGNS if (v, s) != ("masked", "all")])
CHOICES = st.builds(
    lambda look, **rest: Choice(view=look[0], sign=look[1], **rest),
    look=LOOKS,
    top=st.integers(1, 100),
    base=st.sampled_from(BASES),
    colours=st.sampled_from(COLOURS),
    weights=WEIGHTS,
    compare=st.sampled_from(COMPARISONS),
    split=st.integers(0, 100),
    zoom=st.integers(0, 16),
    x=st.integers(0, 111),
    y=st.integers(0, 111),
    pin=st.integers(0, 9_999_999_999),
    model=st.none() | NAMES,
    spec=st.none() | NAMES,
    method=st.sampled_from(METHODS),
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


@pytest.mark.parametrize(
    "query", ["model=a&method=III&spec=b&results=x%3Dy", "method=II", "zoom=8&x=3&y=90", "pin=7"]
)
def test_method_model_and_set_leave_the_published_picture(query: str) -> None:
    assert read(query).is_published


@pytest.mark.parametrize(
    "query",
    [
        *("blend=99", "view=map", "patch=7", "normalise=coverage", "scale=shared", "mask=1"),
        *("sign=similar", "top=50", "colours=rdbu", "weight_7=2", "compare=original"),
    ],
)
def test_anything_else_needs_a_picture_of_its_own(query: str) -> None:
    assert not read(query).is_published


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("method=IV", "Allowed: I, II, III"),
        ("view=heat", "Allowed: xmap, map, masked, original"),
        ("view=masked&sign=all", "Allowed: similar, dissimilar, absolute"),
        ("sign=green", "Allowed: all, similar, dissimilar, absolute"),
        ("base=white", "Allowed: colour, grey"),
        ("colours=jet", "Allowed: piyg, rdbu"),
        ("compare=other", "Allowed: none, original, xmap, map, I, II, III"),
        ("top=0", "from 1 to 100"),
        ("split=101", "from 0 to 100"),
        ("zoom=17", "from 0 to 16"),
        ("x=112", "from 0 to 111"),
        ("pin=-1", "the id of a pair"),
        ("pin=12345678901", "the id of a pair"),
        ("weight_7=-1", "from 0 to 100"),
        ("weight_7=100.5", "from 0 to 100"),
        ("weight_7=1e1", "from 0 to 100"),
        ("weight_7=nan", "from 0 to 100"),
        ("weight_7=1&weight_7=2", "once"),
        ("weight_x=1", "Unknown parameter 'weight_x'"),
        ("normalise=max", "Allowed: count, coverage"),
        ("blend=101", "from 0 to 100"),
        ("blend=٣", "from 0 to 100"),
        ("blend=-1", "from 0 to 100"),
        ("patch=0", "from 1 to 111"),
        ("patch=seven", "from 1 to 111"),
        ("method=I&method=II", "once"),
        ("colour=red", "Unknown parameter 'colour'"),
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


def test_a_weight_of_zero_is_the_same_as_a_size_not_chosen() -> None:
    choice = read("weight_7=0&weight_14=2").with_patches_of((7, 14, 28))

    assert choice == read("patch=14&patch=28&weight_14=2")
    assert choice.size_weights((7, 14, 28)) == {14: 2.0, 28: 1.0}


@pytest.mark.parametrize("query", ["weight_7=0&weight_14=0", "patch=7&weight_7=0"])
def test_no_patch_size_at_all_is_refused(query: str) -> None:
    with pytest.raises(BadQuery, match="weight 0"):
        read(query).with_patches_of((7, 14))


def test_a_weight_of_a_size_that_the_set_lacks_is_named() -> None:
    with pytest.raises(BadQuery, match=r"no patch size 9.*7, 14"):
        read("weight_9=2").with_patches_of((7, 14))


def test_a_masked_view_has_defaults_of_its_own() -> None:
    masked = read("view=masked")

    assert (masked.sign, masked.top) == ("absolute", 20)
    assert masked.to_query() == "view=masked"
    assert read("view=masked&top=100&sign=similar").to_query() == "view=masked&sign=similar&top=100"


def test_a_picture_does_not_depend_on_how_it_is_looked_at() -> None:
    assert read("zoom=4&x=1&y=2&results=a&blend=3").to_picture_query(spec="s") == "spec=s&blend=3"
