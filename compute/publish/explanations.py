"""Explanation sets into the database, pair by pair or second by second."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from time import monotonic
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import insert, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db
from app.media import MediaStore
from app.models import Evaluation, Explanation, ExplanationSet, Result
from compute.errors import RunError
from compute.images import encode_png
from compute.occlusion import OcclusionSpec
from compute.publish.derived import refresh_explained
from compute.publish.evaluations import find_evaluation
from compute.rendering import RenderedExplanation
from compute.runs import Conditions

SECONDS_HELD: Final = 1.0
"""What was explained within this time is written together: the most that a kill can lose."""
SECONDS_BETWEEN_CHECKPOINTS: Final = 30.0
"""A checkpoint reads all results of the evaluation."""
ROWS_PER_STATEMENT: Final = 200


class OpenSet:
    """An explanation set being filled; to be used in a ``with`` statement.

    A pair is written as soon as it is added, with those that were held; it is held itself where the
    last were written less than a second ago. What is derived from all of them (the packed column,
    the counts) is brought in line when the set is opened, now and then, and at the end, however it
    comes; after a kill, when the set is opened again.

    Attributes
    ----------
    batch, threads
        As the set was begun with.
    explained
        Ids of the pairs that were in it when it was opened.
    """

    def __init__(
        self,
        media: MediaStore,
        row: ExplanationSet,
        evaluation: Evaluation,
        explained: frozenset[int],
    ) -> None:
        self.batch, self.threads = row.batch, row.threads
        self.explained = explained
        self._media = media
        self._id = row.id
        self._dataset_id, self._model_id = evaluation.dataset_id, evaluation.model_id
        self._held: list[dict[str, Any]] = []
        self._written = self._checkpoint = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        db.session.rollback()
        if error is None:
            self.checkpoint()
        else:
            # What ended the run is to be told, not what follows from it (a full disk, say).
            with suppress(SQLAlchemyError):
                self.checkpoint()

    def add(self, pair_id: int, rendered: RenderedExplanation) -> None:
        """Publish one explained pair: pictures first, then its row."""
        xmaps = write_pictures(self._media, rendered)
        self._held.append(
            {
                "pair_id": pair_id,
                "status": rendered.status,
                "deviations": rendered.deviations,
                "scales": rendered.scales,
                "xmaps": xmaps,
            }
        )
        now = monotonic()
        if now - self._checkpoint >= SECONDS_BETWEEN_CHECKPOINTS:
            self.checkpoint()
        elif now - self._written >= SECONDS_HELD:
            self.write()

    def write(self) -> None:
        """Write what is held, now."""
        self._insert()
        self._commit()

    def checkpoint(self) -> None:
        """Write what is held, and what is derived from the explained pairs."""
        self._insert()
        refresh_explained(self._dataset_id, self._model_id)
        self._commit()
        self._checkpoint = monotonic()

    def _insert(self) -> None:
        insert_explanations(self._id, self._model_id, self._held)

    def _commit(self) -> None:
        db.session.commit()
        self._held = []
        self._written = monotonic()

    def settle(self, *, wanted: int) -> None:
        """Lower what is wanted of the set, where some pairs turned out not to be explainable."""
        db.session.execute(
            update(ExplanationSet).where(ExplanationSet.id == self._id).values(wanted_count=wanted)
        )
        db.session.commit()


def open_set(
    media: MediaStore,
    dataset: str,
    model: str,
    name: str,
    spec: OcclusionSpec,
    current: Conditions,
    *,
    wanted: int,
) -> OpenSet:
    """Open an explanation set, or start it under the ``current`` conditions.

    Raises
    ------
    RunError
        Where the name belongs to another spec, or the set was begun with another engine.
    """
    evaluation = find_evaluation(dataset, model)
    if evaluation is None:
        raise RunError(f"{model} is not verified on {dataset} yet.")
    row = db.session.scalar(
        select(ExplanationSet).filter_by(evaluation_id=evaluation.id, name=name)
    )
    if row is None:
        row = ExplanationSet(
            evaluation_id=evaluation.id,
            name=name,
            spec=spec.to_dict(),
            wanted_count=wanted,
            code_version=current.code_version,
            engine=current.engine,
            batch=current.batch,
            threads=current.threads,
            host=platform.node(),
            started=datetime.now(UTC),
        )
        db.session.add(row)
    elif OcclusionSpec.from_dict(row.spec) != spec:
        raise RunError(
            f"Explanation set {name!r} of {model} on {dataset} has another spec: {row.spec}. "
            "Give the new spec another name (the name of its TOML file)."
        )
    elif row.engine != current.engine:
        raise RunError(
            f"Explanation set {name!r} of {model} on {dataset} was begun with {row.engine}, "
            f"now it is {current.engine}. Results must not mix: install the former, or give "
            "the spec another name."
        )
    row.wanted_count = wanted
    db.session.flush()
    explained = db.session.scalars(select(Explanation.pair_id).filter_by(set_id=row.id))
    opened = OpenSet(media, row, evaluation, frozenset(explained))
    opened.checkpoint()
    return opened


def insert_explanations(set_id: int, model_id: int, rows: Iterable[dict[str, Any]]) -> None:
    """Insert the rows of explained pairs, and mark their results, in the current transaction."""
    left = iter(rows)
    while some := [row | {"set_id": set_id} for row in islice(left, ROWS_PER_STATEMENT)]:
        db.session.execute(insert(Explanation), some)
        ids = [row["pair_id"] for row in some]
        db.session.execute(
            update(Result)
            .where(Result.model_id == model_id, Result.pair_id.in_(ids))
            .values(explained=True)
        )


def write_pictures(media: MediaStore, rendered: RenderedExplanation) -> dict[str, str]:
    """Write the X-Maps of a pair into the media store; return their keys by name."""
    return {name: media.write("xmaps", encode_png(image)) for name, image in rendered.xmaps.items()}
