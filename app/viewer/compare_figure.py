"""The figure of a comparison: models as columns, methods as rows, one colour bar, a caption."""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageDraw

from app.media import MediaStore
from app.models import Pair
from app.version import VERSION
from app.viewer.choices import Choice
from app.viewer.comparison import Comparison, MethodRows, Panel
from app.viewer.drawing import DrawnPair
from app.viewer.figure_parts import (
    BAR_HEIGHT,
    LINE,
    MARGIN,
    PAPER,
    QUIET,
    SMALL,
    TYPE,
    ColourBar,
    draw_bar,
    fitting,
    is_coloured,
    put_text,
    wrapped,
    write_figure,
)
from app.viewer.words import settings_text, view_text
from compute.occlusion import IMAGE_SIZE

ZOOM: Final = 3
"""Pixels of the figure per pixel of the faces."""
_FACE: Final = IMAGE_SIZE * ZOOM
_BETWEEN: Final = 8
_PANEL: Final = 2 * _FACE + _BETWEEN
_GAP: Final = 48
_LABELS: Final = 280
_HEAD: Final = LINE + 2 * 36
_ROW: Final = _FACE + 52
_LEAST_WIDTH: Final = 1600
"""So that the caption and the colour bar have room below one model, too."""


def draw_comparison(page: Comparison, media: MediaStore) -> bytes:
    """Draw what a comparison shows; PNG."""
    choice = page.asked.choice
    columns = len(page.models)
    width = max(_LEAST_WIDTH, 2 * MARGIN + _LABELS + columns * (_PANEL + _GAP) - _GAP)
    words = _caption(page)
    lines = wrapped(words, width - 2 * MARGIN)
    heads = _HEAD * len(page.grid.cells)
    rows = sum(len(each.lines) for each in page.rows) * _ROW
    below = BAR_HEIGHT if is_coloured(choice) else 24
    height = 2 * MARGIN + LINE + heads + rows + below + len(lines) * LINE
    canvas = Image.new("RGB", (width, height), PAPER)
    top = _draw_heads(canvas, page)
    for each in page.rows:
        for line in each.lines:
            label = [f"Method {each.method}"]
            if page.pinned:
                label.append(f"pair {line.pair.id}")
            if line.agreement is not None:
                label.append(f"agreement {line.agreement:.2f}")
            for number, text in enumerate(label):
                size = SMALL if number else TYPE
                put_text(ImageDraw.Draw(canvas), (MARGIN, top + number * 38), text, size)
            for column, panel in enumerate(line.panels):
                corner = (MARGIN + _LABELS + column * (_PANEL + _GAP), top)
                _draw_panel(canvas, panel, each, choice, corner, media)
            top += _ROW
    if is_coloured(choice):
        bar = ColourBar.of(choice, "the number below each face, in distance")
        bar_width = 2 * _PANEL + _GAP if columns > 1 else _PANEL
        draw_bar(canvas, bar, (MARGIN + _LABELS, top + 8), bar_width)
        top += BAR_HEIGHT
    for number, line_of_caption in enumerate(lines):
        put_text(ImageDraw.Draw(canvas), (MARGIN, top + number * LINE), line_of_caption, TYPE)
    return write_figure(canvas, words)


def _draw_heads(canvas: Image.Image, page: Comparison) -> int:
    """Write models and verdicts; return where the rows begin."""
    draw = ImageDraw.Draw(canvas)
    for column, cell in enumerate(page.grid.cells[0]):
        left = MARGIN + _LABELS + column * (_PANEL + _GAP)
        put_text(draw, (left, MARGIN), fitting(cell.title, _PANEL, TYPE), TYPE)
    top = MARGIN + LINE
    for row in page.grid.cells:
        label = _truth(row[0].pair) if row else ""
        put_text(draw, (MARGIN, top), fitting(label, _LABELS - 16, SMALL), SMALL, QUIET)
        for column, cell in enumerate(row):
            left = MARGIN + _LABELS + column * (_PANEL + _GAP)
            result = cell.result
            if result is None:
                put_text(draw, (left, top), "not verified", SMALL, QUIET)
                continue
            said = "genuine" if result.prediction else "impostor"
            verdict = f"{said}, {'right' if result.correct else 'wrong'}"
            sign = "<=" if result.prediction else ">"
            numbers = (
                f"d {result.distance:.4f} {sign} {result.threshold:.4f}, C {result.confidence:.3f}"
            )
            put_text(draw, (left, top), verdict, SMALL)
            put_text(draw, (left, top + 36), numbers, SMALL, QUIET)
        top += _HEAD
    return top


def _draw_panel(
    canvas: Image.Image,
    panel: Panel,
    rows: MethodRows,
    choice: Choice,
    corner: tuple[int, int],
    media: MediaStore,
) -> None:
    draw = ImageDraw.Draw(canvas)
    left, top = corner
    cell = panel.cell
    if cell.explained is None:
        put_text(draw, corner, "not explained", SMALL, QUIET)
        return
    if cell.lacks(rows.method):
        put_text(draw, corner, "gives distances only", SMALL, QUIET)
        return
    fitted = cell.fitting(choice.of_method(rows.method))
    shared = rows.scale if choice.scale == "shared" else None
    drawn = DrawnPair(cell.pair, fitted, cell.result, cell.explained, shared, media)
    for side, face in enumerate(panel.faces, start=1):
        at = left + (side - 1) * (_FACE + _BETWEEN)
        picture = Image.fromarray(drawn.picture(side))
        canvas.paste(picture.resize((_FACE, _FACE), Image.Resampling.NEAREST), (at, top))
        if is_coloured(choice):
            put_text(draw, (at, top + _FACE + 4), f"{face.scale:.3g}", SMALL, QUIET)


def _truth(pair: Pair) -> str:
    return f"Pair {pair.id}, {'genuine' if pair.genuine else 'impostor'}"


def _caption(page: Comparison) -> str:
    choice = page.asked.choice
    what = view_text(choice).replace(f" of method {choice.method}", " of each method")
    parts = [
        f"{_truth(each)}, of {each.dataset.title or each.dataset.name}, fold {each.fold}."
        for each in (page.pair, page.pinned)
        if each
    ]
    parts.append(f"{what[0].upper()}{what[1:]}: models as columns, methods as rows.")
    if page.grid.patch_sizes and choice.view != "original":
        settings = settings_text(choice, page.grid.patch_sizes)
        scale = "one scale per method" if choice.scale == "shared" else "own scales"
        parts.append(f"{settings[0].upper()}{settings[1:]}; {scale}.")
    parts.append("d: distance against threshold; C: confidence.")
    if page.agreements:
        parts.append(
            "Agreement: Spearman's rank correlation of the models' maps, mean of both faces"
            + (" and of every two models." if len(page.models) > 2 else ".")
        )
    return " ".join([*parts, f"XFV {VERSION}."])
