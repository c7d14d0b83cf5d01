"""How far each dataset is on this machine: absent, pulled or imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from compute.datasets.catalogue import CATALOGUE, DatasetFacts
from compute.datasets.downloads import pulled, sources_of
from compute.datasets.pairs import FOLDS
from compute.datasets.store import facts_of, folds_in, is_imported, own_names

State = Literal["absent", "pulled", "imported"]


@dataclass(frozen=True)
class KnownDataset:
    """One line of ``flask datasets list``."""

    facts: DatasetFacts
    folds: int
    state: State


def known_datasets(data: Path) -> list[KnownDataset]:
    """Return every dataset of the catalogue, then those of one's own that are imported."""
    catalogue = [
        KnownDataset(facts, FOLDS, _state(data, facts.name)) for facts in CATALOGUE.values()
    ]
    own = [
        KnownDataset(facts_of(data, name), folds_in(data, name), "imported")
        for name in own_names(data)
    ]
    return catalogue + own


def _state(data: Path, name: str) -> State:
    if is_imported(data, name):
        return "imported"
    if any(pulled(data, name, source) for source in sources_of(name)):
        return "pulled"
    return "absent"
