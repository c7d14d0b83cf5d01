"""One file out of a zip, by its name alone: archives nest their folders as they like."""

from __future__ import annotations

import shutil
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from compute.errors import FetchError
from compute.files import require_sha256, require_space


def take_member(archive: Path, name: str, target: Path, *, sha256: str | None = None) -> Path:
    """Write the one member of a zip called ``name``, in whatever folder, to ``target``.

    It appears whole or not at all, and only with the right hash, where one is given.

    Raises
    ------
    FetchError
        Where the archive is no sound zip, has no such member or several, or the disk is too small.
    HashMismatchError
        Where the member is another file.
    """
    temporary = target.with_name(f".{target.name}.writing")
    try:
        with zipfile.ZipFile(archive) as opened:
            member = _only(opened, archive, name)
            require_space(target.parent, member.file_size, name)
            with opened.open(member) as source, temporary.open("wb") as file:
                shutil.copyfileobj(source, file, 1 << 20)
        if sha256 is not None:
            require_sha256(temporary, sha256, remedy=f"It is {name} of {archive}: fetch it again.")
        temporary.replace(target)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise FetchError(f"{archive}: not a sound zip ({error}). Fetch it again.") from error
    finally:
        temporary.unlink(missing_ok=True)
    return target


def _only(opened: zipfile.ZipFile, archive: Path, name: str) -> zipfile.ZipInfo:
    found = [
        info
        for info in opened.infolist()
        if not info.is_dir() and PurePosixPath(info.filename).name == name
    ]
    if len(found) != 1:
        have = ", ".join(info.filename for info in found or opened.infolist()[:20])
        raise FetchError(
            f"{archive}: expected one {name} in it, found {len(found)} ({have}). It is another "
            "archive than the one meant."
        )
    return found[0]
