"""``--engine``: what a run is started with it goes on with, and what that was is stored."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result as Outcome
from flask import Flask
from sqlalchemy import select

from app.extensions import db
from app.models import Evaluation, ExplanationSet
from app.settings import Settings
from compute.datasets.store import ImageRecord, PairRecord, image_sha256, write_dataset
from compute.embedding import Preprocessing
from compute.engines import catalogue, openvino
from compute.engines.catalogue import ENGINES, Engine
from compute.engines.nvidia import in_half
from compute.engines.onnx_runtime import load, model_of
from compute.registry import ModelRegistry
from tests.onnx_models import prelu

PLAIN, SPLIT = "onnxruntime", "onnxruntime+prelu"
SPEC = "patch_sizes = [28]\nstride = 28\n"


@pytest.fixture
def database_url(migrated_file: Path, tmp_path: Path) -> str:
    """Use SQLite alone: databases differ in nothing here."""
    path = tmp_path / "xfv.sqlite3"
    path.write_bytes(migrated_file.read_bytes())
    return f"sqlite:///{path}"


@pytest.fixture
def site(app: Flask, settings: Settings) -> Flask:
    """Return a site with a model that has PReLUs, and a dataset of 12 faces and 8 pairs."""
    coarse = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3), dtype=np.uint8)
    images = coarse.repeat(14, axis=1).repeat(14, axis=2)
    write_dataset(
        settings.data_dir,
        "demo",
        images=images,
        records=[
            ImageRecord(f"{i}.png", f"id{i // 2}", image_sha256(image), None)
            for i, image in enumerate(images)
        ],
        pairs=[PairRecord(30001 + i, i, i + 1 + i % 2, i % 2 == 0, fold=i // 4) for i in range(8)],
        skipped=[],
        origin={},
    )
    given = settings.data_dir / "given.onnx"
    given.write_bytes(prelu(np.array([0.25, -0.5, 3], np.float32).reshape(3, 1, 1)))
    ModelRegistry(settings.data_dir).add(
        "bent", given, preprocessing=Preprocessing(mean=(127.5,) * 3, std=(127.5,) * 3)
    )
    (settings.data_dir / "few.toml").write_text(SPEC)
    return app


def compute(site: Flask, settings: Settings, *arguments: object) -> Outcome:
    given = ["compute", "--dataset", "demo", "--spec", str(settings.data_dir / "few.toml")]
    return site.test_cli_runner().invoke(args=[*given, *map(str, arguments)])


def stored(site: Flask) -> list[tuple[str, int, int]]:
    """Return engine, batch and threads of the evaluation and of the explanation set."""
    with site.app_context():
        evaluation = db.session.scalars(select(Evaluation)).one()
        opened = db.session.scalars(select(ExplanationSet)).one()
        return [(row.engine, row.batch, row.threads) for row in (evaluation, opened)]


def run_file(settings: Settings) -> Path:
    return settings.data_dir / "runs" / "demo" / "bent" / "run.json"


def test_a_run_goes_on_with_the_engine_it_was_started_with(site: Flask, settings: Settings) -> None:
    done = compute(site, settings, "--engine", SPLIT, "--limit", 1)
    assert done.exit_code == 0, done.output
    assert f"bent: {SPLIT}, batch 16, " in done.output
    for more in ([], ["--engine", "auto"], ["--engine", SPLIT]):
        again = compute(site, settings, *more, "--limit", 3)
        assert again.exit_code == 0, again.output
    engines = {engine for engine, _, _ in stored(site)}
    assert engines == {ENGINES[SPLIT].title()}
    other = compute(site, settings, "--engine", PLAIN, "--limit", 4)
    assert other.exit_code == 2
    assert "was started with engine" in other.output
    assert "Results must not mix" in other.output


def test_a_new_run_without_a_word_takes_the_plain_engine(site: Flask, settings: Settings) -> None:
    assert compute(site, settings, "--limit", 1).exit_code == 0
    assert {engine for engine, _, _ in stored(site)} == {ENGINES[PLAIN].title()}
    # What an earlier version stored is what it stores today.
    assert json.loads(run_file(settings).read_text())["engine"] == ENGINES[PLAIN].title()


def test_auto_says_what_it_chose_and_stores_it(site: Flask, settings: Settings) -> None:
    done = compute(site, settings, "--engine", "auto", "--limit", 1)
    assert done.exit_code == 0, done.output
    assert re.search(r"bent: .* threads is the fastest .* Measured: .* images/s", done.output)
    (measured,) = (settings.data_dir / "engines").glob("*.json")
    chosen = json.loads(measured.read_text())["chosen"]
    title = ENGINES[chosen["engine"]].title()
    assert stored(site) == [(title, chosen["batch"], chosen["threads"])] * 2
    # Another dataset, or this one again from the beginning: nothing is measured anew.
    before = measured.read_bytes()
    run_file(settings).unlink()
    compute(site, settings, "--engine", "auto", "--stage", "verify")
    assert measured.read_bytes() == before


@pytest.mark.parametrize("engine", [SPLIT, "openvino"])
def test_results_are_those_of_the_plain_engine(
    site: Flask, settings: Settings, engine: str
) -> None:
    if ENGINES[engine].why_not():
        pytest.skip(ENGINES[engine].why_not())
    done = site.test_cli_runner().invoke(
        args=["models", "verify", "bent", "--engine", engine, "--dataset", "demo"]
    )
    line = next(each for each in done.output.splitlines() if "by engine" in each)
    assert "between 9 images" in line
    assert line.endswith("(allowed 1e-05).")


def test_an_engine_that_is_not_here_is_named_before_anything_is_done(
    site: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(openvino, "installed", lambda name: None)
    done = compute(site, settings, "--engine", "openvino")
    assert done.exit_code == 2
    assert "pip install -r requirements/openvino.txt" in done.output
    assert not run_file(settings).exists()
    unknown = compute(site, settings, "--engine", "abacus")
    assert unknown.exit_code == 2
    assert "expected auto or one of onnxruntime, " in unknown.output


def test_a_run_whose_engine_is_gone_says_what_is_here(site: Flask, settings: Settings) -> None:
    assert compute(site, settings, "--limit", 1).exit_code == 0
    path = run_file(settings)
    path.write_text(path.read_text().replace(ENGINES[PLAIN].title(), "abacus 1"))
    done = compute(site, settings, "--limit", 2)
    assert done.exit_code == 2
    assert "was started with engine abacus 1." in done.output
    assert f"there are {ENGINES[PLAIN].title()}; " in done.output


def test_an_engine_that_says_something_else_is_refused(
    site: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def rounding(path: Path, data: bytes | None, terms: Any) -> Any:
        model = in_half(model_of(path, data))
        return load(path, threads=1, data=model.SerializeToString())

    engine = Engine("rounding", rounding, lambda: "rounding 1")
    monkeypatch.setitem(catalogue.ENGINES, "rounding", engine)
    done = compute(site, settings, "--engine", "rounding")
    assert done.exit_code == 2
    assert "differ from the plain engine's" in done.output
    assert not run_file(settings).exists()
    # Auto leaves it out, and says why.
    auto = compute(site, settings, "--engine", "auto", "--limit", 1)
    assert auto.exit_code == 0, auto.output
    assert "Left out: rounding (" in auto.output
