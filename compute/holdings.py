"""What the data folder holds: imported datasets, models of the registry, the face detector."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from compute.alignment import DETECTOR_FILE, DETECTOR_SHA256, find_detector
from compute.datasets.store import dataset_folder, imported_names, read_origin
from compute.errors import ComputeError, DatasetError
from compute.files import require_sha256
from compute.models.known import fed_otherwise
from compute.registry import ModelRegistry

_FILES = ("images.npy", "images.csv", "pairs.csv", "skipped.csv")


@dataclass(frozen=True)
class Holding:
    """One thing of the data folder.

    Attributes
    ----------
    fault
        What is wrong with it, and what to do.
    doubt
        What works, and should be looked at.
    """

    kind: str
    name: str
    fault: str = ""
    doubt: str = ""


def holdings(data: Path, *, detectors: Sequence[Path]) -> Iterator[Holding]:
    """Look at every imported dataset, every model and the detector.

    Datasets are looked at for presence (``flask datasets verify`` reads all of them), models and
    detector by their hash.

    Parameters
    ----------
    detectors
        The folders that may hold the detector.
    """
    for name in imported_names(data):
        yield Holding("dataset", name, _dataset_fault(data, name))
    yield from _models(data)
    yield from _detector(detectors)


def _dataset_fault(data: Path, name: str) -> str:
    folder = dataset_folder(data, name)
    try:
        read_origin(data, name)
    except ComputeError as error:
        return str(error)
    missing = [name for name in _FILES if not (folder / name).is_file()]
    if missing:
        return f"{folder}: {', '.join(missing)} missing. Delete the folder and import it again."
    return ""


def _models(data: Path) -> Iterator[Holding]:
    registry = ModelRegistry(data)
    try:
        entries = registry.entries()
    except ComputeError as error:
        yield Holding("model", "registry", str(error))
        return
    for entry in entries.values():
        fault = ""
        if entry.endpoint is None:  # a service has no file
            try:
                registry.path(entry)
            except ComputeError as error:
                fault = str(error)
        yield Holding("model", entry.name, fault, "" if fault else fed_otherwise(entry))


def _detector(folders: Sequence[Path]) -> Iterator[Holding]:
    """Look at the detector; nothing where it is not here: drawn and aligned faces need none."""
    try:
        path = find_detector(folders)
    except DatasetError:
        return
    try:
        require_sha256(path, DETECTOR_SHA256, remedy="Fetch it again.")
    except ComputeError as error:
        yield Holding("detector", DETECTOR_FILE, str(error))
    else:
        yield Holding("detector", DETECTOR_FILE)
