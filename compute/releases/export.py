"""``flask export``: from rows to a release, the same bytes whenever the rows are the same."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from app.data.names import NAME, VERSION, ReleaseKey
from compute.errors import ReleaseError
from compute.files import exclusive, sha256_of_file
from compute.progress import progress_bar
from compute.releases.arrays import write_array
from compute.releases.croissant import describe
from compute.releases.layout import (
    CROISSANT,
    FOLDS,
    LICENCE,
    MANIFEST,
    PAIRS,
    SCALES,
    SCORES,
    TABLES,
    Table,
    array_file,
    array_help,
    explained_table,
)
from compute.releases.licence import licence_note
from compute.releases.manifest import Facts, Manifest, write_checksums
from compute.releases.rows import EvaluationRows, ExplainedPair, SetRows, require_evaluation
from compute.releases.shelving import ShelfWriter
from compute.releases.tables import write_table

FIRST: Final = "1.0.0"


@dataclass
class ExportReport:
    """What was written, for the terminal."""

    key: ReleaseKey
    place: str
    size: int
    already: bool
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Wanted:
    """What to put into a release.

    Attributes
    ----------
    sets
        Names of explanation sets; None for all there are.
    version
        None for the next one.
    folder
        Where to write it, instead of on the shelf.
    """

    dataset: str
    model: str
    sets: tuple[str, ...] | None = None
    version: str | None = None
    folder: Path | None = None


def export(wanted: Wanted, media_url: str, data: Path) -> ExportReport:
    """Write a release; one with the same content that is on the shelf already is left as it is.

    Raises
    ------
    ReleaseError
        For an unknown evaluation, set or version, or a place that is taken.
    """
    _require_names(wanted)
    evaluation = require_evaluation(wanted.dataset, wanted.model)
    chosen = _chosen_sets(evaluation, wanted.sets)
    shelf = ShelfWriter(media_url)
    with exclusive(data / "locks" / "releases", doing="exporting a release"):
        building = _building(wanted, shelf, data)
        shutil.rmtree(building, ignore_errors=True)
        building.mkdir(parents=True)
        try:
            return _export(wanted, evaluation, chosen, building, shelf)
        finally:
            shutil.rmtree(building, ignore_errors=True)


def _export(
    wanted: Wanted,
    evaluation: EvaluationRows,
    chosen: Sequence[SetRows],
    building: Path,
    shelf: ShelfWriter,
) -> ExportReport:
    sets = tuple(each.facts for each in chosen)
    manifest = Manifest(FIRST, evaluation.dataset, evaluation.model, evaluation.facts, sets)
    files = _write_tables(building, evaluation)
    for each in chosen:
        files += _write_set(building, each)
    known = {
        key.version: shelf.manifest(key) for key in shelf.versions(wanted.dataset, wanted.model)
    }
    version, already = _choose_version(wanted, manifest, files, known)
    key = ReleaseKey(wanted.dataset, wanted.model, version)
    _describe(building, replace(manifest, version=version), files)
    size = sum(path.stat().st_size for path in building.iterdir())
    report = ExportReport(key, str(wanted.folder or shelf.place(key)), size, already)
    report.notes = [
        f"Set {each.name!r} holds {each.pairs} of the {each.facts['wanted_count']} pairs that its "
        "latest run was asked for."
        for each in sets
        if each.pairs < each.facts["wanted_count"]
    ]
    if wanted.folder is not None:
        report.already = False
        building.rename(wanted.folder)
    elif not already:
        shelf.put(building, key)
    if wanted.folder is None:
        shelf.reindex()
    return report


def _require_names(wanted: Wanted) -> None:
    for name in (wanted.dataset, wanted.model):
        if not NAME.fullmatch(name) or "__" in name:
            raise ReleaseError(f"{name!r}: expected a name of a-z, 0-9, '-' and '_', without '__'.")
    if wanted.version is not None and not VERSION.fullmatch(wanted.version):
        raise ReleaseError(f"--version {wanted.version!r}: expected three numbers, as 1.0.0.")
    folder = wanted.folder
    if folder is not None and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise ReleaseError(f"--to {folder}: is there already. Name a new or an empty folder.")


def _chosen_sets(evaluation: EvaluationRows, names: tuple[str, ...] | None) -> list[SetRows]:
    known = evaluation.set_names()
    chosen = []
    for name in known if names is None else sorted(set(names)):
        found = evaluation.set_named(name)
        if found is None:
            raise ReleaseError(
                f"--explanations {name!r}: {evaluation.model['name']} on "
                f"{evaluation.dataset['name']} has the sets {', '.join(known) or '(none)'}."
            )
        chosen.append(found)
    return chosen


def _building(wanted: Wanted, shelf: ShelfWriter, data: Path) -> Path:
    """Return a folder to write in, on the disk where the release will lie if that is ours."""
    if wanted.folder is not None:
        return wanted.folder.with_name(f".writing-{wanted.folder.name}")
    root = shelf.local / "releases" if shelf.local else data / "releases"
    return root / f".writing-{wanted.dataset}__{wanted.model}"


def _write_tables(folder: Path, evaluation: EvaluationRows) -> list[Facts]:
    contents = ((PAIRS, evaluation.pairs()), (SCORES, evaluation.scores()))
    return [
        _table_facts(folder, table, write_table(folder, table, columns))
        for table, columns in (*contents, (FOLDS, evaluation.folds()))
    ]


def _write_set(folder: Path, rows: SetRows) -> list[Facts]:
    """Write array and table of a set in one pass over its explanations."""
    facts = rows.facts
    table = explained_table(facts.name)
    columns: dict[str, list[Any]] = {column.name: [] for column in table.columns}
    file = array_file(facts.name)
    with progress_bar(f"export {facts.name}", facts.pairs, "pair") as progress:

        def deviations(found: Iterator[ExplainedPair]) -> Iterator[bytes]:
            for row in found:
                columns["pair_id"].append(row.pair_id)
                columns["status"].append(row.status)
                for normalise, side, column in SCALES:
                    columns[column].append(row.scales[normalise][side])
                yield row.deviations
                progress.update()

        write_array(folder / file, facts.shape, deviations(rows.explained()))
    return [
        _table_facts(folder, table, write_table(folder, table, columns)),
        {**_file_facts(folder, file, array_help(facts.shape)), "rows": facts.pairs},
    ]


def _file_facts(folder: Path, name: str, help_: str) -> Facts:
    path = folder / name
    size = path.stat().st_size
    return {"name": name, "bytes": size, "sha256": sha256_of_file(path), "help": help_}


def _table_facts(folder: Path, table: Table, count: int) -> Facts:
    columns = [column.to_dict() for column in table.columns]
    return {**_file_facts(folder, table.file, table.help), "rows": count, "columns": columns}


def _choose_version(
    wanted: Wanted, manifest: Manifest, files: Sequence[Facts], known: dict[str, Facts]
) -> tuple[str, bool]:
    """Return the version to write, and whether the shelf holds the same under it already.

    The next version is a minor one where the pairs, scores and folds of the newest stay and only
    explanations differ; else a major one.
    """
    asked = wanted.version
    newest = max(known, key=_numbers, default=None)
    same_as = asked if asked is not None else newest
    if same_as in known and _content(known[same_as]) == _content(manifest.to_dict(list(files))):
        return same_as, True
    if asked is not None:
        if asked in known and wanted.folder is None:
            raise ReleaseError(
                f"Release {asked} of {wanted.model} on {wanted.dataset} is there with other "
                "content, and a release never changes. Leave --version out for the next one."
            )
        return asked, False
    if newest is None:
        return FIRST, False
    major, minor, _patch = _numbers(newest)
    tables = {table.file for table in TABLES}
    before, now = (
        {file["name"]: file["sha256"] for file in each if file["name"] in tables}
        for each in (known[newest]["files"], files)
    )
    return (f"{major}.{minor + 1}.0" if before == now else f"{major + 1}.0.0"), False


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _content(manifest: Facts) -> Facts:
    """Return a manifest without its version and the texts that follow from the rest."""
    files = [file for file in manifest["files"] if file["name"] not in (CROISSANT, LICENCE)]
    return {**manifest, "version": None, "files": files}


def _describe(folder: Path, manifest: Manifest, files: list[Facts]) -> None:
    """Write everything about the data files: licence note, Croissant, manifest, checksums."""
    (folder / LICENCE).write_text(licence_note(manifest), encoding="utf-8")
    files = [*files, _file_facts(folder, LICENCE, "On whose terms the numbers may be used.")]
    tables = (*TABLES, *(explained_table(each.name) for each in manifest.sets))
    _write_json(folder / CROISSANT, describe(manifest, files, tables))
    help_ = "This release described for machines: Croissant 1.0, JSON-LD."
    files.append(_file_facts(folder, CROISSANT, help_))
    _write_json(folder / MANIFEST, manifest.to_dict(files))
    write_checksums(folder)


def _write_json(path: Path, content: Facts) -> None:
    text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
