"""``flask import``: from a release back to rows and pictures; what is there already must agree."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.media import MediaKeyError, MediaStore
from compute.datasets.store import is_imported, read_dataset
from compute.errors import ReleaseError
from compute.files import exclusive
from compute.images import decode
from compute.progress import progress_bar
from compute.publish import Publisher, RestoredRows, RestoredSet
from compute.releases import rows
from compute.releases.layout import PAIRS, SCALES
from compute.releases.read import Columns, ReleasedSet, SoundRelease, read_release
from compute.rendering import RenderedExplanation, pack, render_stored

_CLOSE: Final = 1e-4
"""How far a published scale may be from the one that its deviations give, relatively."""


def restore(folder: Path, publisher: Publisher, media: MediaStore, data: Path) -> list[str]:
    """Publish what a release holds and the site lacks; say in lines what was done.

    Raises
    ------
    ComputeError
        Where the release is not sound, its dataset is not here, or the site holds other results
        under the same names. Nothing is written then.
    """
    release = read_release(folder)
    name, model = release.manifest.dataset["name"], release.manifest.model["name"]
    rows.check_facts(release.manifest)
    with exclusive(data / "locks" / f"{name}__{model}", doing=f"computing {model} on {name}"):
        dataset_id = _require_dataset(release, publisher, data)
        known = _require_agreement(release)
        todo = [_missing(release, each, known) for each in release.sets]
        if known is not None and all(each.is_done for each in todo):
            return [f"{release.manifest.title}: is here already, nothing to do."]
        faces = _Faces(media, rows.face_keys(dataset_id), release.pairs)
        restored = [_restored_set(each, faces, publisher) for each in todo if not each.is_done]
        publisher.restore(
            RestoredRows(
                manifest=release.manifest,
                scores=None if known else release.scores,
                folds=None if known else release.folds,
                sets=restored,
            )
        )
    lines = (
        [] if known else [f"{release.manifest.title}: {len(release.scores['pair_id'])} results."]
    )
    return lines + [
        f"{release.manifest.title}: {len(each.rows)} pairs explained in set "
        f"{each.released.facts.name!r} ({each.released.facts.pairs - len(each.rows)} were before)."
        for each in todo
    ]


def _require_dataset(release: SoundRelease, publisher: Publisher, data: Path) -> int:
    """Return the key of the release's dataset on the site, published first if it is imported."""
    name, sha256 = release.manifest.dataset["name"], release.manifest.dataset["sha256"]
    found = rows.find_dataset(name)
    if found is None and is_imported(data, name):
        stored = read_dataset(data, name)
        if stored.sha256 == sha256:
            publisher.dataset(stored)
            found = rows.find_dataset(name)
    if found is None:
        raise ReleaseError(
            f"{release.manifest.title}: needs the dataset {name} (SHA-256 {sha256[:12]}...), since "
            f"a release holds no images. Import it first: flask datasets import {name}"
        )
    dataset_id, facts = found
    if facts["sha256"] != sha256:
        raise ReleaseError(
            f"{release.manifest.title}: was made of another {name} (SHA-256 {sha256[:12]}..., here "
            f"it is {facts['sha256'][:12]}...). Its results do not hold for the images here."
        )
    _require_same("pairs", rows.pair_columns(dataset_id), release.pairs, release)
    return dataset_id


def _require_agreement(release: SoundRelease) -> rows.EvaluationRows | None:
    """Return the evaluation on the site, None where there is none; it must be the release's."""
    manifest = release.manifest
    model = rows.find_model(manifest.model["name"])
    for column in ("sha256", "preprocessing"):
        if model is not None and model[column] != manifest.model[column]:
            raise ReleaseError(
                f"The site holds another model {manifest.model['name']!r}: {column} is "
                f"{model[column]}, in the release {manifest.model[column]}. Import into another "
                "database."
            )
    known = rows.find_evaluation(manifest.dataset["name"], manifest.model["name"])
    if known is not None:
        _require_same("scores", known.scores(), release.scores, release)
        _require_same("folds", known.folds(), release.folds, release)
    return known


