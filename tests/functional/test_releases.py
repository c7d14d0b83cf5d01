"""Releases: out of one database, into another, and what is refused on the way."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pytest
from click.testing import Result as Outcome
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text

from app import create_app
from app.data.context import read_lines
from app.data.shelf import Release, Shelf
from app.explorer.packing import pack_results
from app.extensions import db
from app.media import MediaStore
from app.models import (
    Dataset,
    Evaluation,
    Explanation,
    ExplanationSet,
    FaceModel,
    FoldScore,
    Result,
    ResultColumn,
)
from app.settings import Settings
from compute.images import decode
from compute.occlusion import OcclusionSpec
from compute.publish import Publisher
from compute.rendering import render_stored
from tests import factories
from tests.conftest import close_database, site_settings

SPEC: Final = OcclusionSpec(patch_sizes=(28, 14), stride=28)
EXPLAINED: Final = (1, 2, 3, 6, 7)
FLAT: Final = 6


@dataclass
class Site:
    """A site with its own database and media store."""

    app: Flask
    settings: Settings

    @property
    def media(self) -> MediaStore:
        return MediaStore(self.settings.media_url)

    def run(self, *arguments: object) -> Outcome:
        return self.app.test_cli_runner().invoke(args=[str(each) for each in arguments])

    def export(self, *more: object) -> Outcome:
        return self.run("export", "--dataset", "alpha", "--model", "first", *more)

    def shelved(self, version: str = "1.0.0") -> Path:
        return Path(self.settings.media_url) / "releases" / "alpha__first" / version

    def client(self) -> FlaskClient:
        return self.app.test_client()


def add_dataset(site: Site, *, seed: int = 0) -> None:
    factories.make_dataset(db.session(), pairs=24, folds=4, media=site.media, seed=seed)
    db.session.commit()


def explain(site: Site, evaluation: Evaluation, ids: tuple[int, ...], name: str) -> None:
    """Explain pairs as the pipeline does: everything but the deviations follows from them."""
    session = db.session()
    row = factories.make_explanations(session, evaluation, ids, name=name)
    row.spec = SPEC.to_dict()
    for pair_id in ids:
        random = np.random.default_rng(pair_id)
        stored = random.normal(0, 0.02, (5, SPEC.count)).astype("<f4")
        if pair_id == FLAT:
            stored[:] = 0
        result = session.get_one(Result, (pair_id, evaluation.model_id))
        shown = result.pair.image1_row, result.pair.image2_row
        first, second = (decode(site.media.read(image.media), image.name) for image in shown)
        rendered = render_stored(stored, SPEC, (first, second))
        explained = session.get_one(Explanation, (row.id, pair_id))
        explained.status, explained.deviations = rendered.status, rendered.deviations
        explained.scales = rendered.scales
        explained.xmaps = Publisher(site.media).pictures(rendered)
    session.commit()


def fill(site: Site) -> None:
    add_dataset(site)
    session = db.session()
    dataset = session.scalars(select(Dataset)).one()
    model = factories.make_model(session)
    evaluation = factories.make_evaluation(session, dataset, model, missing=0.1, seed=7)
    explain(site, evaluation, EXPLAINED, "default")


def open_site(folder: Path) -> Site:
    settings = site_settings(folder, f"sqlite:///{folder}/xfv.sqlite3")
    return Site(create_app(settings), settings)


@pytest.fixture(scope="module")
def templates(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Path:
    """Return folders to be copied: ``bare`` and ``filled`` sites, and a ``release``."""
    root = tmp_path_factory.mktemp("templates")
    for name, make in (("bare", add_dataset), ("filled", fill)):
        (root / name).mkdir()
        shutil.copyfile(migrated_file, root / name / "xfv.sqlite3")
        site = open_site(root / name)
        with site.app.app_context():
            make(site)
        if name == "filled":
            assert site.export("--to", root / "release").exit_code == 0
        close_database(site.app)
    return root


@pytest.fixture
def source(tmp_path: Path, templates: Path) -> Iterator[Site]:
    """Return a filled site on SQLite."""
    shutil.copytree(templates / "filled", tmp_path / "source")
    site = open_site(tmp_path / "source")
    yield site
    close_database(site.app)


@pytest.fixture
def sqlite_target(tmp_path: Path, templates: Path) -> Iterator[Site]:
    """Return a site on SQLite that has the dataset and nothing else."""
    shutil.copytree(templates / "bare", tmp_path / "target")
    site = open_site(tmp_path / "target")
    yield site
    close_database(site.app)


@pytest.fixture
def target(app: Flask, settings: Settings) -> Site:
    """Return a site on each database that has the dataset and nothing else."""
    site = Site(app, settings)
    with app.app_context():
        add_dataset(site)
        db.session.remove()
    return site


@pytest.fixture
def release(templates: Path, tmp_path: Path) -> Path:
    """Return a release of ``source``."""
    folder = tmp_path / "release"
    shutil.copytree(templates / "release", folder)
    return folder


def count(site: Site) -> dict[str, int]:
    tables = ("face_model", "evaluation", "fold_score", "result", "explanation_set", "explanation")
    with site.app.app_context():
        return {
            name: db.session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one()
            for name in tables
        }


# ------------------------------------------------------------------------------------- export


def test_a_release_holds_what_the_rows_say(source: Site, release: Path) -> None:
    scores = pd.read_parquet(release / "scores.parquet").set_index("pair_id")
    pairs = pd.read_parquet(release / "pairs.parquet").set_index("pair_id")
    folds = pd.read_parquet(release / "folds.parquet").set_index("fold")
    explained = pd.read_parquet(release / "deviations-default.parquet")
    deviations = np.load(release / "deviations-default.npy", allow_pickle=False)

    assert len(pairs) == 24
    assert deviations.shape == (5, 5, SPEC.count)
    assert explained.pair_id.tolist() == list(EXPLAINED)
    assert explained.status.tolist() == ["flat" if i == FLAT else "ok" for i in EXPLAINED]
    with source.app.app_context():
        rows = db.session.scalars(select(Result)).all()
        assert len(rows) == len(scores) < 24
        for row in rows:
            said = scores.loc[row.pair_id]
            assert (said.distance, said.threshold) == (row.distance, row.threshold)
            assert (said.confidence, said.correct) == (row.confidence, row.correct)
            assert said.threshold == folds.loc[pairs.loc[row.pair_id].fold].threshold
        for place, pair_id in enumerate(EXPLAINED):
            stored = db.session.scalars(select(Explanation).filter_by(pair_id=pair_id)).one()
            assert zlib.decompress(stored.deviations) == deviations[place].tobytes()
            assert explained.scale_coverage_III[place] == stored.scales["coverage"]["III"]


def test_exporting_twice_gives_the_same_bytes(source: Site, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert source.export("--to", tmp_path / name).exit_code == 0
    sums = [(tmp_path / name / "SHA256SUMS").read_text() for name in ("a", "b")]
    assert sums[0] == sums[1]


def test_the_checksums_are_those_of_sha256sum(release: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"],
        cwd=release,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    listed = {line.split(":")[0] for line in done.stdout.splitlines()}
    assert listed == {path.name for path in release.iterdir()} - {"SHA256SUMS"}


def test_no_picture_is_in_a_release(release: Path) -> None:
    assert all(b"\x89PNG" not in path.read_bytes() for path in release.iterdir())
    assert "No release holds a face image" in (release / "LICENCE.md").read_text()


def test_croissant_describes_every_file_and_column(release: Path) -> None:
    said = json.loads((release / "croissant.json").read_text())
    files = {file["name"]: file for file in said["distribution"]}

    assert said["conformsTo"] == "http://mlcommons.org/croissant/1.0"
    assert said["version"] == "1.0.0"
    assert {"name", "license", "citeAs", "url", "datePublished"} <= set(said)
    for name, file in files.items():
        assert file["sha256"] == hashlib.sha256((release / name).read_bytes()).hexdigest()
    ids = {field["@id"] for table in said["recordSet"] for field in table["field"]}
    for table in said["recordSet"]:
        columns = pd.read_parquet(release / f"{table['name']}.parquet").columns
        assert [field["name"] for field in table["field"]] == list(columns)
        for field in table["field"]:
            assert field["source"]["fileObject"]["@id"] in files
            assert field.get("references", {"field": {"@id": field["@id"]}})["field"]["@id"] in ids


def test_versions_follow_from_what_changed(source: Site) -> None:
    first = source.export("--no-explanations")
    assert "release 1.0.0:" in first.output
    assert "is there already with the same content" in source.export("--no-explanations").output
    assert "release 1.1.0:" in source.export().output  # the same scores, more explanations
    with source.app.app_context():
        db.session.execute(text("UPDATE result SET confidence = 0.5 WHERE pair_id = 1"))
        db.session.commit()
    assert "release 2.0.0:" in source.export().output
    assert source.export("--version", "4.0.0").exit_code == 0
    taken = source.export("--version", "1.1.0")
    assert taken.exit_code == 2
    assert "Release 1.1.0 of first on alpha is there with other content" in taken.output
    listed = json.loads((source.shelved().parent.parent / "index.json").read_text())["releases"]
    assert [line["version"] for line in listed] == ["4.0.0", "2.0.0", "1.1.0", "1.0.0"]


def test_a_set_that_is_not_complete_is_told(source: Site) -> None:
    with source.app.app_context():
        db.session.execute(text("UPDATE explanation_set SET wanted_count = 9"))
        db.session.commit()
    assert "holds 5 of the 9 pairs" in source.export().output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--dataset", "alpha", "--model", "other"], "there are: first on alpha"),
        (["--dataset", "../x", "--model", "first"], "expected a name of a-z"),
        (["--dataset", "alpha", "--model", "first", "--explanations", "no"], "the sets default"),
        (["--dataset", "alpha", "--model", "first", "--version", "2026"], "three numbers"),
        (
            ["--dataset", "alpha", "--model", "first", "--explanations", "a", "--no-explanations"],
            "exclude each other",
        ),
    ],
)
def test_what_cannot_be_exported_says_why(source: Site, arguments: list[str], message: str) -> None:
    done = source.run("export", *arguments)
    assert done.exit_code == 2
    assert message in done.output
    assert not list(Path(source.settings.media_url).glob("releases/*__*"))


def test_a_folder_with_something_in_it_is_not_written_into(source: Site, release: Path) -> None:
    before = (release / "SHA256SUMS").read_bytes()
    done = source.export("--to", release)
    assert done.exit_code == 2
    assert "is there already" in done.output
    assert (release / "SHA256SUMS").read_bytes() == before


def test_an_export_that_fails_leaves_nothing(source: Site, tmp_path: Path) -> None:
    with source.app.app_context():
        db.session.execute(text("UPDATE explanation SET deviations = x'00' WHERE pair_id = 7"))
        db.session.commit()
    done = source.export("--to", tmp_path / "out")
    assert done.exit_code == 2
    assert "Pair 7: its stored deviations cannot be read" in done.output
    assert not [path for path in tmp_path.iterdir() if "out" in path.name]


# ------------------------------------------------------------------------------------- import


def test_what_was_exported_comes_back(
    source: Site, target: Site, release: Path, tmp_path: Path
) -> None:
    done = target.run("import", release)
    assert done.exit_code == 0, done.output
    assert "5 pairs explained in set 'default' (0 were before)" in done.output

    assert snapshot(target) == snapshot(source)
    with target.app.app_context():
        for row in db.session.scalars(select(Explanation)):
            assert all(target.media.read(key) for key in row.xmaps.values())
        # What the explorer searches follows from the new rows.
        evaluation = db.session.scalars(select(Evaluation)).one()
        key = (evaluation.dataset_id, evaluation.model_id)
        packed = {row.name: row.data for row in db.session.scalars(select(ResultColumn))}
        assert packed == pack_results(db.session(), *key)
    # And what the other database gives is the same release, byte for byte.
    assert target.export("--to", tmp_path / "again").exit_code == 0
    assert (tmp_path / "again" / "SHA256SUMS").read_bytes() == (release / "SHA256SUMS").read_bytes()


def snapshot(site: Site) -> dict[str, Any]:
    """Return every row of an evaluation but for surrogate keys and hosts."""
    hidden = ("id", "host", "set_id", "model_id", "dataset_id", "evaluation_id")
    found: dict[str, Any] = {}
    with site.app.app_context():
        for table in (FaceModel, Evaluation, FoldScore, Result, ExplanationSet, Explanation):
            names = [c.name for c in table.__table__.columns if c.name not in hidden]
            rows = [
                [getattr(row, name) for name in names] for row in db.session.scalars(select(table))
            ]
            found[table.__tablename__] = sorted(str([plain(v) for v in row]) for row in rows)
    return found


def plain(value: Any) -> Any:
    """Return a time without its zone, which SQLite does not keep; mappings by key."""
    if isinstance(value, dict):
        return sorted((key, plain(each)) for key, each in value.items())
    return value.replace(tzinfo=None) if hasattr(value, "tzinfo") else value


def test_importing_again_changes_nothing(sqlite_target: Site, release: Path) -> None:
    assert sqlite_target.run("import", release).exit_code == 0
    before = snapshot(sqlite_target)
    again = sqlite_target.run("import", release)
    assert again.exit_code == 0
    assert "is here already, nothing to do" in again.output
    assert snapshot(sqlite_target) == before


def test_a_later_release_adds_what_is_missing(
    source: Site, sqlite_target: Site, release: Path, tmp_path: Path
) -> None:
    assert source.export("--no-explanations", "--to", tmp_path / "bare").exit_code == 0
    assert sqlite_target.run("import", tmp_path / "bare").exit_code == 0
    assert count(sqlite_target)["explanation"] == 0
    done = sqlite_target.run("import", release)
    assert "5 pairs explained" in done.output
    assert "results" not in done.output
    with source.app.app_context():
        evaluation = db.session.scalars(select(Evaluation)).one()
        explain(source, evaluation, (1, 8), "second")
        db.session.execute(
            text("UPDATE explanation SET set_id = 1 WHERE pair_id = 8 AND set_id = 2")
        )
        db.session.commit()
    assert source.export("--to", tmp_path / "more").exit_code == 0
    more = sqlite_target.run("import", tmp_path / "more")
    assert more.exit_code == 0, more.output
    assert "1 pairs explained in set 'default' (5 were before)" in more.output
    assert "1 pairs explained in set 'second' (0 were before)" in more.output
    assert count(sqlite_target)["explanation"] == 7


def test_other_results_under_the_same_names_are_refused(sqlite_target: Site, release: Path) -> None:
    assert sqlite_target.run("import", release).exit_code == 0
    for change, message in (
        # In the order opposite to that of the checks, so that each is the first to fail.
        ("UPDATE explanation_set SET engine = 'another'", "Results must not mix"),
        ("UPDATE fold_score SET k = 1.5 WHERE fold = 2", "holds other folds"),
        ("UPDATE result SET distance = 0.125 WHERE pair_id = 3", "holds other scores"),
        ("UPDATE face_model SET sha256 = 'another'", "holds another model 'first'"),
        ("UPDATE pair SET fold = 3 WHERE id = 1", "holds other pairs"),
        ("UPDATE dataset SET sha256 = 'another'", "was made of another alpha"),
    ):
        with sqlite_target.app.app_context():
            db.session.execute(text(change))
            db.session.commit()
        before = snapshot(sqlite_target)
        done = sqlite_target.run("import", release)
        assert done.exit_code == 2
        assert message in done.output
        assert snapshot(sqlite_target) == before


def test_a_dataset_that_is_not_here_is_asked_for(
    tmp_path: Path, release: Path, migrated_file: Path
) -> None:
    (tmp_path / "empty").mkdir()
    shutil.copyfile(migrated_file, tmp_path / "empty" / "xfv.sqlite3")
    site = open_site(tmp_path / "empty")
    done = site.run("import", release)
    assert done.exit_code == 2
    assert "flask datasets import alpha" in done.output
    close_database(site.app)


def reseal(folder: Path) -> None:
    """Write the checksums anew, as whoever alters a release on purpose would."""
    names = sorted(p.name for p in folder.iterdir() if p.name != "SHA256SUMS" and p.is_file())
    lines = (f"{hashlib.sha256((folder / n).read_bytes()).hexdigest()}  {n}\n" for n in names)
    (folder / "SHA256SUMS").write_text("".join(lines))


def altered_json(**change: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "release.json"
        content = json.loads(path.read_text())
        for where, value in change.items():
            part, _, name = where.partition("__")
            if name:
                holder = content[part][0] if isinstance(content[part], list) else content[part]
                holder[name] = value
            else:
                content[part] = value
        path.write_text(json.dumps(content))
        reseal(folder)

    return spoil


def altered_table(name: str, column: str, value: Any) -> Callable[[Path], None]:
    """Change the first value of a column (turn it, for None); all else stays as it was written."""

    def spoil(folder: Path) -> None:
        from compute.releases.layout import TABLES, explained_table
        from compute.releases.tables import read_table, write_table

        tables = {table.file: table for table in (*TABLES, explained_table("default"))}
        columns = read_table(folder, tables[name])
        columns[column][0] = not columns[column][0] if value is None else value
        write_table(folder, tables[name], columns)
        reseal(folder)

    return spoil


def corrupt(folder: Path) -> None:
    path = folder / "scores.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def link(folder: Path) -> None:
    path = folder / "scores.parquet"
    path.rename(folder.parent / "elsewhere")
    path.symlink_to(folder.parent / "elsewhere")


def traverse(folder: Path) -> None:
    with (folder / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../../secret\n")


def nan(folder: Path) -> None:
    path = folder / "deviations-default.npy"
    array = np.load(path)
    array[2, 0, 0] = np.nan
    np.save(path, array)
    reseal(folder)


def other_deviations(folder: Path) -> None:
    path = folder / "deviations-default.npy"
    array = np.load(path)
    array[0] *= 2
    np.save(path, array)
    reseal(folder)


def without_array(folder: Path) -> None:
    (folder / "deviations-default.npy").unlink()
    reseal(folder)


def huge_text(folder: Path) -> None:
    with (folder / "release.json").open("a") as file:
        file.write(" " * (2**22 + 1))
    reseal(folder)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (corrupt, "scores.parquet: SHA-256 is"),
        (lambda folder: (folder / "folds.parquet").unlink(), "folds.parquet is missing"),
        (lambda folder: (folder / "SHA256SUMS").unlink(), "SHA256SUMS is missing"),
        (link, "scores.parquet is a link"),
        (traverse, "line 9: "),
        (without_array, "has no line for deviations-default.npy"),
        (nan, "row 2 holds a number that is not finite"),
        (other_deviations, "pair 1: status or scales do not follow"),
        (huge_text, "expected at most"),
        (altered_json(format=2), "format 2, this version reads 1"),
        (altered_json(version="1.0.0/../.."), "expected three numbers"),
        (altered_json(model__name="../first"), "is no name of a dataset, model or set"),
        (altered_json(explanation_sets__name="../../etc/x"), "is no name of a dataset"),
        (altered_json(explanation_sets__spec={"stride": 0}), "not an occlusion spec"),
        (altered_json(explanation_sets__pairs=4), "5 rows, release.json says 4"),
        (altered_json(evaluation__accuracy="high"), "accuracy is stated as 'high'"),
        (altered_json(evaluation__engine=7), "evaluation.engine is 7"),
        (altered_json(evaluation__finished="2026-01-01"), "evaluation.finished is"),
        (altered_json(evaluation__colour="red"), "evaluation has no column 'colour'"),
        (altered_json(evaluation__pair_count=3), "release.json says 3"),
        (altered_json(dataset=[]), "dataset is [], expected an object"),
        (altered_table("scores.parquet", "pair_id", -3), "is not in pairs.parquet"),
        (altered_table("scores.parquet", "distance", 2.5), "distance outside [0, 2]"),
        (altered_table("scores.parquet", "confidence", 0.25), "confidence outside [0.5, 1]"),
        (altered_table("folds.parquet", "fold", -7), "folds is stated as [-7, 1, 2, 3]"),
        (altered_table("deviations-default.parquet", "pair_id", -3), "is not in scores.parquet"),
        (altered_table("deviations-default.parquet", "status", "fine"), "status ['fine']"),
    ],
)
def test_what_is_not_sound_is_refused_and_nothing_is_written(
    sqlite_target: Site, release: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(release)
    done = sqlite_target.run("import", release)
    assert done.exit_code == 2, done.output
    assert message in done.output
    assert "Traceback" not in done.output
    assert set(count(sqlite_target).values()) == {0}


METRICS: Final = (
    *("accuracy", "accuracy_std", "threshold_mean", "eer", "auc", "ece"),
    *("confidence_right", "confidence_wrong", "tar_at_far_1e2", "tar_at_far_1e3"),
)


@pytest.mark.parametrize(
    ("spoil", "file", "figure"),
    [
        (altered_table("scores.parquet", "threshold", 0.69), "scores.parquet", "threshold of pair"),
        (altered_table("scores.parquet", "prediction", None), "scores.parquet", "prediction of"),
        (altered_table("scores.parquet", "correct", None), "scores.parquet", "correct of pair"),
        (altered_table("scores.parquet", "confidence", 0.75), "scores.parquet", "confidence of"),
        (altered_table("folds.parquet", "k", -11.0), "scores.parquet", "confidence of pair"),
        (altered_table("folds.parquet", "threshold", 0.69), "scores.parquet", "threshold of pair"),
        (altered_table("folds.parquet", "accuracy", 0.99), "folds.parquet", "accuracy of fold 0"),
        *(
            (altered_json(**{f"evaluation__{name}": 0.987}), "release.json", name)
            for name in METRICS
        ),
        (altered_json(evaluation__ece=None), "release.json", "ece"),
    ],
)
def test_a_release_that_contradicts_its_scores_is_refused(
    sqlite_target: Site,
    release: Path,
    spoil: Callable[[Path], object],
    file: str,
    figure: str,
) -> None:
    spoil(release)
    done = sqlite_target.run("import", release)
    assert done.exit_code == 2, done.output
    assert f"{file}: first on alpha: {figure}" in done.output
    assert " is stated as " in done.output
    assert " gives " in done.output
    assert set(count(sqlite_target).values()) == {0}


def test_skipped_pairs_are_those_without_a_score(sqlite_target: Site, release: Path) -> None:
    altered_json(evaluation__skipped_count=0)(release)
    done = sqlite_target.run("import", release)
    assert "0 pairs are said to be skipped" in done.output
    assert done.exit_code == 2


def test_last_places_and_figures_that_an_older_version_did_not_know_are_no_contradiction(
    sqlite_target: Site, release: Path
) -> None:
    path = release / "release.json"
    content = json.loads(path.read_text())
    content["evaluation"]["accuracy"] += 1e-12
    del content["evaluation"]["ece"]
    path.write_text(json.dumps(content))
    reseal(release)
    done = sqlite_target.run("import", release)
    assert done.exit_code == 0, done.output


def test_a_folder_that_is_no_release_says_so(sqlite_target: Site, tmp_path: Path) -> None:
    assert "no such folder" in sqlite_target.run("import", tmp_path / "nowhere").output
    done = sqlite_target.run("import", tmp_path)
    assert (done.exit_code, "SHA256SUMS is missing" in done.output) == (2, True)


def test_a_failure_while_writing_leaves_no_row(
    sqlite_target: Site, release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("compute.publish.restored.insert_explanations", fail)
    done = sqlite_target.run("import", release)
    assert done.exit_code == 2
    assert "No space left" in done.output
    assert set(count(sqlite_target).values()) == {0}


# -------------------------------------------------------------------------------------- pages


def test_the_page_of_an_empty_shelf_gives_the_command(client: FlaskClient) -> None:
    page = client.get("/data").text
    assert "No release yet" in page
    assert "flask export --dataset NAME --model NAME" in page
    assert client.get("/api/v1/releases").json == {"rows": []}


def test_the_lines_that_the_page_shows_read_a_release(
    source: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.export().exit_code == 0
    client = source.client()
    row = json.loads(client.get("/api/v1/releases").text)["rows"][0]
    for name, url in row["files"].items():
        with client.get(url) as answer:
            (tmp_path / name).write_bytes(answer.data)
    lines = read_lines(row["explained"])
    page = client.get("/data").text.replace("&#34;", '"')
    assert len(lines) == 3
    assert all(line in page for line in lines)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec("\n".join(lines), names)
    assert sorted(names["deviations"]) == list(EXPLAINED)
    assert names["deviations"][7].shape == (5, SPEC.count)
    assert len(names["scores"]) == row["scores"]
    assert {"identity1", "confidence"} <= set(names["scores"].columns)


def test_the_lines_for_a_release_without_explanations_read_it_too(
    source: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.export("--no-explanations", "--to", tmp_path / "bare").exit_code == 0
    monkeypatch.chdir(tmp_path / "bare")
    names: dict[str, Any] = {}
    exec("\n".join(read_lines({})), names)
    assert names["folds"].index.tolist() == [0, 1, 2, 3]


def test_a_file_is_sent_whole_in_ranges_and_once(source: Site) -> None:
    assert source.export().exit_code == 0
    client = source.client()
    url = "/data/alpha/first/1.0.0/deviations-default.npy"
    whole = (source.shelved() / "deviations-default.npy").read_bytes()
    with client.get(url) as answer:
        assert answer.data == whole
        assert answer.content_length == len(whole)
        assert "immutable" in answer.headers["Cache-Control"]
        assert "filename=deviations-default.npy" in answer.headers["Content-Disposition"]
        etag = answer.headers["ETag"]
    with client.get(url, headers={"Range": "bytes=100-199"}) as part:
        assert (part.status_code, part.data) == (206, whole[100:200])
        assert part.headers["Content-Range"] == f"bytes 100-199/{len(whole)}"
    with client.get(url, headers={"Range": f"bytes={len(whole)}-"}) as beyond:
        assert beyond.status_code == 416
    with client.get(url, headers={"If-None-Match": etag}) as known:
        assert (known.status_code, known.data) == (304, b"")
    with client.head(url) as head:
        assert (head.status_code, head.content_length) == (200, len(whole))


@pytest.mark.parametrize(
    "path",
    [
        "alpha/first/1.0.1",
        "alpha/first/1.0.0/faces",
        "alpha/first/1.0.0/..%2f..%2findex.json",
        "alpha/first/%2e%2e",
        "alpha/first/1.0.0/%00",
        "..%2f..%2f/first/1.0.0",
        "alpha/second/1.0.0/release.json",
    ],
)
def test_nothing_but_files_of_releases_is_sent(source: Site, path: str) -> None:
    assert source.export().exit_code == 0
    answer = source.client().get(f"/data/{path}", follow_redirects=True)
    assert answer.status_code == 404


def test_a_release_has_a_page_with_its_description_for_machines(source: Site) -> None:
    assert source.export().exit_code == 0
    page = source.client().get("/data/alpha/first/1.0.0").text
    for line in (source.shelved() / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert name == "release.json" or digest in page
    start = page.index('<script type="application/ld+json">') + 35
    described = json.loads(page[start : page.index("</script>", start)])
    assert described["url"].endswith("/data/alpha/first/1.0.0")
    assert all(file["contentUrl"].startswith("http") for file in described["distribution"])


def test_names_from_a_release_are_escaped(source: Site) -> None:
    with source.app.app_context():
        db.session.execute(text("UPDATE face_model SET title = '</script><b>x'"))
        db.session.commit()
    assert source.export().exit_code == 0
    for path in ("/data", "/data/alpha/first/1.0.0"):
        assert "<b>x" not in source.client().get(path).text


def test_a_damaged_index_is_told_and_spares_other_pages(source: Site) -> None:
    from app.data.shelf import latest_release

    assert source.export().exit_code == 0
    with source.app.test_request_context():
        found = latest_release("alpha", "first")
        assert found is not None
        assert found.key.version == "1.0.0"
        assert latest_release("alpha", "second") is None
    (source.shelved().parent.parent / "index.json").write_text("{")
    answer = source.client().get("/data")
    assert answer.status_code == 500
    assert "flask export" in answer.text
    with source.app.test_request_context():
        assert latest_release("alpha", "first") is None


def test_a_page_reads_the_shelf_once_be_it_damaged_or_not(
    source: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert source.export().exit_code == 0
    with source.app.app_context():
        session = db.session()
        dataset = session.scalars(select(Dataset)).one()
        factories.make_evaluation(session, dataset, factories.make_model(session, "second"))
        session.commit()
    read: list[Shelf] = []
    whole = Shelf._index

    def counted(self: Shelf) -> list[Release]:
        read.append(self)
        return whole(self)

    monkeypatch.setattr(Shelf, "_index", counted)
    page = "/explorer?dataset=alpha&model=first&model=second"
    assert "scores.parquet" in source.client().get(page).text
    assert len(read) == 1
    (source.shelved().parent.parent / "index.json").write_text("{")
    assert source.client().get(page).status_code == 200
    assert len(read) == 2


def test_a_store_that_is_no_folder_holds_releases_too(source: Site, tmp_path: Path) -> None:
    from compute.releases.export import Wanted, export

    with source.app.app_context():
        report = export(Wanted("alpha", "first"), "memory://xfv-releases", tmp_path / "data")
        again = export(Wanted("alpha", "first"), "memory://xfv-releases", tmp_path / "data")
    assert (report.already, again.already) == (False, True)
    settings = site_settings(
        tmp_path / "far", source.settings.database_url, XFV_MEDIA_URL="memory://xfv-releases"
    )
    app = create_app(settings)
    with app.test_client().get("/data/alpha/first/1.0.0/scores.parquet") as answer:
        assert answer.status_code == 200
        assert answer.data[:4] == b"PAR1"
    close_database(app)
    assert not list((tmp_path / "data" / "releases").iterdir())
