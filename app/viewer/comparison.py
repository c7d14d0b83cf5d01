"""A pair under several models and methods side by side, and beside a pinned pair."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Final
from urllib.parse import parse_qsl, urlencode

import numpy as np
from flask import url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, contains_eager
from werkzeug.datastructures import MultiDict

from app.errors import BadQuery, NotFound
from app.models import Evaluation, Explanation, ExplanationSet, FaceModel, Pair, Result
from app.viewer import queries
from app.viewer.choices import METHODS, Choice
from app.viewer.deviations import ROWS, row_name, unpack
from app.viewer.explained import ExplainedPair, explain_command
from app.viewer.maps import chosen_map, shown_map
from app.viewer.walk import Walk, walk_from
from app.viewer.words import about_text
from compute.xmaps import SimilarityMap

FIRST_MODELS: Final = 4
"""Columns where the URL names no model."""
MOST_MODELS: Final = 12
FIELDS: Final = ("model", "method", "spec", "view", "scale", "normalise", "blend")
"""Parameters that have a field in the form; the others ride along hidden."""


@dataclass(frozen=True)
class Asked:
    """What the URL of a comparison asks for.

    Attributes
    ----------
    models
        Names of the columns; none for the first few.
    methods
        The rows, in their order; all three where the URL names none.
    choice
        How every panel is drawn, the pinned pair, and the list to walk along.
    """

    models: tuple[str, ...]
    methods: tuple[str, ...]
    choice: Choice

    @classmethod
    def from_args(cls, args: MultiDict[str, str]) -> Asked:
        """Read a URL; ``BadQuery`` names what is wrong and what is allowed."""
        models = tuple(dict.fromkeys(filter(None, args.getlist("model"))))
        wanted = set(filter(None, args.getlist("method")))
        for method in sorted(wanted - set(METHODS)):
            raise BadQuery(
                f"method={method!r} is unknown.", parameter="method", value=method, allowed=METHODS
            )
        if len(models) > MOST_MODELS:
            raise BadQuery(
                f"The comparison names {len(models)} models; at most {MOST_MODELS}.",
                parameter="model",
            )
        rest = [(k, v) for k, v in args.items(multi=True) if k not in ("model", "method")]
        methods = tuple(method for method in METHODS if not wanted or method in wanted)
        return cls(models, methods, Choice.from_args(MultiDict(rest)))

    def to_query(self, **changes: object) -> str:
        """Return the query string, with ``changes`` of the choice; defaults are left out."""
        pairs = [("model", name) for name in self.models]
        if self.methods != METHODS:
            pairs += [("method", method) for method in self.methods]
        rest = self.choice.to_query(model=None, method="I", **changes)
        return "&".join(filter(None, (urlencode(pairs), rest)))

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """Parameters that the form carries along unseen."""
        rest = parse_qsl(self.choice.to_query(model=None, method="I"))
        return [(name, value) for name, value in rest if name not in FIELDS]


@dataclass(frozen=True)
class Face:
    """One side of a panel: its picture, what it shows in words, what ±1 stands for."""

    picture_url: str
    about: str
    scale: float


@dataclass(frozen=True)
class Panel:
    """Both sides of a pair under one model and one method.

    Attributes
    ----------
    url
        The full viewer with that choice.
    faces
        The two sides; empty where there is nothing to show.
    flat
        Whether every deviation is below 1e-6.
    missing
        Why there is nothing to show, and what to run for it.
    """

    url: str
    faces: tuple[Face, ...] = ()
    flat: bool = False
    missing: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the grid: one pair under every model, with one method."""

    pair: Pair
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class MethodRows:
    """The rows of a method: the pinned pair's, if any, above that of the pair itself.

    ``scale`` is what ±1 stands for in all of them; None where each picture has its own.
    """

    method: str
    lines: tuple[Line, ...]
    scale: float | None


@dataclass(frozen=True)
class Comparison:
    """The contents of ``viewer/compare.html``.

    Attributes
    ----------
    asked
        What the URL asks for.
    pair, pinned
        The pair, and the one that stays beside it; None where there is none.
    models
        The columns.
    choosable
        All models that have judged either pair.
    set_names
        Explanation sets of the columns, to choose from.
    verdicts
        Per pair (the pinned one first) what each model says; None where it says nothing.
    rows
        The maps.
    walk
        The list that the pair was reached from.
    """

    asked: Asked
    pair: Pair
    pinned: Pair | None
    models: tuple[FaceModel, ...]
    choosable: tuple[FaceModel, ...]
    set_names: tuple[str, ...]
    verdicts: tuple[tuple[Pair, tuple[Result | None, ...]], ...]
    rows: tuple[MethodRows, ...]
    walk: Walk

    def url(self, pair_id: int, **changes: object) -> str:
        """Return the comparison of a pair with the same choices, but for ``changes``."""
        query = self.asked.to_query(**changes)
        address = url_for("comparison.compare", pair_id=pair_id)
        return f"{address}?{query}" if query else address

    @property
    def viewer_url(self) -> str:
        """The pair in the full viewer."""
        query = self.asked.choice.to_query(method=self.asked.methods[0])
        address = url_for("viewer.pair", pair_id=self.pair.id)
        return f"{address}?{query}" if query else address


