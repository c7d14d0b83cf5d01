"""The charts of an evaluation as figures of plotly.js: plain dictionaries, without its package.

Colours and fonts are names of tokens, ``var(--ink)``: the script that draws puts in what they
stand for under the present colour scheme. Text holds no tags but ``<br>``: plotly.js would style
others by ``style`` attributes, which the content security policy forbids. A trace with
``meta.fold`` belongs to a fold, and the ``customdata`` of a point with pairs behind it ends with
their address.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10
from typing import Any

from app.evaluations.bins import WIDTH, Bin
from app.evaluations.drawings import distance_range, roc_corner
from app.evaluations.links import PairLinks
from app.evaluations.results import Curves

Figure = dict[str, Any]


def build_figures(curves: Curves, bins: Sequence[Bin], links: PairLinks) -> dict[str, Figure]:
    """Return all figures by the name that the page gives their place."""
    span = list(distance_range(bins))
    figures = {"confidence": _confidence(curves, span)}
    if bins:
        figures["histogram"] = _histogram(curves, bins, links, span)
        figures["reliability"] = _reliability(curves, links)
        figures["above"] = _above(curves, links)
    if curves.roc:
        figures["roc"] = _roc(curves, is_log=False)
        figures["roc-log"] = _roc(curves, is_log=True)
        figures["det"] = _det(curves)
    return figures


def _axis(words: str, **more: Any) -> dict[str, Any]:
    return {
        "title": {"text": words, "standoff": 8},
        "gridcolor": "var(--line)",
        "linecolor": "var(--line-strong)",
        "tickcolor": "var(--line-strong)",
        "zeroline": False,
        "automargin": True,
        **more,
    }


def _layout(x: dict[str, Any], y: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "font": {"family": "var(--sans)", "size": 12, "color": "var(--ink-2)"},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": {"l": 56, "r": 16, "t": 12, "b": 48},
        "hoverlabel": {
            "bgcolor": "var(--surface)",
            "bordercolor": "var(--line-strong)",
            "font": {"family": "var(--sans)", "size": 12, "color": "var(--ink)", "shadow": "none"},
            "align": "left",
        },
        "hovermode": "closest",
        "showlegend": False,
        "xaxis": x,
        "yaxis": y,
        **more,
    }


def _line(xs: list[Any], ys: list[Any], hover: str, **more: Any) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": xs,
        "y": ys,
        "line": {"color": "var(--ink)", "width": 2},
        "hovertemplate": f"{hover}<extra></extra>" if hover else None,
        **more,
    }


def _points(xs: list[Any], ys: list[Any], hover: str, **more: Any) -> dict[str, Any]:
    marker = {
        "color": "var(--ink)",
        "size": 9,
        "line": {"color": "var(--surface)", "width": 1.5},
        **more.pop("marker", {}),
    }
    return _line(xs, ys, hover, marker=marker, **{"mode": "markers", **more})


def _histogram(curves: Curves, bins: Sequence[Bin], links: PairLinks, span: list[float]) -> Figure:
    def bars(label: str, token: str, *, genuine: bool) -> dict[str, Any]:
        return {
            "type": "bar",
            "name": label,
            "x": [round((each.low + each.high) / 2, 3) for each in bins],
            "y": [each.genuine if genuine else each.impostor for each in bins],
            "width": WIDTH,
            "marker": {"color": f"var({token})", "opacity": 0.62, "line": {"width": 0}},
            "customdata": [
                [each.low, each.high, links.distances(each.low, each.high, genuine=genuine)]
                for each in bins
            ],
            "hovertemplate": f"%{{y:,}} {label} pairs<br>distance %{{customdata[0]:.2f}} to "
            "%{customdata[1]:.2f}<br>click: these pairs<extra></extra>",
        }

    return {
        "data": [
            bars("impostor", "--dissimilar-mid", genuine=False),
            bars("genuine", "--similar-mid", genuine=True),
            *_fold_lines(curves, "c", "c", axis="y2"),
        ],
        "layout": _layout(
            _axis("cosine distance", range=span),
            _axis("pairs", fixedrange=True),
            yaxis2=_axis(
                "c(d), one line per fold",
                overlaying="y",
                side="right",
                range=[0, 1.02],
                tickvals=[0, 0.25, 0.5, 0.75, 1],
                showgrid=False,
                fixedrange=True,
            ),
            margin={"l": 56, "r": 56, "t": 12, "b": 48},
            barmode="overlay",
            bargap=0,
        ),
    }


def _fold_lines(curves: Curves, key: str, letter: str, *, axis: str) -> list[dict[str, Any]]:
    distances = curves.confidence["distance"]
    traces = []
    for each, point in zip(curves.confidence["folds"], curves.fold_points, strict=True):
        fold, threshold = each["fold"], point["threshold"]
        traces.append(
            _line(
                distances,
                each[key],
                f"fold {fold}<br>{letter} = %{{y:.3f}} at distance %{{x:.2f}}",
                yaxis=axis,
                meta={"fold": fold},
            )
        )
        traces.append(
            _line(
                [threshold, threshold],
                [0, 1],
                f"fold {fold}<br>threshold {threshold:.4f}",
                yaxis=axis,
                meta={"fold": fold},
                line={"color": "var(--ink)", "width": 1, "dash": "dot"},
            )
        )
    return traces


def _confidence(curves: Curves, span: list[float]) -> Figure:
    return {
        "data": _fold_lines(curves, "confidence", "C", axis="y"),
        "layout": _layout(
            _axis("cosine distance", range=span), _axis("confidence C", range=[0.49, 1.01])
        ),
    }


def _roc(curves: Curves, *, is_log: bool) -> Figure:
    false_match = [point["false_match_rate"] for point in curves.roc]
    true_match = [point["true_match_rate"] for point in curves.roc]
    known = [point for point in curves.operating_points if point["threshold"] is not None]
    chance = [10.0 ** (-number / 20) for number in range(161)] if is_log else [0.0, 1.0]
    x = (
        _log_axis("false match rate", [rate for rate in false_match if rate > 0])
        if is_log
        else _axis("false match rate", range=[-0.02, 1.02], tickformat=".0%")
    )
    return {
        "data": [
            _line(chance, chance, "", hoverinfo="skip", line=_faint()),
            _line(
                false_match,
                true_match,
                "threshold %{customdata:.4f}<br>false match %{x:.3%}<br>true match %{y:.2%}",
                customdata=[point["threshold"] for point in curves.roc],
            ),
            _fold_points(
                curves,
                [point["false_match_rate"] for point in curves.fold_points],
                [point["true_match_rate"] for point in curves.fold_points],
                "false match %{x:.3%}<br>true match %{y:.2%}",
            ),
            _points(
                [point["false_match_rate"] for point in known],
                [point["true_match_rate"] for point in known],
                "at FAR %{customdata[0]:.1%}<br>true match %{y:.2%}<br>"
                "threshold %{customdata[1]:.4f}",
                customdata=[[point["far"], point["threshold"]] for point in known],
                marker={"symbol": "diamond", "size": 11},
            ),
        ],
        "layout": _layout(
            x,
            _axis(
                "true match rate",
                range=[
                    roc_corner(curves)[1] - 0.005 if is_log else -0.02,
                    1.005 if is_log else 1.02,
                ],
                tickformat=".0%",
            ),
        ),
    }


def _det(curves: Curves) -> Figure:
    drawn = [
        point
        for point in curves.det
        if point["false_match_rate"] > 0 and point["false_non_match_rate"] > 0
    ]
    folds = [
        point
        for point in curves.fold_points
        if point["false_match_rate"] and point["true_match_rate"] < 1
    ]
    return {
        "data": [
            _line([1e-6, 1], [1e-6, 1], "", hoverinfo="skip", line=_faint()),
            _line(
                [point["false_match_rate"] for point in drawn],
                [point["false_non_match_rate"] for point in drawn],
                "threshold %{customdata:.4f}<br>false match %{x:.3%}<br>false non-match %{y:.3%}",
                customdata=[point["threshold"] for point in drawn],
            ),
            _points(
                [point["false_match_rate"] for point in folds],
                [1 - point["true_match_rate"] for point in folds],
                "fold %{customdata[0]}, threshold %{customdata[1]:.4f}<br>false match %{x:.3%}<br>"
                "false non-match %{y:.3%}",
                customdata=[[point["fold"], point["threshold"]] for point in folds],
                marker=_hollow(),
            ),
        ],
        "layout": _layout(
            _log_axis("false match rate", [point["false_match_rate"] for point in drawn]),
            _log_axis("false non-match rate", [point["false_non_match_rate"] for point in drawn]),
        ),
    }


def _log_axis(words: str, values: list[float]) -> dict[str, Any]:
    low = min(floor(log10(min(values)) + 1e-9) if values else -1, -1)
    return _axis(
        words,
        type="log",
        range=[low - 0.05, 0.05],
        tickvals=[10.0**power for power in range(low, 1)],
        tickformat="~%",
    )


def _reliability(curves: Curves, links: PairLinks) -> Figure:
    filled = [each for each in curves.reliability if each["count"]]
    return {
        "data": [
            _line([0.5, 1], [0.5, 1], "", hoverinfo="skip", line=_faint()),
            _points(
                [each["confidence"] for each in filled],
                [each["accuracy"] for each in filled],
                "%{customdata[0]:,} pairs<br>mean confidence %{x:.3f}<br>right %{y:.1%}<br>"
                "click: these pairs",
                mode="lines+markers",
                customdata=[
                    [each["count"], links.confidences(each["start"], each["stop"])]
                    for each in filled
                ],
            ),
        ],
        "layout": _layout(
            _axis("confidence", range=[0.49, 1.01]),
            _axis("share right", tickformat=".0%"),
        ),
    }


def _above(curves: Curves, links: PairLinks) -> Figure:
    filled = [each for each in curves.accuracy_above if each["count"]]
    xs = [each["confidence"] for each in filled]
    hover = (
        "confidence %{x:.2f} and more<br>%{customdata[0]:,} pairs, %{customdata[1]:.1%} of all"
        "<br>right %{customdata[2]:.2%}<br>click: these pairs"
    )
    customdata = [
        [each["count"], each["share"], each["accuracy"], links.confidences(each["confidence"])]
        for each in filled
    ]
    return {
        "data": [
            _line(
                xs,
                [each["share"] for each in filled],
                hover,
                customdata=customdata,
                yaxis="y2",
                line={"color": "var(--ink-3)", "width": 1.5, "dash": "dash"},
            ),
            _line(xs, [each["accuracy"] for each in filled], hover, customdata=customdata),
        ],
        "layout": _layout(
            _axis("least confidence kept", range=[0.49, 1.01]),
            _axis("share right", tickformat=".1~%"),
            yaxis2=_axis(
                "share kept",
                overlaying="y",
                side="right",
                range=[0, 1.02],
                tickvals=[0, 0.25, 0.5, 0.75, 1],
                showgrid=False,
                tickformat=".0%",
            ),
            margin={"l": 64, "r": 64, "t": 12, "b": 48},
        ),
    }


def _fold_points(curves: Curves, xs: list[Any], ys: list[Any], hover: str) -> dict[str, Any]:
    return _points(
        xs,
        ys,
        "fold %{customdata[0]}, threshold %{customdata[1]:.4f}<br>" + hover,
        customdata=[[point["fold"], point["threshold"]] for point in curves.fold_points],
        marker=_hollow(),
    )


def _hollow() -> dict[str, Any]:
    return {"color": "var(--surface)", "line": {"color": "var(--ink)", "width": 1.5}, "size": 8}


def _faint() -> dict[str, Any]:
    return {"color": "var(--line-strong)", "width": 1, "dash": "dot"}
