"""All that the page of an evaluation says, gathered before the template writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy.orm import Session

from app.errors import BadQuery
from app.evaluations.bins import Bin, drawn_bins
from app.evaluations.drawings import Drawings, draw
from app.evaluations.links import PairLinks
from app.evaluations.plotly_file import script_url
from app.evaluations.results import Curves, fetch_curves
from app.explorer.columns import shown
from app.explorer.query_string import Params
from app.models import Evaluation
from app.pages.overview import fetch_evaluation


@dataclass(frozen=True)
class View:
    """What the URL picks out: a fold among the lines, and a logarithmic axis for the ROC."""

    fold: int | None = None
    log_roc: bool = False

    @property
    def query(self) -> str:
        """The view as a query string with its question mark; empty for the plain one."""
        params = [("fold", str(self.fold))] if self.fold is not None else []
        if self.log_roc:
            params.append(("roc", "log"))
        return f"?{urlencode(params)}" if params else ""


def parse_view(params: Params, evaluation: Evaluation) -> View:
    """Read ``fold=`` and ``roc=``; ``BadQuery`` names what is not known."""
    allowed = {
        "fold": [str(fold.fold) for fold in evaluation.folds],
        "roc": ["linear", "log"],
    }
    found: dict[str, str] = {}
    for name, text in params:
        if name not in allowed:
            raise BadQuery(f"Unknown parameter {shown(name)}.", parameter=name, allowed=allowed)
        if name in found:
            raise BadQuery(f"{name} stands more than once; it may stand once.", parameter=name)
        if text not in allowed[name]:
            raise BadQuery(
                f"{name}={shown(text)} is not known.",
                parameter=name,
                value=text,
                allowed=allowed[name],
            )
        found[name] = text
    return View(
        fold=int(found["fold"]) if "fold" in found else None, log_roc=found.get("roc") == "log"
    )


@dataclass(frozen=True)
class EvaluationContext:
    """The contents of ``pages/evaluation.html``.

    Attributes
    ----------
    evaluation
        The evaluation, with model, dataset and folds.
    view
        What the URL picks out.
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
    view: View
    curves: Curves
    bins: Sequence[Bin]
    drawings: Drawings
    links: PairLinks
    plotly: str | None

    @property
    def address(self) -> str:
        """The page itself."""
        return f"/models/{quote(self.links.model)}/{quote(self.links.dataset)}"

    def url(self, **changes: Any) -> str:
        """Return the page with the same view, but for ``changes``."""
        return self.address + replace(self.view, **changes).query

    @property
    def reliability(self) -> list[dict[str, Any]]:
        """The filled bins of confidence."""
        return [each for each in self.curves.reliability if each["count"]]

    @property
    def above(self) -> list[dict[str, Any]]:
        """Every fifth step of the confidence that pairs may be kept from."""
        return [each for each in self.curves.accuracy_above[::5] if each["count"]]


def evaluation_context(
    session: Session, model: str, dataset: str, params: Params
) -> EvaluationContext:
    """Read all that the page needs, in three queries, or two where the curves are remembered."""
    evaluation = fetch_evaluation(session, model, dataset)
    view = parse_view(params, evaluation)
    curves = fetch_curves(session, evaluation)
    bins = drawn_bins(curves.distance_histogram)
    return EvaluationContext(
        evaluation=evaluation,
        view=view,
        curves=curves,
        bins=bins,
        drawings=draw(curves, bins, log_roc=view.log_roc),
        links=PairLinks.of(evaluation),
        plotly=script_url(),
    )
