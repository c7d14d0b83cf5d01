"""The figure for a paper: both faces, numbered colour bars and a caption in one PNG.

Sizes are in pixels for 300 dots per inch: it fills the width of a page with type of 8 points.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from app.version import VERSION
from app.viewer.choices import Choice
from app.viewer.drawing import DrawnPair
from app.viewer.maps import table_of
from app.viewer.pictures import split_column
from app.viewer.words import settings_text, view_text
from compute.occlusion import IMAGE_SIZE

ZOOM: Final = 8
"""Pixels of the figure per pixel of the faces: whole, so that every one is as wide as the next."""
_FACE: Final = IMAGE_SIZE * ZOOM
_MARGIN: Final = 48
_GAP: Final = 64
_WIDTH: Final = 2 * _MARGIN + 2 * _FACE + _GAP
_TYPE: Final = 34
_SMALL: Final = 28
_LINE: Final = 46
_INK: Final = (23, 27, 25)
_QUIET: Final = (76, 84, 79)
_PAPER: Final = (255, 255, 255)
_BAR: Final = 32
_BAR_HEIGHT: Final = _BAR + 12 + 2 * 40 + 24


@dataclass(frozen=True)
class ColourBar:
    """What the colours of one side mean.

    Attributes
    ----------
    table
        (256, 3) float64 RGB in [0, 1].
    signed
        Whether the table runs from -1 to 1, or from 0 to 1.
    scale
        What 1 stands for, in units of distance.
    shared
        Whether all pairs of the set have this scale.
    """

    table: NDArray[np.float64]
    signed: bool
    scale: float
    shared: bool

    @property
    def ticks(self) -> tuple[str, ...]:
        """The numbers below the bar, evenly spaced."""
        return (
            ("-1", "-0.5", "0", "+0.5", "+1") if self.signed else ("0", "0.25", "0.5", "0.75", "1")
        )

    @property
    def unit(self) -> str:
        """What the numbers are multiples of."""
        one = "±1" if self.signed else "1"
        whose = "shared by the set" if self.shared else "own scale"
        return f"{one} = {self.scale:.3g} in distance, {whose}"


def draw_figure(drawn: DrawnPair) -> bytes:
    """Draw the figure of a pair as chosen; PNG."""
    bars = [_colour_bar(drawn, side) for side in (1, 2)]
    lines = _caption(drawn)
    below = _BAR_HEIGHT if any(bars) else 24
    height = _MARGIN + _LINE + _FACE + below + len(lines) * _LINE + _MARGIN
    canvas = Image.new("RGB", (_WIDTH, height), _PAPER)
    draw = ImageDraw.Draw(canvas)
    for side, bar in zip((1, 2), bars, strict=True):
        left = _MARGIN + (side - 1) * (_FACE + _GAP)
        row = drawn.pair.image1_row if side == 1 else drawn.pair.image2_row
        _text(draw, (left, _MARGIN), _fitting(row.identity.replace("_", " "), _FACE, _TYPE), _TYPE)
        face = Image.fromarray(drawn.picture(side)).resize((_FACE, _FACE), Image.Resampling.NEAREST)
        canvas.paste(face, (left, _MARGIN + _LINE))
        if drawn.choice.compare != "none":
            _slider(draw, left, drawn.choice)
        if bar:
            _draw_bar(canvas, draw, bar, (left, _MARGIN + _LINE + _FACE + 16))
    top = _MARGIN + _LINE + _FACE + below
    for number, line in enumerate(lines):
        _text(draw, (_MARGIN, top + number * _LINE), line, _TYPE)
    about = PngInfo()
    about.add_text("Software", f"XFV {VERSION}")
    about.add_itxt("Description", " ".join(lines))
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", dpi=(300, 300), pnginfo=about)
    return buffer.getvalue()


def _colour_bar(drawn: DrawnPair, side: int) -> ColourBar | None:
    choice = drawn.choice
    coloured = {choice.view, choice.compare} & {"xmap", "map"}
    if drawn.explained is None or not coloured:
        return None
    return ColourBar(
        table=table_of(choice),
        signed=choice.sign != "absolute",
        scale=drawn.shown(side).scale,
        shared=choice.scale == "shared",
    )


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
    return _wrapped(" ".join(parts), _WIDTH - 2 * _MARGIN)


def _draw_bar(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, bar: ColourBar, corner: tuple[int, int]
) -> None:
    left, top = corner
    colours = np.rint(bar.table * 255).astype(np.uint8)[None]
    ramp = Image.fromarray(colours).resize((_FACE, _BAR), Image.Resampling.NEAREST)
    canvas.paste(ramp, corner)
    draw.rectangle((left, top, left + _FACE - 1, top + _BAR - 1), outline=_QUIET, width=2)
    below = top + _BAR + 12
    for number, tick in enumerate(bar.ticks):
        at = left + number * (_FACE - 1) / (len(bar.ticks) - 1)
        draw.line((at, top + _BAR, at, top + _BAR + 10), fill=_QUIET, width=2)
        shift = (0.0, 0.5, 1.0)[(number > 0) + (number == len(bar.ticks) - 1)]
        _text(draw, (at - shift * _length(tick, _SMALL), below), tick, _SMALL)
    words = ("dissimilar", "similar") if bar.signed else ("weak", "strong")
    second = below + 40
    _text(draw, (left, second), words[0], _SMALL, _QUIET)
    _text(draw, (left + _FACE - _length(words[1], _SMALL), second), words[1], _SMALL, _QUIET)
    middle = left + (_FACE - _length(bar.unit, _SMALL)) / 2
    _text(draw, (middle, second), bar.unit, _SMALL, _QUIET)


def _slider(draw: ImageDraw.ImageDraw, left: int, choice: Choice) -> None:
    at = left + split_column(choice.split) * ZOOM
    top = _MARGIN + _LINE
    draw.rectangle((at - 4, top, at + 3, top + _FACE - 1), fill=_PAPER)
    draw.rectangle((at - 2, top, at + 1, top + _FACE - 1), fill=_INK)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType, which the figure's type needs.")
    return font


def _length(text: str, size: int) -> float:
    return _font(size).getlength(text)


def _text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    size: int,
    fill: tuple[int, int, int] = _INK,
) -> None:
    draw.text(corner, text, font=_font(size), fill=fill)


def _fitting(text: str, width: int, size: int) -> str:
    """Shorten a text until it fits."""
    kept = text
    while kept and _length(kept + ("..." if kept != text else ""), size) > width:
        kept = kept[:-1]
    return kept if kept == text else kept + "..."


def _wrapped(text: str, width: int) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _length(longer, _TYPE) > width and lines[-1]:
            lines.append(_fitting(word, width, _TYPE))
        else:
            lines[-1] = _fitting(longer, width, _TYPE)
    return lines
