"""A query in words: "412 LFW impostor pairs that ms1m gets wrong, distance below 0.7"."""

from __future__ import annotations

from typing import Final

from app.explorer.columns import ColumnRef, Kind
from app.explorer.filters import ExplorerQuery, Filter, SortKey
from app.explorer.queries import Count

# Conditions that read as a clause of their own: (where the value is 1, where it is 0).
CLAUSES: Final = {
    "correct": ("that {model} gets right", "that {model} gets wrong"),
    "prediction": ("that {model} calls genuine", "that {model} calls impostor"),
    "explained": ("explained for {model}", "not explained for {model}"),
}
MOST_LISTED: Final = 8
"""Values of a condition that are written out."""
LABELS: Final = {True: "genuine", False: "impostor"}


def describe(query: ExplorerQuery, count: Count) -> str:
    """Return the sentence for a title: how many, of what, under which conditions and order."""
    words = [headline(query, count)]
    clauses = _clauses(query)
    if clauses:
        words.append(_joined(clauses, "and"))
    parts = [" ".join(words), *(describe_filter(query, item) for item in _plain_filters(query))]
    if query.sort:
        keys = [describe_key(query, key) for key in query.sort]
        parts.append("sorted by " + ", then by ".join(keys))
    return ", ".join(parts)


def headline(query: ExplorerQuery, count: Count) -> str:
    """Return how the sentence begins, before its conditions: "412 LFW impostor pairs"."""
    number = f"{count.number:,}" if count.exact else f"More than {count.number:,}"
    noun = "pair" if count.exact and count.number == 1 else "pairs"
    return " ".join([number if number != "0" else "No", *_adjectives(query), noun])


def describe_filter(query: ExplorerQuery, item: Filter) -> str:
    """Return one condition in words: "distance below 0.7", "fold is one of 1, 2"."""
    flag = _flag(item)
    if flag is not None and item.ref.column.name in CLAUSES:
        return _clause(item, flag)
    if flag is not None and item.ref.column.name == "genuine":
        return LABELS[flag]
    subject = column_words(query, item.ref)
    if item.operator.name == "isnull":
        return f"{subject} {'missing' if item.value else 'known'}"
    return f"{subject} {item.operator.words} {_value_words(item)}"


def describe_key(query: ExplorerQuery, key: SortKey) -> str:
    """Return a sort key in words: "confidence, least sure first"."""
    column = key.ref.column
    first = column.descending if key.descending else column.ascending
    return f"{column_words(query, key.ref)}, {first}"


def column_words(query: ExplorerQuery, ref: ColumnRef) -> str:
    """Return a column in words, with its model where the query has several."""
    if ref.model is None or _models_named(query) == {ref.model.name}:
        return ref.column.words
    return f"{ref.model.name} {ref.column.words}"


def _models_named(query: ExplorerQuery) -> set[str]:
    return {model.name for model in query.models} | {model.name for model in query.joined}


def _flag(item: Filter) -> bool | None:
    """Return the one truth value that a condition leaves, None for any other condition."""
    if not isinstance(item.value, bool) or item.operator.name not in ("exact", "not"):
        return None
    return item.value == (item.operator.name == "exact")


def _clause(item: Filter, flag: bool) -> str:  # noqa: FBT001
    model = item.ref.model.name if item.ref.model else ""
    return CLAUSES[item.ref.column.name][0 if flag else 1].format(model=model)


def _adjectives(query: ExplorerQuery) -> list[str]:
    words = [_joined([dataset.short for dataset in query.datasets], "and")]
    words += [
        LABELS[flag]
        for item in query.filters
        if item.ref.column.name == "genuine" and (flag := _flag(item)) is not None
    ]
    return [word for word in words if word]


def _clauses(query: ExplorerQuery) -> list[str]:
    clauses = [
        _clause(item, flag)
        for item in query.filters
        if item.ref.column.name in CLAUSES and (flag := _flag(item)) is not None
    ]
    if query.agree is not None:
        names = _joined([model.name for model in query.models], "and") or "no models"
        clauses.append(f"on which {names} {'agree' if query.agree else 'disagree'}")
    return clauses


def _plain_filters(query: ExplorerQuery) -> list[Filter]:
    told = {"genuine", *CLAUSES}
    return [
        item for item in query.filters if item.ref.column.name not in told or _flag(item) is None
    ]


def _value_words(item: Filter) -> str:
    quoted = item.ref.column.kind is Kind.TEXT
    texts = item.text.split(",") if item.operator.many else [item.text]
    if len(texts) > MOST_LISTED:
        return f"{len(texts)} given values"
    return _joined([f"“{text}”" if quoted else text for text in texts], "or")


def _joined(words: list[str], last: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
