"""What the viewer reads from the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, contains_eager, defer, joinedload

from app.errors import NotFound
from app.models import Evaluation, Explanation, ExplanationSet, FaceModel, Pair, Result
from app.viewer.deviations import ROWS

NORMALISATIONS: Final = ("count", "coverage")

Scales = dict[str, dict[str, float]]
"""``{normalise: {row: scale}}``."""


LARGEST_ID: Final = 2**31 - 1
"""The largest key that both databases take."""


def fetch_pair(session: Session, pair_id: int) -> Pair:
    """Return a pair with its dataset and images; ``NotFound`` where there is none."""
    pair = session.scalar(
        select(Pair)
        .where(Pair.id == min(pair_id, LARGEST_ID))
        .options(joinedload(Pair.dataset), joinedload(Pair.image1_row), joinedload(Pair.image2_row))
    )
    if pair is None or pair.id != pair_id:
        raise NotFound(f"There is no pair {pair_id}.")
    return pair


def fetch_results(session: Session, pair_id: int) -> Sequence[Result]:
    """Return what every model said of a pair, by model name."""
    return session.scalars(
        select(Result)
        .join(Result.model)
        .where(Result.pair_id == pair_id)
        .options(contains_eager(Result.model))
        .order_by(FaceModel.name)
    ).all()


def fetch_model(session: Session, name: str) -> FaceModel:
    """Return a model by its name; ``NotFound`` lists the known ones."""
    # PostgreSQL takes no NUL in a text, and no name holds one.
    known_name = "\0" not in name
    model = session.scalar(select(FaceModel).where(FaceModel.name == name)) if known_name else None
    if model is None:
        known = session.scalars(select(FaceModel.name).order_by(FaceModel.name)).all()
        listed = f"Known are {', '.join(known)}." if known else "There is none yet."
        raise NotFound(f"There is no model {name!r}. {listed}")
    return model


def fetch_sets(session: Session, pair: Pair, model: str) -> Sequence[ExplanationSet]:
    """Return all explanation sets of a model on the pair's dataset, ``default`` first."""
    sets = session.scalars(
        select(ExplanationSet)
        .join(ExplanationSet.evaluation)
        .join(Evaluation.model)
        .where(Evaluation.dataset_id == pair.dataset_id, FaceModel.name == model)
        .options(joinedload(ExplanationSet.evaluation))
        .order_by(ExplanationSet.name)
    ).all()
    return sorted(sets, key=lambda each: each.name != "default")


def fetch_explanations(
    session: Session, pair_id: int, sets: Sequence[ExplanationSet], *, deviations: bool
) -> dict[int, Explanation]:
    """Return the explanations of a pair by set id; the deviations only where they are wanted."""
    if not sets:
        return {}
    query = select(Explanation).where(
        Explanation.pair_id == pair_id, Explanation.set_id.in_([each.id for each in sets])
    )
    if not deviations:
        query = query.options(defer(Explanation.deviations))
    return {each.set_id: each for each in session.scalars(query)}


_shared: dict[tuple[str, int, int, str], Scales] = {}


def fetch_shared_scales(session: Session, explanation_set: ExplanationSet) -> Scales:
    """Return the largest scale of every row over all pairs of a set.

    The maximum reads every explanation of the set, so it is kept until the set has grown.
    """
    started = explanation_set.started.isoformat()
    key = (
        str(session.get_bind()),
        explanation_set.id,
        explanation_set.explained_count,
        started,
    )
    found = _shared.get(key)  # once: another thread may clear it meanwhile
    if found is None:
        found = _read_shared_scales(session, explanation_set.id)
        if len(_shared) > 256:
            _shared.clear()
        _shared[key] = found
    return found


def _read_shared_scales(session: Session, set_id: int) -> Scales:
    cells = [(normalise, row) for normalise in NORMALISATIONS for row in ROWS]
    largest: Any = [func.max(Explanation.scales[n][row].as_float()) for n, row in cells]
    values = session.execute(select(*largest).where(Explanation.set_id == set_id)).one()
    scales: Scales = {normalise: {} for normalise in NORMALISATIONS}
    for (normalise, row), value in zip(cells, values, strict=True):
        scales[normalise][row] = float(value or 0.0)
    return scales


def fetch_example(session: Session) -> tuple[Pair, str] | None:
    """Return an explained pair to show on the front page, and the model that explained it.

    A pair of which it is known what really differs comes first, then one called rightly.
    """
    row = session.execute(
        select(Explanation.pair_id, FaceModel.name)
        .join(ExplanationSet, ExplanationSet.id == Explanation.set_id)
        .join(Evaluation, Evaluation.id == ExplanationSet.evaluation_id)
        .join(FaceModel, FaceModel.id == Evaluation.model_id)
        .join(Pair, Pair.id == Explanation.pair_id)
        .join(Result, (Result.pair_id == Explanation.pair_id) & (Result.model_id == FaceModel.id))
        .where(
            Explanation.status == "ok",
            ExplanationSet.name == "default",
            FaceModel.dimension > 0,  # with all methods
        )
        .order_by(Pair.mask_media.is_(None), Result.correct.desc(), Pair.id, FaceModel.name)
        .limit(1)
    ).first()
    if row is None:
        return None
    return fetch_pair(session, row[0]), row[1]
