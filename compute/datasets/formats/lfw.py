"""The official pair list of LFW (``pairs.txt``)."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from compute.datasets.formats.pair_lines import bad_line, read_lines
from compute.datasets.pairs import FOLDS, NamedPair
from compute.errors import DatasetError

PAIRS_PER_LABEL: Final = 300
"""Genuine pairs, and impostor pairs, of each fold."""


_IMAGE_NUMBER: Final = re.compile(r"0*[1-9][0-9]{0,3}")


def image_name(identity: str, number: int) -> str:
    """Return the path of an image inside the official layout."""
    return f"{identity}/{identity}_{number:04d}.jpg"


def is_image_number(text: str) -> bool:
    """Tell whether a list may number an image so: 1 to 9999."""
    return _IMAGE_NUMBER.fullmatch(text) is not None


def is_identity(text: str) -> bool:
    """Tell whether a list may name a person so: as one folder."""
    return bool(text) and "/" not in text and "\\" not in text and text not in (".", "..")


def read_pairs(path: Path, *, official: str = "pairs.txt of LFW, view 2") -> list[NamedPair]:
    """Read and check the list: a header ``10 300``, then 10 folds of 300 genuine and 300 impostor.

    Parameters
    ----------
    official
        What to call the right list in an error.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    lines = read_lines(path)
    header = lines[0].split() if lines else []
    if header != [str(FOLDS), str(PAIRS_PER_LABEL)]:
        raise bad_line(
            path,
            1,
            " ".join(header),
            f"'{FOLDS} {PAIRS_PER_LABEL}' (folds, pairs of each label per fold). Use the official "
            f"{official}",
        )
    expected = FOLDS * 2 * PAIRS_PER_LABEL
    pairs = []
    for number, line in enumerate(lines[1 : expected + 1], start=2):
        genuine = (number - 2) // PAIRS_PER_LABEL % 2 == 0
        pairs.append(_parse(path, number, line, genuine=genuine))
    if len(lines) - 1 != expected:
        raise DatasetError(
            f"{path}: {len(lines) - 1} pairs, expected {expected} ({FOLDS} folds of "
            f"{PAIRS_PER_LABEL} genuine and {PAIRS_PER_LABEL} impostor pairs). The file is cut off "
            f"or is another list. Use the official {official}."
        )
    return pairs


def _parse(path: Path, number: int, line: str, *, genuine: bool) -> NamedPair:
    fields = line.split()
    identities, numbers = (fields[:1], fields[1:]) if genuine else (fields[0::2], fields[1::2])
    shape = "'NAME N1 N2' (genuine)" if genuine else "'NAME1 N1 NAME2 N2' (impostor)"
    sound = (
        len(fields) == (3 if genuine else 4)
        and all(is_image_number(text) for text in numbers)
        and all(is_identity(name) for name in identities)
    )
    if not sound:
        raise bad_line(path, number, line, shape)
    first, second = (int(text) for text in numbers)
    if genuine and first == second:
        raise DatasetError(f"{path}, line {number}: {line!r} pairs an image with itself.")
    if not genuine and identities[0] == identities[1]:
        raise DatasetError(
            f"{path}, line {number}: {line!r} names one identity twice where an impostor pair is "
            "expected."
        )
    identity1, identity2 = identities[0], identities[-1]
    return NamedPair(
        image1=image_name(identity1, first),
        image2=image_name(identity2, second),
        identity1=identity1,
        identity2=identity2,
        genuine=genuine,
    )
