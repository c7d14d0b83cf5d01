"""Datasets of one's own, and derived ones: what is said of them, and their pair ids."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from compute.datasets.catalogue import OWN_BLOCK, DatasetFacts, own_block, require_name
from compute.datasets.store import facts_of, own_names
from compute.errors import DatasetError


@dataclass(frozen=True)
class Said:
    """What is said of a dataset of one's own, for the site; what is left empty gets a default."""

    title: str = ""
    licence: str = ""
    source: str = ""
    images_of: str = ""


def own_facts(data: Path, name: str, pairs: int, said: Said) -> DatasetFacts:
    """Return the facts of a new dataset of one's own, with pair ids that no other here has.

    Raises
    ------
    DatasetError
        For more pairs than there are ids, or text that is longer than the site can hold.
    """
    if pairs > OWN_BLOCK:
        raise DatasetError(f"{name}: {pairs} pairs, expected {OWN_BLOCK} at most.")
    for what, text, most in (
        ("title", said.title, 200),
        ("licence", said.licence, 1000),
        ("source", said.source, 1000),
    ):
        if len(text) > most:
            raise DatasetError(
                f"{name}: a {what} of {len(text)} characters, expected {most} at most. Say it "
                "shorter."
            )
    taken = {facts_of(data, own).first_pair_id for own in own_names(data)}
    return DatasetFacts(
        name=require_name(name),
        first_pair_id=own_block(name, taken),
        pairs=pairs,
        title=said.title or name,
        licence=said.licence or "Not stated at import.",
        source=said.source or "A dataset of one's own.",
        images_of=said.images_of,
    )
