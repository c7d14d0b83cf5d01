"""The folders that the settings name, and settings that do not go together."""

from __future__ import annotations

import difflib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.database import engine_url
from app.doctor.finding import Finding
from app.media import MediaKeyError, MediaStore
from app.models import Image
from app.settings import TABLE, Settings

LOW: Final = 2 * 2**30
"""Bytes of free space below which a folder is doubtful: about one imported dataset and its runs."""


def check_folders(settings: Settings, *, serves_only: bool) -> Iterator[Finding]:
    """Look at the data folder and, where it is one, the media folder.

    An environment that only serves the site needs no data folder, and reads the media folder only.
    """
    if serves_only:
        yield Finding("absent", "data folder", "not needed to serve the site")
    else:
        yield _folder("data folder", settings.data_dir, "XFV_DATA_DIR")
    if "://" in settings.media_url:
        yield Finding(
            "right", "media", f"{settings.media_url}: object storage, written to when publishing"
        )
    elif serves_only and os.access(settings.media_url, os.R_OK | os.X_OK):
        yield Finding("right", "media folder", f"{settings.media_url}: readable")
    else:
        yield _folder("media folder", Path(settings.media_url), "XFV_MEDIA_URL")


def check_pictures(session: Session, media: MediaStore, url: str) -> Finding:
    """Read one published picture: whether rows and media store belong together."""
    try:
        key = session.scalar(select(Image.media).order_by(Image.id).limit(1))
        if key is None:
            return Finding("absent", "pictures", "none are published yet")
        media.read(key)
    except SQLAlchemyError:
        return Finding("absent", "pictures", "not looked at: the database cannot be used")
    except (MediaKeyError, OSError) as error:
        return Finding(
            "wrong",
            "pictures",
            f"the database names pictures that {url} does not give: {error}",
            "Set XFV_MEDIA_URL to the store that belongs to DATABASE_URL.",
        )
    return Finding("right", "pictures", f"{url} gives what the database names")


def check_settings(
    settings: Settings, environment: Mapping[str, str] = os.environ
) -> Iterator[Finding]:
    """Name settings that are no settings, and settings that contradict each other."""
    doubts = [*_misspelt(environment), *_contradictions(settings, environment)]
    yield from doubts
    if not doubts:
        given = [each.env for each in TABLE.values() if each.env in environment]
        yield Finding(
            "right",
            "settings",
            f"from the environment: {', '.join(given)}" if given else "defaults",
        )


def _misspelt(environment: Mapping[str, str]) -> Iterator[Finding]:
    known = [each.env for each in TABLE.values()]
    for name in sorted(environment):
        if name.startswith("XFV_") and name not in known and not name.startswith("XFV_TEST_"):
            near = difflib.get_close_matches(name, known, n=1)
            remedy = f"{near[0]} may be meant." if near else "docs/settings.md lists them all."
            yield Finding("doubtful", "settings", f"{name} is set, but is no setting", remedy)


def _contradictions(settings: Settings, environment: Mapping[str, str]) -> Iterator[Finding]:
    if settings.triage and "immutable=1" in engine_url(settings.database_url):
        yield Finding(
            "doubtful",
            "settings",
            "XFV_TRIAGE is on, but the database is read-only: no answer can be stored",
            "Set XFV_TRIAGE=off, or make the database writable.",
        )
    media = Path(settings.media_url)
    if "://" not in settings.media_url and (
        media.is_relative_to(settings.data_dir) or settings.data_dir.is_relative_to(media)
    ):
        yield Finding(
            "doubtful",
            "settings",
            f"XFV_MEDIA_URL ({media}) and XFV_DATA_DIR ({settings.data_dir}) lie in one another: "
            "what is published and what is private would mix",
            "Give each a folder of its own.",
        )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    if settings.memory_gib > memory:
        yield Finding(
            "doubtful",
            "settings",
            f"XFV_MEMORY_GIB is {settings.memory_gib:g}, this machine has {memory:.1f} GiB",
            "Set it lower.",
        )
    real = settings.real_data
    if real is not None and TABLE["real_data"].env in environment and not real.is_dir():
        yield Finding(
            "doubtful",
            "settings",
            f"XFV_REAL_DATA names {real}, which is not there",
            "Correct it, or set it empty.",
        )


def _folder(subject: str, path: Path, env: str) -> Finding:
    existing = path
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        with tempfile.TemporaryFile(dir=existing) as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        return Finding(
            "wrong",
            subject,
            f"{path} cannot be written to: {error.strerror}",
            f"Give this user the right to, or set {env} to another place.",
        )
    free = shutil.disk_usage(existing).free
    text = f"{path}: writable, {free / 1e9:.1f} GB free"
    if free < LOW:
        return Finding("doubtful", subject, text, f"Free some space, or move it and set {env}.")
    if existing != path:
        return Finding("absent", subject, f"{path}: not there yet, {free / 1e9:.1f} GB free")
    return Finding("right", subject, text)
