"""Where image files come from: a tar (plain or compressed), a zip, or a folder.

Nothing is unpacked to disk, so that no name in an archive can lead anywhere.
"""

from __future__ import annotations

import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from compute.errors import DatasetError, ImageError

MAX_FILE_BYTES: Final = 64 * 2**20

# What the archive modules say of damage; RuntimeError is zipfile's word for a password or an
# unknown compression.
_DAMAGE: Final = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
)

_Readers = Sequence[tuple[str, Callable[[], bytes]]]
"""Path inside the source and how to read it, in stored order; a path may come twice."""


class ImageSource:
    """Files by the end of their path: ``Ann/1.jpg`` is found however many folders lie above.

    A file whose whole path is the name comes before files that lie deeper.
    """

    def __init__(self, origin: Path, readers: _Readers) -> None:
        self.origin = origin
        self._readers = readers
        self._parts = [
            tuple(part for part in path.split("/") if part not in ("", ".")) for path, _ in readers
        ]
        self._ends: dict[int, dict[tuple[str, ...], list[int]]] = {}

    @property
    def paths(self) -> list[str]:
        """All files, in stored order."""
        return [path for path, _ in self._readers]

    def under(self, folder: str) -> ImageSource:
        """Return the files that lie directly in a folder of this name, or all if none does."""
        inside = [
            reader
            for reader, parts in zip(self._readers, self._parts, strict=True)
            if parts[-2:-1] == (folder,)
        ]
        return ImageSource(self.origin, inside or self._readers)

    def _positions(self, name: str) -> list[int]:
        wanted = tuple(name.split("/"))
        length = len(wanted)
        if length not in self._ends:
            ends = self._ends[length] = {}
            for position, parts in enumerate(self._parts):
                if len(parts) >= length:
                    ends.setdefault(parts[-length:], []).append(position)
        found = self._ends[length].get(wanted, [])
        return [position for position in found if len(self._parts[position]) == length] or found

    def in_stored_order(self, names: Iterable[str]) -> list[str]:
        """Order names as the files lie in the source: a compressed tar reads forwards only.

        Names that are not there come last. Raises ``DatasetError`` for a name found twice.
        """
        wanted = list(names)
        for name in wanted:
            if len(self._positions(name)) > 1:
                paths = ", ".join(self._readers[position][0] for position in self._positions(name))
                raise DatasetError(
                    f"{self.origin}: {name} is there more than once: {paths}. Leave one copy."
                )
        end = [len(self._readers)]
        return sorted(wanted, key=lambda name: (self._positions(name) or end, name))

    def read(self, name: str) -> bytes:
        """Return the bytes of one file; ``ImageError`` where it is missing or damaged."""
        found = self._positions(name)
        if not found:
            raise ImageError(
                f"{name}: not in {self.origin}. Names begin below it: mend the list, or get the "
                "whole distribution."
            )
        try:
            return self._readers[found[0]][1]()
        except _DAMAGE as error:
            raise ImageError(
                f"{name}: cannot be read from {self.origin} ({error}). Fetch the file again."
            ) from error


@contextmanager
def open_source(path: Path) -> Iterator[ImageSource]:
    """Open an archive or a folder of images.

    Raises
    ------
    DatasetError
        Where it is missing, of another kind, or damaged.
    """
    if path.is_dir():
        yield ImageSource(path, _folder(path))
    elif not path.is_file():
        raise DatasetError(f"{path}: no such file or folder. Check --images.")
    else:
        with ExitStack() as stack:
            try:
                readers = _archive(path, stack)
            except _DAMAGE as error:
                raise DatasetError(
                    f"{path}: neither a folder nor a sound tar, tgz or zip ({error}). Fetch it "
                    "again."
                ) from error
            yield ImageSource(path, readers)


def folder_files(root: Path) -> list[Path]:
    """Return the regular files under a folder, sorted; links are left out, they lead anywhere."""
    return [path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink()]


def _folder(root: Path) -> _Readers:
    return [(path.relative_to(root).as_posix(), path.read_bytes) for path in folder_files(root)]


def _archive(path: Path, stack: ExitStack) -> _Readers:
    if zipfile.is_zipfile(path):
        return _zip(stack.enter_context(zipfile.ZipFile(path)))
    return _tar(stack.enter_context(tarfile.open(path)))


def _zip(archive: zipfile.ZipFile) -> _Readers:
    return [
        (info.filename, partial(archive.read, info))
        for info in archive.infolist()
        if not info.is_dir() and info.file_size <= MAX_FILE_BYTES
    ]


def _tar(archive: tarfile.TarFile) -> _Readers:
    return [
        (member.name, partial(_read_member, archive, member))
        for member in archive
        if member.isreg() and member.size <= MAX_FILE_BYTES
    ]


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise EOFError(f"{member.name} is not a regular file")
    return file.read()
