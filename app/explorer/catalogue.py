"""What there is to ask about: the datasets, the models, and which model saw which dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import Dataset, Evaluation, FaceModel


@dataclass(frozen=True)
class Named:
    """A dataset or a model: its key in the database, its name in URLs, its title on pages."""

    id: int
    name: str
    title: str

    @property
    def short(self) -> str:
        """The title where it is short enough for a sentence, else the name."""
        return self.title if 0 < len(self.title) <= 16 else self.name


@dataclass(frozen=True)
class Catalogue:
    """Datasets and models, each in the order of their names."""

    datasets: tuple[Named, ...]
    models: tuple[Named, ...]
    evaluated: frozenset[tuple[int, int]] = field(repr=False)
    """(model id, dataset id) of every evaluation."""

    def models_of(self, datasets: Iterable[Named]) -> tuple[Named, ...]:
        """Return the models with an evaluation on any of ``datasets`` (of none given: on any)."""
        wanted = {dataset.id for dataset in datasets}
        seen = {model for model, dataset in self.evaluated if not wanted or dataset in wanted}
        return tuple(model for model in self.models if model.id in seen)


def load_catalogue(session: Session) -> Catalogue:
    """Read datasets, models and evaluations: two statements, a few dozen rows."""
    datasets = session.execute(
        select(Dataset.id, Dataset.name, Dataset.title).order_by(Dataset.name)
    )
    models: dict[int, Named] = {}
    evaluated = set()
    for key, name, title, dataset_id in session.execute(
        select(FaceModel.id, FaceModel.name, FaceModel.title, Evaluation.dataset_id)
        .outerjoin(Evaluation, Evaluation.model_id == FaceModel.id)
        .order_by(FaceModel.name)
    ):
        models[key] = Named(key, name, title)
        if dataset_id is not None:
            evaluated.add((key, dataset_id))
    return Catalogue(
        tuple(Named(*row) for row in datasets), tuple(models.values()), frozenset(evaluated)
    )