def compare_pairs(session: Session, pair_id: int, asked: Asked) -> Comparison:
    """Read and place a comparison: a fixed number of statements, whatever is compared.

    Raises
    ------
    NotFound
        For an unknown pair, model or explanation set.
    BadQuery
        For a patch size that a set does not have, or a list that cannot be read.
    """
    pair = queries.fetch_pair(session, pair_id)
    pin = asked.choice.pin
    pinned = queries.fetch_pair(session, pin) if pin not in (0, pair.id) else None
    pairs = [pinned, pair] if pinned else [pair]
    results = _fetch_results(session, pairs)
    known = session.scalars(select(FaceModel).order_by(FaceModel.name)).all()
    judging = {model_id for _, model_id in results}
    choosable = tuple(model for model in known if model.id in judging)
    models = _columns(asked.models, known, choosable, results)
    explained, set_names = _fetch_explained(session, pairs, models, asked.choice.spec)
    cells = [_Cell(each, m, explained.get((each.id, m.id))) for each in pairs for m in models]
    return Comparison(
        asked=asked,
        pair=pair,
        pinned=pinned,
        models=models,
        choosable=choosable,
        set_names=set_names,
        verdicts=tuple(
            (each, tuple(results.get((each.id, model.id)) for model in models)) for each in pairs
        ),
        rows=tuple(_rows(cells, replace(asked.choice, method=m), results) for m in asked.methods),
        walk=walk_from(session, pair, asked.choice.results),
    )


@dataclass(frozen=True)
class _Cell:
    """A pair under a model, and its explanation where there is one."""

    pair: Pair
    model: FaceModel
    explained: ExplainedPair | None

    def maps(self, choice: Choice) -> tuple[SimilarityMap, ...]:
        """Return the maps of both sides; none where the pair is not explained."""
        if self.explained is None:
            return ()
        spec = self.explained.spec
        fitting = choice.with_patches_of(spec.patch_sizes)
        rows = unpack(self.explained.explanation.deviations, spec.count).astype(np.float64)
        return tuple(
            chosen_map(rows[ROWS.index(row_name(choice.method, side))], spec, fitting)
            for side in (1, 2)
        )


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


def _rows(cells: Sequence[_Cell], choice: Choice, results: _Results) -> MethodRows:
    """Place the panels of one method; a shared scale is the largest of all its maps."""
    drawn = [(cell, cell.maps(choice)) for cell in cells]
    limit = None
    if choice.scale == "shared" and choice.view != "original":
        limit = max((one.scale for _, maps in drawn for one in maps), default=0.0)
    lines = tuple(
        Line(pair, tuple(_panel(cell, maps, choice, limit, results) for cell, maps in group))
        for pair, group in groupby(drawn, key=lambda item: item[0].pair)
    )
    return MethodRows(choice.method, lines, limit)


def _panel(
    cell: _Cell,
    maps: Iterable[SimilarityMap],
    choice: Choice,
    limit: float | None,
    results: _Results,
) -> Panel:
    pair, model, explained = cell.pair, cell.model, cell.explained
    results_page = "" if pair.id == choice.pin else choice.results
    query = choice.to_query(model=model.name, results=results_page)
    url = f"{url_for('viewer.pair', pair_id=pair.id)}?{query}"
    if explained is None:
        verified = (pair.id, model.id) in results
        command = explain_command(pair, model.name, verified=verified, spec=choice.spec)
        return Panel(url, missing=command)
    fitting = choice.with_patches_of(explained.spec.patch_sizes)
    faces = []
    for side, found in enumerate(maps, start=1):
        shown = shown_map(found, fitting, shared=limit)
        name = "Left" if side == 1 else "Right"
        image = pair.image1_row if side == 1 else pair.image2_row
        subject = f"{name} face, {image.identity.replace('_', ' ')}"
        about = about_text(subject, model.title, shown, fitting)
        picture = _picture_url(cell, fitting, side, limit, explained)
        faces.append(Face(picture, about, shown.scale))
    return Panel(url, tuple(faces), flat=explained.explanation.status == "flat")


def _picture_url(
    cell: _Cell, choice: Choice, side: int, limit: float | None, explained: ExplainedPair
) -> str:
    if choice.is_published:
        key = explained.explanation.xmaps[f"{choice.method}{side}"]
        return url_for("media.picture", key=key)
    query = choice.to_picture_query(model=cell.model.name, spec=explained.name)
    if limit is None:
        return f"{url_for('viewer.picture', pair_id=cell.pair.id, side=side)}?{query}"
    address = url_for("comparison.picture", pair_id=cell.pair.id, side=side)
    return f"{address}?{query}&{urlencode({'limit': repr(limit)})}"
