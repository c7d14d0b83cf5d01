"""Pulling a dataset: the files of ``download_table`` fetched, each checked, ready for import."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.datasets.download_table import DOWNLOADS, ByHand, Download
from compute.datasets.store import Skipped
from compute.errors import DatasetError, FetchError, HashMismatchError
from compute.fetching.fetch import fetch
from compute.patience import Patience
from compute.progress import say as say_aloud

FOLDER: Final = "downloads"

_PATIENT: Final = Patience()


@dataclass(frozen=True)
class PullReport:
    """What was pulled: from which source, which files, and which lists could not be had."""

    source: str
    paths: list[Path]
    skipped: list[Skipped]


def sources_of(name: str) -> dict[str, Download | ByHand]:
    """Return the sources of a dataset, the best first; none for one that is not on the web."""
    return DOWNLOADS.get(name, {})


def pulled(data: Path, name: str, source: str) -> list[Path] | None:
    """Return the files of a dataset where all that it needs are here, and None where not.

    Lists that it can do without are there if they were had. The hash of each file was right when it
    got its name; ``pull`` checks again.
    """
    known = sources_of(name).get(source)
    if not isinstance(known, Download):
        return None
    needed = [data / FOLDER / file.name for file in known.files]
    lists = [data / FOLDER / file.name for file in known.lists]
    if not all(path.is_file() for path in needed):
        return None
    return needed + [path for path in lists if path.is_file()]


def pull(
    data: Path,
    name: str,
    source: str | None = None,
    *,
    say: Callable[[str], None] = say_aloud,
    patience: Patience = _PATIENT,
) -> PullReport:
    """Fetch the files of a dataset from one source: by default the best that a command can use.

    Raises
    ------
    DatasetError
        For a dataset or a source that is not on the web, or that only a person can get.
    FetchError, HashMismatchError
        Where a file that it needs cannot be had, or is another one.
    """
    chosen, download = _chosen(name, source)
    folder = data / FOLDER
    paths = fetch(download.files, folder, data=data, say=say, patience=patience)
    skipped = []
    for file in download.lists:
        try:
            paths += fetch([file], folder, data=data, say=say, patience=patience)
        except (FetchError, HashMismatchError) as error:
            skipped.append(
                Skipped(file.name, f"{error} {name} can be imported without it, with less known.")
            )
    return PullReport(chosen, paths, skipped)


def _chosen(name: str, source: str | None) -> tuple[str, Download]:
    sources = sources_of(name)
    if not sources:
        raise DatasetError(
            f"{name}: nothing on the web is known for it; to be pulled: {', '.join(DOWNLOADS)}. "
            f"With its files at hand, run: flask datasets import {name} --help"
        )
    if source is None:
        source = next(each for each, known in sources.items() if isinstance(known, Download))
    if source not in sources:
        raise DatasetError(
            f"{name}: no source {source!r}, expected one of {', '.join(sources)}. Leave out "
            "--source for the first of them."
        )
    known = sources[source]
    if isinstance(known, ByHand):
        raise DatasetError(
            f"{name}, source {source}: {known.where} Then run: flask datasets import {name} --help"
        )
    return source, known
