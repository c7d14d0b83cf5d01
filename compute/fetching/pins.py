"""Hashes that nobody publishes: recorded at the first download, required from then on."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final

import tomli_w

from compute.errors import FetchError
from compute.files import exclusive, write_whole

FILE: Final = "pins.toml"

_HEADING: Final = b"""\
# SHA-256 of files whose owners publish none: recorded at the first download, required from then on.
# To accept a file that its owner has changed, delete its entry here.

"""


@dataclass(frozen=True)
class Pin:
    """What a URL gave when it was first asked."""

    sha256: str
    size: int
    recorded: date


class Pins:
    """The pins of one data folder, in ``<data>/pins.toml``, by URL."""

    def __init__(self, data: Path) -> None:
        self.path = data / FILE
        self._lock = data / "locks" / "pins"

    def get(self, url: str) -> Pin | None:
        """Return what is recorded of a URL; ``FetchError`` where the file cannot be read."""
        return self._read().get(url)

    def record(self, url: str, *, sha256: str, size: int) -> Pin:
        """Record a file that came for the first time."""
        pin = Pin(sha256, size, datetime.now(UTC).date())
        with exclusive(self._lock, doing="recording a hash", wait=True):
            pins = {**self._read(), url: pin}
            content = {each: asdict(pins[each]) for each in sorted(pins)}
            write_whole(self.path, _HEADING + tomli_w.dumps(content).encode())
        return pin

    def _read(self) -> dict[str, Pin]:
        if not self.path.is_file():
            return {}
        try:
            content = tomllib.loads(self.path.read_text(encoding="utf-8"))
            return {url: Pin(**stored) for url, stored in content.items()}
        except (TypeError, ValueError) as error:
            raise FetchError(
                f"{self.path}: not a file of pinned hashes ({error}). Mend it; deleting it means "
                "that the next downloads are believed as the first ones were."
            ) from error
