"""The made-up site on a database: built once, and kept in the temporary folder for the next run.

A site is made anew where what makes it has changed: its name has their hash.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import flask_migrate
from flask import Flask
from sqlalchemy import func, select, text

from app import create_app
from app.extensions import Base, db
from app.models import Result
from app.settings import ROOT, Settings
from benchmarks.explorer_site import DATASETS, build_site

_MADE_BY = ("benchmarks/explorer_site.py", "app/models/*.py", "app/explorer/packing.py")


def kept_file(pairs: int) -> Path:
    """Return where the SQLite file of the site with so many pairs is, or will be."""
    sources = [path for pattern in _MADE_BY for path in sorted(ROOT.glob(pattern))]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / "xfv-bench" / f"{pairs}-{digest}.sqlite3"


def kept_site(pairs: int) -> tuple[Settings, dict[str, Any]]:
    """Return how to open the site on SQLite, and how it was built; build it where there is none."""
    path = kept_file(pairs)
    media, facts_file = path.with_suffix(".media"), path.with_suffix(".json")
    if path.exists():
        return settings(f"sqlite:///{path}", media), json.loads(facts_file.read_text()) | {
            "kept": True
        }
    building = path.with_suffix(".part")
    building.unlink(missing_ok=True)
    _, facts = build(settings(f"sqlite:///{building}", media), pairs)
    facts["bytes_per_result"] = round(building.stat().st_size / facts["results"], 1)
    facts_file.write_text(json.dumps(facts))
    building.rename(path)
    return settings(f"sqlite:///{path}", media), facts


def build(chosen: Settings, pairs: int) -> tuple[Flask, dict[str, Any]]:
    """Fill an empty database; return its site, and what it took."""
    app = create_app(chosen)
    with app.app_context():
        flask_migrate.upgrade()
        seconds = build_site(app.extensions["media_store"], pairs)
        results = db.session.scalar(select(func.count()).select_from(Result)) or 0
        facts = {"seconds": seconds, "results": results, "datasets": len(DATASETS)}
        _finish()
        if db.engine.dialect.name == "postgresql":
            facts["bytes_per_result"] = round(_bytes() / results, 1)
    return app, facts


def settings(url: str, media: Path) -> Settings:
    """Return the settings of a site on a database, with its pictures in a folder."""
    return Settings.from_environment(
        {"DATABASE_URL": url, "XFV_MEDIA_URL": str(media), "XFV_REAL_DATA": ""}
    )


def _finish() -> None:
    """Leave the database as a running site's would be after a while."""
    db.session.remove()
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("VACUUM ANALYZE"))
        else:
            connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    if db.engine.dialect.name == "sqlite":
        db.engine.dispose()


def _bytes() -> int:
    size = 0
    for table in Base.metadata.tables:
        size += db.session.scalar(select(func.pg_total_relation_size(table))) or 0
    db.session.remove()
    return size
