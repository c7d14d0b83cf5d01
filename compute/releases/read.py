"""Reading a release made anywhere: hashes first, then every promise of the format."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from compute.errors import ReleaseError
from compute.progress import progress_bar
from compute.releases.arrays import open_array
from compute.releases.figures import Figures
from compute.releases.layout import (
    FOLDS,
    MANIFEST,
    PAIRS,
    SCALES,
    SCORES,
    array_file,
    explained_table,
)
from compute.releases.manifest import Manifest, SetFacts, read_manifest, verify_files
from compute.releases.tables import read_table

Columns = dict[str, list[Any]]

STATUSES: Final = ("ok", "flat")


@dataclass(frozen=True)
class ReleasedSet:
    """An explanation set of a release: facts, the table, and (P, 5, K) float32 on disk."""

    facts: SetFacts
    columns: Columns
    deviations: NDArray[np.float32]

    def scales(self, row: int) -> dict[str, dict[str, float]]:
        """Return the scales of the pair in ``row``, as the database keeps them."""
        scales: dict[str, dict[str, float]] = {}
        for normalise, side, column in SCALES:
            scales.setdefault(normalise, {})[side] = self.columns[column][row]
        return scales


@dataclass(frozen=True)
class SoundRelease:
    """A release of which everything that can be checked by itself was checked."""

    folder: Path
    manifest: Manifest
    pairs: Columns
    scores: Columns
    folds: Columns
    sets: tuple[ReleasedSet, ...]


def read_release(folder: Path) -> SoundRelease:
    """Read and check a release; nothing in a file is read before its hash is.

    Raises
    ------
    ReleaseError
        For whatever is missing, damaged, of another format or not consistent in itself.
    """
    size = sum(path.lstat().st_size for path in folder.iterdir()) if folder.is_dir() else 0
    with progress_bar("check", size, "B") as progress:
        checksums = verify_files(folder, progress.update)
    manifest = read_manifest(folder, checksums)
    pairs, scores, folds = (read_table(folder, table) for table in (PAIRS, SCORES, FOLDS))
    sets = []
    for facts in manifest.sets:
        table = explained_table(facts.name)
        columns = read_table(folder, table)
        _require(
            len(columns["pair_id"]) == facts.pairs,
            folder / table.file,
            f"{len(columns['pair_id'])} rows, release.json says {facts.pairs}",
        )
        array = open_array(folder / array_file(facts.name), facts.shape)
        sets.append(ReleasedSet(facts, columns, array))
    release = SoundRelease(folder, manifest, pairs, scores, folds, tuple(sets))
    _check_counts(release)
    _check_scores(release)
    for each in sets:
        _check_set(release, each)
    return release


def _require(holds: bool, path: Path, what: str) -> None:  # noqa: FBT001  reads as a sentence
    if not holds:
        raise ReleaseError(f"{path}: {what}. The release contradicts itself: fetch it again.")


def _check_counts(release: SoundRelease) -> None:
    manifest = release.manifest
    for table, columns, facts in (
        (PAIRS, release.pairs, manifest.dataset),
        (SCORES, release.scores, manifest.evaluation),
    ):
        found, said = len(columns["pair_id"]), facts.get("pair_count")
        _require(
            found == said, release.folder / table.file, f"{found} rows, release.json says {said}"
        )
    left = len(release.pairs["pair_id"]) - len(release.scores["pair_id"])
    said = manifest.evaluation.get("skipped_count")
    _require(
        said == left,
        release.folder / MANIFEST,
        f"{said} pairs are said to be skipped, {left} of the dataset's have no score",
    )
    for name, facts in (("dataset", manifest.dataset), ("model", manifest.model)):
        said, own = manifest.evaluation.get(f"{name}_sha256"), facts.get("sha256")
        _require(
            said == own,
            release.folder / MANIFEST,
            f"the evaluation is of the {name} {said!r:.20}, described is {own!r:.20}",
        )


def _check_scores(release: SoundRelease) -> None:
    """Ranges and keys; and that every figure follows from distances, labels and folds."""
    path = release.folder / SCORES.file
    scores = {name: np.array(release.scores[name]) for name in ("distance", "confidence")}
    ids = np.array(release.pairs["pair_id"], dtype=np.int64)
    keys = np.array(release.scores["pair_id"], dtype=np.int64)
    place = _places(path, keys, ids, PAIRS.file)
    for name, low, high in (("distance", 0.0, 2.0), ("confidence", 0.5, 1.0)):
        outside = (scores[name] < low) | (scores[name] > high)
        _require(not outside.any(), path, f"{name} outside [{low:g}, {high:g}]")
    genuine = np.array(release.pairs["genuine"], dtype=np.bool_)
    fold = np.array(release.pairs["fold"], dtype=np.int64)
    _require(min(fold, default=0) >= 0, release.folder / PAIRS.file, "a fold below 0")
    Figures(
        release.folder,
        release.manifest,
        genuine=genuine[place],
        fold=fold[place],
        scores=release.scores,
        folds=release.folds,
    ).check()


def _check_set(release: SoundRelease, each: ReleasedSet) -> None:
    path = release.folder / explained_table(each.facts.name).file
    scored = np.array(release.scores["pair_id"], dtype=np.int64)
    _places(path, np.array(each.columns["pair_id"], dtype=np.int64), scored, SCORES.file)
    unknown = set(each.columns["status"]) - set(STATUSES)
    _require(not unknown, path, f"status {sorted(unknown)}, expected some of {STATUSES}")
    lowest = min((min(each.columns[column], default=0.0) for *_, column in SCALES), default=0.0)
    _require(lowest >= 0, path, f"a scale of {lowest}, expected 0 or more")


def _places(
    path: Path, keys: NDArray[np.int64], known: NDArray[np.int64], where: str
) -> NDArray[np.int64]:
    """Return where each key stands among the ascending ``known`` ones."""
    if not len(keys):
        return np.empty(0, dtype=np.int64)
    _require(len(known) > 0, path, f"{len(keys)} pairs, and {where} has none")
    place = np.searchsorted(known, keys).clip(max=len(known) - 1)
    strange = known[place] != keys
    _require(not strange.any(), path, f"pair {keys[strange][:1]} is not in {where}")
    return place
