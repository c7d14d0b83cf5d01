"""The figure for a paper: both faces, numbered colour bars and a caption in one PNG.

Sizes are in pixels for 300 dots per inch: it fills the width of a page with type of 8 points.
"""

from __future__ import annotations

from typing import Final

from PIL import Image, ImageDraw

from app.version import VERSION
from app.viewer.choices import Choice
from app.viewer.drawing import DrawnPair
from app.viewer.figure_parts import (
    BAR_HEIGHT,
    INK,
    LINE,
    MARGIN,
    PAPER,
    TYPE,
    ColourBar,
    draw_bar,
    fitting,
    is_coloured,
    put_text,
    wrapped,
    write_figure,
)
from app.viewer.pictures import split_column
from app.viewer.words import settings_text, view_text
from compute.occlusion import IMAGE_SIZE

ZOOM: Final = 8
"""Pixels of the figure per pixel of the faces: whole, so that every one is as wide as the next."""
_FACE: Final = IMAGE_SIZE * ZOOM
_GAP: Final = 64
_WIDTH: Final = 2 * MARGIN + 2 * _FACE + _GAP


def draw_figure(drawn: DrawnPair) -> bytes:
    """Draw the figure of a pair as chosen; PNG."""
    bars = [_colour_bar(drawn, side) for side in (1, 2)]
    lines = _caption(drawn)
    below = BAR_HEIGHT if any(bars) else 24
    height = MARGIN + LINE + _FACE + below + len(lines) * LINE + MARGIN
    canvas = Image.new("RGB", (_WIDTH, height), PAPER)
    draw = ImageDraw.Draw(canvas)
    for side, bar in zip((1, 2), bars, strict=True):
        left = MARGIN + (side - 1) * (_FACE + _GAP)
        row = drawn.pair.image1_row if side == 1 else drawn.pair.image2_row
        put_text(draw, (left, MARGIN), fitting(row.identity.replace("_", " "), _FACE, TYPE), TYPE)
        face = Image.fromarray(drawn.picture(side)).resize((_FACE, _FACE), Image.Resampling.NEAREST)
        canvas.paste(face, (left, MARGIN + LINE))
        if drawn.choice.compare != "none":
            _slider(draw, left, drawn.choice)
        if bar:
            draw_bar(canvas, bar, (left, MARGIN + LINE + _FACE + 16), _FACE)
    top = MARGIN + LINE + _FACE + below
    for number, line in enumerate(lines):
        put_text(draw, (MARGIN, top + number * LINE), line, TYPE)
    return write_figure(canvas, " ".join(lines))


def _colour_bar(drawn: DrawnPair, side: int) -> ColourBar | None:
    if drawn.explained is None or not is_coloured(drawn.choice):
        return None
    whose = "shared by the set" if drawn.choice.scale == "shared" else "own scale"
    return ColourBar.of(drawn.choice, f"{drawn.shown(side).scale:.3g} in distance, {whose}")


def _caption(drawn: DrawnPair) -> list[str]:
    pair, result, choice = drawn.pair, drawn.result, drawn.choice
    truth = "genuine" if pair.genuine else "impostor"
    what = view_text(choice)
    parts = [
        f"Pair {pair.id} of {pair.dataset.title or pair.dataset.name} ({truth}, fold {pair.fold}).",
        f"{what[0].upper()}{what[1:]}.",
    ]
    if result and drawn.explained:
        said = "genuine" if result.prediction else "impostor"
        parts.append(
            f"Model {result.model.title}: {said} at distance {result.distance:.4f}, threshold "
            f"{result.threshold:.4f}, confidence {result.confidence:.3f}."
        )
        settings = settings_text(choice, drawn.explained.spec.patch_sizes)
        parts.append(f"Explanation set {drawn.explained.name}: {settings}.")
    parts.append(f"XFV {VERSION}.")
    return wrapped(" ".join(parts), _WIDTH - 2 * MARGIN)


def _slider(draw: ImageDraw.ImageDraw, left: int, choice: Choice) -> None:
    at = left + split_column(choice.split) * ZOOM
    top = MARGIN + LINE
    draw.rectangle((at - 4, top, at + 3, top + _FACE - 1), fill=PAPER)
    draw.rectangle((at - 2, top, at + 1, top + _FACE - 1), fill=INK)
