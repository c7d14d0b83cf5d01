"""A pair under several models and methods side by side, and beside a pinned pair."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Final
from urllib.parse import parse_qsl, urlencode

from flask import url_for
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from app.errors import BadQuery
from app.models import FaceModel, Pair
from app.viewer import queries
from app.viewer.agreement import Agreement, agreement_of
from app.viewer.choices import METHODS, Choice
from app.viewer.grid import Cell, Grid, read_grid
from app.viewer.maps import shown_map
from app.viewer.walk import Walk, walk_from
from app.viewer.words import PLACES, Place, about_text
from compute.xmaps import SimilarityMap

MOST_MODELS: Final = 12
MOST_IN_NAME: Final = 4
"""Models that a file's name lists."""
FIELDS: Final = (
    *("model", "method", "spec", "view", "blend", "sign", "top", "scale", "normalise"),
    *("base", "colours"),
)
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

    def hidden(self, *, patches: bool) -> list[tuple[str, str]]:
        """Return what the form carries along unseen; ``patches`` where it has fields for them."""
        rest = parse_qsl(self.choice.to_query(model=None, method="I"))
        in_form = ("patch", "weight_") if patches else ()
        return [
            (name, value)
            for name, value in rest
            if name not in FIELDS and not name.startswith(in_form)
        ]


@dataclass(frozen=True)
class Face:
    """One side of a panel.

    Attributes
    ----------
    subject
        Which face, and whose.
    face_url
        The aligned face itself.
    picture_url
        The face drawn as chosen.
    about
        What the picture shows, in words.
    scale
        What ±1 stands for, in units of distance.
    """

    subject: str
    face_url: str
    picture_url: str
    about: str
    scale: float


@dataclass(frozen=True)
class Panel:
    """Both sides of a pair under one model and one method.

    Attributes
    ----------
    cell
        The pair under the model.
    url
        The full viewer with that choice.
    api_url
        What scripts draw the panel from: the explanation's JSON.
    faces
        The two sides; empty where the pair is not explained, or not by this method.
    """

    cell: Cell
    url: str
    api_url: str = ""
    faces: tuple[Face, ...] = ()

    @property
    def is_flat(self) -> bool:
        """Whether every deviation is below 1e-6."""
        explained = self.cell.explained
        return explained is not None and explained.explanation.status == "flat"


@dataclass(frozen=True)
class Line:
    """A row of the grid: one pair under every model, with one method."""

    pair: Pair
    panels: tuple[Panel, ...]
    agreement: float | None
    """Mean agreement of the models' maps; None where there are fewer than two."""


@dataclass(frozen=True)
class MethodRows:
    """The rows of a method: the pinned pair's, if any, above that of the pair itself.

    ``scale`` is what ±1 stands for in all of them on a shared scale.
    """

    method: str
    lines: tuple[Line, ...]
    scale: float


@dataclass(frozen=True)
class Comparison:
    """The contents of ``viewer/compare.html``.

    Attributes
    ----------
    asked
        What the URL asks for.
    pair, pinned
        The pair, and the one that stays beside it; None where there is none.
    grid
        Models, and what they say of each pair (the pinned one first).
    rows
        The maps.
    agreements
        Per pair, how far the maps of its models agree; only those with two models or more.
    walk
        The list that the pair was reached from.
    """

    asked: Asked
    pair: Pair
    pinned: Pair | None
    grid: Grid
    rows: tuple[MethodRows, ...]
    agreements: tuple[Agreement, ...]
    walk: Walk

    @property
    def models(self) -> tuple[FaceModel, ...]:
        """The columns."""
        return self.grid.models

    @property
    def is_explained(self) -> bool:
        """Whether there is a map to show."""
        return any(cell.explained for row in self.grid.cells for cell in row)

    @property
    def can_redraw(self) -> bool:
        """Whether scripts can draw what is chosen: they know one list of patch sizes only."""
        choice = self.asked.choice
        return bool(self.grid.patch_sizes) or not (choice.patch or choice.weights)

    @property
    def places(self) -> tuple[Place, ...]:
        """The parts of a face, for scripts that name them."""
        return PLACES

    def url(self, pair_id: int, **changes: object) -> str:
        """Return the comparison of a pair with the same choices, but for ``changes``."""
        return _address("comparison.compare", pair_id, self._shortest.to_query(**changes))

    @property
    def _shortest(self) -> Asked:
        """The same state with patches and weights written in the shortest way."""
        sizes = self.grid.patch_sizes
        if not sizes:
            return self.asked
        return replace(self.asked, choice=self.asked.choice.with_patches_of(sizes))

    @property
    def figure_query(self) -> str:
        """The query of the figure: all that it depends on."""
        models = tuple(model.name for model in self.models)
        return replace(self._shortest, models=models).to_query(results="", zoom=0, x=56, y=56)

    @property
    def file_name(self) -> str:
        """What the figure is called: pairs, models and methods, as far as they can be read."""
        names = [model.name for model in self.models]
        beside = [f"beside-{self.pinned.id}"] if self.pinned else []
        models = names if len(names) <= MOST_IN_NAME else [f"{len(names)}-models"]
        parts = [*beside, *models, "-".join(self.asked.methods), self.asked.choice.view]
        return f"xfv-{self.pair.id}-{'-'.join(parts)}.png"

    @property
    def viewer_url(self) -> str:
        """The pair in the full viewer."""
        query = self.asked.choice.to_query(method=self.asked.methods[0])
        return _address("viewer.pair", self.pair.id, query)


