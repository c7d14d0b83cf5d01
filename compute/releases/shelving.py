"""Putting a release on the shelf of the media store, whole or not at all, and listing it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any, Final

import fsspec
from fsspec.implementations.local import LocalFileSystem

from app.data.names import FOLDER, INDEX, ReleaseKey, release_key
from app.data.shelf import Release, sort_releases
from compute.errors import ReleaseError
from compute.files import write_whole
from compute.releases.layout import CHECKSUMS, MANIFEST

_DEPTH: Final = 2


class ShelfWriter:
    """Writes releases under the folder or fsspec URL of the media store.

    One process at a time: callers hold a lock.
    """

    def __init__(self, media_url: str) -> None:
        self._files, self._root = fsspec.core.url_to_fs(media_url)

    @property
    def local(self) -> Path | None:
        """The folder of the store, where it is one on this machine."""
        return Path(self._root) if isinstance(self._files, LocalFileSystem) else None

    def place(self, key: ReleaseKey) -> str:
        """Say where a release lies."""
        return f"{self._root}/{key.path}"

    def versions(self, dataset: str, model: str) -> list[ReleaseKey]:
        """Return the complete releases of an evaluation, oldest first."""
        keys = [key for key in self._keys() if (key.dataset, key.model) == (dataset, model)]
        return sorted(keys, key=lambda key: key.order)

    def manifest(self, key: ReleaseKey) -> dict[str, Any]:
        """Return the ``release.json`` of a release on the shelf."""
        path = f"{self.place(key)}/{MANIFEST}"
        try:
            content: dict[str, Any] = json.loads(self._files.cat_file(path))
        except ValueError as error:
            raise ReleaseError(
                f"{path}: is not JSON ({error}). Delete this folder; the release can be made again."
            ) from error
        return content

    def put(self, folder: Path, key: ReleaseKey) -> None:
        """Put a finished folder on the shelf: renamed, or uploaded with its manifest last."""
        if self.local is not None:
            target = Path(self.place(key))
            shutil.rmtree(target, ignore_errors=True)  # without a manifest: of a killed command
            target.parent.mkdir(parents=True, exist_ok=True)
            folder.rename(target)
        else:
            names = sorted(path.name for path in folder.iterdir() if path.name != MANIFEST)
            for name in (*names, MANIFEST):
                self._files.put_file(str(folder / name), f"{self.place(key)}/{name}")
            shutil.rmtree(folder)

    def reindex(self) -> None:
        """Write the index anew from what is on the shelf."""
        lines = [each.to_dict() for each in sort_releases([self._line(k) for k in self._keys()])]
        data = (json.dumps({"releases": lines}, indent=1, ensure_ascii=False) + "\n").encode()
        if self.local is not None:
            write_whole(self.local / INDEX, data)
        else:
            self._files.pipe_file(f"{self._root}/{INDEX}", data)

    def _keys(self) -> list[ReleaseKey]:
        found = []
        self._files.invalidate_cache()
        for path in self._files.glob(f"{self._root}/{FOLDER}/*__*/*/{MANIFEST}"):
            names, version = str(path).split("/")[-1 - _DEPTH : -1]
            dataset, _, model = names.partition("__")
            key = release_key(dataset, model, version)
            if key is not None:
                found.append(key)
        return found

    def _line(self, key: ReleaseKey) -> Release:
        content = self.manifest(key)
        checksums = self._files.cat_file(f"{self.place(key)}/{CHECKSUMS}")
        try:
            return release_line(key, content, checksums)
        except (KeyError, TypeError) as error:
            raise ReleaseError(
                f"{self.place(key)}/{MANIFEST}: lacks {error}. Delete this folder; the release can "
                "be made again."
            ) from error


def release_line(key: ReleaseKey, content: dict[str, Any], checksums: bytes) -> Release:
    """Return the line of the index for a manifest and the checksums beside it."""
    return Release(
        key=key,
        dataset_title=content["dataset"]["title"],
        model_title=content["model"]["title"],
        finished=content["evaluation"]["finished"],
        pairs=content["dataset"]["pair_count"],
        scores=content["evaluation"]["pair_count"],
        explained={each["name"]: each["pairs"] for each in content["explanation_sets"]},
        size=sum(file["bytes"] for file in content["files"]),
        sha256=hashlib.sha256(checksums).hexdigest(),
        files=tuple(sorted([file["name"] for file in content["files"]] + [MANIFEST, CHECKSUMS])),
    )
