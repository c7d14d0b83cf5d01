"""Summaries are kept in the process until the data changes: most visitors ask the same few."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any, Final

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.explorer.filters import ExplorerQuery
from app.explorer.summary import Summary, summarise
from app.models import Dataset, Evaluation, ExplanationSet

MOST_KEPT: Final = 64
EXTENSION: Final = "explorer_summaries"


class SummaryCache:
    """The summaries asked for last, by what was asked and by the state of the data."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Any, ...], Summary] = OrderedDict()

    def get(self, session: Session, query: ExplorerQuery) -> Summary:
        """Return the summary of ``query``, counted anew where it is not at hand.

        One that ran out of time is not kept: the next visitor may be luckier.
        """
        bare = query.place().sorted_by()
        key = (
            bare.binding,
            tuple(dataset.id for dataset in query.known_datasets),
            tuple(model.id for model in query.models),
            data_version(session),
        )
        with self._lock:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
                return found
        found = summarise(session, bare)
        if not found.unfinished:
            with self._lock:
                self._kept[key] = found
                while len(self._kept) > MOST_KEPT:
                    self._kept.popitem(last=False)
        return found


def cache_of(app: Flask) -> SummaryCache:
    """Return the cache of this app."""
    cache: SummaryCache = app.extensions.setdefault(EXTENSION, SummaryCache())
    return cache


def data_version(session: Session) -> tuple[Any, ...]:
    """Return what changes whenever the pipeline publishes: one statement on small tables."""
    counts = [
        # One that was removed and imported anew, its labels mended, may have the same key and size.
        select(func.aggregate_strings(Dataset.sha256, " ")),
        select(func.count()).select_from(Evaluation),
        select(func.max(Evaluation.id)),
        select(func.max(Evaluation.finished)),
        select(func.sum(ExplanationSet.explained_count)),
    ]
    row = session.execute(select(*(each.scalar_subquery() for each in counts))).one()
    return tuple(row)
