"""How releases are called and where they lie in the media store."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
"""Name of a dataset, a model or an explanation set; ``__`` separates the two in a path."""
VERSION: Final = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})")
FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")

FOLDER: Final = "releases"
INDEX: Final = f"{FOLDER}/index.json"


@dataclass(frozen=True)
class ReleaseKey:
    """Which release: of what, and which version of it."""

    dataset: str
    model: str
    version: str

    @property
    def path(self) -> str:
        """Folder of the release in the media store."""
        return f"{FOLDER}/{self.dataset}__{self.model}/{self.version}"

    @property
    def order(self) -> tuple[int, ...]:
        """The version as numbers, to sort by."""
        return tuple(int(part) for part in self.version.split("."))


def release_key(dataset: str, model: str, version: str) -> ReleaseKey | None:
    """Return the key for names as they stand in a URL; None where no release can have them."""
    names_fit = all(NAME.fullmatch(name) and "__" not in name for name in (dataset, model))
    return ReleaseKey(dataset, model, version) if names_fit and VERSION.fullmatch(version) else None
