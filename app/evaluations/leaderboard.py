"""The leaderboard: what every model achieves on every dataset, in the order that the URL asks for.

``dataset=`` chooses datasets (repeat for several), ``sort=`` a column of ``COLUMNS``, with ``-``
before it for the largest first. The order holds within each dataset: values of two datasets do not
compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from sqlalchemy import func, select
from sqlalchemy.orm import Session, contains_eager

from app.errors import BadQuery
from app.explorer.catalogue import Catalogue, Named
from app.explorer.columns import find, shown
from app.explorer.query_string import Params
from app.models import Dataset, Evaluation, FaceModel, FoldScore


@dataclass(frozen=True)
class Score:
    """One model on one dataset, with how many folds it was judged over."""

    evaluation: Evaluation
    fold_count: int

    @property
    def model(self) -> FaceModel:
        """The model."""
        return self.evaluation.model

    @property
    def dataset(self) -> Dataset:
        """The dataset."""
        return self.evaluation.dataset


def percent(value: float) -> str:
    """Write a share as a percentage with two decimals."""
    return f"{100 * value:.2f} %"


def _metric(name: str) -> Callable[[Score], float | None]:
    def read(score: Score) -> float | None:
        value: float | None = getattr(score.evaluation, name)
        return value

    return read


@dataclass(frozen=True)
class Column:
    """A column of the leaderboard.

    Attributes
    ----------
    name
        As ``sort`` names it.
    words
        The head.
    help
        What it is.
    read
        The value of a row; None where it is not known.
    write
        The value as people read it.
    best
        ``max`` or ``min``; None where no value is better than another.
    """

    name: str
    words: str
    help: str
    read: Callable[[Score], Any]
    write: Callable[[Any], str]
    best: Callable[[list[Any]], Any] | None = None


COLUMNS: Final = {
    column.name: column
    for column in (
        Column("model", "Model", "its title", lambda s: s.model.title.casefold(), str),
        Column(
            "accuracy",
            "Accuracy",
            "mean over folds of the share of right predictions, and its standard deviation",
            _metric("accuracy"),
            percent,
            max,
        ),
        Column(
            "eer",
            "EER",
            "equal error rate: where as many impostors are accepted as genuine pairs are rejected",
            _metric("eer"),
            percent,
            min,
        ),
        Column(
            "auc",
            "AUC",
            "probability that a genuine pair is nearer than an impostor pair",
            _metric("auc"),
            "{:.4f}".format,
            max,
        ),
        Column(
            "tar_at_far_1e2",
            "TAR at FAR 1 %",
            "genuine pairs accepted where 1 % of the impostors are; needs 100 impostor pairs",
            _metric("tar_at_far_1e2"),
            percent,
            max,
        ),
        Column(
            "tar_at_far_1e3",
            "TAR at FAR 0.1 %",
            "the same at 0.1 %; needs 1,000 impostor pairs",
            _metric("tar_at_far_1e3"),
            percent,
            max,
        ),
        Column(
            "ece",
            "ECE",
            "expected calibration error: how far confidence is from accuracy, over ten bins",
            _metric("ece"),
            "{:.4f}".format,
            min,
        ),
        Column(
            "confidence_right",
            "Sure when right",
            "mean confidence of right predictions",
            _metric("confidence_right"),
            "{:.3f}".format,
            max,
        ),
        Column(
            "confidence_wrong",
            "Sure when wrong",
            "mean confidence of wrong predictions",
            _metric("confidence_wrong"),
            "{:.3f}".format,
            min,
        ),
        Column("pair_count", "Pairs", "verified pairs", _metric("pair_count"), "{:,}".format),
        Column("fold_count", "Folds", "folds of the dataset", lambda s: s.fold_count, str),
        Column(
            "finished",
            "Date",
            "when the evaluation was finished",
            lambda s: s.evaluation.finished,
            lambda moment: f"{moment:%Y-%m-%d}",
        ),
    )
}
DEFAULT_SORT: Final = "-accuracy"


@dataclass(frozen=True)
class LeaderboardQuery:
    """What the URL asks for."""

    datasets: tuple[Named, ...] = ()
    sort: str = DEFAULT_SORT

    @property
    def column(self) -> Column:
        """The column that the rows are sorted by."""
        return COLUMNS[self.sort.removeprefix("-")]

    @property
    def is_descending(self) -> bool:
        """Whether the largest value comes first."""
        return self.sort.startswith("-")

    def url(self, **changes: Any) -> str:
        """Return the address of the same list, but for ``changes``."""
        datasets = changes.get("datasets", self.datasets)
        sort = changes.get("sort", self.sort)
        params: Params = [("dataset", dataset.name) for dataset in datasets]
        if sort != DEFAULT_SORT:
            params.append(("sort", sort))
        return "/models" + (f"?{urlencode(params)}" if params else "")

    def sorted_by(self, column: Column) -> str:
        """Return the address sorted by a column: the best first, and the other way round next."""
        first = f"-{column.name}" if column.best is max or column.best is None else column.name
        if column.name == "model":
            first = column.name
        turned = first.removeprefix("-") if first.startswith("-") else f"-{first}"
        return self.url(sort=turned if self.sort == first else first)


def parse_leaderboard(params: Params, catalogue: Catalogue) -> LeaderboardQuery:
    """Read the query; ``BadQuery`` for an unknown parameter, dataset or column."""
    datasets: dict[Named, None] = {}
    sorts: list[str] = []
    for name, text in params:
        if name == "dataset":
            datasets[find(text, catalogue.datasets, what="dataset", parameter=name)] = None
        elif name == "sort":
            if text.removeprefix("-") not in COLUMNS:
                raise BadQuery(
                    f"Unknown column {shown(text)} in sort.",
                    parameter=name,
                    value=text,
                    allowed=[*COLUMNS, *(f"-{column}" for column in COLUMNS)],
                )
            sorts.append(text)
        else:
            raise BadQuery(
                f"Unknown parameter {shown(name)}.", parameter=name, allowed=["dataset", "sort"]
            )
    if len(sorts) > 1:
        raise BadQuery(f"sort stands {len(sorts)} times; it may stand once.", parameter="sort")
    return LeaderboardQuery(tuple(datasets), sorts[0] if sorts else DEFAULT_SORT)


@dataclass(frozen=True)
class Board:
    """The rows of one dataset, and the best value of each column that has one."""

    dataset: Dataset
    rows: tuple[Score, ...]
    best: dict[str, Any]

    def is_best(self, column: Column, score: Score) -> bool:
        """Whether no other model of the dataset does better; said only where there are others."""
        value = column.read(score)
        return len(self.rows) > 1 and value is not None and self.best.get(column.name) == value


@dataclass(frozen=True)
class Leaderboard:
    """The contents of ``pages/models.html``."""

    query: LeaderboardQuery
    datasets: tuple[Named, ...]
    """All datasets that any model was evaluated on, to choose from."""
    boards: tuple[Board, ...]

    @property
    def columns(self) -> list[Column]:
        """All columns, in their order."""
        return list(COLUMNS.values())

    def direction(self, column: Column) -> str | None:
        """Return what ``aria-sort`` says of a column."""
        if column != self.query.column:
            return None
        return "descending" if self.query.is_descending else "ascending"

    def data_url(self, kind: str) -> str:
        """Return the address of the same evaluations as ``json`` or ``csv``."""
        suffix = ".csv" if kind == "csv" else ""
        chosen = urlencode([("dataset", dataset.name) for dataset in self.query.datasets])
        return f"/api/v1/evaluations{suffix}" + (f"?{chosen}" if chosen else "")


def fetch_scores(
    session: Session, *, datasets: tuple[Named, ...] = (), models: tuple[Named, ...] = ()
) -> list[Score]:
    """Read all evaluations of the datasets and models (all by default) in one query."""
    folds = (
        select(FoldScore.evaluation_id, func.count().label("folds"))
        .group_by(FoldScore.evaluation_id)
        .subquery()
    )
    statement = (
        select(Evaluation, func.coalesce(folds.c.folds, 0))
        .join(Evaluation.dataset)
        .join(Evaluation.model)
        .outerjoin(folds, folds.c.evaluation_id == Evaluation.id)
        .options(contains_eager(Evaluation.dataset), contains_eager(Evaluation.model))
        .order_by(FaceModel.name, Dataset.name)
    )
    if datasets:
        statement = statement.where(Evaluation.dataset_id.in_([each.id for each in datasets]))
    if models:
        statement = statement.where(Evaluation.model_id.in_([each.id for each in models]))
    return [Score(evaluation, count) for evaluation, count in session.execute(statement)]


def fetch_leaderboard(
    session: Session, catalogue: Catalogue, query: LeaderboardQuery
) -> Leaderboard:
    """Gather the page."""
    by_dataset: dict[str, list[Score]] = {}
    for score in fetch_scores(session, datasets=query.datasets):
        by_dataset.setdefault(score.dataset.name, []).append(score)
    evaluated = {dataset for _model, dataset in catalogue.evaluated}
    return Leaderboard(
        query=query,
        datasets=tuple(each for each in catalogue.datasets if each.id in evaluated),
        boards=tuple(_board(scores, query) for _name, scores in sorted(by_dataset.items())),
    )


def _board(scores: list[Score], query: LeaderboardQuery) -> Board:
    column = query.column
    # What is not known stays last either way.
    rows = sorted(
        (score for score in scores if column.read(score) is not None),
        key=column.read,
        reverse=query.is_descending,
    )
    rows += [score for score in scores if column.read(score) is None]
    best: dict[str, Any] = {}
    for each in COLUMNS.values():
        values = [value for value in map(each.read, scores) if value is not None]
        if each.best and values:
            best[each.name] = each.best(values)
    return Board(scores[0].dataset, tuple(rows), best)
