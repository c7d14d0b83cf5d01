"""What the pages of releases show, ready for templates that only loop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from flask import url_for

from app.data.shelf import Release

CROISSANT = "croissant.json"
DETAILS = "release.json"
CHECKSUMS = "SHA256SUMS"
SCORES = "scores.parquet"


def size_words(size: int) -> str:
    """Return bytes as people read them: 21 B, 3.3 MiB."""
    value, units = float(size), ["B", "KiB", "MiB", "GiB", "TiB"]
    while value >= 1000 and len(units) > 1:
        value /= 1024
        units.pop(0)
    return (
        f"{value:.0f} {units[0]}" if units[0] == "B" or value >= 100 else f"{value:.1f} {units[0]}"
    )


def date_words(moment: str) -> str:
    """Return the day of an ISO time, as 24 November 2026; the text itself where it is none."""
    try:
        day = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    return f"{day.day} {day:%B %Y}"


def page_url(release: Release, *, external: bool = False) -> str:
    """Return the address of a release's page."""
    key = release.key
    return url_for(
        "data.release",
        dataset=key.dataset,
        model=key.model,
        version=key.version,
        _external=external,
    )


def file_url(release: Release, name: str, *, external: bool = False) -> str:
    """Return the address of a file of a release."""
    return f"{page_url(release, external=external)}/{name}"


def read_lines(explained: Iterable[str]) -> list[str]:
    """Return three lines of Python that read a release; ``explained`` are its sets by name.

    A test runs them on the files of a release.
    """
    lines = [
        "import numpy as np, pandas as pd",
        'scores = pd.read_parquet("scores.parquet").merge(pd.read_parquet("pairs.parquet"), '
        'on="pair_id")',
    ]
    name = next(iter(explained), None)
    if name is None:
        return [*lines, 'folds = pd.read_parquet("folds.parquet").set_index("fold")']
    ids = f'pd.read_parquet("deviations-{name}.parquet").pair_id'
    array = f'np.load("deviations-{name}.npy", mmap_mode="r")'
    return [*lines, f"deviations = dict(zip({ids}, {array}))"]


def fetch_command(release: Release) -> str:
    """Return a command that downloads a release and checks it."""
    url = page_url(release, external=True)
    names = ",".join(release.files)
    return f'curl -f --remote-name-all "{url}/{{{names}}}" && sha256sum --check {CHECKSUMS}'


@dataclass(frozen=True)
class ShownVersion:
    """One release in a list."""

    version: str
    url: str
    size: str
    date: str
    explained: str
    """Explained pairs of every set, in words."""


@dataclass(frozen=True)
class ShownModel:
    """A model on a dataset, its newest release first."""

    title: str
    evaluation_url: str
    newest: ShownVersion
    older: tuple[ShownVersion, ...]
    croissant_url: str
    scores_url: str


@dataclass(frozen=True)
class ShownDataset:
    """A dataset with the models that have releases on it."""

    name: str
    title: str
    models: tuple[ShownModel, ...]


@dataclass(frozen=True)
class DataPage:
    """Everything of ``/data``."""

    datasets: tuple[ShownDataset, ...]
    lines: tuple[str, ...]
    fetch: str | None


def data_page(releases: Sequence[Release]) -> DataPage:
    """Return the list of all releases, which come sorted from the shelf."""
    datasets = []
    for dataset, of_dataset in groupby(releases, key=lambda each: each.key.dataset):
        groups = [list(g) for _, g in groupby(of_dataset, key=lambda each: each.key.model)]
        title = groups[0][0].dataset_title or dataset
        datasets.append(ShownDataset(dataset, title, tuple(map(_shown_model, groups))))
    first = next((each for each in releases if each.explained), next(iter(releases), None))
    return DataPage(
        datasets=tuple(datasets),
        lines=tuple(read_lines(first.explained if first else ("default",))),
        fetch=fetch_command(first) if first else None,
    )


def _shown_model(versions: Sequence[Release]) -> ShownModel:
    newest = versions[0]
    key = newest.key
    return ShownModel(
        title=newest.model_title or key.model,
        evaluation_url=url_for("evaluations.evaluation", model=key.model, dataset=key.dataset),
        newest=_shown_version(newest),
        older=tuple(map(_shown_version, versions[1:])),
        croissant_url=file_url(newest, CROISSANT),
        scores_url=file_url(newest, SCORES),
    )


def _shown_version(release: Release) -> ShownVersion:
    sets = [f"{count:,} in {name}" for name, count in release.explained.items()]
    return ShownVersion(
        version=release.key.version,
        url=page_url(release),
        size=size_words(release.size),
        date=date_words(release.finished),
        explained=", ".join(sets) or "none",
    )


@dataclass(frozen=True)
class ShownFile:
    """One file of a release."""

    name: str
    url: str
    help: str
    rows: int | None
    size: str
    sha256: str
    columns: tuple[dict[str, str], ...]


@dataclass(frozen=True)
class ReleasePage:
    """Everything of the page of one release."""

    release: Release
    dataset: dict[str, Any]
    model: dict[str, Any]
    evaluation: dict[str, Any]
    sets: tuple[dict[str, Any], ...]
    date: str
    size: str
    files: tuple[ShownFile, ...]
    seals: tuple[tuple[str, str], ...]
    """Name and address of the files that state all others."""
    versions: tuple[ShownVersion, ...]
    lines: tuple[str, ...]
    fetch: str
    json_ld: dict[str, Any]


def release_page(
    release: Release,
    content: dict[str, Any],
    croissant: dict[str, Any],
    versions: Sequence[Release],
) -> ReleasePage:
    """Return the page of a release from its ``release.json`` and ``croissant.json``."""
    return ReleasePage(
        release=release,
        dataset=content["dataset"],
        model=content["model"],
        evaluation=content["evaluation"],
        sets=tuple(content["explanation_sets"]),
        date=date_words(release.finished),
        size=size_words(release.size),
        files=tuple(
            ShownFile(
                name=file["name"],
                url=file_url(release, file["name"]),
                help=file["help"],
                rows=file.get("rows"),
                size=size_words(file["bytes"]),
                sha256=file["sha256"],
                columns=tuple(file.get("columns", ())),
            )
            for file in content["files"]
        ),
        seals=tuple((name, file_url(release, name)) for name in (DETAILS, CHECKSUMS)),
        versions=tuple(map(_shown_version, versions)),
        lines=tuple(read_lines(release.explained)),
        fetch=fetch_command(release),
        json_ld=placed(croissant, release),
    )


def placed(croissant: dict[str, Any], release: Release) -> dict[str, Any]:
    """Return a Croissant description with the addresses of this site in place of file names."""
    files = [
        {**file, "contentUrl": file_url(release, file["contentUrl"], external=True)}
        for file in croissant["distribution"]
    ]
    return {**croissant, "url": page_url(release, external=True), "distribution": files}
