"""The benchmarks run, on little, and report what they say they report."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import explorer, maps_and_pictures, publishing, site_load


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep the made-up site in a folder of the tests' own."""
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "tempdir", str(folder))
        yield folder


def test_the_benchmark_measures_every_class_and_keeps_its_site(
    temporary: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = temporary / "figures.json"
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


def test_maps_and_pictures_are_measured() -> None:
    found = json.loads(json.dumps(maps_and_pictures.measure(2)))
    assert set(found["per_second"]) == {"maps", "X-Maps", "PNGs", "PNGs written", "pairs"}
    assert all(rate > 0 for rate in found["per_second"].values())
    assert found["seconds_of_6000_pairs"]["all"] > found["seconds_of_6000_pairs"]["maps"] > 0


def test_publishing_is_measured_step_by_step() -> None:
    found = json.loads(json.dumps(publishing.measure(60, ["sqlite"])))
    assert set(found) == {"pairs", "sqlite"}
    assert set(found["sqlite"]) == {"images and pairs", "results", "explanations", "all"}
    assert all(seconds > 0 for seconds in found["sqlite"].values())


def test_the_site_answers_every_visitor_of_the_load(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site_load, "WARM_UP", 0.5)
    found = json.loads(json.dumps(site_load.measure(20.0, 2.0, pairs=500)))
    assert found["errors"] == 0
    seen = found["milliseconds"]
    assert 20 < seen["all"]["requests"] <= 50
    assert sum(row["requests"] for row in seen.values()) == 2 * seen["all"]["requests"]
    for row in seen.values():
        assert 0 < row["p50"] <= row["p95"] <= row["max"]
    assert len(found["megabytes"]) == found["workers"] == 2
    assert all(worker["own"] > 0 for worker in found["megabytes"])
    assert found["start_up"]["seconds"] > 0
    assert found["cores"]["client"] < found["cores"]["server"]
