"""The shelf of releases in the media store, as the site reads it.

The site lists what ``releases/index.json`` lists; the commands write that file anew after each
release (``compute/releases/shelving.py``). A release never changes once it is there.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, BinaryIO, Final

import fsspec
from flask import current_app, g
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from app.data.names import INDEX, ReleaseKey, release_key

SECONDS: Final = 30
"""How long an index that was read from afar is taken as new."""
_KEPT: Final = "releases_of_the_shelf"


class ShelfError(Exception):
    """The shelf holds something that no command wrote."""


@dataclass(frozen=True)
class Release:
    """One line of the index: what a release is of, how large it is, and what seals it.

    Attributes
    ----------
    pairs, scores
        Pairs of the dataset, and those with a result.
    explained
        Number of explained pairs by explanation set.
    size
        Bytes of all files.
    sha256
        SHA-256 of its ``SHA256SUMS``, which seals all files.
    files
        Names of all files.
    """

    key: ReleaseKey
    dataset_title: str
    model_title: str
    finished: str
    pairs: int
    scores: int
    explained: dict[str, int]
    size: int
    sha256: str
    files: tuple[str, ...]

    @classmethod
    def from_dict(cls, line: dict[str, Any]) -> Release:
        """Read a line of the index; ``ShelfError`` where it is none."""
        try:
            key = release_key(line["dataset"], line["model"], line["version"])
            if key is None:
                raise ShelfError(f"{INDEX} lists a release that cannot be: {line!r:.200}.")
            return cls(
                key=key,
                dataset_title=str(line["dataset_title"]),
                model_title=str(line["model_title"]),
                finished=str(line["finished"]),
                pairs=int(line["pairs"]),
                scores=int(line["scores"]),
                explained={str(name): int(n) for name, n in line["explained"].items()},
                size=int(line["size"]),
                sha256=str(line["sha256"]),
                files=tuple(map(str, line["files"])),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ShelfError(f"{INDEX} has a line that is no release: {line!r:.200}.") from error

    def to_dict(self) -> dict[str, Any]:
        """Return the line of the index."""
        return {
            "dataset": self.key.dataset,
            "model": self.key.model,
            "version": self.key.version,
            "dataset_title": self.dataset_title,
            "model_title": self.model_title,
            "finished": self.finished,
            "pairs": self.pairs,
            "scores": self.scores,
            "explained": self.explained,
            "size": self.size,
            "sha256": self.sha256,
            "files": list(self.files),
        }


@dataclass
class _Read:
    at: float = -float("inf")
    releases: list[Release] = field(default_factory=list)


class Shelf:
    """Reads releases from the folder or fsspec URL of the media store."""

    def __init__(self, media_url: str) -> None:
        self._url = media_url
        self._last = _Read()

    @cached_property
    def _place(self) -> tuple[AbstractFileSystem, str]:
        """File system and root; opened when first asked, for connections do not survive a fork."""
        place: tuple[AbstractFileSystem, str] = fsspec.core.url_to_fs(self._url)
        return place

    def releases(self) -> list[Release]:
        """Return all releases: by dataset and model, the newest version first.

        Raises
        ------
        ShelfError
            Where the index is damaged.
        """
        now = time.monotonic()
        if now - self._last.at < SECONDS:
            return self._last.releases
        found = self._index()
        if not isinstance(self._place[0], LocalFileSystem):
            self._last = _Read(now, found)
        return found

    def _index(self) -> list[Release]:
        files, root = self._place
        try:
            text = files.cat_file(f"{root}/{INDEX}")
        except FileNotFoundError:
            return []
        try:
            lines = json.loads(text)["releases"]
        except (ValueError, KeyError, TypeError) as error:
            raise ShelfError(f"{INDEX} is damaged ({error}); `flask export` writes it.") from error
        return sort_releases([Release.from_dict(line) for line in lines])

    def read(self, key: ReleaseKey, name: str) -> bytes:
        """Return a small file of a release whole; ``FileNotFoundError`` where it is not there."""
        files, root = self._place
        data: bytes = files.cat_file(f"{root}/{key.path}/{name}")
        return data

    def read_json(self, key: ReleaseKey, name: str) -> dict[str, Any]:
        """Return a JSON file of a release."""
        content: dict[str, Any] = json.loads(self.read(key, name))
        return content

    def open(self, key: ReleaseKey, name: str) -> BinaryIO:
        """Open a file of a release to be sent piece by piece."""
        files, root = self._place
        file: BinaryIO = files.open(f"{root}/{key.path}/{name}", "rb")
        return file


def sort_releases(releases: list[Release]) -> list[Release]:
    """Return releases by dataset and model, the newest version of each first."""
    newest_first = sorted(releases, key=lambda each: each.key.order, reverse=True)
    return sorted(newest_first, key=lambda each: (each.key.dataset, each.key.model))


def shelf() -> Shelf:
    """Return the shelf of the running site."""
    found: Shelf = current_app.extensions["release_shelf"]
    return found


def linked_releases() -> list[Release]:
    """Return all releases for pages that merely link to them; none where they cannot be read.

    That is told in the log and on ``/data``, not on those pages. The shelf is read once for a page,
    whether that succeeds or not.
    """
    if _KEPT not in g:
        try:
            found = shelf().releases()
        except (ShelfError, OSError) as error:
            current_app.logger.error("The shelf of releases cannot be read: %s", error)  # noqa: TRY400
            found = []
        setattr(g, _KEPT, found)
    releases: list[Release] = getattr(g, _KEPT)
    return releases


def latest_release(dataset: str, model: str) -> Release | None:
    """Return the newest of the ``linked_releases`` of an evaluation, or None."""
    named = (r for r in linked_releases() if (r.key.dataset, r.key.model) == (dataset, model))
    return next(named, None)
