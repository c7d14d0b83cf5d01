"""The URLs of the explorer: parse, ask, show; nothing else."""

from __future__ import annotations

from flask import Blueprint, Response, make_response, render_template, request
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as Redirect

from app.data.context import SCORES, file_url
from app.data.shelf import latest_release
from app.explorer.catalogue import Catalogue, Named, load_catalogue
from app.explorer.context import explorer_context
from app.explorer.filters import ExplorerQuery
from app.explorer.page import fetch_page
from app.explorer.parsing import parse_query
from app.explorer.query_string import MOST_FIELDS, read_query_string
from app.explorer.search import basket_url, form_params
from app.explorer.summary import summarise
from app.explorer.summary_context import summary_context
from app.explorer.urls import explorer_url, summary_url, viewer_url
from app.extensions import db
from app.page_cache import kept

blueprint = Blueprint("explorer", __name__, url_prefix="/explorer")


@blueprint.get("")
@kept
def index() -> str:
    """Show one page of the pairs that the URL asks for."""
    session = db.session()
    catalogue = load_catalogue(session)
    query = parse_query(read_query_string(request.query_string), catalogue)
    context = explorer_context(fetch_page(session, query), catalogue)
    return render_template(
        "explorer/index.html",
        context=context,
        viewer_url=viewer_url,
        releases=_releases(query, catalogue),
    )


@blueprint.get("/summary")
@kept
def summary() -> Response:
    """Show counts, histograms and confusion of the pairs that the URL asks for."""
    session = db.session()
    query = parse_query(read_query_string(request.query_string), load_catalogue(session))
    found = summarise(session, query)
    context = summary_context(found, retry_url=summary_url(query))
    response = make_response(render_template("explorer/summary.html", context=context))
    if found.unfinished:
        response.cache_control.no_store = True  # the next visitor may be luckier
    return response


@blueprint.get("/search")
def search() -> Redirect:
    """Take a form and go to the query that it asks for."""
    catalogue = load_catalogue(db.session())
    params = form_params(read_query_string(request.query_string, most=MOST_FIELDS), catalogue)
    query = parse_query(params, catalogue)
    return redirect(explorer_url(query), code=303)


@blueprint.get("/basket")
def basket() -> Redirect:
    """Take the ticked pairs and go to what is to be done with them."""
    params = read_query_string(request.query_string, most=MOST_FIELDS)
    return redirect(basket_url(params, load_catalogue(db.session())), code=303)


def _releases(query: ExplorerQuery, catalogue: Catalogue) -> list[tuple[Named, str]]:
    """Return the Parquet of each shown model, where the query is about one dataset."""
    datasets = catalogue.datasets if query.scope is None else query.scope
    if len(datasets) != 1:
        return []
    found = ((model, latest_release(datasets[0].name, model.name)) for model in query.models)
    return [(model, file_url(release, SCORES)) for model, release in found if release]
