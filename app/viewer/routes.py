"""The page of one pair, and its pictures as the page's form asks for them."""

from __future__ import annotations

import hashlib

import numpy as np
from flask import Blueprint, Response, render_template, request
from numpy.typing import NDArray

from app.errors import NotFound
from app.extensions import db
from app.media import MediaKeyError
from app.viewer import queries
from app.viewer.choices import Choice
from app.viewer.context import shared_scale, viewer_context
from app.viewer.deviations import ROWS, row_name, unpack
from app.viewer.explained import choose_result, explain_command, explanations_of
from app.viewer.media import media_store
from app.viewer.pictures import draw, outline, read_png, write_png

blueprint = Blueprint("viewer", __name__, url_prefix="/viewer")


@blueprint.get("/<int:pair_id>")
def pair(pair_id: int) -> str:
    """Show one pair: its images and maps, the verdict of a model, and those of all models."""
    choice = Choice.from_args(request.args)
    context = viewer_context(db.session(), pair_id, choice)
    return render_template("viewer/pair.html", page=context, choice=context.choice)


@blueprint.get("/<int:pair_id>/<int:side>.png")
def picture(pair_id: int, side: int) -> Response:
    """Draw one side of a pair as the parameters of the viewer say."""
    if side not in (1, 2):
        raise NotFound(f"A pair has the sides 1 and 2, not {side}.")
    choice = Choice.from_args(request.args)
    session = db.session()
    found = queries.fetch_pair(session, pair_id)
    image = found.image1_row if side == 1 else found.image2_row
    pixels = _read(image.media)
    if choice.view != "original":
        result = choose_result(session, queries.fetch_results(session, found.id), choice.model)
        name = result.model.name if result else choice.model
        if name is None:
            raise NotFound(f"Pair {found.id} is not verified by any model yet.")
        explained = explanations_of(session, found, name, deviations=True).named(choice.spec)
        if explained is None:
            command = explain_command(found, name, verified=result is not None, spec=choice.spec)
            raise NotFound(f"Pair {found.id} is not explained by {name!r} yet. To do so: {command}")
        spec = explained.spec
        row = row_name(choice.method, side)
        deviations = unpack(explained.explanation.deviations, spec.count)[ROWS.index(row)]
        shared = None
        if choice.scale == "shared":
            scales = queries.fetch_shared_scales(session, explained.explanation_set)
            shared = shared_scale(scales, choice)
        pixels = draw(
            pixels, deviations, spec, choice.with_patches_of(spec.patch_sizes), shared_scale=shared
        )
    if choice.mask and found.mask_media:
        pixels = outline(pixels, _read(found.mask_media, mode="L"))
    body = write_png(pixels)
    response = Response(body, mimetype="image/png")
    response.set_etag(hashlib.sha256(body).hexdigest()[:32])
    response.headers["Cache-Control"] = "public, max-age=600"
    response.make_conditional(request)
    return response


def _read(key: str, *, mode: str = "RGB") -> NDArray[np.uint8]:
    try:
        return read_png(media_store().read(key), mode=mode)
    except MediaKeyError as error:
        raise NotFound(f"{error} Publish the pair again, or mend XFV_MEDIA_URL.") from error
