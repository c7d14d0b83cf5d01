"""The URLs of triage: choose, review one pair at a time, read the report."""

from __future__ import annotations

from flask import Blueprint, make_response, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from app.api.replies import query_params
from app.errors import BadQuery
from app.explorer.catalogue import load_catalogue
from app.explorer.columns import shown
from app.explorer.query_string import query_text, read_query_string
from app.extensions import db
from app.triage.answer import read_answer
from app.triage.context import review_context, setup_context, triage_url
from app.triage.origin import refuse_cross_site
from app.triage.queue import load_candidate, require_result
from app.triage.report import KINDS, report_context
from app.triage.reviews import reviews_of, store_review
from app.triage.study import STUDY, NotEvaluated, Study, read_pair_id, read_study

blueprint = Blueprint("triage", __name__, url_prefix="/triage")

FORM = "application/x-www-form-urlencoded"


@blueprint.get("")
def setup() -> str:
    """Choose whose pairs to review, up to which confidence, and how."""
    session = db.session()
    catalogue = load_catalogue(session)
    if not catalogue.evaluated:
        return render_template("triage/empty.html")
    params = query_params()
    study, _more = read_study(params, catalogue, instead=True)
    page = setup_context(session, catalogue, study, wanted=dict(params).get("model", ""))
    return render_template("triage/setup.html", page=page)


@blueprint.get("/queue")
def queue() -> Response:
    """Show the next open pair, or the one that ``pair`` names."""
    session = db.session()
    params = query_params()
    try:
        study, more = read_study(params, load_catalogue(session), also=("pair", "after"))
    except NotEvaluated:
        # The form without scripts offers the models of the dataset that it was made for.
        form = [(name, value) for name, value in params if name in STUDY]
        return redirect(f"{url_for('triage.setup')}?{query_text(form)}", code=303)
    _require_reviewer(study)
    after = read_pair_id(more.get("after"), "after")
    if after is not None:
        require_result(session, study, after, parameter="after")
    pair = read_pair_id(more.get("pair"), "pair")
    page = review_context(session, study, pair=pair, after=after)
    response = make_response(render_template("triage/review.html", page=page))
    # The way back must show what was answered meanwhile, not the page as it was.
    response.headers["Cache-Control"] = "no-store"
    return response


@blueprint.post("/queue")
def answer() -> Response:
    """Store an answer and lead on: to the next pair, or first to what the machine says of this."""
    refuse_cross_site(
        request.headers.get("Sec-Fetch-Site"), request.headers.get("Origin"), request.host
    )
    if request.mimetype != FORM:
        raise BadQuery(f"An answer is sent as a form ({FORM}), not as {shown(request.mimetype)}.")
    session = db.session()
    study, _more = read_study(query_params(), load_catalogue(session), also=("pair", "after"))
    _require_reviewer(study)
    fields = read_query_string(request.get_data())
    if ("answer", "") in fields:  # Enter in a field of the form: nothing is decided yet
        return redirect(triage_url("queue", study, pair=dict(fields).get("pair")), code=303)
    given = read_answer(fields)
    candidate = load_candidate(session, study, given.pair_id)
    is_first = not reviews_of(session, study, given.pair_id)
    store_review(session, study, candidate, given)
    reveal = given.pair_id if study.is_blind and is_first else None
    return redirect(triage_url("queue", study, pair=reveal), code=303)


@blueprint.get("/report")
def report() -> str:
    """Report what the machine, the reviewers and both together get right."""
    session = db.session()
    catalogue = load_catalogue(session)
    if not catalogue.evaluated:
        return render_template("triage/empty.html")
    study, more = read_study(query_params(), catalogue, also=("answers",))
    kind = more.get("answers", KINDS[0])
    if kind not in KINDS:
        raise BadQuery(
            f"answers={shown(kind)} is not known.", parameter="answers", value=kind, allowed=KINDS
        )
    return render_template("triage/report.html", page=report_context(session, study, kind))


def _require_reviewer(study: Study) -> None:
    if not study.reviewer:
        raise BadQuery(
            "Answers are stored under a name of your choice, and there is none: give one on the "
            "page /triage, or add reviewer= to the address.",
            parameter="reviewer",
        )
