"""The comparison grid of a pair, and its pictures on a scale that several of them share."""

from __future__ import annotations

import re
from dataclasses import replace

from flask import Blueprint, Response, redirect, render_template
from werkzeug.wrappers import Response as WerkzeugResponse

from app.api.replies import query_args
from app.caching import content_reply
from app.errors import BadQuery, NotFound
from app.explorer.query_string import require_once
from app.extensions import db
from app.viewer.choices import Choice
from app.viewer.compare_figure import draw_comparison
from app.viewer.comparison import Asked, compare_pairs
from app.viewer.drawing import read_pair
from app.viewer.media import media_store
from app.viewer.pictures import write_png

blueprint = Blueprint("comparison", __name__, url_prefix="/viewer")


@blueprint.get("/<int:pair_id>/compare")
def compare(pair_id: int) -> str:
    """Show a pair under several models and methods, beside a pinned pair where one is named."""
    found = compare_pairs(db.session(), pair_id, Asked.from_args(query_args()))
    return render_template("viewer/compare.html", page=found, choice=found.asked.choice)


@blueprint.get("/<int:pair_id>/compare/choose")
def choose(pair_id: int) -> WerkzeugResponse:
    """Take the form, which sends every field, and go to the address without the usual values."""
    found = compare_pairs(db.session(), pair_id, Asked.from_args(query_args()))
    return redirect(found.url(pair_id), code=303)


@blueprint.get("/<int:pair_id>/compare/figure.png")
def figure(pair_id: int) -> Response:
    """Draw the grid with colour bar and caption, for a paper."""
    found = compare_pairs(db.session(), pair_id, Asked.from_args(query_args()))
    return content_reply(draw_comparison(found, media_store()), "image/png", name=found.file_name)


@blueprint.get("/<int:pair_id>/compare/<int:side>.png")
def picture(pair_id: int, side: int) -> Response:
    """Draw one side on the scale ``limit``: what ±1 stands for, in units of distance."""
    if side not in (1, 2):
        raise NotFound(f"A pair has the sides 1 and 2, not {side}.")
    args = query_args()
    require_once(list(args.items(multi=True)), ["limit"])
    limit = _positive(args.pop("limit", ""))
    choice = Choice.from_args(args)
    drawn = read_pair(db.session(), media_store(), pair_id, choice, map_wanted=False)
    return content_reply(write_png(replace(drawn, shared=limit).picture(side)), "image/png")


def _positive(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,20})?(e-[0-9]{1,2})?", text):
        raise BadQuery(
            f"limit={text!r}: expected what ±1 stands for, a number such as 0.0123.",
            parameter="limit",
            value=text,
        )
    return float(text)
