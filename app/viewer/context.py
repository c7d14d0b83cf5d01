"""All that the page of a pair says, gathered before the template writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from flask import url_for
from sqlalchemy.orm import Session

from app.models import Image, Pair, Result
from app.viewer import queries
from app.viewer.choices import Choice
from app.viewer.deviations import ROWS, row_name, unpack
from app.viewer.drawing import read_shared_scale
from app.viewer.explained import (
    ExplainedPair,
    choose_result,
    explain_command,
    explanations_of,
)
from app.viewer.maps import chosen_map, shown_map
from app.viewer.words import PLACES, Place, about_text
from compute.occlusion import OcclusionSpec

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class SideView:
    """One of the two images as the page shows it.

    Attributes
    ----------
    number
        1 for the left, 2 for the right.
    image
        The row of the image.
    face_url
        The aligned face itself.
    picture_url
        The face drawn as chosen; the face itself where nothing is explained.
    subject
        Which face, and whose.
    about
        What the picture shows, for those who do not see it.
    scale
        What ±1 of the map means, in units of distance; 0 where flat.
    """

    number: int
    image: Image
    face_url: str
    picture_url: str
    subject: str
    about: str
    scale: float = 0.0

    @property
    def name(self) -> str:
        """``left`` or ``right``."""
        return "left" if self.number == 1 else "right"


@dataclass(frozen=True)
class ViewerContext:
    """The contents of ``viewer/pair.html``.

    Attributes
    ----------
    pair
        The pair, with dataset and images.
    choice
        What the URL asks for, with the model and set that it led to filled in.
    sides
        The two images.
    results
        What every model says of the pair, by model name.
    result
        The verdict of the chosen model; None where it has none.
    explained
        The chosen explanation set; None where the pair is not in it.
    spec
        The set's ``OcclusionSpec``.
    set_names
        All sets of the model on the dataset, to choose from.
    command
        What to run where the pair is not verified or not explained.
    wanted_method
        The method that the URL asks for, which a model may not allow.
    """

    pair: Pair
    choice: Choice
    sides: tuple[SideView, SideView]
    results: Sequence[Result]
    result: Result | None
    explained: ExplainedPair | None
    spec: OcclusionSpec | None
    set_names: tuple[str, ...]
    command: str | None
    wanted_method: str

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that the chosen set holds."""
        return self.explained.explanation.methods if self.explained else ()

    @property
    def other_methods(self) -> list[tuple[str, str]]:
        """Value and text of each method to compare with."""
        return [(method, f"Method {method}") for method in self.methods]

    @property
    def shown_model(self) -> str | None:
        """Title of the chosen model."""
        return self.result.model.title if self.result else None

    @property
    def places(self) -> tuple[Place, ...]:
        """The parts of a face, for scripts that name them."""
        return PLACES

    @property
    def mask_url(self) -> str | None:
        """The picture that marks what really differs."""
        key = self.pair.mask_media
        return url_for("media.picture", key=key) if key else None

    def url(self, pair_id: int, **changes: object) -> str:
        """Return the viewer of a pair with the same choices, but for ``changes``."""
        query = self.choice.to_query(**changes)
        address = url_for("viewer.pair", pair_id=pair_id)
        return f"{address}?{query}" if query else address


def viewer_context(session: Session, pair_id: int, choice: Choice) -> ViewerContext:
    """Read all that the page of a pair needs, in a fixed number of queries."""
    pair = queries.fetch_pair(session, pair_id)
    results = queries.fetch_results(session, pair.id)
    result = choose_result(session, results, choice.model)
    model = result.model.name if result else choice.model
    explained: ExplainedPair | None = None
    known: tuple[str, ...] = ()
    command: str | None = None
    if model is None:
        command = f"flask compute --dataset {pair.dataset.name} --stage verify"
    else:
        found = explanations_of(session, pair, model, deviations=True)
        known = found.known
        explained = found.named(choice.spec)
        if explained is None:
            command = explain_command(pair, model, verified=result is not None, spec=choice.spec)
    wanted = choice.method
    if explained:
        choice = choice.with_patches_of(explained.spec.patch_sizes)
        choice = choice.with_method_of(explained.explanation.methods)
    return ViewerContext(
        pair=pair,
        choice=choice,
        sides=(
            _side(session, pair, 1, choice, explained, result),
            _side(session, pair, 2, choice, explained, result),
        ),
        results=results,
        result=result,
        explained=explained,
        spec=explained.spec if explained else None,
        set_names=known,
        command=command,
        wanted_method=wanted,
    )


def _side(
    session: Session,
    pair: Pair,
    number: int,
    choice: Choice,
    explained: ExplainedPair | None,
    result: Result | None,
) -> SideView:
    image = pair.image1_row if number == 1 else pair.image2_row
    face = url_for("media.picture", key=image.media)
    subject = f"{'Left' if number == 1 else 'Right'} face, {image.identity.replace('_', ' ')}"
    if explained is None:
        return SideView(number, image, face, face, subject, subject)
    model = result.model.name if result else choice.model
    title = result.model.title if result else model
    spec = explained.spec
    rows = unpack(explained.explanation.deviations, spec.count).astype(np.float64)
    found = chosen_map(rows[ROWS.index(row_name(choice.method, number))], spec, choice)
    shown = shown_map(found, choice, shared=read_shared_scale(session, explained, choice))
    if choice.is_published:
        key = explained.explanation.xmaps[f"{choice.method}{number}"]
        picture = url_for("media.picture", key=key)
    else:
        query = choice.to_picture_query(model=model, spec=explained.name)
        picture = f"{url_for('viewer.picture', pair_id=pair.id, side=number)}?{query}"
    return SideView(
        number=number,
        image=image,
        face_url=face,
        picture_url=picture,
        subject=subject,
        about=about_text(subject, title, shown, choice),
        scale=shown.scale,
    )


def scientific(value: float) -> str:
    """Write a small number as people do: 2.31 × 10⁻⁵."""
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.2e}".split("e")
    if -3 <= int(exponent) <= 2:
        return f"{value:.3g}"
    return f"{mantissa} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"
