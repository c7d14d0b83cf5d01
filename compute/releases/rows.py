"""What the database holds of an evaluation, as a release states it: reading only.

The second place of the pipeline that knows the tables, since what a release is made of are the
published rows; ``compute/publish`` stays the only one that writes them.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import JSON, Select, select
from sqlalchemy.orm import aliased, contains_eager

from app.extensions import Base, db
from app.models import (
    Dataset,
    Evaluation,
    Explanation,
    ExplanationSet,
    FaceModel,
    FoldScore,
    Image,
    Pair,
    Result,
)
from app.moments import utc_text
from compute.errors import ReleaseError
from compute.occlusion import OcclusionSpec
from compute.releases.layout import FOLDS, PAIRS, SCORES, Table
from compute.releases.manifest import Facts, Manifest, SetFacts

LEFT_OUT: Final = (
    *("id", "dataset_id", "model_id", "evaluation_id", "host"),
    *("explained_count", "confidence_mean"),
)
"""Columns that mean something here only (keys, the machine), or that follow from others."""

_AT_A_TIME: Final = 200

Columns = dict[str, list[Any]]


def facts_of_row(row: Base) -> Facts:
    """Return the columns of a row as JSON takes them, without keys and host."""
    columns = [c.name for c in row.__table__.columns if c.name not in LEFT_OUT]
    return {name: _plain(getattr(row, name)) for name in columns}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return utc_text(value)
    return value


def check_facts(manifest: Manifest) -> None:
    """Raise ``ReleaseError`` unless the facts of a release fit the tables of this database."""
    row_values(Dataset, manifest.dataset)
    row_values(FaceModel, manifest.model)
    row_values(Evaluation, manifest.evaluation)
    for each in manifest.sets:
        row_values(ExplanationSet, each.facts)


def row_values(table: type[Base], facts: Facts) -> dict[str, Any]:
    """Return facts as values of a table's columns: every column, each of its type.

    A column that may be empty may be missing: a release of an older version does not know it.
    """
    columns = {c.name: c for c in table.__table__.columns if c.name not in LEFT_OUT}
    unknown = sorted(set(facts) - set(columns))
    if unknown:
        raise ReleaseError(
            f"release.json: {table.__tablename__} has no column {unknown[0]!r:.100}. The release "
            "is of a newer version: update XFV."
        )
    return {name: _value(table, column, facts.get(name)) for name, column in columns.items()}


def _value(table: type[Base], column: Any, value: Any) -> Any:
    if value is None and column.nullable:
        return None
    kind: type = dict if isinstance(column.type, JSON) else column.type.python_type
    if kind is datetime and isinstance(value, str):
        value = _moment(value)
    elif kind is float and type(value) is int:
        value = float(value)
    longest = getattr(column.type, "length", None)
    fits = type(value) is kind
    if fits and isinstance(value, int):
        fits = 0 <= value < 2**31
    elif fits and longest is not None:
        fits = len(value) <= longest
    if not fits:
        raise ReleaseError(
            f"release.json: {table.__tablename__}.{column.name} is {value!r:.100}, expected "
            f"{kind.__name__}{f' of at most {longest}' if longest else ''}."
        )
    return value


def _moment(text: str) -> datetime | None:
    """Return a time with its zone, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


@dataclass(frozen=True)
class ExplainedPair:
    """One pair of a set; ``deviations`` are (5, K) float32, little-endian, row by row."""

    pair_id: int
    status: str
    deviations: bytes
    scales: dict[str, dict[str, float]]


class SetRows:
    """The rows of one explanation set; which pairs it holds is settled when it is opened."""

    def __init__(self, row: ExplanationSet) -> None:
        self._id = row.id
        query = select(Explanation.pair_id).where(Explanation.set_id == row.id)
        self.ids = list(db.session.scalars(query.order_by(Explanation.pair_id)))
        self.facts = SetFacts(
            facts_of_row(row), OcclusionSpec.from_dict(row.spec), pairs=len(self.ids)
        )

    def explained(self, ids: Sequence[int] | None = None) -> Iterator[ExplainedPair]:
        """Yield the explained pairs in order, all or those with the given ids.

        By id rather than by one long query: the set may grow meanwhile, and no more than a few
        pairs are held.
        """
        wanted = self.ids if ids is None else ids
        for start in range(0, len(wanted), _AT_A_TIME):
            chunk = wanted[start : start + _AT_A_TIME]
            found = db.session.execute(
                select(
                    Explanation.pair_id,
                    Explanation.status,
                    Explanation.deviations,
                    Explanation.scales,
                )
                .where(Explanation.set_id == self._id, Explanation.pair_id.in_(chunk))
                .order_by(Explanation.pair_id)
            ).all()
            for pair_id, status, deviations, scales in found:
                yield ExplainedPair(pair_id, status, _unpack(pair_id, deviations), scales)


