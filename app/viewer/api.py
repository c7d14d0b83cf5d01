"""The explanations of a pair for programs: specs, scales, URLs, and the deviations themselves."""

from __future__ import annotations

import hashlib
from typing import Any

from flask import Blueprint, Response, jsonify, request, url_for

from app.api.contract import (
    INTEGER,
    NUMBER,
    OBJECT,
    TEXT,
    URL,
    Part,
    by_name,
    listing,
    operation,
    record,
    words,
)
from app.api.replies import query_params
from app.caching import IMMUTABLE
from app.errors import NotFound
from app.explorer.query_string import values_by_name
from app.extensions import db
from app.models import Pair
from app.viewer import queries
from app.viewer.deviations import ROWS, quantise, unpack
from app.viewer.explained import ExplainedPair, explain_command, explanations_of

blueprint = Blueprint("explanations", __name__, url_prefix="/api/v1/pairs")

_SPEC = Part(TEXT, "Name of an explanation set; the default one where it is left out")
_SCALES = words(by_name(by_name(NUMBER)), "By normalisation and row of deviations")
_SET = record(
    {
        "name": TEXT,
        "status": words({**TEXT, "enum": ["ok", "flat"]}, "flat where hiding changes nothing"),
        "spec": words(OBJECT, "The OcclusionSpec: sizes, stride, shape, fill, blur, grid, seed"),
        "count": words(INTEGER, "Occlusions of an image, K"),
        "deviations": record(
            {
                "url": words(URL, "Address of the 5 x K whole numbers"),
                "dtype": TEXT,
                "byteorder": TEXT,
                "scale": words(NUMBER, "Number times scale is a difference of distance"),
                "rows": listing({**TEXT, "enum": list(ROWS)}),
            }
        ),
        "scales": _SCALES,
        "shared_scales": words(_SCALES, "The largest of all pairs of the set"),
        "methods": words(
            listing({**TEXT, "enum": ["I", "II", "III"]}),
            "What the model allows; rows of other methods are 0",
        ),
        "xmaps": words(by_name(URL), "X-Maps as PNG: I1, I2, II1, II2, III1, III2"),
    },
    title="ExplanationSet",
)
_EXPLANATIONS = record(
    {
        "pair": INTEGER,
        "model": TEXT,
        "sets": listing(_SET),
        "command": words(TEXT, "What to run where there is none yet"),
    },
    title="Explanations",
    optional=("command",),
)


@blueprint.get("/<int:pair_id>/explanations/<model>")
@operation("Explanations", _EXPLANATIONS, query={"spec": _SPEC})
def explanations(pair_id: int, model: str) -> Response:
    """Return the explanation sets that hold a pair, or the one that ``spec`` names."""
    spec = _spec_of_request()
    session = db.session()
    pair = queries.fetch_pair(session, pair_id)
    name = queries.fetch_model(session, model).name
    found = explanations_of(session, pair, name, deviations=True)
    chosen = found.holding
    if spec is not None:
        one = found.named(spec)
        chosen = (one,) if one else ()
    body: dict[str, Any] = {
        "pair": pair.id,
        "model": name,
        "sets": [_describe(pair, name, each) for each in chosen],
    }
    if not chosen:
        verified = any(r.model.name == name for r in queries.fetch_results(session, pair.id))
        body["command"] = explain_command(pair, name, verified=verified, spec=spec)
    return jsonify(body)


@blueprint.get("/<int:pair_id>/explanations/<model>.bin")
@operation(
    "Explanations",
    words(TEXT, "int16, little-endian, row by row: I1, I2, II1, II2, III"),
    media_type="application/octet-stream",
    query={"spec": _SPEC, "v": Part(TEXT, "Version of the content, as the JSON names it")},
)
def deviations(pair_id: int, model: str) -> Response:
    """Return 5 x K int16, little-endian, in the order of ``ROWS``; the header holds their scale."""
    session = db.session()
    pair = queries.fetch_pair(session, pair_id)
    name = queries.fetch_model(session, model).name
    found = explanations_of(session, pair, name, deviations=True)
    chosen = found.named(_spec_of_request(also=("v",)))
    if chosen is None:
        verified = any(r.model.name == name for r in queries.fetch_results(session, pair.id))
        command = explain_command(pair, name, verified=verified, spec=request.args.get("spec"))
        raise NotFound(f"Pair {pair.id} is not explained by {name!r} yet. To do so: {command}")
    quantised = quantise(
        unpack(chosen.explanation.deviations, chosen.spec.count),
        flat=chosen.explanation.status == "flat",
    )
    response = Response(quantised.to_bytes(), mimetype="application/octet-stream")
    response.headers["X-Deviation-Scale"] = repr(quantised.scale)
    response.set_etag(_version(chosen))
    # The URL that the JSON gives names the content and may be kept; any other is asked again.
    named = request.args.get("v") == _version(chosen)
    response.headers["Cache-Control"] = IMMUTABLE if named else "no-cache"
    response.make_conditional(request)
    return response


def _spec_of_request(*, also: tuple[str, ...] = ()) -> str | None:
    given = values_by_name(query_params(), single=("spec", *also))["spec"]
    return given[0] if given else None


def _version(explained: ExplainedPair) -> str:
    return hashlib.sha256(explained.explanation.deviations).hexdigest()[:16]


def _describe(pair: Pair, model: str, explained: ExplainedPair) -> dict[str, Any]:
    spec, explanation = explained.spec, explained.explanation
    quantised = quantise(
        unpack(explanation.deviations, spec.count), flat=explanation.status == "flat"
    )
    return {
        "name": explained.name,
        "status": explanation.status,
        "spec": spec.to_dict(),
        "count": spec.count,
        "deviations": {
            "url": url_for(
                "explanations.deviations",
                pair_id=pair.id,
                model=model,
                spec=explained.name,
                v=_version(explained),
                _external=True,
            ),
            "dtype": "int16",
            "byteorder": "little",
            "scale": quantised.scale,
            "rows": list(ROWS),
        },
        "scales": explanation.scales,
        "shared_scales": queries.fetch_shared_scales(db.session(), explained.explanation_set),
        "methods": list(explanation.methods),
        "xmaps": {
            side: url_for("media.picture", key=key, _external=True)
            for side, key in explanation.xmaps.items()
        },
    }
