"""The comparison grid of a pair, and its pictures on a scale that several of them share."""

from __future__ import annotations

import re
from dataclasses import replace

from flask import Blueprint, Response, render_template, request
from werkzeug.datastructures import MultiDict

from app.api.replies import query_args
from app.errors import BadQuery, NotFound
from app.extensions import db
from app.viewer.choices import Choice
from app.viewer.comparison import Asked, compare_pairs
from app.viewer.drawing import read_pair
from app.viewer.media import media_store
from app.viewer.pictures import write_png
from app.viewer.routes import reply

blueprint = Blueprint("comparison", __name__, url_prefix="/viewer")


@blueprint.get("/<int:pair_id>/compare")
def compare(pair_id: int) -> str:
    """Show a pair under several models and methods, beside a pinned pair where one is named."""
    found = compare_pairs(db.session(), pair_id, Asked.from_args(query_args()))
    return render_template("viewer/compare.html", page=found, choice=found.asked.choice)


@blueprint.get("/<int:pair_id>/compare/<int:side>.png")
def picture(pair_id: int, side: int) -> Response:
    """Draw one side on the scale ``limit``: what ±1 stands for, in units of distance."""
    if side not in (1, 2):
        raise NotFound(f"A pair has the sides 1 and 2, not {side}.")
    rest = [(name, value) for name, value in request.args.items(multi=True) if name != "limit"]
    limit = _positive(request.args.get("limit", ""))
    choice = Choice.from_args(MultiDict(rest))
    drawn = read_pair(db.session(), media_store(), pair_id, choice, map_wanted=False)
    return reply(write_png(replace(drawn, shared=limit).picture(side)), "image/png")


def _positive(text: str) -> float:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,20})?(e-[0-9]{1,2})?", text):
        raise BadQuery(
            f"limit={text!r}: expected what ±1 stands for, a number such as 0.0123.",
            parameter="limit",
            value=text,
        )
    return float(text)