def _unpack(pair_id: int, deviations: bytes) -> bytes:
    try:
        return zlib.decompress(deviations)
    except zlib.error as error:
        raise ReleaseError(
            f"Pair {pair_id}: its stored deviations cannot be read ({error}). Explain it again."
        ) from error


class EvaluationRows:
    """The rows of one evaluation."""

    def __init__(self, row: Evaluation) -> None:
        self._id = row.id
        self._dataset_id, self._model_id = row.dataset_id, row.model_id
        self.dataset = facts_of_row(row.dataset)
        self.model = facts_of_row(row.model)
        self.facts = facts_of_row(row)

    def pairs(self) -> Columns:
        """Return the columns of ``pairs.parquet``."""
        return pair_columns(self._dataset_id)

    def scores(self) -> Columns:
        """Return the columns of ``scores.parquet``."""
        return _columns(
            SCORES,
            select(*(getattr(Result, column.name) for column in SCORES.columns))
            .where(Result.dataset_id == self._dataset_id, Result.model_id == self._model_id)
            .order_by(Result.pair_id),
        )

    def folds(self) -> Columns:
        """Return the columns of ``folds.parquet``."""
        return _columns(
            FOLDS,
            select(*(getattr(FoldScore, column.name) for column in FOLDS.columns))
            .where(FoldScore.evaluation_id == self._id)
            .order_by(FoldScore.fold),
        )

    def set_names(self) -> list[str]:
        """Return the names of the explanation sets."""
        query = select(ExplanationSet.name).where(ExplanationSet.evaluation_id == self._id)
        return list(db.session.scalars(query.order_by(ExplanationSet.name)))

    def set_named(self, name: str) -> SetRows | None:
        """Return an explanation set, or None."""
        row = db.session.scalar(select(ExplanationSet).filter_by(evaluation_id=self._id, name=name))
        return SetRows(row) if row else None


def find_evaluation(dataset: str, model: str) -> EvaluationRows | None:
    """Return the evaluation of a model on a dataset, or None."""
    row = db.session.scalar(
        select(Evaluation)
        .join(Evaluation.dataset)
        .join(Evaluation.model)
        .where(Dataset.name == dataset, FaceModel.name == model)
        .options(contains_eager(Evaluation.dataset), contains_eager(Evaluation.model))
    )
    return EvaluationRows(row) if row else None


def require_evaluation(dataset: str, model: str) -> EvaluationRows:
    """Return an evaluation; ``ReleaseError`` lists those there are."""
    found = find_evaluation(dataset, model)
    if found is None:
        known = db.session.execute(
            select(FaceModel.name, Dataset.name)
            .select_from(Evaluation)
            .join(Evaluation.dataset)
            .join(Evaluation.model)
            .order_by(Dataset.name, FaceModel.name)
        )
        listed = ", ".join(f"{m} on {d}" for m, d in known) or "none yet"
        raise ReleaseError(
            f"There is no evaluation of {model!r} on {dataset!r}; there are: {listed}. Make it "
            f"with: flask compute --dataset {dataset} --model {model}"
        )
    return found


def find_dataset(name: str) -> tuple[int, Facts] | None:
    """Return key and columns of a dataset, or None."""
    row = db.session.scalar(select(Dataset).filter_by(name=name))
    return (row.id, facts_of_row(row)) if row else None


def find_model(name: str) -> Facts | None:
    """Return the columns of a model, or None."""
    row = db.session.scalar(select(FaceModel).filter_by(name=name))
    return facts_of_row(row) if row else None


def pair_columns(dataset_id: int) -> Columns:
    """Return the columns of ``pairs.parquet`` of a dataset."""
    first, second = aliased(Image), aliased(Image)
    elsewhere = {
        "pair_id": Pair.id,
        "image1_sha256": first.sha256,
        "image2_sha256": second.sha256,
    }
    names = [column.name for column in PAIRS.columns]
    return _columns(
        PAIRS,
        select(*(elsewhere[name] if name in elsewhere else getattr(Pair, name) for name in names))
        .join(first, first.id == Pair.image1_id)
        .join(second, second.id == Pair.image2_id)
        .where(Pair.dataset_id == dataset_id)
        .order_by(Pair.id),
    )


def face_keys(dataset_id: int) -> dict[str, str]:
    """Return where the pictures of a dataset lie in the media store, by image name."""
    query = select(Image.name, Image.media).where(Image.dataset_id == dataset_id)
    return dict(iter(db.session.execute(query)))


def _columns(table: Table, query: Select[Any]) -> Columns:
    rows = db.session.execute(query).all()
    return {c.name: [row[i] for row in rows] for i, c in enumerate(table.columns)}
