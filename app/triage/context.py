"""What the pages of triage say, gathered before the templates write it down."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from flask import url_for
from sqlalchemy.orm import Session

from app.explorer.catalogue import Catalogue, Named
from app.explorer.query_string import query_text
from app.models import Review
from app.triage.answer import CERTAINTIES
from app.triage.queue import Candidate, Progress, count_queue, load_candidate, next_pair
from app.triage.reviews import can_store, review_before, reviews_of
from app.triage.study import Study

METHODS: Final = ("III", "I", "II")
"""III first: it shows both images the same map, which is the easiest to read."""


def triage_url(endpoint: str, study: Study, **more: object) -> str:
    """Return the address of a triage page of a study; ``more`` are further parameters."""
    return f"{url_for(f'triage.{endpoint}')}?{query_text(study.params(**more))}"


@dataclass(frozen=True)
class SetupContext:
    """The page on which a study is chosen.

    Attributes
    ----------
    models
        Those that saw the dataset.
    replaced
        The model that was asked for and did not see it; empty where there is none.
    """

    study: Study
    datasets: tuple[Named, ...]
    models: tuple[Named, ...]
    replaced: str
    progress: Progress
    can_store: bool

    @property
    def report_url(self) -> str:
        """The report on this evaluation, of all reviewers."""
        return triage_url("report", self.study.of(""))


def setup_context(
    session: Session, catalogue: Catalogue, study: Study, *, wanted: str
) -> SetupContext:
    """Gather the page of a study's choices; ``wanted`` is the model that was asked for, if any."""
    return SetupContext(
        study=study,
        datasets=tuple(each for each in catalogue.datasets if catalogue.models_of([each])),
        models=catalogue.models_of([study.dataset]),
        replaced=wanted if wanted != study.model.name else "",
        progress=count_queue(session, study),
        can_store=can_store(session),
    )


@dataclass(frozen=True)
class ReviewContext:
    """The page of one pair.

    Attributes
    ----------
    candidate
        The pair; None where nothing is left behind the place in the queue.
    own
        The reviewer's latest answer on the pair; None before the first.
    back
        The latest answer on the pair before.
    skipped
        Whether the page is reached by skipping, so that pairs before it may be open still.
    """

    study: Study
    progress: Progress
    candidate: Candidate | None
    own: Review | None
    back: Review | None
    skipped: bool
    now: int
    certainties: tuple[int, ...] = CERTAINTIES

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that there are X-Maps of."""
        shown = self.candidate.xmaps if self.candidate else {}
        return tuple(method for method in METHODS if f"{method}1" in shown)

    @property
    def shows_machine(self) -> bool:
        """Whether the machine's decision and maps are on the page."""
        return not self.study.is_blind or self.own is not None

    @property
    def action(self) -> str:
        """Where the form goes: the study is in the address, the answer in the body."""
        return triage_url("queue", self.study)

    @property
    def start_url(self) -> str:
        """The first pair that is still open."""
        return triage_url("queue", self.study)

    @property
    def skip_url(self) -> str:
        """The next open pair behind this one."""
        after = self.candidate.pair_id if self.candidate else None
        return triage_url("queue", self.study, after=after)

    @property
    def back_url(self) -> str | None:
        """The pair that was answered before, to change its answer."""
        if self.back is None:
            return None
        return triage_url("queue", self.study, pair=self.back.pair_id)

    @property
    def setup_url(self) -> str:
        """The choices of this study."""
        return triage_url("setup", self.study)

    @property
    def report_url(self) -> str:
        """What this reviewer's answers are worth."""
        return triage_url("report", self.study)

    def viewer_url(self, review: Review) -> str:
        """Return the viewer of an answered pair."""
        address = url_for("viewer.pair", pair_id=review.pair_id)
        return f"{address}?{query_text([('model', self.study.model.name), ('method', 'III')])}"


def review_context(
    session: Session, study: Study, *, pair: int | None, after: int | None
) -> ReviewContext:
    """Gather the page of ``pair``, or of the first open pair behind ``after``."""
    pair_id = next_pair(session, study, after=after) if pair is None else pair
    candidate = None if pair_id is None else load_candidate(session, study, pair_id)
    answers = reviews_of(session, study, pair_id) if pair_id is not None else ()
    return ReviewContext(
        study=study,
        progress=count_queue(session, study),
        candidate=candidate,
        own=answers[-1] if answers else None,
        back=review_before(session, study, answers[0] if answers else None),
        skipped=after is not None,
        now=time.time_ns() // 1_000_000,
    )
