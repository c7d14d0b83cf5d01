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
    """Image files by ``folder/file`` name, however many folders lie above."""

    def __init__(self, origin: Path, readers: _Readers) -> None:
        self.origin = origin
        self._readers = readers
        self._positions: dict[str, list[int]] = {}
        for position, (path, _) in enumerate(readers):
            self._positions.setdefault("/".join(path.split("/")[-2:]), []).append(position)

    def in_stored_order(self, names: Iterable[str]) -> list[str]:
        """Order names as the files lie in the source: a compressed tar reads forwards only.

        Names that are not there come last. Raises ``DatasetError`` for a name found twice.
        """
        wanted = list(names)
        for name in wanted:
            if len(self._positions.get(name, ())) > 1:
                paths = ", ".join(self._readers[position][0] for position in self._positions[name])
                raise DatasetError(
                    f"{self.origin}: {name} is there more than once: {paths}. Leave one copy."
                )
        end = [len(self._readers)]
        return sorted(wanted, key=lambda name: (self._positions.get(name, end), name))

    def read(self, name: str) -> bytes:
        """Return the bytes of one file; ``ImageError`` where it is missing or damaged."""
        if name not in self._positions:
            raise ImageError(f"{name}: not in {self.origin}. Get the whole distribution.")
        try:
            return self._readers[self._positions[name][0]][1]()
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
