"""Names, order and words of releases."""

from __future__ import annotations

import pytest

from app.data.context import date_words, size_words
from app.data.names import release_key
from app.data.shelf import Release, ShelfError, sort_releases

LINE = {
    "dataset": "alpha",
    "model": "first",
    "version": "1.0.0",
    "dataset_title": "Alpha",
    "model_title": "First",
    "finished": "2026-01-02T03:04:05+00:00",
    "pairs": 4,
    "scores": 3,
    "explained": {"default": 2},
    "size": 10,
    "sha256": "0" * 64,
    "files": ["scores.parquet"],
}


@pytest.mark.parametrize(
    ("dataset", "model", "version"),
    [
        ("..", "first", "1.0.0"),
        ("alpha", "a__b", "1.0.0"),
        ("alpha", "", "1.0.0"),
        ("Alpha", "first", "1.0.0"),
        ("alpha", "first", "1.0"),
        ("alpha", "first", "01.0.0"),
        ("alpha", "first", "1.0.0\n"),
        ("alpha", "first", "1.0.0/.."),
        ("alpha\n", "first", "1.0.0"),
    ],
)
def test_a_name_that_could_leave_the_shelf_is_no_name(
    dataset: str, model: str, version: str
) -> None:
    assert release_key(dataset, model, version) is None


def test_a_release_lies_under_its_names() -> None:
    key = release_key("lfw", "ms1m-2", "1.10.0")
    assert key is not None
    assert key.path == "releases/lfw__ms1m-2/1.10.0"


def test_versions_are_ordered_as_numbers_the_newest_first() -> None:
    names = [("b", "1.0.0"), ("a", "1.9.0"), ("a", "1.10.0"), ("a", "2.0.0")]
    given = [Release.from_dict({**LINE, "model": m, "version": v}) for m, v in names]
    found = [(each.key.model, each.key.version) for each in sort_releases(given)]
    assert found == [("a", "2.0.0"), ("a", "1.10.0"), ("a", "1.9.0"), ("b", "1.0.0")]


def test_a_line_of_the_index_comes_back() -> None:
    assert Release.from_dict(LINE).to_dict() == LINE


@pytest.mark.parametrize(
    "change", [{"version": "x"}, {"dataset": "../x"}, {"pairs": "many"}, {"explained": 3}]
)
def test_a_line_that_is_no_release_is_an_error(change: dict[str, object]) -> None:
    with pytest.raises(ShelfError):
        Release.from_dict({**LINE, **change})


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (2048, "2.0 KiB"), (133_309_568, "127 MiB"), (2**40, "1.0 TiB")],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert size_words(size) == words


def test_days_in_words() -> None:
    assert date_words("2026-01-02T03:04:05+00:00") == "2 January 2026"
    assert date_words("some day") == "some day"
