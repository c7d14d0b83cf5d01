"""The cells of a comparison: pairs under models, with their verdicts and explanations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager

from app.errors import NotFound
from app.models import Evaluation, Explanation, ExplanationSet, FaceModel, Pair, Result
from app.viewer.choices import Choice
from app.viewer.deviations import ROWS, row_name, unpack
from app.viewer.explained import ExplainedPair, explain_command
from app.viewer.maps import chosen_map
from compute.xmaps import SimilarityMap

FIRST_MODELS: Final = 4
"""Columns where the URL names no model."""


@dataclass(frozen=True)
class Cell:
    """A pair under a model: the verdict and the explanation, where there is one."""

    pair: Pair
    model: FaceModel
    result: Result | None
    explained: ExplainedPair | None

    @property
    def title(self) -> str:
        """What the model is called on a page."""
        return self.model.title or self.model.name

    def command(self, spec: str | None) -> str:
        """Return what to run where the pair is not explained."""
        verified = self.result is not None
        return explain_command(self.pair, self.model.name, verified=verified, spec=spec)

    def fitting(self, choice: Choice) -> Choice:
        """Return a choice whose patches and methods are those of the cell's set."""
        if self.explained is None:
            return choice
        fitting = choice.with_patches_of(self.explained.spec.patch_sizes)
        return fitting.with_method_of(self.explained.explanation.methods)

    def lacks(self, method: str) -> bool:
        """Tell whether the model does not allow a method of the explanation that there is."""
        return self.explained is not None and method not in self.explained.explanation.methods

    def maps(self, choice: Choice) -> tuple[SimilarityMap, ...]:
        """Return the maps of both sides; none where the pair is not explained by the method."""
        if self.explained is None or self.lacks(choice.method):
            return ()
        spec = self.explained.spec
        rows = unpack(self.explained.explanation.deviations, spec.count).astype(np.float64)
        return tuple(
            chosen_map(rows[ROWS.index(row_name(choice.method, side))], spec, self.fitting(choice))
            for side in (1, 2)
        )


@dataclass(frozen=True)
class Grid:
    """What is compared.

    Attributes
    ----------
    models
        The columns.
    choosable
        All models that have judged one of the pairs.
    set_names
        Explanation sets of the columns, to choose from.
    cells
        By pair, then by model.
    """

    models: tuple[FaceModel, ...]
    choosable: tuple[FaceModel, ...]
    set_names: tuple[str, ...]
    cells: tuple[tuple[Cell, ...], ...]

    @property
    def patch_sizes(self) -> tuple[int, ...]:
        """The sizes that all explanations have; none where one has others than the next."""
        found = {
            cell.explained.spec.patch_sizes for row in self.cells for cell in row if cell.explained
        }
        return found.pop() if len(found) == 1 else ()


def read_grid(
    session: Session, pairs: Sequence[Pair], names: Sequence[str], spec: str | None
) -> Grid:
    """Read the cells in a fixed number of statements; the first few models where none is named.

    Raises
    ------
    NotFound
        For an unknown model or explanation set.
    """
    results = _fetch_results(session, pairs)
    known = session.scalars(select(FaceModel).order_by(FaceModel.name)).all()
    judging = {model_id for _, model_id in results}
    choosable = tuple(model for model in known if model.id in judging)
    models = _columns(names, known, choosable, results)
    explained, set_names = _fetch_explained(session, pairs, models, spec)
    cells = tuple(
        tuple(
            Cell(pair, model, results.get((pair.id, model.id)), explained.get((pair.id, model.id)))
            for model in models
        )
        for pair in pairs
    )
    return Grid(models, choosable, set_names, cells)


_Results = dict[tuple[int, int], Result]


def _fetch_results(session: Session, pairs: Sequence[Pair]) -> _Results:
    wanted = [pair.id for pair in pairs]
    found = session.scalars(select(Result).where(Result.pair_id.in_(wanted)))
    return {(result.pair_id, result.model_id): result for result in found}


def _columns(
    names: Sequence[str],
    known: Sequence[FaceModel],
    choosable: Sequence[FaceModel],
    results: _Results,
) -> tuple[FaceModel, ...]:
    """Return the models that are named, or the first few: those that explain anything first."""
    if not names:
        explaining = {key for (_, key), result in results.items() if result.explained}
        first = sorted(choosable, key=lambda m: (m.id not in explaining, m.name))[:FIRST_MODELS]
        return tuple(sorted(first, key=lambda m: m.name))
    by_name = {model.name: model for model in known}
    for name in names:
        if name not in by_name:
            listed = f"Known are {', '.join(by_name)}." if known else "There is none yet."
            raise NotFound(f"There is no model {name!r}. {listed}")
    return tuple(by_name[name] for name in names)


def _fetch_explained(
    session: Session, pairs: Sequence[Pair], models: Sequence[FaceModel], spec: str | None
) -> tuple[dict[tuple[int, int], ExplainedPair], tuple[str, ...]]:
    """Return the explanations by pair and model, and the names of all sets: two statements."""
    datasets = {pair.dataset_id for pair in pairs}
    sets = session.scalars(
        select(ExplanationSet)
        .join(ExplanationSet.evaluation)
        .where(Evaluation.dataset_id.in_(datasets), Evaluation.model_id.in_([m.id for m in models]))
        .options(contains_eager(ExplanationSet.evaluation))
    ).all()
    names = sorted({each.name for each in sets}, key=lambda name: (name != "default", name))
    if spec is not None and spec not in names:
        listed = ", ".join(names) or "none yet"
        raise NotFound(f"There is no explanation set {spec!r}. Known are: {listed}.")
    by_id = {each.id: each for each in sets if spec in (None, each.name)}
    found = session.scalars(
        select(Explanation).where(
            Explanation.set_id.in_(by_id), Explanation.pair_id.in_([pair.id for pair in pairs])
        )
    ).all()
    explained: dict[tuple[int, int], ExplainedPair] = {}
    for each in sorted(found, key=lambda each: names.index(by_id[each.set_id].name)):
        one = by_id[each.set_id]
        explained.setdefault((each.pair_id, one.evaluation.model_id), ExplainedPair(one, each))
    return explained, tuple(names)
