"""Fetching files from the web, each believed only by its SHA-256.

``pooch`` keeps the registry of hashes and gives a file its name once the hash is right; the bytes
come through ``compute.fetching.transfer``, which goes on where an earlier download stopped.
Whatever is not finished lies in ``<folder>/.incoming``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pooch

from compute.errors import FetchError, HashMismatchError
from compute.fetching.pins import Pins
from compute.fetching.transfer import Transfer, Wanted
from compute.files import exclusive, require_space, sha256_of_file
from compute.patience import Patience
from compute.progress import say as say_aloud

Say = Callable[[str], None]

# pooch tells each download; so does the bar.
pooch.get_logger().setLevel("WARNING")

_PATIENT: Final = Patience()


@dataclass(frozen=True)
class RemoteFile:
    """A file on the web.

    Attributes
    ----------
    name
        Its name on disk, without a folder.
    sha256
        None where nobody publishes it: then the hash of the first download is recorded, said
        openly, and required from then on.
    size
        In bytes, where it is known.
    note
        What to do where it cannot be had, as a sentence.
    vouched
        Who says that ``sha256`` is right.
    """

    url: str
    name: str
    sha256: str | None = None
    size: int | None = None
    note: str = ""
    vouched: str = "its owner"


def fetch(
    files: Sequence[RemoteFile],
    folder: Path,
    *,
    data: Path,
    say: Say = say_aloud,
    patience: Patience = _PATIENT,
) -> list[Path]:
    """Bring files into a folder; those that are there with the right hash are not fetched again.

    Parameters
    ----------
    folder
        Where they go; made where it is missing.
    data
        The pipeline's data folder, which holds ``pins.toml``.
    say
        Gets a line for what should be known: retries, hashes recorded now.

    Returns
    -------
    list of Path
        In the order of ``files``.

    Raises
    ------
    FetchError
        Where a file cannot be had, or does not fit on the disk; files before it are kept, and so is
        what has arrived of it.
    HashMismatchError
        Where a file is another than the pinned one; it is not kept.
    RunError
        Where another process fetches into the folder.
    """
    _require_names(files)
    incoming = folder / ".incoming"
    with exclusive(incoming / "lock", doing=f"fetching files into {folder}"):
        _sweep(incoming)
        fetcher = _Fetcher(folder, incoming, Pins(data), say, patience)
        missing = [file for file in files if not (folder / file.name).is_file()]
        require_space(folder, sum(file.size or 0 for file in missing), f"{len(missing)} files")
        return [fetcher.bring(file) for file in files]


class _Fetcher:
    def __init__(
        self, folder: Path, incoming: Path, pins: Pins, say: Say, patience: Patience
    ) -> None:
        self._folder = folder
        self._incoming = incoming
        self._pins = pins
        self._say = say
        self._patience = patience

    def bring(self, file: RemoteFile) -> Path:
        target = self._folder / file.name
        expected, why = self._expected(file)
        if target.is_file():
            if expected in (None, sha256_of_file(target)):
                self._pin(file, target, expected)
                return target
            self._say(f"{target} is there, but is another file: fetched again. {why}")
        try:
            arrived = self._arrive(file, expected)
        except ValueError as error:  # pooch's word for a wrong hash
            raise HashMismatchError(
                f"{file.url}: {error}. {why} Run the command again in case it was damaged on its "
                f"way. {file.note}".rstrip()
            ) from error
        arrived.replace(target)
        self._pin(file, target, expected)
        return target

    def _arrive(self, file: RemoteFile, expected: str | None) -> Path:
        store = pooch.create(
            path=self._incoming,
            base_url="",
            registry={file.name: expected},
            urls={file.name: file.url},
        )
        part = self._incoming / f"{file.name}.part"
        wanted = Wanted(file.url, file.name, file.size, file.note)
        transfer = Transfer(wanted, part, patience=self._patience, say=self._say)
        if expected is None:
            transfer.discard()  # no hash would tell whether an earlier run's part is sound

        def download(_url: str, output: str, _store: object) -> None:
            transfer.run()
            _hand_over(part, Path(output))

        try:
            arrived = Path(store.fetch(file.name, downloader=download))
        except ValueError:
            transfer.discard()
            if not transfer.resumed:
                raise
            self._say(f"{file.name}: its parts do not fit together; from the beginning.")
            arrived = Path(store.fetch(file.name, downloader=download))
        transfer.discard()
        return arrived

    def _expected(self, file: RemoteFile) -> tuple[str | None, str]:
        """Return the hash that a file must have, and who says so."""
        if file.sha256 is not None:
            return file.sha256, f"The hash is as given by {file.vouched}."
        pin = self._pins.get(file.url)
        if pin is None:
            return None, ""
        return pin.sha256, (
            f"The hash was recorded at the first download on {pin.recorded}; if the owner has "
            f"changed the file since and you accept that, delete its entry in {self._pins.path}."
        )

    def _pin(self, file: RemoteFile, target: Path, expected: str | None) -> None:
        if expected is not None:
            return
        sha256 = sha256_of_file(target)
        self._pins.record(file.url, sha256=sha256, size=target.stat().st_size)
        plain = "" if file.url.startswith("https:") else " It came over http, unprotected."
        self._say(
            f"{file.name}: its owner publishes no hash. Recorded now, required from then on: "
            f"SHA-256 {sha256} ({self._pins.path}).{plain}"
        )


def _hand_over(part: Path, output: Path) -> None:
    """Give the whole part to pooch, keeping it under its own name until the hash is checked."""
    output.unlink()
    try:
        output.hardlink_to(part)
    except OSError:  # a file system without hard links
        part.replace(output)


def _sweep(incoming: Path) -> None:
    """Delete what a killed process left under a random name; parts and whole files have theirs."""
    for path in incoming.glob("tmp*"):
        path.unlink()


def _require_names(files: Sequence[RemoteFile]) -> None:
    for name, times in Counter(file.name for file in files).items():
        if times > 1 or not name or Path(name).name != name or name.startswith("."):
            raise FetchError(f"{name!r}: expected a plain file name, once; it comes {times} times.")
