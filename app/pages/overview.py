"""What data is here: every dataset, every model on it, and how far the pipeline got."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager, joinedload

from app.errors import NotFound
from app.models import Dataset, Evaluation, ExplanationSet, FaceModel


@dataclass(frozen=True)
class SetProgress:
    """How many pairs of an explanation set are done, of how many wanted."""

    name: str
    explained: int
    wanted: int

    @property
    def is_complete(self) -> bool:
        """Whether the latest run has nothing left to do."""
        return self.explained >= self.wanted


@dataclass(frozen=True)
class OverviewRow:
    """One model on one dataset."""

    dataset: Dataset
    model: FaceModel
    evaluation: Evaluation
    explained: int
    """Pairs that any explanation set of the evaluation holds."""
    confidence: float | None
    """Mean confidence of all pairs."""
    sets: tuple[SetProgress, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the row as the front page's script takes it."""
        return {
            "dataset": self.dataset.name,
            "model": self.model.name,
            "pairs": self.evaluation.pair_count,
            "explained": self.explained,
            "accuracy": self.evaluation.accuracy,
            "confidence": self.confidence,
            "sets": [
                {"name": each.name, "explained": each.explained, "wanted": each.wanted}
                for each in self.sets
            ],
        }


@dataclass(frozen=True)
class Overview:
    """All datasets and all evaluations."""

    datasets: Sequence[Dataset]
    rows: tuple[OverviewRow, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every dataset is verified and every explanation set finished."""
        verified = {row.dataset.id for row in self.rows}
        return all(dataset.id in verified for dataset in self.datasets) and all(
            each.is_complete for row in self.rows for each in row.sets
        )

    @property
    def waiting(self) -> list[Dataset]:
        """Datasets that no model has verified yet."""
        verified = {row.dataset.id for row in self.rows}
        return [dataset for dataset in self.datasets if dataset.id not in verified]

    def to_dict(self) -> dict[str, Any]:
        """Return everything that changes while the pipeline runs."""
        return {
            "complete": self.is_complete,
            "datasets": [{"name": each.name, "pairs": each.pair_count} for each in self.datasets],
            "rows": [row.to_dict() for row in self.rows],
        }


def fetch_overview(session: Session) -> Overview:
    """Read the overview in three queries of small tables, whatever the number of results."""
    datasets = session.scalars(select(Dataset).order_by(Dataset.name)).all()
    evaluations = session.scalars(
        select(Evaluation)
        .join(Evaluation.dataset)
        .join(Evaluation.model)
        .options(contains_eager(Evaluation.dataset), contains_eager(Evaluation.model))
        .order_by(Dataset.name, Evaluation.accuracy.desc(), FaceModel.name)
    ).all()
    sets = fetch_set_progress(session)
    return Overview(
        datasets=datasets,
        rows=tuple(
            OverviewRow(
                dataset=each.dataset,
                model=each.model,
                evaluation=each,
                explained=each.explained_count,
                confidence=each.confidence_mean,
                sets=tuple(sets.get(each.id, ())),
            )
            for each in evaluations
        ),
    )


def fetch_set_progress(
    session: Session, *, dataset: str | None = None
) -> dict[int, list[SetProgress]]:
    """Return how far each explanation set is, by evaluation id; of one dataset, or of all."""
    query = select(
        ExplanationSet.evaluation_id,
        ExplanationSet.name,
        ExplanationSet.explained_count,
        ExplanationSet.wanted_count,
    ).order_by(ExplanationSet.evaluation_id, ExplanationSet.name)
    if dataset is not None:
        query = (
            query.join(Evaluation, Evaluation.id == ExplanationSet.evaluation_id)
            .join(Dataset, Dataset.id == Evaluation.dataset_id)
            .where(Dataset.name == dataset)
        )
    progress: dict[int, list[SetProgress]] = {}
    for evaluation_id, name, explained, wanted in session.execute(query):
        progress.setdefault(evaluation_id, []).append(SetProgress(name, explained, wanted))
    return progress


def fetch_evaluation(session: Session, model: str, dataset: str) -> Evaluation:
    """Return an evaluation with its folds; ``NotFound`` names what is missing."""
    found = session.scalar(
        select(Evaluation)
        .join(Evaluation.model)
        .join(Evaluation.dataset)
        .where(FaceModel.name == model, Dataset.name == dataset)
        .options(
            contains_eager(Evaluation.model),
            contains_eager(Evaluation.dataset),
            joinedload(Evaluation.folds),
        )
    )
    if found is None:
        raise NotFound(
            f"There is no evaluation of {model!r} on {dataset!r}. The page /models lists all."
        )
    return found
