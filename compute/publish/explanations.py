"""Explanation sets into the database, pair by pair."""

from __future__ import annotations

import platform
from contextlib import suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

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

PAIRS_PER_CHECKPOINT: Final = 20


class OpenSet:
    """An explanation set being filled; to be used in a ``with`` statement.

    Each pair is a transaction of its own. What is derived from all of them (the packed column, the
    counts) is brought in line when the set is opened, every few pairs, and at the end, however it
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
        self._since_checkpoint = 0

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
        db.session.execute(
            insert(Explanation).values(
                set_id=self._id,
                pair_id=pair_id,
                status=rendered.status,
                deviations=rendered.deviations,
                scales=rendered.scales,
                xmaps=xmaps,
            )
        )
        db.session.execute(
            update(Result)
            .where(Result.pair_id == pair_id, Result.model_id == self._model_id)
            .values(explained=True)
        )
        db.session.commit()
        self._since_checkpoint += 1
        if self._since_checkpoint >= PAIRS_PER_CHECKPOINT:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Write what is derived from the explained pairs."""
        refresh_explained(self._dataset_id, self._model_id)
        db.session.commit()
        self._since_checkpoint = 0

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


def write_pictures(media: MediaStore, rendered: RenderedExplanation) -> dict[str, str]:
    """Write the X-Maps of a pair into the media store; return their keys by name."""
    return {name: media.write("xmaps", encode_png(image)) for name, image in rendered.xmaps.items()}