def _address(endpoint: str, pair_id: int, query: str) -> str:
    address = url_for(endpoint, pair_id=pair_id)
    return f"{address}?{query}" if query else address


def pairs_of(session: Session, pair_id: int, asked: Asked) -> tuple[Pair, Pair | None]:
    """Return the pair, and the pinned one where it is another; ``NotFound`` for an unknown one."""
    pair = queries.fetch_pair(session, pair_id)
    pin = asked.choice.pin
    return pair, queries.fetch_pair(session, pin) if pin not in (0, pair.id) else None


def compare_pairs(session: Session, pair_id: int, asked: Asked) -> Comparison:
    """Read and place a comparison: a fixed number of statements, whatever is compared.

    Raises
    ------
    NotFound
        For an unknown pair, model or explanation set.
    BadQuery
        For a patch size that a set does not have, or a list that cannot be read.
    """
    pair, pinned = pairs_of(session, pair_id, asked)
    pairs = [pinned, pair] if pinned else [pair]
    grid = read_grid(session, pairs, asked.models, asked.choice.spec)
    choices = [asked.choice.of_method(method) for method in asked.methods]
    maps = [[[(cell, cell.maps(c)) for cell in row] for row in grid.cells] for c in choices]
    agreements = [_agreement([by_pair[n] for by_pair in maps]) for n in range(len(pairs))]
    return Comparison(
        asked=asked,
        pair=pair,
        pinned=pinned,
        grid=grid,
        rows=tuple(
            _rows(by_pair, choice, [each.means[n] if each else None for each in agreements])
            for n, (by_pair, choice) in enumerate(zip(maps, choices, strict=True))
        ),
        agreements=tuple(each for each in agreements if each),
        walk=walk_from(session, pair, asked.choice.results),
    )


_Drawn = tuple[Cell, tuple[SimilarityMap, ...]]


def largest_scale(maps: Sequence[SimilarityMap]) -> float:
    """Return what ±1 stands for where maps share one scale."""
    return max((one.scale for one in maps), default=0.0)


def _agreement(by_method: Sequence[Sequence[_Drawn]]) -> Agreement | None:
    """Compare the models that explain a pair by every method; None where fewer than two do."""
    whole = [all(maps for _, maps in column) for column in zip(*by_method, strict=True)]
    explained = [list(compress(row, whole)) for row in by_method]
    cells = [cell for cell, _ in explained[0]]
    if len(cells) < 2:
        return None
    maps = [[[one.values for one in found] for _, found in row] for row in explained]
    return agreement_of(cells[0].pair.id, [cell.model.name for cell in cells], maps)


def _rows(
    by_pair: Sequence[Sequence[_Drawn]], choice: Choice, agreements: Sequence[float | None]
) -> MethodRows:
    """Place the panels of one method."""
    scale = largest_scale([one for row in by_pair for _, maps in row for one in maps])
    limit = scale if choice.scale == "shared" and choice.view != "original" else None
    lines = tuple(
        Line(row[0][0].pair, tuple(_panel(*each, choice, limit) for each in row), agreement)
        for row, agreement in zip(by_pair, agreements, strict=True)
        if row
    )
    return MethodRows(choice.method, lines, scale)


def _panel(cell: Cell, maps: Sequence[SimilarityMap], choice: Choice, limit: float | None) -> Panel:
    pair, model, explained = cell.pair, cell.model, cell.explained
    results = "" if pair.id == choice.pin else choice.results
    url = _address("viewer.pair", pair.id, choice.to_query(model=model.name, results=results))
    if explained is None or not maps:
        return Panel(cell, url)
    fitting = cell.fitting(choice)
    faces = []
    for side, found in enumerate(maps, start=1):
        shown = shown_map(found, fitting, shared=limit)
        image = pair.image1_row if side == 1 else pair.image2_row
        name = "Left" if side == 1 else "Right"
        subject = f"{name} face, {image.identity.replace('_', ' ')}"
        faces.append(
            Face(
                subject=subject,
                face_url=url_for("media.picture", key=image.media),
                picture_url=_picture_url(cell, fitting, side, limit),
                about=about_text(subject, model.title, shown, fitting),
                scale=shown.scale,
            )
        )
    api_url = url_for(
        "explanations.explanations", pair_id=pair.id, model=model.name, spec=explained.name
    )
    return Panel(cell, url, api_url, tuple(faces))


def _picture_url(cell: Cell, choice: Choice, side: int, limit: float | None) -> str:
    explained = cell.explained
    if explained is None:
        raise LookupError("There is no picture of a pair that is not explained.")
    if choice.is_published:
        key = explained.explanation.xmaps[f"{choice.method}{side}"]
        return url_for("media.picture", key=key)
    query = choice.to_picture_query(model=cell.model.name, spec=explained.name)
    if limit is None:
        return f"{url_for('viewer.picture', pair_id=cell.pair.id, side=side)}?{query}"
    address = url_for("comparison.picture", pair_id=cell.pair.id, side=side)
    return f"{address}?{query}&{urlencode({'limit': repr(limit)})}"
