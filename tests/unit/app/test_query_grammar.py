"""The grammar without a database: reading, writing, words, cursors."""

from __future__ import annotations

import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, Named
from app.explorer.columns import MODEL_COLUMNS, PAIR_COLUMNS, Kind
from app.explorer.cursor import Cursor, CursorError, decode_cursor, encode_cursor
from app.explorer.filters import ExplorerQuery
from app.explorer.operators import OPERATORS
from app.explorer.parsing import parse_query
from app.explorer.queries import Count
from app.explorer.query_string import Params, query_text, read_query_string
from app.explorer.sentence import describe, describe_filter

LFW = Named(1, "lfw", "LFW")
CPLFW = Named(2, "cplfw", "Cross-pose Labeled Faces in the Wild")
MS1M = Named(7, "ms1m", "MobileFaceNet MS1M")
CASIA = Named(9, "casia-2", "MobileFaceNet CASIA")
SITE = Catalogue((CPLFW, LFW), (CASIA, MS1M), frozenset({(7, 1), (9, 1), (7, 2)}))


def read(text: str) -> ExplorerQuery:
    return parse_query(read_query_string(text.encode()), SITE)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "412 pairs"),
        (
            "dataset=lfw&model=ms1m&genuine=0&ms1m.correct=0&ms1m.distance__lt=0.7"
            "&sort=ms1m.confidence",
            "412 LFW impostor pairs that ms1m gets wrong, distance below 0.7, "
            "sorted by confidence, least sure first",
        ),
        ("dataset=cplfw&dataset=lfw", "412 cplfw and LFW pairs"),
        ("ms1m.distance__gte=1", "412 pairs, ms1m distance at least 1"),
        ("genuine__not=0&ms1m.correct__not=0", "412 genuine pairs that ms1m gets right"),
        ("genuine__in=0,1", "412 pairs, label is one of 0 or 1"),
        (
            "ms1m.prediction=genuine&ms1m.explained=1",
            "412 pairs that ms1m calls genuine and explained for ms1m",
        ),
        ("agree=0", "412 pairs on which casia-2 and ms1m disagree"),
        (
            "identity1__contains=Bush&fold__in=1,2",
            "412 pairs, identity 1 contains “Bush”, fold is one of 1 or 2",
        ),
        (
            "quality_min__isnull=1&casia-2.distance__isnull=0",
            "412 pairs, lower quality missing, casia-2 distance known",
        ),
        ("sort=-fold,image1", "412 pairs, sorted by fold, highest first, then by image 1, A to Z"),
    ],
)
def test_queries_in_words(text: str, words: str) -> None:
    assert describe(read(text), Count(412, exact=True)) == words


def test_counts_in_words() -> None:
    assert describe(read("genuine=1"), Count(0, exact=True)) == "No genuine pairs"
    assert describe(read("genuine=1"), Count(1, exact=True)) == "1 genuine pair"
    assert describe(read(""), Count(10_000, exact=False)) == "More than 10,000 pairs"


def test_every_operator_of_every_column_has_words() -> None:
    samples = {
        Kind.INTEGER: "3",
        Kind.NUMBER: "0.25",
        Kind.FLAG: "1",
        Kind.TEXT: "Ada",
        Kind.LABEL: "genuine",
        Kind.DATASET: "lfw",
    }
    columns = {**PAIR_COLUMNS, **{f"ms1m.{name}": c for name, c in MODEL_COLUMNS.items()}}
    for name, column in columns.items():
        for op in OPERATORS.values():
            text = f"{name}__{op.name}={samples[op.reads or column.kind]}"
            if column.kind not in op.kinds:
                with pytest.raises(BadQuery, match=op.name):
                    read(text)
                continue
            query = read(text)
            (item,) = query.filters
            assert describe_filter(query, item)
            assert read(query_text(query.params())) == query


def test_default_models_are_those_evaluated_on_the_datasets() -> None:
    assert read("").models == (CASIA, MS1M)
    assert read("dataset=cplfw").models == (MS1M,)
    assert read("model=ms1m&model=casia-2&model=ms1m").models == (MS1M, CASIA)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", None),
        ("dataset=lfw", ["lfw"]),
        ("dataset__not=lfw", ["cplfw"]),
        ("dataset=lfw&dataset__exact=cplfw", []),
        ("dataset__in=lfw,cplfw", ["cplfw", "lfw"]),
        ("dataset__contains=PL", ["cplfw"]),
        ("dataset__startswith=l", ["lfw"]),
        ("dataset__gt=cplfw", ["lfw"]),
        ("dataset__isnull=1", []),
    ],
)
def test_conditions_on_datasets(text: str, names: list[str] | None) -> None:
    scope = read(text).scope
    assert (scope if scope is None else [dataset.name for dataset in scope]) == names


@pytest.mark.parametrize("raw", [b"a=%FF", b"\xff=1", b"a=%00", b"%00=1", b"a=" + b"x" * 9000])
def test_query_strings_that_are_no_text_are_refused(raw: bytes) -> None:
    with pytest.raises(BadQuery):
        read_query_string(raw)


def test_plain_and_escaped_utf8_are_the_same() -> None:
    assert read_query_string("a=é".encode()) == read_query_string(b"a=%C3%A9") == [("a", "é")]


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    try:
        parse_query(read_query_string(raw), SITE)
    except BadQuery as error:
        assert error.message


names = st.sampled_from(
    [*PAIR_COLUMNS, "ms1m.distance", "ms1m.correct", "x.distance", "sort", "size", "page", "agree"]
)
suffixes = st.sampled_from(["", *(f"__{name}" for name in OPERATORS), "__", "__x"])
texts = st.one_of(
    st.sampled_from(["0", "1", "genuine", "lfw", "id", "-ms1m.confidence", "50", "all", "0.5"]),
    st.text(alphabet=string.printable + "é\0", max_size=12),
)


@given(st.lists(st.tuples(st.builds(str.__add__, names, suffixes), texts), max_size=4))
def test_whatever_is_read_is_written_back_the_same(params: Params) -> None:
    try:
        query = read(query_text(params))
    except BadQuery:
        return
    assert read(query_text(query.params())) == query


values = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False), st.floats(0.5, 1))


@given(st.lists(values, min_size=1, max_size=3), st.integers(1, 2**31 - 1), st.text(max_size=20))
def test_cursors_keep_exact_numbers(floats: list[float | None], key: int, binding: str) -> None:
    cursor = Cursor((*floats, key), 17)
    types = [(float, True)] * len(floats) + [(int, False)]
    text = encode_cursor(cursor, binding)
    read_back = decode_cursor(text, binding, types)
    assert read_back == cursor
    for one, other in zip(read_back.values, cursor.values, strict=True):
        if isinstance(one, float) and isinstance(other, float):
            assert math.copysign(1, one) == math.copysign(1, other)
    with pytest.raises(CursorError):
        decode_cursor(text, binding + "&", types)


@pytest.mark.parametrize(
    "cursor",
    [
        Cursor((1,), 0),
        Cursor((1, 2, 3), 0),
        Cursor((True, 2), 0),
        Cursor((1, 2), 0),
        Cursor((None, 2), 0),
        Cursor((0.5, None), 0),
        Cursor((0.5, 2**31), 0),
        Cursor((0.5, "2"), 0),
        Cursor((0.5, 2), -1),
    ],
)
def test_forged_cursors_must_fit_the_sort_keys(cursor: Cursor) -> None:
    with pytest.raises(CursorError):
        decode_cursor(encode_cursor(cursor, "q"), "q", [(float, False), (int, False)])
