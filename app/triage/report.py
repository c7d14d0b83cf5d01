"""The report on the reviewed pairs: reads the answers, leaves the arithmetic to `scoring`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session, aliased

from app.charts.axis import Axis, linear_axis
from app.explorer.query_string import query_text
from app.explorer.urls import pairs_url
from app.models import Pair, Result, Review
from app.triage.context import triage_url
from app.triage.queue import in_queue, of_evaluation
from app.triage.scoring import (
    Agreement,
    Estimate,
    Judgement,
    Share,
    Tally,
    Whole,
    agreements,
    by_certainty,
    by_reviewer,
    extrapolate,
    tally,
)
from app.triage.study import Study

KINDS: Final = ("all", "blind", "shown")
"""Which answers count: the latest of every reviewer on every pair, the latest that was given
before the machine's decision was shown, or the latest that was given after."""
MOST_ANSWERS: Final = 100_000
MOST_ROWS: Final = 20
"""Reviewers and pairs of reviewers that the page lists; the export has all."""


@dataclass(frozen=True)
class Row:
    """One row of the table: all reviewers, one of them, or one label."""

    name: str
    tally: Tally
    url: str | None = None


@dataclass(frozen=True)
class Dot:
    """A share and its interval in the drawing."""

    name: str
    share: Share
    x: float
    low: float
    high: float
    y: float


@dataclass(frozen=True)
class ReportContext:
    """The page of the report."""

    study: Study
    kind: str
    reviewers: tuple[str, ...]
    """All names with answers of this kind, whomever the report is about."""
    total: Tally
    rows: tuple[Row, ...]
    labels: tuple[Row, ...]
    certainties: list[tuple[int, Share]]
    agreements: list[Agreement]
    blind: int
    """Answers given before the machine's decision was shown."""
    outside: int
    """Answers on pairs that are not in the queue of this report."""
    whole: Whole
    estimate: Estimate | None
    is_cut: bool

    @property
    def kinds(self) -> list[tuple[str, str, str]]:
        """Name, words and address of each kind of answers."""
        words = {"all": "Latest answers", "blind": "Given blind", "shown": "Machine in view"}
        return [(kind, words[kind], self.url(answers=_named(kind))) for kind in KINDS]

    def url(self, **more: object) -> str:
        """Return the address of the report on the same study."""
        return triage_url("report", self.study, **more)

    @property
    def everyone_url(self) -> str:
        """The report on all reviewers."""
        return triage_url("report", self.study.of(""), answers=_named(self.kind))

    @property
    def setup_url(self) -> str:
        """The choices of the study."""
        return triage_url("setup", self.study)

    @property
    def export_query(self) -> str:
        """The parameters of the export of these reviewers' answers."""
        found = [("dataset", self.study.dataset.name), ("model", self.study.model.name)]
        if self.study.reviewer:
            found.append(("reviewer", self.study.reviewer))
        return query_text(found)

    @property
    def queue_url(self) -> str:
        """The queue in the explorer, labels and all."""
        model = self.study.model.name
        found = [
            ("dataset", self.study.dataset.name),
            ("model", model),
            (f"{model}.confidence__lt", self.study.below_text),
        ]
        if self.study.explained:
            found.append((f"{model}.explained", "1"))
        return pairs_url([*found, ("sort", f"{model}.confidence")])

    @property
    def axis(self) -> Axis:
        """The axis of shares below the dots, from a round share below all intervals to 1."""
        shares = (self.total.machine, self.total.reviewer, self.total.joint)
        low = min(share.interval[0] for share in shares)
        # The last figure of a float must not push a round share one step down.
        start = min(math.floor(low * 10 + 1e-9) / 10, 0.9)
        return linear_axis(start, 1.0, start=130.0, stop=500.0, words="share right")

    @property
    def dots(self) -> list[Dot]:
        """The three shares in the drawing."""
        axis = self.axis
        shares = [
            ("Machine alone", self.total.machine),
            ("Reviewer alone", self.total.reviewer),
            ("Both together", self.total.joint),
        ]
        return [
            Dot(
                name,
                share,
                axis.place(share.value or 0.0),
                axis.place(share.interval[0]),
                axis.place(share.interval[1]),
                22.0 + 30 * place,
            )
            for place, (name, share) in enumerate(shares)
            if share.of
        ]


