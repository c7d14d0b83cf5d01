"""Curated ways into the explorer: plain URLs of the query grammar, only those that lead to rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session, aliased

from app.explorer.filters import MOST_JOINED
from app.explorer.query_string import Params
from app.explorer.urls import pairs_url
from app.extensions import db
from app.models import Dataset, Evaluation, Pair, Result
from app.pages.overview import Overview, OverviewRow


@dataclass(frozen=True)
class Collection:
    """A named query, on the data where it tells most, and the same query elsewhere."""

    title: str
    about: str
    url: str
    more: tuple[tuple[str, str], ...] = ()
    """Name and URL of the other datasets and models that it leads to rows on."""


@dataclass(frozen=True)
class _Facts:
    """What decides whether a collection leads to rows."""

    wrong: frozenset[tuple[int, int, bool]]
    """Dataset, model and prediction (true: genuine) of which some are wrong."""
    disputed: frozenset[int]
    """Datasets with a pair on which two models differ."""
    with_quality: frozenset[int]


def collections_of(overview: Overview) -> list[Collection]:
    """Return the collections of this site: the best model that explains anything comes first."""
    rows = sorted(
        overview.rows,
        key=lambda each: (each.explained > 0, each.evaluation.accuracy),
        reverse=True,
    )
    if not rows:
        return []
    facts = _facts(db.session())

    def has_wrong(row: OverviewRow, *, called_genuine: bool) -> bool:
        return (row.dataset.id, row.model.id, called_genuine) in facts.wrong

    found = [
        _per_model(
            "Hardest false accepts",
            "Different people whom {model} puts nearest to each other",
            [row for row in rows if has_wrong(row, called_genuine=True)],
            lambda m: [("genuine", "0"), (f"{m}.correct", "0"), ("sort", f"{m}.distance")],
        ),
        _per_model(
            "Hardest false rejects",
            "The same person, and {model} puts the two pictures furthest apart",
            [row for row in rows if has_wrong(row, called_genuine=False)],
            lambda m: [("genuine", "1"), (f"{m}.correct", "0"), ("sort", f"-{m}.distance")],
        ),
        _per_model(
            "Least sure",
            "Pairs at the threshold, where the prediction of {model} is nearly a coin toss",
            [row for row in rows if row.evaluation.pair_count],
            lambda m: [("sort", f"{m}.confidence")],
        ),
        _per_dataset(
            "Most disputed",
            "One model says the same, another different, and both are sure of it",
            [row for row in rows if row.dataset.id in facts.disputed],
            _disputed,
        ),
        _per_dataset(
            "Lowest quality",
            "Where an image is so poor that a model may have little to go by",
            [row for row in rows if row.dataset.id in facts.with_quality],
            lambda _models: [("quality_min__isnull", "0"), ("sort", "quality_min")],
        ),
        _per_model(
            "Explained only",
            "Pairs with maps of {model} to look at, the least sure first",
            [row for row in rows if row.explained],
            lambda m: [(f"{m}.explained", "1"), ("sort", f"{m}.confidence")],
        ),
    ]
    return [collection for collection in found if collection]


def _per_model(
    title: str, about: str, rows: list[OverviewRow], parameters: Callable[[str], Params]
) -> Collection | None:
    def url(row: OverviewRow) -> str:
        name = row.model.name
        return pairs_url([("dataset", row.dataset.name), ("model", name), *parameters(name)])

    if not rows:
        return None
    more = tuple((f"{row.model.name} on {row.dataset.name}", url(row)) for row in rows[1:])
    return Collection(title, about.format(model=rows[0].model.title), url(rows[0]), more)


def _per_dataset(
    title: str, about: str, rows: list[OverviewRow], parameters: Callable[[list[str]], Params]
) -> Collection | None:
    models: dict[str, list[str]] = {}
    for row in rows:
        models.setdefault(row.dataset.name, []).append(row.model.name)
    urls = [
        (name, pairs_url([("dataset", name), *parameters(seen)])) for name, seen in models.items()
    ]
    if not urls:
        return None
    return Collection(title, about, urls[0][1], tuple(urls[1:]))


def _disputed(models: list[str]) -> Params:
    shown = models[:MOST_JOINED]
    keys = ",".join(f"-{name}.confidence" for name in shown[:2])
    return [*(("model", name) for name in shown), ("agree", "0"), ("sort", keys)]


def _facts(session: Session) -> _Facts:
    """Look for one row of each kind: none is counted, however many there are."""
    wrong, other = aliased(Result), aliased(Result)
    # By all leading columns of ix_result_correct.
    mistakes = (
        wrong.model_id == Evaluation.model_id,
        wrong.dataset_id == Evaluation.dataset_id,
        wrong.correct.is_(False),
    )
    right_elsewhere = exists().where(
        other.pair_id == wrong.pair_id, other.model_id != wrong.model_id, other.correct
    )
    found = session.execute(
        select(
            Evaluation.dataset_id,
            Evaluation.model_id,
            exists().where(*mistakes, wrong.prediction),
            exists().where(*mistakes, ~wrong.prediction),
            exists().where(*mistakes, right_elsewhere),
        )
    ).all()
    of_dataset = exists().where(Pair.dataset_id == Dataset.id, Pair.quality_min.is_not(None))
    return _Facts(
        wrong=frozenset(
            (row[0], row[1], called_genuine)
            for row in found
            for called_genuine, is_there in ((True, row[2]), (False, row[3]))
            if is_there
        ),
        disputed=frozenset(row[0] for row in found if row[4]),
        with_quality=frozenset(session.scalars(select(Dataset.id).where(of_dataset))),
    )
