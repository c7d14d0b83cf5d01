"""The official pair list of SLLFW (``pair_SLLFW.txt``): LFW with impostors that look alike.

Two lines are a pair, each the path of an LFW image; there is no label. In each of 10 folds 300
genuine pairs come first, both images in one folder, then 300 impostor pairs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from compute.datasets.formats.lfw import PAIRS_PER_LABEL
from compute.datasets.formats.pair_lines import (
    bad_line,
    read_lines,
    require_names_agree,
    two_by_two,
)
from compute.datasets.pairs import NamedPair

OFFICIAL: Final = "pair_SLLFW.txt"

_PATH: Final = re.compile(r"(?P<identity>[^/\\\s]+)/(?P=identity)_(?!0000)[0-9]{4}\.jpg")


def read_pairs(path: Path) -> list[NamedPair]:
    """Read and check the list; the label that the folders say must be the one of the place.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    pairs = []
    for number, *texts in two_by_two(path, read_lines(path), official=OFFICIAL):
        images = []
        for line_number, text in enumerate(texts, start=number):
            image = _PATH.fullmatch(text.strip())
            if image is None:
                raise bad_line(path, line_number, text, "an image of LFW, 'Name/Name_0001.jpg'")
            images.append(image)
        first, second = images
        pair = NamedPair(
            image1=first[0],
            image2=second[0],
            identity1=first["identity"],
            identity2=second["identity"],
            genuine=number // 2 // PAIRS_PER_LABEL % 2 == 0,
        )
        require_names_agree(path, number + 1, texts[1], pair)
        pairs.append(pair)
    return pairs