def report_context(session: Session, study: Study, kind: str) -> ReportContext:
    """Gather the report on a study; its reviewer narrows it, an empty one means all."""
    found = fetch_judgements(session, study, kind)
    groups = by_reviewer(found)
    chosen = groups.get(study.reviewer, []) if study.reviewer else found
    whole = fetch_whole(session, study)
    total = tally(chosen)
    largest = sorted(groups, key=lambda name: -len(groups[name]))[:MOST_ROWS]
    rows = [
        Row(name, tally(groups[name]), triage_url("report", study.of(name), answers=_named(kind)))
        for name in ([study.reviewer] if study.reviewer else sorted(largest))
        if name in groups
    ]
    if len(rows) > 1:
        rows.insert(0, Row("All reviewers", total))
    labels = [
        Row(name, tally([each for each in chosen if each.genuine == genuine]))
        for name, genuine in (("genuine", True), ("impostor", False))
    ]
    of_largest = [each for each in found if each.reviewer in largest]
    shared = agreements(of_largest)
    if study.reviewer:
        shared = [each for each in shared if study.reviewer in (each.first, each.second)]
    return ReportContext(
        study=study,
        kind=kind,
        reviewers=tuple(groups),
        total=total,
        rows=tuple(rows),
        labels=tuple(labels),
        certainties=by_certainty(chosen),
        agreements=shared[:MOST_ROWS],
        blind=sum(not each.machine_shown for each in chosen),
        outside=sum(not each.in_queue for each in chosen),
        whole=whole,
        estimate=extrapolate(whole, chosen),
        is_cut=len(found) == MOST_ANSWERS,
    )


def _named(kind: str) -> str | None:
    return None if kind == KINDS[0] else kind


def fetch_judgements(session: Session, study: Study, kind: str) -> Sequence[Judgement]:
    """Return the answers that count, of all reviewers of the study's evaluation."""
    later = aliased(Review)
    replaced = (
        select(later.id)
        .where(
            later.pair_id == Review.pair_id,
            later.model_id == Review.model_id,
            later.reviewer == Review.reviewer,
            later.revision > Review.revision,
            *_of_kind(later, kind),
        )
        .exists()
    )
    rows = session.execute(
        select(
            Review.pair_id,
            Review.reviewer,
            Pair.genuine,
            Review.prediction,
            Review.confidence,
            Review.answer,
            Review.certainty,
            Review.machine_shown,
            func.coalesce(in_queue(study), False),
        )
        .join(Pair, Pair.id == Review.pair_id)
        .outerjoin(
            Result, and_(Result.pair_id == Review.pair_id, Result.model_id == Review.model_id)
        )
        .where(
            Review.model_id == study.model.id,
            Pair.dataset_id == study.dataset.id,
            ~replaced,
            *_of_kind(Review, kind),
        )
        .order_by(Review.id)
        .limit(MOST_ANSWERS)
    )
    return [Judgement(*row) for row in rows]


def _of_kind(review: type[Review], kind: str) -> tuple[ColumnElement[bool], ...]:
    wanted = {"blind": False, "shown": True}.get(kind)
    return () if wanted is None else (review.machine_shown.is_(wanted),)


def fetch_whole(session: Session, study: Study) -> Whole:
    """Count what the machine gets right, of all pairs and of the queue."""
    queued = in_queue(study)
    row = session.execute(
        select(
            func.count().filter(Result.correct),
            func.count(),
            func.count().filter(queued & Result.correct),
            func.count().filter(queued),
        ).where(of_evaluation(study))
    ).one()
    return Whole(Share(row[0], row[1]), Share(row[2], row[3]))
