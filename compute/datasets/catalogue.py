"""What is known of each dataset before it is here: its names, its licence, its pair ids."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from compute.datasets.pairs import FOLDS
from compute.errors import DatasetError

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

OWN_BLOCK: Final = 1_000_000
"""Ids that each dataset of one's own has to itself, and where the first of its blocks begins."""
OWN_BLOCKS: Final = 2_000


@dataclass(frozen=True)
class DatasetFacts:
    """One row of the catalogue, or what was said of a dataset of one's own at import.

    Attributes
    ----------
    first_pair_id
        The stable id of its first pair; ids follow the order of the pair list.
    pairs
        How many pairs it has, and so how many ids are its own.
    images_of
        The dataset whose image names its images bear, where there is one: what is known of an
        image there is known of it here.
    by_label
        Whether its official list puts all genuine pairs before all impostor pairs; else it goes
        fold by fold.
    """

    name: str
    title: str
    first_pair_id: int
    pairs: int
    licence: str
    source: str
    images_of: str = ""
    by_label: bool = False

    @property
    def last_pair_id(self) -> int:
        """The stable id of its last pair."""
        return self.first_pair_id + self.pairs - 1

    def labels(self) -> list[bool]:
        """Return which pairs of the official list are genuine: as many as are not."""
        each = self.pairs // 2
        block = each if self.by_label else each // FOLDS
        return ([True] * block + [False] * block) * (each // block)


_PRESS: Final = (
    "Photographs of public figures from news sites, released for research on unconstrained face "
    "recognition; the copyright stays with the photographers."
)

CATALOGUE: Final[dict[str, DatasetFacts]] = {
    facts.name: facts
    for facts in (
        DatasetFacts(
            name="lfw",
            title="LFW",
            first_pair_id=1,
            pairs=6000,
            licence=_PRESS,
            source="G. Huang et al., Labeled Faces in the Wild (2007), deep-funneled images and "
            "pairs.txt",
            images_of="lfw",
        ),
        DatasetFacts(
            name="calfw",
            title="CALFW",
            first_pair_id=6001,
            pairs=6000,
            licence=f"{_PRESS} No licence of its own is published.",
            source="T. Zheng et al., Cross-Age LFW (2017), lists of 2018",
            by_label=True,
        ),
        DatasetFacts(
            name="cplfw",
            title="CPLFW",
            first_pair_id=12001,
            pairs=6000,
            licence=f"{_PRESS} No licence of its own is published.",
            source="T. Zheng and W. Deng, Cross-Pose LFW (2018)",
            by_label=True,
        ),
        DatasetFacts(
            name="sllfw",
            title="SLLFW",
            first_pair_id=18001,
            pairs=6000,
            licence=_PRESS,
            source="W. Deng et al., Fine-grained face verification: FGLFW (2017), images of LFW "
            "with similar-looking impostor pairs",
            images_of="lfw",
        ),
        DatasetFacts(
            name="xqlfw",
            title="XQLFW",
            first_pair_id=24001,
            pairs=6000,
            licence=f"{_PRESS} Its code is under the MIT licence; its images derive from LFW.",
            source="M. Knoche et al., Cross-Quality LFW (2021), release 1.0",
            images_of="lfw",
        ),
        DatasetFacts(
            name="mlfw",
            title="MLFW",
            first_pair_id=40001,
            pairs=6000,
            licence=f"{_PRESS} Masks were drawn onto images of CALFW; no licence is published.",
            source="C. Wang et al., Masked LFW (2021)",
        ),
        DatasetFacts(
            name="agedb-30",
            title="AgeDB-30",
            first_pair_id=50001,
            pairs=6000,
            licence="Photographs of public figures, for academic research only; the copyright "
            "stays with the photographers.",
            source="S. Moschoglou et al., AgeDB (2017), protocol of 30 years' difference",
        ),
        DatasetFacts(
            name="cfp-fp",
            title="CFP-FP",
            first_pair_id=60001,
            pairs=7000,
            licence="Photographs of public figures, for research only; the copyright stays with "
            "the photographers.",
            source="S. Sengupta et al., Frontal to Profile Face Verification in the Wild (2016)",
        ),
        DatasetFacts(
            name="demo",
            title="Demo",
            first_pair_id=30001,
            pairs=600,
            licence="Drawn by this project's own code: nobody's face.",
            source="compute/demo, procedurally drawn faces",
        ),
    )
}


def require_name(name: str) -> str:
    """Return a name that a dataset can have; ``DatasetError`` for any other."""
    if not NAME.fullmatch(name) or "__" in name:
        raise DatasetError(
            f"Unknown dataset {name!r}: expected one of {', '.join(CATALOGUE)}, or a name of your "
            "own: up to 64 of a-z, 0-9, '-' and '_', a letter or digit first, without '__'."
        )
    return name


def own_block(name: str, taken: set[int]) -> int:
    """Return the first pair id for a dataset of one's own: the first free block from its name's.

    Blocks follow from names, so that the same dataset gets the same ids on every machine.
    """
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % OWN_BLOCKS
    for step in range(OWN_BLOCKS):
        first = OWN_BLOCK * (1 + (start + step) % OWN_BLOCKS) + 1
        if first not in taken:
            return first
    raise DatasetError(f"All {OWN_BLOCKS} blocks of pair ids are taken. Delete a dataset.")
