"""Settings: defaults, coercion, messages, and the table in the documentation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.database import engine_url
from app.settings import ROOT, TABLE, Settings, SettingsError


def test_defaults_lie_under_the_project() -> None:
    settings = Settings.from_environment({})
    assert settings.database_url == f"sqlite:///{ROOT}/var/xfv.sqlite3"
    assert settings.data_dir == ROOT / "var/data"
    assert settings.media_url == str(ROOT / "var/media")
    assert settings.port == 5000


def test_postgresql_urls_name_the_driver() -> None:
    for given in ("postgres://u:p@h/db", "postgresql://u:p@h/db"):
        settings = Settings.from_environment({"DATABASE_URL": given})
        assert settings.database_url == "postgresql+psycopg://u:p@h/db"


def test_absolute_paths_and_other_stores_stay() -> None:
    given = {"DATABASE_URL": "sqlite:////srv/x.db", "XFV_MEDIA_URL": "gs://bucket/media"}
    settings = Settings.from_environment(given | {"XFV_DATA_DIR": "/srv/data"})
    assert settings.database_url == "sqlite:////srv/x.db"
    assert settings.media_url == "gs://bucket/media"
    assert settings.data_dir == Path("/srv/data")


def test_real_data_may_be_none() -> None:
    assert Settings.from_environment({"XFV_REAL_DATA": ""}).real_data is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "70000"),
        ("XFV_MEMORY_GIB", "much"),
        ("XFV_MEMORY_GIB", "0"),
        ("XFV_MEMORY_GIB", "inf"),
        ("XFV_QUERY_SECONDS", "nan"),
    ],
)
def test_unusable_values_name_the_setting(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        Settings.from_environment({name: value})


def test_every_setting_is_documented() -> None:
    documented = (ROOT / "docs/settings.md").read_text()
    for setting in TABLE.values():
        assert f"| `{setting.env}` | `{setting.default}` | {setting.help} |" in documented


def test_a_command_says_which_setting_is_wrong() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flask", "models", "list"],
        cwd=ROOT,
        env=os.environ | {"XFV_MEMORY_GIB": "abc"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "XFV_MEMORY_GIB='abc'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_database_url_that_is_none_is_a_setting_that_cannot_be_used() -> None:
    with pytest.raises(SettingsError, match=r"DATABASE_URL .*expected sqlite:///FILE") as raised:
        engine_url("postgresql//user:secret@host/name")
    assert "secret" not in str(raised.value)
