"""Where requests may come from, and what names, limits and answers are taken."""

from __future__ import annotations

import pytest

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, Named
from app.triage.answer import read_answer
from app.triage.origin import is_cross_site
from app.triage.study import read_name, read_study

CATALOGUE = Catalogue(
    datasets=(Named(1, "alpha", "Alpha"), Named(2, "beta", "Beta")),
    models=(Named(1, "first", "First"), Named(2, "second", "Second")),
    evaluated=frozenset({(1, 1), (2, 1), (2, 2)}),
)


@pytest.mark.parametrize(
    ("fetch_site", "origin", "refused"),
    [
        ("same-origin", "http://site.test", False),
        ("none", None, False),
        ("cross-site", "http://site.test", True),
        ("same-site", None, True),
        ("anything", None, True),
        (None, None, False),
        (None, "http://site.test", False),
        (None, "https://SITE.test", False),
        (None, "http://site.test:8080", True),
        (None, "http://evil.test", True),
        (None, "null", True),
        (None, "http://[broken", True),
        ("", "http://evil.test", True),
    ],
)
def test_only_the_sites_own_pages_may_send(
    fetch_site: str | None, origin: str | None, refused: bool
) -> None:
    assert is_cross_site(fetch_site, origin, "site.test") is refused


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("Ada", "Ada"),
        ("  Ada L. ", "Ada L."),
        ("Zoe\u0308", "Zo\u00eb"),
        ("李小龍", "李小龍"),
        ("", ""),
        ("x" * 40, "x" * 40),
    ],
)
def test_names_are_kept_as_typed(typed: str, stored: str) -> None:
    assert read_name(typed) == stored


@pytest.mark.parametrize(
    "name", ["x" * 41, "a\u202eb", "a\u200bb", "a\nb", "a\x07", "\ue000", "a\u2028b"]
)
def test_names_that_cannot_be_seen_whole_are_refused(name: str) -> None:
    with pytest.raises(BadQuery, match="reviewer"):
        read_name(name)


def test_a_study_reads_back_what_it_writes() -> None:
    params = [
        ("dataset", "alpha"),
        ("model", "second"),
        ("below", "0.75"),
        ("order", "mixed"),
        ("show", "after"),
        ("explained", "1"),
        ("reviewer", "Ada & Bo"),
    ]

    study, more = read_study([*params, ("pair", "7")], CATALOGUE, also=("pair",))

    assert study.params() == params
    assert more == {"pair": "7"}


def test_what_is_not_chosen_has_a_default() -> None:
    study, _more = read_study([("reviewer", ""), ("explained", "")], CATALOGUE)
    other, _more = read_study([("dataset", "beta")], CATALOGUE)
    third, _more = read_study([("model", "second")], CATALOGUE)

    assert (study.dataset.name, study.model.name, study.below) == ("alpha", "first", 0.9)
    assert not study.is_blind
    assert (other.dataset.name, other.model.name) == ("beta", "second")
    assert (third.dataset.name, third.model.name) == ("alpha", "second")


@pytest.mark.parametrize(
    ("params", "told"),
    [
        ([("below", "0.5")], "below='0.5'"),
        ([("below", "1.01")], "below"),
        ([("below", "nan")], "below"),
        ([("order", "random")], "Allowed: least, mixed"),
        ([("show", "never")], "Allowed: first, after"),
        ([("explained", "yes")], "Allowed: 0, 1"),
        ([("dataset", "gamma")], "Allowed: alpha, beta"),
        ([("dataset", "beta"), ("model", "first")], "first was not evaluated on beta"),
        ([("pair", "1")], "Unknown parameter 'pair'"),
        ([("order", "least"), ("order", "mixed")], "order may stand once"),
    ],
)
def test_what_cannot_be_studied_is_told(params: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(BadQuery, match=told):
        read_study(params, CATALOGUE)


def test_an_answer_has_a_certainty_unless_it_is_unsure() -> None:
    certain = read_answer(
        [("pair", "7"), ("answer", "same"), ("certainty", "90"), ("sent", "1000")]
    )
    unsure = read_answer([("pair", "7"), ("answer", "unsure"), ("certainty", "90")])

    assert (certain.pair_id, certain.answer, certain.certainty) == (7, "same", 90)
    assert certain.seconds(now=3.54) == 2.5
    assert unsure.certainty == 50
    assert unsure.seconds(now=3.5) is None


def test_a_page_from_the_future_or_of_last_week_took_no_time() -> None:
    answer = read_answer([("pair", "7"), ("answer", "unsure"), ("sent", "5000")])

    assert answer.seconds(now=4.0) is None
    assert answer.seconds(now=5.0) == 0
    assert answer.seconds(now=5 + 86_401) is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ([("answer", "same"), ("certainty", "80")], "which pair"),
        ([("pair", "x"), ("answer", "unsure")], "pair='x'"),
        ([("pair", "9" * 11), ("answer", "unsure")], "not the id"),
        ([("pair", "7")], "Allowed: same, different, unsure"),
        ([("pair", "7"), ("answer", "same")], "certainty=''"),
        ([("pair", "7"), ("answer", "same"), ("certainty", "49")], "from 50 to 100"),
        ([("pair", "7"), ("answer", "same"), ("certainty", "101")], "from 50 to 100"),
        ([("pair", "7"), ("answer", "same"), ("certainty", "8e1")], "whole number"),
        ([("pair", "7"), ("answer", "same"), ("answer", "unsure")], "once"),
        ([("pair", "7"), ("answer", "unsure"), ("genuine", "1")], "Unknown field"),
    ],
)
def test_a_faulty_answer_is_told(fields: list[tuple[str, str]], told: str) -> None:
    with pytest.raises(BadQuery, match=told):
        read_answer(fields)
