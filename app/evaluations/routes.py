"""The URLs of the leaderboard and of one evaluation: parse, ask, show; nothing else."""

from __future__ import annotations

from flask import Blueprint, Response, render_template, request

from app.api.replies import query_params, reply
from app.data.context import page_url
from app.data.shelf import latest_release
from app.evaluations.context import evaluation_context
from app.evaluations.figures import build_figures
from app.evaluations.leaderboard import fetch_leaderboard, parse_leaderboard
from app.explorer.catalogue import load_catalogue
from app.extensions import db
from app.page_cache import kept

blueprint = Blueprint("evaluations", __name__, url_prefix="/models")


@blueprint.get("")
def leaderboard() -> str:
    """Rank the models on every dataset."""
    session = db.session()
    catalogue = load_catalogue(session)
    query = parse_leaderboard(query_params(), catalogue)
    return render_template("pages/models.html", page=fetch_leaderboard(session, catalogue, query))


@blueprint.get("/<model>/<dataset>")
@kept
def evaluation(model: str, dataset: str) -> str:
    """Show the curves of one evaluation, its folds and its provenance."""
    page = evaluation_context(db.session(), model, dataset, query_params())
    release = latest_release(dataset, model)
    return render_template(
        "pages/evaluation.html", page=page, release_url=page_url(release) if release else None
    )


@blueprint.get("/<model>/<dataset>/figures.json")
def figures(model: str, dataset: str) -> Response:
    """Return the charts of one evaluation as plotly.js draws them."""
    page = evaluation_context(db.session(), model, dataset, query_params())
    response = reply(build_figures(page.curves, page.bins, page.links))
    response.headers["Cache-Control"] = "no-cache"
    response.add_etag(weak=True)  # of what it says: it goes out compressed or not
    response.make_conditional(request)
    return response
