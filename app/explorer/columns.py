"""The columns that a query may name: what their values look like and how they are spoken of."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, Named

Value: TypeAlias = int | float | bool | str

LARGEST_INTEGER: Final = 2**31 - 1
"""The columns are 32-bit on PostgreSQL; a larger number would be an error there."""
LONGEST_TEXT: Final = 255
"""Longest name that a column can hold."""


class Kind(Enum):
    """What the values of a column are."""

    INTEGER = "a whole number"
    NUMBER = "a number"
    FLAG = "0 or 1"
    TEXT = "text"
    LABEL = "genuine or impostor"
    DATASET = "the name of a dataset"


@dataclass(frozen=True)
class Column:
    """A column of the grammar.

    ``ascending`` and ``descending`` say in words which rows come first under ``sort``.
    """

    name: str
    kind: Kind
    words: str
    help: str
    ascending: str
    descending: str
    nullable: bool = False


LOW_FIRST: Final = ("lowest first", "highest first")
A_FIRST: Final = ("A to Z", "Z to A")

PAIR_COLUMNS: Final = {
    column.name: column
    for column in (
        Column("id", Kind.INTEGER, "id", "stable id of the pair", *LOW_FIRST),
        Column("dataset", Kind.DATASET, "dataset", "name of the dataset", *A_FIRST),
        Column(
            "genuine",
            Kind.FLAG,
            "label",
            "1 where both images show the same identity",
            "impostor first",
            "genuine first",
        ),
        Column("fold", Kind.INTEGER, "fold", "fold of the pair in its dataset", *LOW_FIRST),
        Column("identity1", Kind.TEXT, "identity 1", "who the first image shows", *A_FIRST),
        Column("identity2", Kind.TEXT, "identity 2", "who the second image shows", *A_FIRST),
        Column("image1", Kind.TEXT, "image 1", "name of the first image", *A_FIRST),
        Column("image2", Kind.TEXT, "image 2", "name of the second image", *A_FIRST),
        Column(
            "quality1", Kind.NUMBER, "quality 1", "quality of image 1", *LOW_FIRST, nullable=True
        ),
        Column(
            "quality2", Kind.NUMBER, "quality 2", "quality of image 2", *LOW_FIRST, nullable=True
        ),
        Column(
            "quality_min",
            Kind.NUMBER,
            "lower quality",
            "the lower of both",
            *LOW_FIRST,
            nullable=True,
        ),
    )
}
MODEL_COLUMNS: Final = {
    column.name: column
    for column in (
        Column(
            "distance",
            Kind.NUMBER,
            "distance",
            "cosine distance, 0 to 2",
            "nearest first",
            "farthest first",
            nullable=True,
        ),
        Column(
            "threshold", Kind.NUMBER, "threshold", "of the pair's fold", *LOW_FIRST, nullable=True
        ),
        Column(
            "confidence",
            Kind.NUMBER,
            "confidence",
            "C-Score, 0.5 to 1",
            "least sure first",
            "most sure first",
            nullable=True,
        ),
        Column(
            "prediction",
            Kind.LABEL,
            "prediction",
            "what the model calls the pair",
            "genuine first",
            "impostor first",
            nullable=True,
        ),
        Column(
            "correct",
            Kind.FLAG,
            "correctness",
            "1 where the prediction is right",
            "wrong first",
            "right first",
            nullable=True,
        ),
        Column(
            "explained",
            Kind.FLAG,
            "explanation",
            "1 where X-Maps are there",
            "unexplained first",
            "explained first",
            nullable=True,
        ),
    )
}


@dataclass(frozen=True)
class ColumnRef:
    """A column as a query names it: of the pair, or of one model's results."""

    column: Column
    model: Named | None = None

    @property
    def name(self) -> str:
        """The name in the grammar: ``fold`` or ``a.distance``."""
        return f"{self.model.name}.{self.column.name}" if self.model else self.column.name


def parse_column(name: str, catalogue: Catalogue, *, parameter: str) -> ColumnRef:
    """Return the column that ``name`` means; ``BadQuery`` lists what there is."""
    model_name, dot, column_name = name.partition(".")
    if not dot:
        if name in PAIR_COLUMNS:
            return ColumnRef(PAIR_COLUMNS[name])
        of_models = [f"MODEL.{column}" for column in MODEL_COLUMNS]
        raise BadQuery(
            f"Unknown column {shown(name)}.",
            parameter=parameter,
            allowed=[*PAIR_COLUMNS, *of_models],
        )
    model = find(model_name, catalogue.models, what="model", parameter=parameter)
    if column_name not in MODEL_COLUMNS:
        raise BadQuery(
            f"Unknown column {shown(column_name)} of model {model_name}.",
            parameter=parameter,
            allowed=[f"{model_name}.{column}" for column in MODEL_COLUMNS],
        )
    return ColumnRef(MODEL_COLUMNS[column_name], model)


def find(name: str, known: tuple[Named, ...], *, what: str, parameter: str) -> Named:
    """Return the dataset or model of that name; ``BadQuery`` lists those there are."""
    for item in known:
        if item.name == name:
            return item
    none = "" if known else f" This site holds no {what} yet."
    raise BadQuery(
        f"Unknown {what} {shown(name)}.{none}",
        parameter=parameter,
        value=name,
        allowed=[item.name for item in known],
    )


def parse_value(kind: Kind, text: str, catalogue: Catalogue, *, parameter: str) -> Value:
    """Return the value that ``text`` spells for a column of that kind."""
    if kind is Kind.DATASET:
        return find(text, catalogue.datasets, what="dataset", parameter=parameter).name
    value = READERS[kind](text)
    if value is None:
        raise BadQuery(
            f"{parameter}={shown(text)} is not {EXPECTED[kind]}.",
            parameter=parameter,
            value=text,
            allowed=ALLOWED.get(kind, ()),
        )
    return value


def shown(text: str) -> str:
    """Quote what the visitor wrote, shortened."""
    return repr(text if len(text) <= 80 else text[:77] + "...")


def _integer(text: str) -> int | None:
    if not re.fullmatch(r"-?[0-9]{1,10}", text):
        return None
    value = int(text)
    return value if abs(value) <= LARGEST_INTEGER else None


def _number(text: str) -> float | None:
    # float() alone would read "nan", "1_000" and digits of every script.
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _text(text: str) -> str | None:
    return text if 0 < len(text) <= LONGEST_TEXT else None


READERS: Final[dict[Kind, Callable[[str], Value | None]]] = {
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.FLAG: {"0": False, "1": True}.get,
    Kind.TEXT: _text,
    Kind.LABEL: {"impostor": False, "genuine": True}.get,
}
EXPECTED: Final = {
    Kind.INTEGER: f"a whole number from -{LARGEST_INTEGER} to {LARGEST_INTEGER}",
    Kind.NUMBER: "a finite number, such as 0.75",
    Kind.FLAG: "0 or 1",
    Kind.TEXT: f"text of 1 to {LONGEST_TEXT} characters",
    Kind.LABEL: "genuine or impostor",
}
ALLOWED: Final = {Kind.FLAG: ("0", "1"), Kind.LABEL: ("genuine", "impostor")}
