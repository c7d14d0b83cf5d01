"""The pairs that the page of the method is illustrated with, picked by a rule, never by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, contains_eager, defer, joinedload

from app.errors import BadQuery
from app.models import (
    Dataset,
    Evaluation,
    Explanation,
    ExplanationSet,
    FaceModel,
    Pair,
    Result,
)
from app.viewer.deviations import ROWS, unpack
from compute.occlusion import OcclusionSpec

DEMO: Final = "demo"
SET: Final = "default"
OF_EACH: Final = 3
"""Genuine and impostor pairs, as in the paper's Fig. 3."""
EXPLAINS_SOMETHING: Final = exists().where(
    Explanation.set_id == ExplanationSet.id, Explanation.status == "ok"
)


@dataclass(frozen=True)
class Exhibit:
    """An explained pair of the gallery."""

    pair: Pair
    result: Result
    explanation: Explanation


@dataclass(frozen=True)
class Gallery:
    """What illustrates the method: one dataset, one model, six pairs at most.

    Attributes
    ----------
    evaluation
        Of the dataset's most accurate model that explains anything in its default set, by all
        methods.
    spec
        What the faces were occluded with.
    genuine, impostor
        The pairs that the model gets right and is surest of, by id where equally sure.
    datasets
        Names of all datasets that a gallery can be made of.
    """

    evaluation: Evaluation
    spec: OcclusionSpec
    genuine: tuple[Exhibit, ...]
    impostor: tuple[Exhibit, ...]
    datasets: tuple[str, ...]

    @property
    def exhibits(self) -> tuple[Exhibit, ...]:
        """All pairs, genuine ones first."""
        return self.genuine + self.impostor

    @property
    def compared(self) -> tuple[Exhibit, ...]:
        """Three pairs of both labels, for comparisons of methods (the paper's Fig. 4)."""
        return (*self.genuine[:2], *self.impostor[: OF_EACH - len(self.genuine[:2])])

    @property
    def example(self) -> Exhibit:
        """The pair that a map is built of step by step."""
        return self.exhibits[0]


def fetch_gallery(session: Session, dataset: str | None) -> Gallery | None:
    """Return the gallery of a dataset, in four statements; None while nothing is explained.

    Without a name it is the demo's, or that of the first dataset with explanations.

    Raises
    ------
    BadQuery
        For a dataset without explanations.
    """
    found = session.scalars(
        select(ExplanationSet)
        .join(ExplanationSet.evaluation)
        .join(Evaluation.dataset)
        .join(Evaluation.model)
        .where(ExplanationSet.name == SET, EXPLAINS_SOMETHING, FaceModel.dimension > 0)
        .options(
            contains_eager(ExplanationSet.evaluation).contains_eager(Evaluation.dataset),
            contains_eager(ExplanationSet.evaluation).contains_eager(Evaluation.model),
        )
        .order_by(Dataset.name, Evaluation.accuracy.desc(), FaceModel.name)
    ).all()
    names = tuple(dict.fromkeys(each.evaluation.dataset.name for each in found))
    if dataset is not None and dataset not in names:
        raise BadQuery(
            f"No pair of {dataset!r} is explained.",
            parameter="dataset",
            value=dataset,
            allowed=names,
        )
    if not found:
        return None
    name = dataset or (DEMO if DEMO in names else names[0])
    chosen = next(each for each in found if each.evaluation.dataset.name == name)
    genuine, impostor = (_surest(session, chosen, genuine=flag) for flag in (True, False))
    if not genuine and not impostor:
        return None
    return Gallery(
        evaluation=chosen.evaluation,
        spec=OcclusionSpec.from_dict(chosen.spec),
        genuine=genuine,
        impostor=impostor,
        datasets=names,
    )


def preview_of(gallery: Gallery | None) -> tuple[Pair, str] | None:
    """Return the pair for the front page and its model: the surest impostor, else the first."""
    if gallery is None:
        return None
    exhibit = gallery.impostor[0] if gallery.impostor else gallery.example
    return exhibit.pair, gallery.evaluation.model.name


def fetch_deviations(session: Session, exhibit: Exhibit, spec: OcclusionSpec) -> Sequence[float]:
    """Return the K deviations of method III, (K,) in units of distance."""
    stored = session.scalars(
        select(Explanation.deviations).where(
            Explanation.set_id == exhibit.explanation.set_id,
            Explanation.pair_id == exhibit.pair.id,
        )
    ).one()
    values: list[float] = unpack(stored, spec.count)[ROWS.index("III")].tolist()
    return values


def _surest(session: Session, chosen: ExplanationSet, *, genuine: bool) -> tuple[Exhibit, ...]:
    rows = session.execute(
        select(Pair, Result, Explanation)
        .join(Explanation, Explanation.pair_id == Pair.id)
        .join(Result, Result.pair_id == Pair.id)
        .where(
            Explanation.set_id == chosen.id,
            Explanation.status == "ok",
            # Equal columns of ix_result_correct, though the keys alone would do: it is sorted
            # by confidence, so that three rows are read off it.
            Result.model_id == chosen.evaluation.model_id,
            Result.dataset_id == chosen.evaluation.dataset_id,
            Result.correct,
            Pair.genuine.is_(genuine),
        )
        .options(
            joinedload(Pair.image1_row), joinedload(Pair.image2_row), defer(Explanation.deviations)
        )
        .order_by(Result.confidence.desc(), Pair.id)
        .limit(OF_EACH)
    )
    return tuple(Exhibit(*row) for row in rows)
