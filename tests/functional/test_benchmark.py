"""The benchmark of the explorer runs, on a small site, and reports what it says it reports."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pytest

from benchmarks import explorer


def test_the_benchmark_measures_every_class_and_keeps_its_site(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    output = tmp_path / "figures.json"
    size = ["--pairs", "500", "--rounds", "1", "--databases", "sqlite"]
    explorer.main([*size, "--sample", "1", "--output", str(output)])
    report = json.loads(output.read_text())
    figures = report["explorer"]["sqlite"]
    assert 4500 < figures["results"] < 4900
    classes = {f"filter: {name}" for name in explorer.CLASSES}
    classes |= {f"sort: {name}" for name in explorer.SORTS} | {"all"}
    assert set(figures["milliseconds"]) == classes
    for row in figures["milliseconds"].values():
        assert 0 < row["p50"] <= row["p95"] <= row["max"]
    assert "load_average" in report["machine"] and report["versions"]["numpy"]
    # No plan reads the rows of all pairs or results.
    assert not [plan for plan in figures["plans"] if "SCAN pair" in plan or "SCAN result" in plan]
    printed = capsys.readouterr().out
    assert "p95" in printed and "result_column" in printed
