"""What ``flask doctor`` finds: packages, settings, folders, the database."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from app.doctor.database import check_database
from app.doctor.finding import Finding
from app.doctor.packages import check_packages, check_python, installed_version, serves_only
from app.doctor.surroundings import check_folders, check_pictures, check_settings
from app.media import MediaStore
from app.settings import Settings
from tests.conftest import site_settings


def levels(findings: Iterable[Finding]) -> list[str]:
    return [found.level for found in findings]


def test_python_must_be_new_enough() -> None:
    assert check_python((3, 11, 0)).level == check_python((3, 13, 1)).level == "right"
    old = check_python((3, 10, 9))
    assert (old.level, old.text) == ("wrong", "3.10.9, expected 3.11 or newer")


SITE = {"Flask": "3.1.3", "psycopg": "3.3.9"}
PIPELINE = {"onnxruntime": "1.32.0", "scipy": "1.17.1"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "requirements.txt").write_text("# site\nFlask==3.1.3\npsycopg[binary]==3.3.9\n")
    (tmp_path / "requirements").mkdir()
    for name, runtime in (("compute", "onnxruntime"), ("gpu", "onnxruntime-gpu")):
        (tmp_path / f"requirements/{name}.txt").write_text(
            f"-r ../requirements.txt\n{runtime}==1.32.0\n\n# what these need\nscipy==1.17.1\n"
        )
    (tmp_path / "requirements/openvino.txt").write_text("-r compute.txt\nopenvino==2026.4.1\n")
    return tmp_path


@pytest.mark.parametrize(
    ("have", "expected", "words"),
    [
        (
            SITE | PIPELINE | {"openvino": "2025.1.0"},
            ["right", "doubtful", "right"],
            "openvino is 2025.1.0, pinned 2026.4.1",
        ),
        (SITE | PIPELINE, ["right", "right"], "requirements/compute.txt: all 2 as pinned"),
        (SITE, ["right", "absent"], "only serves the site"),
        ({"Flask": "3.1.3"}, ["wrong", "absent"], "not installed: psycopg"),
        (SITE | PIPELINE | {"Flask": "3.0.0"}, ["doubtful", "right"], "Flask is 3.0.0, pinned 3.1"),
        (SITE | {"onnxruntime": "1.32.0"}, ["right", "wrong"], "not installed: scipy"),
        (
            SITE | {"onnxruntime-gpu": "1.32.0", "scipy": "1.17.1"},
            ["right", "right"],
            "requirements/gpu.txt: all 2",
        ),
        (
            SITE | PIPELINE | {"onnxruntime-gpu": "1.32.0"},
            ["right", "wrong"],
            "are both installed",
        ),
    ],
)
def test_packages_are_compared_with_their_pins(
    root: Path, have: dict[str, str], expected: list[str], words: str
) -> None:
    found = list(check_packages(root, have.get))
    assert levels(found) == expected
    assert words in " ".join(each.text for each in found)


def test_this_environment_has_the_pipeline() -> None:
    assert not serves_only()
    assert installed_version("numpy") is not None
    assert installed_version("no-such-package") is None


def check(folder: Path, **environment: str) -> list[Finding]:
    settings = site_settings(folder, f"sqlite:///{folder}/x.sqlite3", **environment)
    return list(check_settings(settings, environment))


def test_settings_that_are_none_are_named(tmp_path: Path) -> None:
    assert levels(check(tmp_path, XFV_TRIAGE="on", XFV_TEST_REQUIRE="browser")) == ["right"]
    (found,) = check(tmp_path, XFV_DATADIR="elsewhere")
    assert (found.level, found.remedy) == ("doubtful", "XFV_DATA_DIR may be meant.")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"XFV_MEMORY_GIB": "1000000"}, "this machine has"),
        ({"XFV_REAL_DATA": "/no/such/folder"}, "which is not there"),
        ({"XFV_MEDIA_URL": "{data}/media"}, "lie in one another"),
    ],
)
def test_settings_that_contradict_are_named(
    tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    given = {env: value.format(data=tmp_path / "data") for env, value in environment.items()}
    (found,) = check(tmp_path, **given)
    assert found.level == "doubtful"
    assert words in found.text


def test_answers_and_a_read_only_database_do_not_go_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.database._is_writable", lambda _: False)
    (tmp_path / "x.sqlite3").touch()
    (found,) = check(tmp_path)
    assert "no answer can be stored" in found.text
    assert levels(check(tmp_path, XFV_TRIAGE="off")) == ["right"]


def test_folders_must_be_writable_and_have_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = site_settings(tmp_path, "sqlite://")
    assert levels(check_folders(settings, serves_only=False)) == ["absent", "absent"]
    (tmp_path / "media").mkdir()
    assert levels(check_folders(settings, serves_only=False)) == ["absent", "right"]
    assert levels(check_folders(settings, serves_only=True)) == ["absent", "right"]
    usage = shutil.disk_usage(tmp_path)._replace(free=10**9)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert levels(check_folders(settings, serves_only=False)) == ["doubtful", "doubtful"]
    (tmp_path / "data").write_text("a file in the way")
    wrong, _ = check_folders(settings, serves_only=False)
    assert wrong.level == "wrong"
    assert "cannot be written to" in wrong.text


def test_object_storage_is_no_folder(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, "sqlite://", XFV_MEDIA_URL="memory://media")
    _, media = check_folders(settings, serves_only=False)
    assert (media.level, media.subject) == ("right", "media")


def test_the_database_is_read(session: Session, settings: Settings, demo: Flask) -> None:
    found = check_database(session, settings.database_url)
    assert found.level == "right"
    assert "published: 2 datasets, 3 models" in found.text


def test_another_migration_is_said(app: Flask, session: Session, settings: Settings) -> None:
    # Nothing is committed: the database is shared by the tests of a run.
    session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    newer = check_database(session, settings.database_url)
    assert (newer.level, newer.remedy) == ("wrong", "The code is older: update it.")
    session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    older = check_database(session, settings.database_url)
    assert (older.level, older.remedy) == ("wrong", "Run: flask db upgrade")
    session.rollback()


def test_a_database_that_cannot_be_reached_is_said_without_its_password() -> None:
    url = "postgresql+psycopg://user:secret@127.0.0.1:9/xfv"
    engine = create_engine(url)
    with Session(engine) as session:
        found = check_database(session, url)
    engine.dispose()
    assert found.level == "wrong"
    assert "127.0.0.1:9/xfv cannot be used" in found.text
    assert "secret" not in found.text


def test_a_site_without_pictures_misses_none(session: Session, media: MediaStore) -> None:
    assert check_pictures(session, media, "here").level == "absent"


def test_a_media_store_of_another_site_is_noticed(
    demo: Flask, session: Session, media: MediaStore, tmp_path: Path
) -> None:
    assert check_pictures(session, media, "here").level == "right"
    found = check_pictures(session, MediaStore(str(tmp_path / "other")), "other")
    assert found.level == "wrong"
    assert "pictures that other does not give" in found.text
