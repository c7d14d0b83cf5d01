"""``flask doctor``: its lines and how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from app.settings import Settings


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    """Use SQLite alone: other databases are read in the tests of the checks."""
    path = tmp_path / "xfv.sqlite3"
    path.write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{path}"


def doctor(app: Flask) -> tuple[int, str]:
    done = app.test_cli_runner().invoke(args=["doctor"])
    return done.exit_code, done.output


def test_a_fresh_site_is_well_and_says_what_comes_next(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XFV_DATADIR", "XFV_REAL_DATA", "XFV_MEMORY_GIB"):
        monkeypatch.delenv(name, raising=False)
    code, output = doctor(app)
    assert code == (1 if "\nlook " in output else 0)  # packages may be newer than their pins
    assert output.splitlines()[-1].endswith("0 wrong.")
    assert "-      dataset       none is imported yet. Run: flask datasets list" in output
    assert "-      detector" in output
    assert "ok     engines       onnxruntime, onnxruntime+prelu" in output


def test_what_should_be_looked_at_ends_with_1(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XFV_DATADIR", "elsewhere")
    code, output = doctor(app)
    assert code == 1
    assert "look   settings      XFV_DATADIR is set, but is no setting" in output


def test_what_is_wrong_ends_with_2(app: Flask, settings: Settings) -> None:
    settings.data_dir.write_text("a file in the way")
    code, output = doctor(app)
    assert code == 2
    assert "WRONG  data folder" in output
    assert output.splitlines()[-1].endswith("1 wrong.")
