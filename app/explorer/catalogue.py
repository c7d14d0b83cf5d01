"""What there is to ask about: the datasets, the models, and which model saw which dataset."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

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


# Every page reads these: they are built once.
_dataset, _model, _evaluation = (t.__table__ for t in (Dataset, FaceModel, Evaluation))
_DATASETS: Final = select(_dataset.c.id, _dataset.c.name, _dataset.c.title).order_by(
    _dataset.c.name
)
_MODELS: Final = (
    select(_model.c.id, _model.c.name, _model.c.title, _evaluation.c.dataset_id)
    .outerjoin_from(_model, _evaluation, _evaluation.c.model_id == _model.c.id)
    .order_by(_model.c.name)
)


def load_catalogue(session: Session) -> Catalogue:
    """Read datasets, models and evaluations: two statements, a few dozen rows."""
    datasets = session.execute(_DATASETS)
    models: dict[int, Named] = {}
    evaluated = set()
    for key, name, title, dataset_id in session.execute(_MODELS):
        models[key] = Named(key, name, title)
        if dataset_id is not None:
            evaluated.add((key, dataset_id))
    return Catalogue(
        tuple(Named(*row) for row in datasets), tuple(models.values()), frozenset(evaluated)
    )
