"""Where image files come from: a tar (plain or compressed), a zip, or a folder.

Nothing is unpacked to disk, so that no name in an archive can lead anywhere.
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final

from compute.errors import DatasetError, ImageError

MAX_FILE_BYTES: Final = 64 * 2**20


class ImageSource:
    """Image files by ``folder/file`` name, however many folders lie above."""

    def __init__(self, origin: Path, readers: dict[str, Callable[[], bytes]]) -> None:
        self.origin = origin
        self._paths: dict[str, list[str]] = {}
        for path in readers:
            self._paths.setdefault("/".join(path.split("/")[-2:]), []).append(path)
        self._readers = readers
        self._position = {path: position for position, path in enumerate(readers)}

    def in_stored_order(self, names: Iterable[str]) -> list[str]:
        """Order names as the files lie in the source: a compressed tar reads forwards only.

        Names that are not there come last. Raises ``DatasetError`` for a name found twice.
        """
        wanted = list(names)
        for name in wanted:
            if len(self._paths.get(name, ())) > 1:
                raise DatasetError(
                    f"{self.origin}: {name} is there more than once: "
                    f"{', '.join(self._paths[name])}. Leave one copy."
                )
        end = len(self._position)
        place = {name: self._position[paths[0]] for name, paths in self._paths.items()}
        return sorted(wanted, key=lambda name: (place.get(name, end), name))

    def read(self, name: str) -> bytes:
        """Return the bytes of one file; ``ImageError`` where it is missing or damaged."""
        if name not in self._paths:
            raise ImageError(f"{name}: not in {self.origin}. Get the whole distribution.")
        try:
            return self._readers[self._paths[name][0]]()
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
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
    elif zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            yield ImageSource(path, _zip(archive))
    else:
        try:
            archive_file = tarfile.open(path)  # noqa: SIM115  closed below, after its own errors
            readers = _tar(archive_file)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise DatasetError(
                f"{path}: neither a folder nor a sound tar, tgz or zip ({error}). Fetch it again."
            ) from error
        with archive_file:
            yield ImageSource(path, readers)


def _folder(root: Path) -> dict[str, Callable[[], bytes]]:
    files = (path for path in sorted(root.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(root).as_posix(): path.read_bytes for path in files}


def _zip(archive: zipfile.ZipFile) -> dict[str, Callable[[], bytes]]:
    return {
        info.filename: partial(archive.read, info)
        for info in archive.infolist()
        if not info.is_dir() and info.file_size <= MAX_FILE_BYTES
    }


def _tar(archive: tarfile.TarFile) -> dict[str, Callable[[], bytes]]:
    return {
        member.name: partial(_read_member, archive, member)
        for member in archive
        if member.isreg() and member.size <= MAX_FILE_BYTES
    }


def _read_member(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    if file is None:
        raise EOFError(f"{member.name} is not a regular file")
    return file.read()
