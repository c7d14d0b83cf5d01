"""What is known of each dataset before it is here: its names, its licence, its pair ids."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from compute.errors import DatasetError


@dataclass(frozen=True)
class DatasetFacts:
    """One row of the catalogue.

    Attributes
    ----------
    first_pair_id
        The stable id of its first pair; ids follow the order of the pair list.
    pairs
        How many pairs it has, and so how many ids are its own.
    """

    name: str
    title: str
    first_pair_id: int
    pairs: int
    licence: str
    source: str


_LFW = DatasetFacts(
    name="lfw",
    title="LFW",
    first_pair_id=1,
    pairs=6000,
    licence="Photographs of public figures from news sites, released for research on "
    "unconstrained face recognition; the copyright stays with the photographers.",
    source="G. Huang et al., Labeled Faces in the Wild (2007), deep-funneled images and pairs.txt",
)
_DEMO = DatasetFacts(
    name="demo",
    title="Demo",
    first_pair_id=30001,
    pairs=600,
    licence="Drawn by this project's own code: nobody's face.",
    source="compute/demo, procedurally drawn faces",
)

CATALOGUE: Final[dict[str, DatasetFacts]] = {facts.name: facts for facts in (_LFW, _DEMO)}


def facts_of(name: str) -> DatasetFacts:
    """Return what is known of a dataset; ``DatasetError`` lists the names there are."""
    if name not in CATALOGUE:
        raise DatasetError(f"Unknown dataset {name!r}: expected one of {', '.join(CATALOGUE)}.")
    return CATALOGUE[name]
