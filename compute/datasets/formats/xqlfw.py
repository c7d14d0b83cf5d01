"""The official files of XQLFW: pairs across qualities, and the quality of every image."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from compute.datasets.formats import lfw
from compute.datasets.formats.pair_lines import bad_line, read_lines
from compute.datasets.pairs import NamedPair
from compute.errors import DatasetError

OFFICIAL: Final = "xqlfw_pairs.txt"
SCORES: Final = "xqlfw_scores.txt"

_HEADER: Final = ["ID", "Num", "Score"]


def read_pairs(path: Path) -> list[NamedPair]:
    """Read and check ``xqlfw_pairs.txt``, which has the format of LFW's ``pairs.txt``.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    return lfw.read_pairs(path, official=OFFICIAL)


def read_scores(path: Path, *, images: Iterable[str] = ()) -> dict[str, float]:
    """Read ``xqlfw_scores.txt``: a header ``ID Num Score``, then one line for an image.

    Parameters
    ----------
    images
        Names that must have a score: nothing in the file says where it ends, so only a missing
        image shows that it was cut off.

    Returns
    -------
    Quality in [0, 1], higher is better, by image as ``lfw.image_name`` names it.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    lines = read_lines(path)
    if not lines or lines[0].split() != _HEADER:
        raise bad_line(
            path,
            1,
            lines[0] if lines else "",
            f"the header '{' '.join(_HEADER)}'. Use the official {SCORES}",
        )
    scores: dict[str, float] = {}
    for number, line in enumerate(lines[1:], start=2):
        name, score = _parse(path, number, line)
        if name in scores:
            raise bad_line(path, number, line, f"one score for each image ({name} has one)")
        scores[name] = score
    if not scores:
        raise DatasetError(f"{path}: no score after the header. The file is cut off.")
    missing = sorted(set(images) - scores.keys())
    if missing:
        raise DatasetError(
            f"{path}: {len(scores)} scores, none for {missing[0]}"
            + (f" and {len(missing) - 1} more images" if len(missing) > 1 else "")
            + f". The file is cut off or is another one. Use the official {SCORES}."
        )
    return scores


def _parse(path: Path, number: int, line: str) -> tuple[str, float]:
    fields = line.split()
    try:
        identity, image, text = fields
        score = float(text)
    except ValueError:
        identity, image, score = "", "", math.nan
    if not lfw.is_identity(identity) or not lfw.is_image_number(image) or not 0 <= score <= 1:
        raise bad_line(path, number, line, "'NAME N SCORE' with a score in [0, 1]")
    return lfw.image_name(identity, int(image)), score
