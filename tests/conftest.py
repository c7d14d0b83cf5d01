"""The test site: a migrated database, fresh for each test, on SQLite and on PostgreSQL."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import flask_migrate
import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache
from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.orm import Session
from sqlalchemy.pool import ConnectionPoolEntry

from app import create_app
from app.extensions import db
from app.media import MediaStore
from app.settings import Settings
from tests import factories, postgresql, snapshots

POSTGRESQL = "XFV_TEST_POSTGRESQL"
REQUIRED = "XFV_TEST_REQUIRE"
"""Markers, by comma, of which no test may be skipped: the gate sets it."""

# A busy machine takes longer for the same work: no property is about time.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

_skipped_although_required: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note tests that were skipped although their marker is required."""
    required = set(filter(None, os.environ.get(REQUIRED, "").split(",")))
    if report.skipped and required & set(report.keywords):
        _skipped_although_required.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """End with an error where a required test was skipped."""
    if _skipped_although_required and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which required tests were skipped."""
    for nodeid in _skipped_although_required:
        terminalreporter.write_line(f"ERROR {nodeid}: skipped, but {REQUIRED} is set", red=True)


def site_settings(folder: Path, database_url: str, **more: str) -> Settings:
    """Return settings that keep everything under ``folder``; ``more`` by environment name."""
    return Settings.from_environment(
        {
            "DATABASE_URL": database_url,
            "XFV_DATA_DIR": str(folder / "data"),
            "XFV_MEDIA_URL": str(folder / "media"),
            "XFV_REAL_DATA": "",
            **more,
        }
    )


def close_database(app: Flask) -> None:
    """Close every connection: an open one would be a warning, and a warning is an error."""
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def migrate(settings: Settings) -> None:
    """Build the database as a deployment does: by its migrations."""
    app = create_app(settings)
    with app.app_context():
        flask_migrate.upgrade()
    close_database(app)


@pytest.fixture(scope="session", autouse=True)
def compiled_templates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compile each template once for all sites of the run, not once for each of them."""
    cache = FileSystemBytecodeCache(str(tmp_path_factory.mktemp("templates")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(Flask.jinja_options, "bytecode_cache", cache)
        yield


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a migrated, empty SQLite database, to be copied by each test."""
    folder = tmp_path_factory.mktemp("migrated")
    path = folder / "xfv.sqlite3"
    migrate(site_settings(folder, f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Return the URL of a server: the one that the environment names, or one of this run's own."""
    named = os.environ.get(POSTGRESQL)
    programs = postgresql.programs()
    if named:
        yield named
    elif programs is not None:
        with postgresql.temporary_server(programs) as url:
            yield url
    else:
        pytest.skip(f"PostgreSQL is not installed and {POSTGRESQL} names no server")


@contextmanager
def postgresql_database(server: str, folder: Path) -> Iterator[str]:
    """Make a migrated database on a server and drop it afterwards; its URL."""
    url = make_url(server).set(drivername="postgresql+psycopg")
    name = f"xfv_test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    own = url.set(database=name).render_as_string(hide_password=False)
    migrate(site_settings(folder, own))
    yield own
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_postgresql(
    postgresql_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the URL of a migrated database of this run, emptied for each test."""
    with postgresql_database(postgresql_server, tmp_path_factory.mktemp("postgresql")) as url:
        yield url


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def backend(request: pytest.FixtureRequest) -> str:
    """Return the database that this test is about: every test of a site runs on both."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of a migrated, empty database that this test has to itself."""
    if backend == "sqlite":
        path = tmp_path / "xfv.sqlite3"
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("migrated_postgresql")
    snapshots.empty_postgresql(url)
    return url


@pytest.fixture
def settings(tmp_path: Path, database_url: str) -> Settings:
    """Return the settings of this test's site."""
    return site_settings(tmp_path, database_url)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """Return the site on an empty database."""
    app = create_app(settings)
    app.testing = True
    yield app
    close_database(app)


@pytest.fixture
def media(settings: Settings) -> MediaStore:
    """Return the media store of the site."""
    return MediaStore(settings.media_url)


@pytest.fixture
def session(app: Flask) -> Iterator[Session]:
    """Return a session in the site's context, for tests below the pages and for factories."""
    with app.app_context():
        yield db.session()
        db.session.remove()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Return a client of the site on an empty database."""
    return app.test_client()


def fill_demo(app: Flask) -> None:
    """Fill an empty site with ``make_demo``."""
    with app.app_context():
        factories.make_demo(db.session(), media_store_of(app))
        db.session.remove()


def media_store_of(app: Flask) -> MediaStore:
    """Return the media store of a site."""
    store: MediaStore = app.extensions["media_store"]
    return store


@pytest.fixture(scope="session")
def demo_folder(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the database and the media of ``make_demo``, to be copied."""
    folder = tmp_path_factory.mktemp("demo")
    database = shutil.copyfile(migrated_file, folder / migrated_file.name)
    app = create_app(site_settings(folder, f"sqlite:///{database}"))
    fill_demo(app)
    close_database(app)
    return folder


@pytest.fixture(scope="session")
def kept_demo(migrated_postgresql: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Keep the rows of ``make_demo`` in the database of this run, to be restored; its URL."""
    snapshots.empty_postgresql(migrated_postgresql)
    app = create_app(site_settings(tmp_path_factory.mktemp("kept"), migrated_postgresql))
    fill_demo(app)
    close_database(app)
    snapshots.keep_postgresql(migrated_postgresql)
    return migrated_postgresql


@pytest.fixture
def demo(
    app: Flask, settings: Settings, demo_folder: Path, request: pytest.FixtureRequest
) -> Flask:
    """Return the site with two datasets, three models and explanations (``make_demo``)."""
    url = make_url(settings.database_url)
    if url.get_backend_name() == "sqlite":
        snapshots.copy_sqlite(demo_folder / "xfv.sqlite3", Path(url.database or ""))
    else:
        snapshots.restore_postgresql(request.getfixturevalue("kept_demo"))
    shutil.copytree(demo_folder / "media", settings.media_url, dirs_exist_ok=True)
    return app


@contextmanager
def only_read(settings: Settings) -> Iterator[Flask]:
    """Open the site of ``make_demo`` for many tests: the database refuses whatever changes it."""
    site = create_app(settings)
    fill_demo(site)
    close_database(site)
    app = create_app(settings)
    app.testing = True
    with app.app_context():
        refuse_writes(db.engine)
    yield app
    close_database(app)


def refuse_writes(engine: Engine) -> None:
    """Let a statement that changes something be an error."""
    sqlite = engine.dialect.name == "sqlite"

    @event.listens_for(engine, "connect")
    def refuse(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(
            "PRAGMA query_only = ON"
            if sqlite
            else "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"
        )
        cursor.close()
        connection.commit()


@pytest.fixture(scope="session")
def read_sqlite(migrated_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """Return the site of ``make_demo`` on SQLite, which nothing can change."""
    folder = tmp_path_factory.mktemp("read-sqlite")
    database = shutil.copyfile(migrated_file, folder / migrated_file.name)
    with only_read(site_settings(folder, f"sqlite:///{database}")) as app:
        yield app


@pytest.fixture(scope="session")
def read_postgresql(
    postgresql_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Flask]:
    """Return the site of ``make_demo`` on PostgreSQL, which nothing can change."""
    folder = tmp_path_factory.mktemp("read-postgresql")
    with (
        postgresql_database(postgresql_server, folder) as url,
        only_read(site_settings(folder, url)) as app,
    ):
        yield app


OWN: Final = {"app", "demo", "database_url", "media", "monkeypatch", "session", "settings"}
"""Whoever asks for one of these may change the site, or what it does."""


@pytest.fixture
def demo_client(backend: str, request: pytest.FixtureRequest) -> FlaskClient:
    """Return a client of a site that ``make_demo`` filled.

    A test that asks for nothing else of the site only reads: it shares the site with the others.
    """
    shared = OWN.isdisjoint(request.fixturenames)
    site: Flask = request.getfixturevalue(f"read_{backend}" if shared else "demo")
    return site.test_client()
