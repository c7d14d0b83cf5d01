"""The page of one pair, and what it offers: pictures, figure, maps and citation."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import numpy as np
from flask import Blueprint, Response, redirect, render_template, url_for
from numpy.typing import NDArray
from werkzeug.wrappers import Response as WerkzeugResponse

from app.api.replies import query_args
from app.caching import content_reply
from app.errors import NotFound
from app.extensions import db
from app.viewer.choices import Choice
from app.viewer.citation import citation
from app.viewer.context import viewer_context
from app.viewer.drawing import DrawnPair, read_pair
from app.viewer.figure import draw_figure
from app.viewer.media import media_store
from app.viewer.pictures import write_png
from app.viewer.surroundings import surroundings_of

blueprint = Blueprint("viewer", __name__, url_prefix="/viewer")


@blueprint.get("/<int:pair_id>")
def pair(pair_id: int) -> str:
    """Show one pair: its images and maps, the verdict of a model, and those of all models."""
    choice = Choice.from_args(query_args())
    session = db.session()
    context = viewer_context(session, pair_id, choice)
    around = surroundings_of(session, context)
    return render_template("viewer/pair.html", page=context, choice=context.choice, around=around)


@blueprint.get("/<int:pair_id>/choose")
def choose(pair_id: int) -> WerkzeugResponse:
    """Take the form, which sends every field, and go to the address without the usual values."""
    context = viewer_context(db.session(), pair_id, Choice.from_args(query_args()))
    return redirect(context.url(pair_id), code=303)


@blueprint.get("/<int:pair_id>/<int:side>.png")
def picture(pair_id: int, side: int) -> Response:
    """Draw one side of a pair as the parameters of the viewer say."""
    drawn = _read(pair_id, side=side, map_wanted=False)
    response = content_reply(write_png(drawn.picture(side)), "image/png")
    # Seen in a page, and named where it is kept.
    response.headers["Content-Disposition"] = (
        f'inline; filename="{drawn.file_name("png", side=side)}"'
    )
    return response


@blueprint.get("/<int:pair_id>/figure.png")
def figure(pair_id: int) -> Response:
    """Draw both sides with colour bars and caption, for a paper."""
    drawn = _read(pair_id, map_wanted=False)
    return content_reply(draw_figure(drawn), "image/png", name=drawn.file_name("png"))


@blueprint.get("/<int:pair_id>/<int:side>.npy")
def array(pair_id: int, side: int) -> Response:
    """Return the map of one side in units of distance: a NumPy file, (112, 112) float64."""
    drawn = _read(pair_id, side=side)
    buffer = io.BytesIO()
    np.save(buffer, _raw_map(drawn, side), allow_pickle=False)
    name = drawn.file_name("npy", side=side, pictured=False)
    return content_reply(buffer.getvalue(), "application/octet-stream", name=name)


@blueprint.get("/<int:pair_id>/<int:side>.csv")
def table(pair_id: int, side: int) -> Response:
    """Return the same map as 112 lines of 112 numbers, which come back exactly."""
    drawn = _read(pair_id, side=side)
    text = "".join(",".join(map(repr, row)) + "\n" for row in _raw_map(drawn, side).tolist())
    name = drawn.file_name("csv", side=side, pictured=False)
    return content_reply(text.encode(), "text/csv", name=name)


@blueprint.get("/<int:pair_id>/cite.bib")
def cite(pair_id: int) -> Response:
    """Return BibTeX of the method and of this very picture."""
    drawn = _read(pair_id, map_wanted=False)
    query = drawn.choice.to_picture_query()
    url = url_for("viewer.pair", pair_id=pair_id, _external=True) + (f"?{query}" if query else "")
    text = citation(drawn, url, day=datetime.now(UTC).date().isoformat())
    response = content_reply(text.encode(), "text/plain", name=drawn.file_name("bib"))
    # It names this host and today: not for the caches of others.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def _read(pair_id: int, *, side: int = 1, map_wanted: bool = True) -> DrawnPair:
    if side not in (1, 2):
        raise NotFound(f"A pair has the sides 1 and 2, not {side}.")
    choice = Choice.from_args(query_args())
    return read_pair(db.session(), media_store(), pair_id, choice, map_wanted=map_wanted)


def _raw_map(drawn: DrawnPair, side: int) -> NDArray[np.float64]:
    found = drawn.map(side)
    return found.values * found.scale