def _require_same(what: str, here: Columns, there: Columns, release: SoundRelease) -> None:
    for column, values in there.items():
        if here[column] != values:
            row = next(
                (i for i, (a, b) in enumerate(zip(here[column], values, strict=False)) if a != b),
                min(len(values), len(here[column])),
            )
            raise ReleaseError(
                f"{release.manifest.title}: the site holds other {what} under these names; the "
                f"first difference is {column} in row {row}. Import into another database."
            )


@dataclass(frozen=True)
class _Missing:
    """The rows of a released set that the site lacks."""

    released: ReleasedSet
    is_new: bool
    rows: Sequence[int]

    @property
    def is_done(self) -> bool:
        return not self.is_new and not self.rows


def _missing(
    release: SoundRelease, each: ReleasedSet, known: rows.EvaluationRows | None
) -> _Missing:
    """Compare a set with the one on the site; pairs in both must have the same deviations."""
    here = known.set_named(each.facts.name) if known else None
    ids = each.columns["pair_id"]
    if here is None:
        return _Missing(each, is_new=True, rows=range(len(ids)))
    for column in ("spec", "engine"):
        if here.facts.facts[column] != each.facts.facts[column]:
            raise ReleaseError(
                f"{release.manifest.title}: set {each.facts.name!r} has the {column} "
                f"{each.facts.facts[column]}, on the site it is {here.facts.facts[column]}. "
                "Results must not mix: import into another database."
            )
    place = {pair_id: row for row, pair_id in enumerate(ids)}
    held = set(here.ids)
    both = [pair_id for pair_id in ids if pair_id in held]
    for explained in here.explained(both):
        if explained.deviations != each.deviations[place[explained.pair_id]].tobytes():
            raise ReleaseError(
                f"{release.manifest.title}: the site holds other deviations of pair "
                f"{explained.pair_id} in set {each.facts.name!r}. Import into another database."
            )
    return _Missing(each, is_new=False, rows=[row for i, row in place.items() if i not in held])


class _Faces:
    """The two aligned faces of a pair, from the media store."""

    def __init__(self, media: MediaStore, keys: Mapping[str, str], pairs: Columns) -> None:
        self._media = media
        self._keys = keys
        names = zip(pairs["image1"], pairs["image2"], strict=True)
        self._names = dict(zip(pairs[PAIRS.key], names, strict=True))

    def of(self, pair_id: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
        first, second = (self._face(name) for name in self._names[pair_id])
        return first, second

    def _face(self, name: str) -> np.ndarray[Any, Any]:
        try:
            return decode(self._media.read(self._keys[name]), name)
        except MediaKeyError as error:
            raise ReleaseError(
                f"{name}: its picture is not published ({error}) Mend XFV_MEDIA_URL."
            ) from error


def _require_drawn(
    pair_id: int, released: ReleasedSet, row: int, drawn: RenderedExplanation
) -> None:
    """Raise ``ReleaseError`` unless status and scales follow from the deviations."""
    said = released.scales(row)
    agree = drawn.status == released.columns["status"][row] and all(
        math.isclose(drawn.scales[n][side], said[n][side], rel_tol=_CLOSE, abs_tol=1e-12)
        for n, side, _column in SCALES
    )
    if not agree:
        raise ReleaseError(
            f"Set {released.facts.name!r}, pair {pair_id}: status or scales do not follow from its "
            "deviations. The release was altered, or made by a version that draws other maps."
        )


def _restored_set(each: _Missing, faces: _Faces, publisher: Publisher) -> RestoredSet:
    """Draw the X-Maps of the missing pairs and write them; pictures come before rows."""
    facts, columns = each.released.facts, each.released.columns
    xmaps = []
    with progress_bar(f"draw {facts.name}", len(each.rows), "pair") as progress:
        for row in each.rows:
            pair_id = columns["pair_id"][row]
            drawn = render_stored(each.released.deviations[row], facts.spec, faces.of(pair_id))
            _require_drawn(pair_id, each.released, row, drawn)
            xmaps.append(publisher.pictures(drawn))
            progress.update()

    def explanations() -> Iterator[dict[str, Any]]:
        for row, keys in zip(each.rows, xmaps, strict=True):
            yield {
                "pair_id": columns["pair_id"][row],
                "status": columns["status"][row],
                "deviations": pack(each.released.deviations[row]),
                "scales": each.released.scales(row),
                "xmaps": keys,
            }

    return RestoredSet(facts, explanations())
