"""The cells that hold what models said: most of a table, so they are no work for a template.

Of ten models on fifty pairs there are 2,500; Jinja takes three times as long for them.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from app.explorer.rows import ModelResult


def result_cells(
    result: ModelResult | None, columns: Sequence[str], model: str, viewer: str
) -> Markup:
    """Return the cells of one row and one model; one over all columns where there is no result.

    Parameters
    ----------
    columns
        Names of model columns, at least one.
    model
        The model's name.
    viewer
        The URL of the pair's page with this model.
    """
    of_model = f' data-model="{escape(model)}"'
    if result is None:
        span = f'colspan="{len(columns)}"'
        return Markup(f'<td class="first missing" {span}{of_model}>not evaluated</td>')  # noqa: S704
    cells = []
    first, beside = " first", of_model
    for name in columns:
        kind, content = _cell(name, result, viewer)
        cells.append(f'<td class="{kind}{first}"{beside}>{content}</td>')
        first = beside = ""
    return Markup("".join(cells))  # noqa: S704  written above, names and URLs escaped


def _cell(name: str, result: ModelResult, viewer: str) -> tuple[str, str]:
    """Return a cell's class and what it holds, as HTML; all of it is ours but the URL."""
    if name == "distance":
        return name, f"{result['distance']:.4f}"
    if name == "threshold":
        return name, f"{result['threshold']:.4f}"
    if name == "confidence":
        confidence = result["confidence"]  # 0.5 is no star, 1 is five
        return f"confidence s{round((confidence - 0.5) * 10)}", f"{confidence:.3f}"
    if name == "prediction":
        said = result["prediction"]
        return name, f'<b class="{said}">{said}</b>'
    if name == "correct":
        return ("right", "right") if result["correct"] else ("wrong", "<b>wrong</b>")
    if result["explained"]:
        return name, f'<a href="{escape(viewer)}">X-Map</a>'
    return "explained none", "none"
