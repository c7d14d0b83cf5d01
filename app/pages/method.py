"""What the page of the method shows: the gallery and the figures, gathered before it is written."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from app.charts import Plot
from app.errors import NotFound
from app.media import MediaKeyError, MediaStore
from app.models import Evaluation
from app.pages.gallery import Exhibit, Gallery, fetch_deviations, fetch_gallery
from app.pages.illustrations import (
    PATCHES,
    DeviationGrid,
    GridDrawing,
    MaskProfile,
    draw_deviations,
    draw_grids,
    draw_profiles,
    occlude_once,
)
from app.pages.score import ScoreFigure, draw_score
from app.viewer.pictures import read_png, write_png
from app.viewer.queries import fetch_pair


@dataclass(frozen=True)
class MethodPage:
    """The contents of ``pages/method.html``.

    Attributes
    ----------
    gallery
        The pairs that illustrate; None while nothing is explained, and the text stands alone.
    steps
        Deviations of the example, one grid per patch size.
    score
        The C-Score of a fold of the gallery's evaluation.
    grids
        Where patches lie, for each grid.
    profile_plot, profiles
        Masks along a row, one per blur.
    patches
        Names of the pictures of patches.
    """

    gallery: Gallery | None
    steps: tuple[DeviationGrid, ...]
    score: ScoreFigure | None
    grids: tuple[GridDrawing, ...]
    profile_plot: Plot
    profiles: tuple[MaskProfile, ...]
    patches: tuple[str, ...] = tuple(PATCHES)

    @property
    def example(self) -> Exhibit | None:
        """The pair that a map is built of step by step."""
        return self.gallery.example if self.gallery else None

    @property
    def evaluation(self) -> Evaluation | None:
        """The model and the dataset of all figures."""
        return self.gallery.evaluation if self.gallery else None


def method_page(session: Session, dataset: str | None) -> MethodPage:
    """Gather the page; nine statements, whatever the site holds."""
    gallery = fetch_gallery(session, dataset)
    steps: tuple[DeviationGrid, ...] = ()
    if gallery:
        deviations = fetch_deviations(session, gallery.example, gallery.spec)
        steps = draw_deviations(deviations, gallery.spec)
    plot, profiles = draw_profiles()
    return MethodPage(
        gallery=gallery,
        steps=steps,
        score=draw_score(session, gallery.evaluation) if gallery else None,
        grids=draw_grids(),
        profile_plot=plot,
        profiles=profiles,
    )


def patch_picture(session: Session, media: MediaStore, pair_id: int, name: str) -> bytes:
    """Return a PNG of the first face of a pair under one patch.

    Raises
    ------
    NotFound
        For another name than those of ``PATCHES``, and where pair or picture is missing.
    """
    if name not in PATCHES:
        raise NotFound(f"There is no picture of a patch {name!r}. There are: {', '.join(PATCHES)}.")
    pair = fetch_pair(session, pair_id)
    try:
        face = read_png(media.read(pair.image1_row.media))
    except MediaKeyError as error:
        raise NotFound(f"{error} Publish the pair again, or mend XFV_MEDIA_URL.") from error
    return write_png(occlude_once(face, PATCHES[name]))
