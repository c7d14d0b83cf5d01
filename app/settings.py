"""Every setting of the site and the pipeline: read from the environment, typed, in one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent


class SettingsError(ValueError):
    """A setting has a value that cannot be used."""


@dataclass(frozen=True)
class Setting:
    """One row of the settings table in ``docs/settings.md``."""

    env: str
    default: str
    help: str


TABLE: Final[dict[str, Setting]] = {
    "database_url": Setting(
        "DATABASE_URL",
        "sqlite:///var/xfv.sqlite3",
        "SQLAlchemy URL of the database: SQLite or PostgreSQL. A relative SQLite path starts at "
        "the project's root.",
    ),
    "data_dir": Setting(
        "XFV_DATA_DIR",
        "var/data",
        "Folder of the pipeline: imported datasets, models, embeddings. Never read by the site.",
    ),
    "media_url": Setting(
        "XFV_MEDIA_URL",
        "var/media",
        "Where pictures are published: a folder, or an fsspec URL such as gs://bucket/path.",
    ),
    "real_data": Setting(
        "XFV_REAL_DATA",
        "../shared",
        "Folder of optional real faces and models (tests, detector); empty for none.",
    ),
    "memory_gib": Setting(
        "XFV_MEMORY_GIB",
        "2",
        "What the pipeline may hold of occluded embeddings, in GiB.",
    ),
    "cluster_seconds": Setting(
        "XFV_CLUSTER_SECONDS",
        "600",
        "How long the pipeline waits while a Dask scheduler has no worker (`--scheduler`).",
    ),
    "query_seconds": Setting(
        "XFV_QUERY_SECONDS",
        "5",
        "Longest time that the database may work for one page before it is stopped with a message.",
    ),
    "triage": Setting(
        "XFV_TRIAGE",
        "on",
        "Whether visitors may review pairs at /triage, which stores their answers: on or off.",
    ),
    "port": Setting("PORT", "5000", "Port of `make demo`."),
}


@dataclass(frozen=True)
class Settings:
    """Settings as the code uses them; ``TABLE`` says what each one means."""

    database_url: str
    data_dir: Path
    media_url: str
    real_data: Path | None
    memory_gib: float
    cluster_seconds: float
    query_seconds: float
    triage: bool
    port: int

    @property
    def detector_folders(self) -> list[Path]:
        """Where the file of a face detector may lie."""
        homes = [self.data_dir, *([self.real_data] if self.real_data is not None else [])]
        return [home / "models" for home in homes]

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """Read all settings; an unusable value raises ``SettingsError`` and names itself."""
        source = os.environ if environment is None else environment
        raw = {f.name: source.get(TABLE[f.name].env, TABLE[f.name].default) for f in fields(cls)}
        return cls(
            database_url=_database_url(raw["database_url"]),
            data_dir=_under_root(raw["data_dir"]),
            media_url=raw["media_url"]
            if "://" in raw["media_url"]
            else str(_under_root(raw["media_url"])),
            real_data=_under_root(raw["real_data"]) if raw["real_data"] else None,
            memory_gib=_positive("memory_gib", raw["memory_gib"]),
            cluster_seconds=_positive("cluster_seconds", raw["cluster_seconds"]),
            query_seconds=_positive("query_seconds", raw["query_seconds"]),
            triage=_switch("triage", raw["triage"]),
            port=_port(raw["port"]),
        )


def _under_root(path: str) -> Path:
    return (ROOT / Path(path).expanduser()).resolve()


def _database_url(url: str) -> str:
    """Name the driver and root relative SQLite paths, so that the folder one stands in is moot."""
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            return "postgresql+psycopg://" + url.removeprefix(short)
    prefix = "sqlite:///"
    if url.startswith(prefix) and url != "sqlite:///:memory:" and not url.startswith(prefix + "/"):
        return prefix + str(_under_root(url.removeprefix(prefix)))
    return url


def _positive(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise SettingsError(f"{TABLE[name].env}={text!r}: expected a number above 0.")
    return value


def _switch(name: str, text: str) -> bool:
    if text not in ("on", "off"):
        raise SettingsError(f"{TABLE[name].env}={text!r}: expected on or off.")
    return text == "on"


def _port(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise SettingsError(f"PORT={text!r}: expected a port number from 1 to 65535.")
    return int(text)
