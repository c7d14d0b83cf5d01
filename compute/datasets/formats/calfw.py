"""The official pair list of CALFW (``pairs_CALFW.txt``): cross-age pairs.

Two lines are a pair, each ``FILE TAG``. The genuine pairs come first, tagged with their fold (1 to
10, 300 each); then the impostor pairs, tagged 0, whose folds the list does not give
(``folds_of`` cuts them in blocks of 300).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from compute.datasets.formats.pair_lines import PAIRS_OF_EACH_LABEL, read_tagged_pairs
from compute.datasets.pairs import FOLDS, NamedPair

OFFICIAL: Final = "pairs_CALFW.txt"
TAGS: Final = tuple(
    [str(1 + FOLDS * i // PAIRS_OF_EACH_LABEL) for i in range(PAIRS_OF_EACH_LABEL)]
    + ["0"] * PAIRS_OF_EACH_LABEL
)
"""What the list tags each pair with, in order."""

_FILE: Final = re.compile(r"(?P<identity>[^/\\\s]+)_(?!0000)[0-9]{4}\.jpg")


def read_pairs(path: Path) -> list[NamedPair]:
    """Read and check the list; images are named as there, ``Name_0001.jpg``, in no folder.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there.
    """
    return read_tagged_pairs(
        path, name=_FILE, example="Name_0001.jpg", tags=TAGS, official=OFFICIAL
    )
