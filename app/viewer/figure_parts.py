"""What figures are made of: type, lines of a caption, and the numbered colour bar.

Sizes are in pixels for 300 dots per inch: type of 34 is one of 8 points.
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
from app.viewer.maps import table_of

MARGIN: Final = 48
TYPE: Final = 34
SMALL: Final = 28
LINE: Final = 46
INK: Final = (23, 27, 25)
QUIET: Final = (76, 84, 79)
PAPER: Final = (255, 255, 255)
BAR: Final = 32
BAR_HEIGHT: Final = BAR + 12 + 2 * 40 + 24


def is_coloured(choice: Choice) -> bool:
    """Whether colours of a map are seen, so that a bar must say what they mean."""
    return bool({choice.view, choice.compare} & {"xmap", "map"})


@dataclass(frozen=True)
class ColourBar:
    """What the colours of one side mean.

    Attributes
    ----------
    table
        (256, 3) float64 RGB in [0, 1].
    signed
        Whether the table runs from -1 to 1, or from 0 to 1.
    says
        What 1 stands for.
    """

    table: NDArray[np.float64]
    signed: bool
    says: str

    @classmethod
    def of(cls, choice: Choice, says: str) -> ColourBar:
        """Return the bar of a choice."""
        return cls(table_of(choice), choice.sign != "absolute", says)

    @property
    def ticks(self) -> tuple[str, ...]:
        """The numbers below the bar, evenly spaced."""
        return (
            ("-1", "-0.5", "0", "+0.5", "+1") if self.signed else ("0", "0.25", "0.5", "0.75", "1")
        )

    @property
    def unit(self) -> str:
        """What the numbers are multiples of."""
        return f"{'±1' if self.signed else '1'} = {self.says}"


def draw_bar(canvas: Image.Image, bar: ColourBar, corner: tuple[int, int], width: int) -> None:
    """Draw a colour bar with its numbers and words, ``BAR_HEIGHT`` high."""
    draw = ImageDraw.Draw(canvas)
    left, top = corner
    colours = np.rint(bar.table * 255).astype(np.uint8)[None]
    ramp = Image.fromarray(colours).resize((width, BAR), Image.Resampling.NEAREST)
    canvas.paste(ramp, corner)
    draw.rectangle((left, top, left + width - 1, top + BAR - 1), outline=QUIET, width=2)
    below = top + BAR + 12
    for number, tick in enumerate(bar.ticks):
        at = left + number * (width - 1) / (len(bar.ticks) - 1)
        draw.line((at, top + BAR, at, top + BAR + 10), fill=QUIET, width=2)
        shift = (0.0, 0.5, 1.0)[(number > 0) + (number == len(bar.ticks) - 1)]
        put_text(draw, (at - shift * text_length(tick, SMALL), below), tick, SMALL)
    words = ("dissimilar", "similar") if bar.signed else ("weak", "strong")
    second = below + 40
    put_text(draw, (left, second), words[0], SMALL, QUIET)
    put_text(draw, (left + width - text_length(words[1], SMALL), second), words[1], SMALL, QUIET)
    middle = left + (width - text_length(bar.unit, SMALL)) / 2
    put_text(draw, (middle, second), bar.unit, SMALL, QUIET)


def write_figure(canvas: Image.Image, description: str) -> bytes:
    """Encode a figure as PNG that says what it shows."""
    about = PngInfo()
    about.add_text("Software", f"XFV {VERSION}")
    about.add_itxt("Description", description)
    buffer = io.BytesIO()
    canvas.save(buffer, format="PNG", dpi=(300, 300), pnginfo=about)
    return buffer.getvalue()


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("Pillow was built without FreeType, which the figure's type needs.")
    return font


def text_length(text: str, size: int) -> float:
    """Return the width of a line."""
    return _font(size).getlength(text)


def put_text(
    draw: ImageDraw.ImageDraw,
    corner: tuple[float, float],
    text: str,
    size: int,
    fill: tuple[int, int, int] = INK,
) -> None:
    """Write a line from its upper left corner."""
    draw.text(corner, text, font=_font(size), fill=fill)


def fitting(text: str, width: int, size: int) -> str:
    """Shorten a text until it fits."""
    kept = text
    while kept and text_length(kept + ("..." if kept != text else ""), size) > width:
        kept = kept[:-1]
    return kept if kept == text else kept + "..."


def wrapped(text: str, width: int) -> list[str]:
    """Break a caption into lines."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if text_length(longer, TYPE) > width and lines[-1]:
            lines.append(fitting(word, width, TYPE))
        else:
            lines[-1] = fitting(longer, width, TYPE)
    return lines
