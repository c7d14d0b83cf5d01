"""The state of the viewer in words: for captions, alternative texts and citations."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.viewer.choices import METHODS, Choice
from app.viewer.maps import ShownMap

Place = tuple[int, int, str]
"""Column, row and name."""

VIEW_NAMES: Final = {
    "xmap": "X-Map",
    "map": "heat map",
    "masked": "face masked by the map",
    "original": "original face",
}
_SIGNS: Final = {
    "similar": "similar places only",
    "dissimilar": "dissimilar places only",
    "absolute": "absolute values",
}

# Where the parts of a face lie once it is aligned: the five points of the ArcFace template (eyes,
# nose, corners of the mouth), and what lies between and around them; column, row, name.
PLACES: Final[tuple[Place, ...]] = (
    (38, 52, "the left eye"),
    (74, 52, "the right eye"),
    (56, 52, "the bridge of the nose"),
    (56, 72, "the nose"),
    (42, 92, "the left corner of the mouth"),
    (56, 92, "the mouth"),
    (71, 92, "the right corner of the mouth"),
    (28, 74, "the left cheek"),
    (84, 74, "the right cheek"),
    (56, 110, "the chin"),
    (56, 24, "the forehead"),
    (24, 26, "the left side of the forehead"),
    (88, 26, "the right side of the forehead"),
    (56, 2, "the upper border"),
    (6, 56, "the left border"),
    (106, 56, "the right border"),
    (6, 6, "the upper left corner"),
    (106, 6, "the upper right corner"),
    (6, 106, "the lower left corner"),
    (106, 106, "the lower right corner"),
)


def place_name(x: int, y: int) -> str:
    """Name the part of an aligned face next to a pixel; left and right as one looks at it."""
    return min(PLACES, key=lambda place: (place[0] - x) ** 2 + (place[1] - y) ** 2)[2]


def view_text(choice: Choice) -> str:
    """Say what kind of picture this is: view, method, and what stands beside it."""
    text = VIEW_NAMES[choice.view]
    if choice.view != "original":
        text += f" of method {choice.method}"
    if choice.compare in METHODS:
        text += f", right of the slider method {choice.compare}"
    elif choice.compare != "none":
        text += f", right of the slider the {VIEW_NAMES[choice.compare]}"
    return text


def settings_text(choice: Choice, sizes: tuple[int, ...]) -> str:
    """Say how the map was made and drawn, wherever that is a choice."""
    weights = choice.size_weights(sizes)
    listed = ", ".join(map(str, weights))
    parts = [f"patches of {listed} px, normalised by {choice.normalise}"]
    if any(weight != 1 for weight in weights.values()):
        parts.append("weights " + ", ".join(f"{p} px: {w:g}" for p, w in weights.items()))
    if choice.sign != "all":
        parts.append(_SIGNS[choice.sign])
    if choice.top != 100:
        parts.append(f"strongest {choice.top} % of the picture")
    if choice.base == "grey":
        parts.append("over the face in grey")
    if choice.blend != 100:
        parts.append(f"opacity {choice.blend} %")
    return "; ".join(parts)


def about_text(subject: str, model: str | None, shown: ShownMap, choice: Choice) -> str:
    """Say what a picture shows: whose face, which map of which model, and where it is strongest."""
    parts = [f"{subject}: {view_text(choice)}, model {model}"]
    if choice.sign == "absolute":
        wanted = [(1, "strongest")]
    else:
        wanted = [(1, "most similar"), (-1, "most dissimilar")]
    for sign, word in wanted:
        x, y, value = _extreme(shown.values, sign)
        if value != 0 and shown.scale > 0:
            parts.append(f"{word} near {place_name(x, y)} (column {x}, row {y})")
    return "; ".join(parts)


def _extreme(values: NDArray[np.float64], sign: int) -> tuple[int, int, float]:
    y, x = np.unravel_index(int(np.argmax(sign * values)), values.shape)
    value = float(values[y, x])
    return int(x), int(y), value if sign * value > 0 else 0.0
