"""The official pair list of CPLFW (``pairs_CPLFW.txt``): cross-pose pairs.

Two lines are a pair, each ``FILE TAG``; 3000 genuine pairs tagged 1, then 3000 impostor pairs
tagged 0. The numbers in the file names are not padded.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from compute.datasets.formats.pair_lines import PAIRS_OF_EACH_LABEL, read_tagged_pairs
from compute.datasets.pairs import NamedPair

OFFICIAL: Final = "pairs_CPLFW.txt"
TAGS: Final = tuple(["1"] * PAIRS_OF_EACH_LABEL + ["0"] * PAIRS_OF_EACH_LABEL)
"""What the list tags each pair with, in order."""

_FILE: Final = re.compile(r"(?P<identity>[^/\\\s]+)_[1-9][0-9]{0,3}\.jpg")


def read_pairs(path: Path) -> list[NamedPair]:
    """Read and check the list; images are named as there, ``Name_1.jpg``, in no folder.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    return read_tagged_pairs(path, name=_FILE, example="Name_1.jpg", tags=TAGS, official=OFFICIAL)
