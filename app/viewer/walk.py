"""The list that a pair was reached from, and the pairs beside it there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from flask import url_for
from sqlalchemy import Select, bindparam, select
from sqlalchemy.orm import Session, aliased

from app.explorer.catalogue import Catalogue, load_catalogue
from app.explorer.filters import ExplorerQuery
from app.explorer.neighbours import Neighbour, find_neighbours
from app.explorer.parsing import parse_query, parse_results
from app.explorer.queries import Count
from app.explorer.query_string import can_be_carried, query_text
from app.explorer.sentence import describe
from app.models import Image, Pair, Result


@dataclass(frozen=True)
class Step:
    """A pair beside the one that is shown.

    Attributes
    ----------
    id
        The pair.
    results
        Query string of the page of the list that holds it; empty in the list of a dataset.
    face_urls
        Its two faces, to be fetched before they are asked for.
    explained
        Whether the model that is shown explains it.
    """

    id: int
    results: str
    face_urls: tuple[str, ...]
    explained: bool


@dataclass(frozen=True)
class Walk:
    """Where a pair stands in the list that it was reached from.

    Attributes
    ----------
    results
        The explorer's query string; empty where the pair was opened by itself, and the list is
        that of its dataset.
    title
        The list in words.
    place
        The pair's place from 1; None where it is not in the list.
    count
        How many pairs there are.
    previous, next
        The pairs beside it.
    """

    results: str
    title: str
    place: int | None
    count: int
    previous: Step | None
    next: Step | None

    @property
    def back_url(self) -> str:
        """The explorer, at the list."""
        address = url_for("explorer.index")
        return f"{address}?{self.results}" if self.results else address

    @property
    def place_words(self) -> str:
        """``3 of 412``."""
        return f"{self.place:,} of {self.count:,}"


def walk_from(session: Session, pair: Pair, results: str, model_id: int | None = None) -> Walk:
    """Find a pair in the list that ``results`` asks for, or in its dataset where that is empty.

    Whether its neighbours are explained is told for the model ``model_id``.

    Raises
    ------
    BadQuery
        Where the explorer would not take ``results`` either.
    """
    catalogue = load_catalogue(session)
    query = _list_of(catalogue, pair, results)
    found = find_neighbours(session, query, pair.id)
    ids = [each.id for each in (found.previous, found.next) if each]
    faces, explained = _fetch_faces(session, ids, model_id)

    def step(neighbour: Neighbour | None) -> Step | None:
        if neighbour is None:
            return None
        text = query_text(neighbour.page.params()) if results else ""
        text = text if can_be_carried(text) else ""
        key = neighbour.id
        return Step(key, text, faces.get(key, ()), explained.get(key, False))

    return Walk(
        results=results,
        title=describe(query, Count(found.count, exact=True)),
        place=None if found.place is None else found.place + 1,
        count=found.count,
        previous=step(found.previous),
        next=step(found.next),
    )


def _list_of(catalogue: Catalogue, pair: Pair, results: str) -> ExplorerQuery:
    if not results:
        return parse_query([("dataset", pair.dataset.name)], catalogue)
    alone = url_for("viewer.pair", pair_id=pair.id)
    return parse_results(results, catalogue, hint=f" Without it, the pair is at {alone}.")


@cache  # to build it takes longer than to execute it
def _faces() -> Select[int, str, str, bool]:
    first, second = aliased(Image), aliased(Image)
    return (
        select(Pair.id, first.media, second.media, Result.explained)
        .join(first, first.id == Pair.image1_id)
        .join(second, second.id == Pair.image2_id)
        .outerjoin(Result, (Result.pair_id == Pair.id) & (Result.model_id == bindparam("model")))
        .where(Pair.id.in_(bindparam("ids", expanding=True)))
    )


def _fetch_faces(
    session: Session, ids: list[int], model_id: int | None
) -> tuple[dict[int, tuple[str, str]], dict[int, bool]]:
    """Return the faces of pairs, and whether a model explains them: one statement."""
    rows = session.execute(_faces(), {"ids": ids, "model": model_id}).all()
    faces = {
        key: (url_for("media.picture", key=one), url_for("media.picture", key=two))
        for key, one, two, _ in rows
    }
    return faces, {key: bool(explained) for key, *_, explained in rows}
