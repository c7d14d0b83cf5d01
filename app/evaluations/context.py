"""All that the page of an evaluation says, gathered before the template writes it down."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlalchemy.orm import Session

from app.errors import BadQuery
from app.evaluations.bins import Bin, drawn_bins
from app.evaluations.drawings import Drawings, draw
from app.evaluations.links import PairLinks
from app.evaluations.plotly_file import script_url
from app.evaluations.results import Curves, fetch_curves
from app.explorer.columns import shown
from app.explorer.filters import Params
from app.models import Evaluation
from app.pages.overview import fetch_evaluation


@dataclass(frozen=True)
class EvaluationContext:
    """The contents of ``pages/evaluation.html``.

    Attributes
    ----------
    evaluation
        The evaluation, with model, dataset and folds.
    fold
        The fold that the URL picks out; None for all alike.
    curves, bins
        What the results say, and the histogram as it is drawn.
    drawings
        The charts as SVG.
    links
        Addresses of the pairs behind each mark.
    plotly
        Address of plotly.js; None where it is not installed.
    """

    evaluation: Evaluation
    fold: int | None
    curves: Curves
    bins: Sequence[Bin]
    drawings: Drawings
    links: PairLinks
    plotly: str | None

    @property
    def address(self) -> str:
        """The page itself."""
        return f"/models/{quote(self.links.model)}/{quote(self.links.dataset)}"

    @property
    def reliability(self) -> list[dict[str, Any]]:
        """The filled bins of confidence."""
        return [each for each in self.curves.reliability if each["count"]]

    @property
    def above(self) -> list[dict[str, Any]]:
        """Every fifth step of the confidence that pairs may be kept from."""
        return [each for each in self.curves.accuracy_above[::5] if each["count"]]


def parse_fold(params: Params, evaluation: Evaluation) -> int | None:
    """Return the fold that the URL picks out; ``BadQuery`` where there is no such fold."""
    chosen: int | None = None
    folds = [str(fold.fold) for fold in evaluation.folds]
    for name, text in params:
        if name != "fold":
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=["fold"])
        if chosen is not None:
            raise BadQuery("fold stands more than once; it may stand once.", parameter=name)
        if not re.fullmatch("[0-9]{1,6}", text) or text not in folds:
            raise BadQuery(f"No fold {shown(text)}.", parameter=name, value=text, allowed=folds)
        chosen = int(text)
    return chosen


def evaluation_context(
    session: Session, model: str, dataset: str, params: Params
) -> EvaluationContext:
    """Read all that the page needs, in three queries, or two where the curves are remembered."""
    evaluation = fetch_evaluation(session, model, dataset)
    fold = parse_fold(params, evaluation)
    curves = fetch_curves(session, evaluation)
    bins = drawn_bins(curves.distance_histogram)
    return EvaluationContext(
        evaluation=evaluation,
        fold=fold,
        curves=curves,
        bins=bins,
        drawings=draw(curves, bins),
        links=PairLinks.of(evaluation),
        plotly=script_url(),
    )
