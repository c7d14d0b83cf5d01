"""The URLs of the explorer: parse, ask, show; nothing else."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from app.explorer.catalogue import load_catalogue
from app.explorer.context import explorer_context, explorer_url, viewer_url
from app.explorer.filters import parse_query, read_query_string
from app.explorer.page import fetch_page
from app.extensions import db

blueprint = Blueprint("explorer", __name__, url_prefix="/explorer")


@blueprint.get("")
def index() -> str:
    """Show one page of the pairs that the URL asks for."""
    session = db.session()
    catalogue = load_catalogue(session)
    query = parse_query(read_query_string(request.query_string), catalogue)
    context = explorer_context(fetch_page(session, query), catalogue)
    return render_template("explorer/index.html", context=context, viewer_url=viewer_url)


@blueprint.get("/search")
def search() -> Response:
    """Take the filter form: drop the fields that were left empty, and go to the query itself.

    The grammar knows no empty values, and a page has one address, so the form does not lead
    straight to the explorer.
    """
    params = read_query_string(request.query_string)
    filled = [(name, value) for name, value in params if value]
    query = parse_query(filled, load_catalogue(db.session()))
    return redirect(explorer_url(query), code=303)
