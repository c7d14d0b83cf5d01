"""Routes of the front page, the method and the probes."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus

from flask import Blueprint, Response, jsonify, render_template, request
from werkzeug.datastructures import MultiDict

from app.api.replies import no_parameters, query_params
from app.caching import content_reply
from app.explorer.query_string import values_by_name
from app.extensions import db
from app.pages.collections import collections_of
from app.pages.gallery import fetch_gallery, preview_of
from app.pages.method import method_page, patch_picture
from app.pages.overview import fetch_overview
from app.pages.readiness import unready_reason
from app.viewer.choices import Choice
from app.viewer.citation import PAPER
from app.viewer.context import viewer_context
from app.viewer.media import media_store
from app.viewer.queries import fetch_example

blueprint = Blueprint("pages", __name__)


@blueprint.get("/")
def home() -> str:
    """Show what this is, one pair to play with, and what data is here."""
    session = db.session()
    overview = fetch_overview(session)
    example = preview_of(fetch_gallery(session, None)) or fetch_example(session)
    preview = None
    if example is not None:
        pair, model = example
        # The front page takes the viewer's parameters, but is no place to complain of others.
        given = MultiDict((k, v) for k, v in request.args.items() if k in ("method", "blend"))
        choice = replace(Choice.from_args(given), model=model)
        preview = viewer_context(session, pair.id, choice)
    return render_template(
        "pages/home.html",
        overview=overview,
        page=preview,
        choice=preview.choice if preview else None,
        collections=collections_of(overview),
        citation=PAPER,
    )


@blueprint.get("/progress.json")
def progress() -> Response:
    """Return the counts of the front page while the pipeline runs."""
    no_parameters()
    response = jsonify(fetch_overview(db.session()).to_dict())
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/method")
def method() -> str:
    """Explain the equations and the choices that were made, on pairs of this site."""
    given = values_by_name(query_params(), single=("dataset",))["dataset"]
    page = method_page(db.session(), given[0] or None if given else None)
    return render_template("pages/method.html", page=page)


@blueprint.get("/method/patches/<int:pair_id>/<name>.png")
def patch(pair_id: int, name: str) -> Response:
    """Draw the first face of a pair under one patch, as the pipeline does."""
    body = patch_picture(db.session(), media_store(), pair_id, name)
    return content_reply(body, "image/png")


@blueprint.get("/healthz")
def healthz() -> Response:
    """Answer as soon as the site can serve; needs no database."""
    response = jsonify({"status": "ok"})
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.get("/readyz")
def readyz() -> Response:
    """Answer 200 once there is something complete to show, else 503 and why not."""
    reason = unready_reason(db.session())
    response = jsonify({"ready": reason is None, **({"reason": reason} if reason else {})})
    response.headers["Cache-Control"] = "no-store"
    if reason:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
        response.headers["Retry-After"] = "5"
    return response
