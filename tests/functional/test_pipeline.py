"""The pipeline on both databases: what is published, and what is left after a kill at any step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Literal, TypeVar

import numpy as np
import pytest
from click.testing import Result as Outcome
from flask import Flask, has_app_context
from numpy.typing import NDArray
from sqlalchemy import create_engine, delete, event, func, select, text

from app.explorer.packing import pack_pairs, pack_results
from app.extensions import db
from app.media import MediaStore
from app.models import (
    Evaluation,
    Explanation,
    ExplanationSet,
    PairColumn,
    Result,
    ResultColumn,
)
from app.settings import ROOT, Settings
from compute import OcclusionSpec, explain_pair, judging, xmap
from compute.ahead import ahead
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    StoredDataset,
    dataset_folder,
    image_sha256,
    write_dataset,
)
from compute.embedding import OnnxEmbedder, Preprocessing
from compute.explanation import ROWS, row_name
from compute.files import exclusive
from compute.images import decode
from compute.opening import open_embedder
from compute.parallel.processes import ProcessWorkers
from compute.publish import OpenSet, datasets, explanations
from compute.registry import ModelRegistry
from compute.rendering import RenderedExplanation
from compute.xmaps import similarity_map
from tests.onnx_models import opset, toy

T = TypeVar("T")
R = TypeVar("R")

FIRST: Final = 30001
SPEC: Final = OcclusionSpec(patch_sizes=(28, 14), stride=28)
SPEC_TOML: Final = "patch_sizes = [28, 14]\nstride = 28\n"


def faces(identities: int = 8) -> NDArray[np.uint8]:
    """Return three noisy copies of each identity."""
    random = np.random.default_rng(3)
    base = random.integers(30, 226, (identities, 14, 14, 3)).repeat(8, axis=1).repeat(8, axis=2)
    noisy = base.repeat(3, axis=0) + random.integers(-30, 31, (3 * identities, 112, 112, 3))
    images: NDArray[np.uint8] = np.clip(noisy, 0, 255).astype(np.uint8)
    return images


def ring(identities: int = 8) -> list[PairRecord]:
    """Return a genuine and an impostor pair of each identity; one fold for two of them."""
    pairs: list[PairRecord] = []
    for i in range(identities):
        own, other = 3 * i, (3 * i + 3) % (3 * identities)
        for genuine, second in ((True, own + 1), (False, other)):
            pairs.append(PairRecord(FIRST + len(pairs), own, second, genuine, fold=i // 2))
    return pairs


def store(data: Path, **more: Any) -> None:
    images = more.get("images", faces())
    content: dict[str, Any] = {
        "images": images,
        "records": [
            ImageRecord(f"id{i // 3}/{i:04d}.png", f"id{i // 3}", image_sha256(image), i / 100)
            for i, image in enumerate(images)
        ],
        "pairs": ring(),
        "skipped": [],
        "origin": {},
    }
    write_dataset(data, "demo", **{**content, **more})


def add_toy(settings: Settings, name: str = "toy", **options: Any) -> None:
    path = settings.data_dir / f"given-{name}.onnx"
    path.write_bytes(toy(**options))
    ModelRegistry(settings.data_dir).add(name, path, preprocessing=Preprocessing())


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "coarse.toml"
    path.write_text(SPEC_TOML, encoding="utf-8")
    return path


def compute(app: Flask, *arguments: object) -> Outcome:
    return app.test_cli_runner().invoke(args=["compute", "--dataset", "demo", *map(str, arguments)])


def test_everything_that_is_published_of_a_pair_follows_from_the_library(
    app: Flask, settings: Settings, media: MediaStore, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    done = compute(app, "--spec", spec)
    assert done.exit_code == 0, done.output
    registry = ModelRegistry(settings.data_dir)
    embed = open_embedder(registry, registry.get("toy"), batch=5, threads=1)
    images = faces()
    with app.app_context():
        opened = db.session.scalars(select(ExplanationSet)).one()
        assert (opened.name, opened.wanted_count) == ("coarse", 16)
        assert OcclusionSpec.from_dict(opened.spec) == SPEC
        evaluation = db.session.scalars(select(Evaluation)).one()
        assert (evaluation.pair_count, evaluation.skipped_count) == (16, 0)
        assert evaluation.engine.startswith("onnxruntime ")
        assert evaluation.model_sha256 == registry.get("toy").sha256
        for pair in ring():
            row = db.session.get_one(Explanation, (opened.id, pair.id))
            result = db.session.get_one(Result, (pair.id, evaluation.model_id))
            shown = images[pair.image1], images[pair.image2]
            expected = explain_pair(embed, *shown, spec=SPEC)
            assert result.distance == pytest.approx(expected.distance, abs=1e-6)
            assert result.explained
            stored = np.frombuffer(zlib.decompress(row.deviations), "<f4").reshape(5, SPEC.count)
            for (method, side), values in zip(ROWS, stored, strict=True):
                assert np.abs(values - expected.deviations(method, side)).max() < 1e-5
                drawn = similarity_map(values, SPEC)
                own = expected.similarity_map(method, side)
                assert np.abs(drawn.values - own).max() < 1e-4
                for normalise in ("count", "coverage"):
                    assert row.scales[normalise][row_name(method, side)] == pytest.approx(
                        expected.scale(method, side, normalise=normalise), rel=1e-4
                    )
                for place in (1, 2) if method == "III" else (side,):
                    key = row.xmaps[f"{method}{place}"]
                    picture = decode(media.read(key), key)
                    assert np.array_equal(picture, xmap(shown[place - 1], drawn.values))


def test_packed_columns_hold_what_the_rows_hold_also_on_an_older_site(
    app: Flask, settings: Settings, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)

    def packed() -> dict[str, bytes]:
        session = db.session()
        columns = {row.name: row.data for row in session.scalars(select(PairColumn))}
        columns |= {row.name: row.data for row in session.scalars(select(ResultColumn))}
        keys = session.execute(select(Evaluation.dataset_id, Evaluation.model_id)).one()
        assert columns == pack_pairs(session, keys[0]) | pack_results(session, *keys)
        return columns

    assert compute(app, "--spec", spec, "--limit", 3).exit_code == 0
    with app.app_context():
        assert sum(packed()["explained"]) == 3
        # As an earlier version left it, without packed columns.
        db.session.execute(delete(PairColumn))
        db.session.execute(delete(ResultColumn))
        db.session.commit()
    assert compute(app, "--spec", spec, "--limit", 5).exit_code == 0
    with app.app_context():
        assert sum(packed()["explained"]) == 5


def test_running_again_and_taking_more_pairs(
    app: Flask, settings: Settings, media: MediaStore, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    assert compute(app, "--stage", "verify").exit_code == 0
    with app.app_context():
        assert not db.session.scalars(select(ExplanationSet)).all()
    assert "3 pairs explained" in compute(app, "--spec", spec, "--limit", 3).output
    more = compute(app, "--spec", spec, "--limit", 5)
    assert "2 pairs explained in set 'coarse' (3 were before)" in more.output
    some = compute(app, "--spec", spec, "--pairs", f"{FIRST + 14}-{FIRST + 15},{FIRST}")
    assert "2 pairs explained in set 'coarse' (1 were before)" in some.output
    again = compute(app, "--spec", spec, "--pairs", f"{FIRST + 14}")
    assert "0 pairs explained" in again.output
    assert "verified before" in again.output


def test_a_model_that_must_be_occluded_outside_its_graph_is_told_of(
    app: Flask, settings: Settings, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    path = settings.data_dir / "old.onnx"
    path.write_bytes(opset(8))
    ModelRegistry(settings.data_dir).add("old", path, preprocessing=Preprocessing())
    done = compute(app, "--spec", spec, "--limit", 1)
    assert done.exit_code == 0, done.output
    told = [line for line in done.output.splitlines() if "1 pairs explained" in line]
    assert "no image twice, occluded by the whole graph: windows would save little" in told[0]
    assert told[1].endswith(
        "occluded outside the graph: the model is of opset 8, expected 9 or later."
    )
    with app.app_context():
        rows = [
            np.frombuffer(zlib.decompress(each), "<f4")
            for each in db.session.scalars(select(Explanation.deviations))
        ]
        assert np.abs(rows[0] - rows[1]).max() < 1e-5


def test_a_second_set_explains_the_same_pairs_anew(
    app: Flask, settings: Settings, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    assert compute(app, "--spec", spec, "--limit", 2).exit_code == 0
    other = spec.with_name("white.toml")
    other.write_text(SPEC_TOML + 'fill = "white"\n', encoding="utf-8")
    assert "2 pairs explained in set 'white'" in compute(app, "--spec", other, "--limit", 2).output
    with app.app_context():
        sets = db.session.execute(select(ExplanationSet.name, ExplanationSet.wanted_count))
        assert sorted(map(tuple, sets)) == [("coarse", 2), ("white", 2)]


def test_a_spec_that_changed_under_its_name_is_refused(
    app: Flask, settings: Settings, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    assert compute(app, "--spec", spec, "--limit", 1).exit_code == 0
    spec.write_text("patch_sizes = [28]\nstride = 14\n", encoding="utf-8")
    done = compute(app, "--spec", spec, "--limit", 1)
    assert done.exit_code == 2
    assert "'coarse' of toy on demo has another spec" in done.output
    assert "another name" in done.output


def test_an_image_that_fails_under_an_occlusion_takes_its_pairs_only(
    app: Flask, settings: Settings, spec: Path
) -> None:
    images = faces()
    # Almost black: a black patch takes its mean below the bound, as it does with no other image.
    images[3] = 4
    images[3, :14, :14] = np.random.default_rng(0).integers(0, 9, (14, 14, 3))
    store(settings.data_dir, images=images)
    add_toy(settings, nan_below=3.9)
    for attempt in range(2):
        done = compute(app, "--spec", spec)
        assert done.exit_code == 1, done.output
        lines = [line for line in done.output.splitlines() if line.startswith("skipped")]
        # Image 3 belongs to the impostor pair of identity 0 and to both pairs of identity 1
        assert [line.split(":")[0] for line in sorted(lines)] == [
            f"skipped pair {FIRST + i}" for i in (1, 2, 3)
        ]
        assert all("id1/0003.png" in line and "not finite" in line for line in lines)
        assert ("13 pairs explained" if attempt == 0 else "0 pairs explained") in done.output
        with app.app_context():
            opened = db.session.scalars(select(ExplanationSet)).one()
            explained = db.session.scalars(select(Explanation.pair_id)).all()
            assert opened.wanted_count == len(explained) == 13
            assert db.session.scalars(select(Evaluation.skipped_count)).one() == 0


def test_pairs_that_the_import_skipped_are_listed_once(
    app: Flask, settings: Settings, spec: Path
) -> None:
    skipped = [Skipped("id9/0027.png", "no face"), Skipped(f"pair {FIRST + 16}", "needs id9")]
    store(settings.data_dir, skipped=skipped)
    add_toy(settings, "a")
    add_toy(settings, "b", seed=1)
    done = compute(app, "--spec", spec, "--pairs", f"{FIRST}-{FIRST + 16}")
    assert done.exit_code == 1
    assert done.output.count("skipped id9/0027.png: no face") == 1
    assert "2 skipped in all" in done.output
    with app.app_context():
        assert len(db.session.scalars(select(Explanation.pair_id)).all()) == 32


def test_what_the_finished_models_skipped_is_listed_when_a_later_one_fails(
    app: Flask, settings: Settings, spec: Path
) -> None:
    store(settings.data_dir, skipped=[Skipped("id9/0027.png", "no face")])
    add_toy(settings, "a")
    add_toy(settings, "b", seed=1)
    (settings.data_dir / "models" / "b.onnx").write_bytes(b"damaged")
    done = compute(app, "--spec", spec)
    assert done.exit_code == 2
    assert "skipped id9/0027.png: no face" in done.output
    assert "b.onnx: SHA-256 is" in done.output
    assert "a on demo: 16 pairs explained" in done.output


@pytest.mark.parametrize("what", ["labels", "folds", "embeddings"])
def test_what_cannot_be_verified_says_why(what: str, app: Flask, settings: Settings) -> None:
    more: dict[str, Any] = {}
    if what == "labels":
        more["pairs"] = [pair for pair in ring() if pair.genuine]
    elif what == "folds":
        more["pairs"] = [replace(pair, fold=0) for pair in ring()]
    else:
        more["images"] = np.full_like(faces(), 255)
    store(settings.data_dir, **more)
    add_toy(settings, nan_above=250.0)
    done = compute(app)
    assert done.exit_code == 2
    assert "toy on demo: cannot be verified with" in done.output
    if what == "embeddings":
        assert "0 usable pairs" in done.output
        assert "16 are skipped, the first: id0/0000.png" in done.output
    with app.app_context():
        assert not db.session.scalars(select(Evaluation)).all()


def test_results_of_another_engine_are_not_mixed(
    app: Flask, settings: Settings, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    assert compute(app, "--spec", spec, "--limit", 1).exit_code == 0
    path = settings.data_dir / "runs" / "demo" / "toy" / "run.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(json.loads(whole)["engine"], "onnxruntime 0.1"), encoding="utf-8")
    done = compute(app, "--spec", spec, "--limit", 2)
    assert done.exit_code == 2
    assert "started with engine onnxruntime 0.1" in done.output
    path.write_text(whole, encoding="utf-8")
    with app.app_context():
        db.session.execute(text("UPDATE explanation_set SET engine = 'onnxruntime 0.2'"))
        db.session.commit()
    done = compute(app, "--spec", spec, "--limit", 2)
    assert done.exit_code == 2
    assert "begun with onnxruntime 0.2" in done.output


def test_batch_and_threads_stay_what_they_were(app: Flask, settings: Settings, spec: Path) -> None:
    store(settings.data_dir)
    add_toy(settings)
    assert compute(app, "--spec", spec, "--limit", 1).exit_code == 0
    with app.app_context():
        db.session.execute(text("UPDATE explanation_set SET batch = 3, threads = 1"))
        db.session.commit()
    assert compute(app, "--spec", spec, "--limit", 2).exit_code == 0
    with app.app_context():
        row = db.session.scalars(select(ExplanationSet)).one()
        assert (row.batch, row.threads) == (3, 1)


@pytest.mark.parametrize("what", ["model", "preprocessing", "dataset"])
def test_a_database_of_other_things_by_the_same_name_is_refused(
    what: Literal["model", "preprocessing", "dataset"], app: Flask, settings: Settings, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    assert compute(app, "--spec", spec, "--limit", 1).exit_code == 0
    if what == "dataset":
        for path in dataset_folder(settings.data_dir, "demo").iterdir():
            path.unlink()
        store(settings.data_dir, images=faces()[::-1].copy())
    else:
        (settings.data_dir / "models" / "registry.toml").unlink()
        path = settings.data_dir / "other.onnx"
        path.write_bytes(toy(seed=5 if what == "model" else 0))
        fed = Preprocessing("bgr") if what == "preprocessing" else Preprocessing()
        ModelRegistry(settings.data_dir).add("toy", path, preprocessing=fed)
    done = compute(app, "--spec", spec, "--limit", 2)
    assert done.exit_code == 2
    assert f"holds another {'demo' if what == 'dataset' else 'model'}" in done.output


def test_embeddings_of_another_preprocessing_are_not_reused(app: Flask, settings: Settings) -> None:
    store(settings.data_dir)
    add_toy(settings)
    assert compute(app, "--stage", "verify").exit_code == 0
    (settings.data_dir / "models" / "registry.toml").unlink()
    ModelRegistry(settings.data_dir).add(
        "toy", settings.data_dir / "given-toy.onnx", preprocessing=Preprocessing("bgr")
    )
    with app.app_context():  # as with a new database beside the old data folder
        db.session.execute(text("DELETE FROM face_model"))
        db.session.commit()
    done = compute(app, "--stage", "verify")
    assert done.exit_code == 2
    assert "started with fed" in done.output


def test_one_model_on_one_dataset_is_computed_by_one_process(
    app: Flask, settings: Settings
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    with exclusive(settings.data_dir / "locks" / "demo__toy", doing="computing"):
        done = compute(app)
    assert done.exit_code == 2
    assert "Another process is computing toy on demo" in done.output


def test_no_transaction_stays_open_while_a_model_embeds(
    app: Flask, settings: Settings, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    seen: list[bool] = []
    whole = OnnxEmbedder.__call__

    def watched(self: OnnxEmbedder, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if has_app_context():  # a thread that explains ahead has no session
            seen.append(db.session().in_transaction())
        return whole(self, images)

    def waiting(items: Any) -> Iterator[Any]:
        with closing(ahead(items)) as coming:
            while True:
                seen.append(db.session().in_transaction())
                try:
                    yield next(coming)
                except StopIteration:
                    return

    monkeypatch.setattr(OnnxEmbedder, "__call__", watched)
    monkeypatch.setattr(judging, "ahead", waiting)
    assert compute(app, "--stage", "verify").exit_code == 0
    verified = len(seen)
    assert compute(app, "--spec", spec).exit_code == 0
    assert len(seen) == verified + 16 + 1
    assert verified > 0
    assert not any(seen)


def test_two_models_that_start_on_a_new_database_at_a_time_both_finish(
    app: Flask, settings: Settings, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(settings.data_dir)
    add_toy(settings, "a")
    add_toy(settings, "b", seed=1)
    whole = datasets._write_faces

    def overtaken(media: MediaStore, dataset: StoredDataset) -> list[str]:
        monkeypatch.setattr(datasets, "_write_faces", whole)
        with ThreadPoolExecutor(1) as other:
            done = other.submit(compute, app, "--model", "b", "--spec", spec, "--limit", 1).result()
        assert done.exit_code == 0, done.output
        return whole(media, dataset)

    monkeypatch.setattr(datasets, "_write_faces", overtaken)
    done = compute(app, "--model", "a", "--spec", spec, "--limit", 1)
    assert done.exit_code == 0, done.output
    with app.app_context():
        assert len(db.session.scalars(select(Evaluation)).all()) == 2


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Let each pair of a set take as long as is said."""

    def pairs_take(seconds: float) -> None:
        # Looked at when the set is opened, when a pair is added, and after each writing.
        added: list[int] = []
        whole = OpenSet.add

        def add(self: OpenSet, pair_id: int, rendered: RenderedExplanation) -> None:
            added.append(pair_id)
            whole(self, pair_id, rendered)

        monkeypatch.setattr(OpenSet, "add", add)
        monkeypatch.setattr(explanations, "monotonic", lambda: seconds * len(added))

    return pairs_take


def statements(app: Flask) -> list[str]:
    """Return what is written into the database from now on, as a list that grows."""
    with app.app_context():
        engine = db.engine
    written: list[str] = []
    event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _k, statement, *_: written.append(statement.split(" SET ")[0].split(" (")[0]),
    )
    return written


def test_what_is_derived_is_written_now_and_then_not_with_every_pair(
    app: Flask, settings: Settings, spec: Path, clock: Callable[[float], None]
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    clock(10.0)
    written = statements(app)
    done = compute(app, "--spec", spec, "--limit", 7)
    assert done.exit_code == 0, done.output
    # When the set is opened, after half a minute, after a minute, and at the end.
    assert written.count("UPDATE result_column") == 4
    # Pairs that take their time are written one by one.
    assert written.count("INSERT INTO explanation") == 7
    with app.app_context():
        evaluation = db.session.scalars(select(Evaluation)).one()
        counts = db.session.execute(
            select(ExplanationSet.explained_count, ExplanationSet.wanted_count)
        ).one()
        assert (evaluation.explained_count, *counts) == (7, 7, 7)
        confidence = db.session.scalars(select(Result.confidence)).all()
        assert evaluation.confidence_mean == pytest.approx(np.mean(confidence))


def test_pairs_that_come_fast_are_written_together(
    app: Flask, settings: Settings, spec: Path, clock: Callable[[float], None]
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    clock(0.4)
    written = statements(app)
    assert compute(app, "--spec", spec, "--limit", 7).exit_code == 0
    # After three pairs, after six, and at the end.
    assert written.count("INSERT INTO explanation") == 3
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Explanation)) == 7
        explained = select(func.count()).where(Result.explained)
        assert db.session.scalar(explained) == 7


def test_what_is_held_is_written_also_when_the_run_ends_early(
    app: Flask, settings: Settings, spec: Path, clock: Callable[[float], None]
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    clock(0.0)
    whole = OpenSet.add

    def interrupted(self: OpenSet, pair_id: int, rendered: RenderedExplanation) -> None:
        whole(self, pair_id, rendered)
        if len(self._held) == 3:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OpenSet, "add", interrupted)
        assert compute(app, "--spec", spec, "--limit", 7).exit_code != 0
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Explanation)) == 3
        assert db.session.scalars(select(ExplanationSet.explained_count)).one() == 3


class Here(ProcessWorkers):
    """A worker that is this very process."""

    def submit(self, work: Callable[[T], R], task: T) -> Future[R]:
        future: Future[R] = Future()
        future.set_result(work(task))
        return future

    def result(self, future: Future[R]) -> R:
        return future.result()


def test_the_pairs_of_a_shard_are_written_before_its_file_goes(
    app: Flask,
    settings: Settings,
    spec: Path,
    clock: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    clock(0.0)  # pairs come so fast that they are held
    monkeypatch.setattr("app.commands.compute.open_workers", lambda *_: Here(1))
    safe: list[int | None] = []
    whole = Path.unlink

    def unlink(self: Path, missing_ok: bool = False) -> None:
        if self.suffix == ".npz":
            with db.engine.connect() as other:
                safe.append(other.scalar(select(func.count()).select_from(Explanation)))
        whole(self, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    done = compute(app, "--spec", spec, "--limit", 7)
    assert done.exit_code == 0, done.output
    assert safe
    assert safe[-1] == 7


# Ends the process, as kill -9 does, just before the n-th commit or the n-th picture.
DYING: Final = """
import os, sys
from sqlalchemy.orm import Session
from app.media import MediaStore
from compute.publish import explanations
step, left, explanations.SECONDS_HELD = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
owner = Session if step == "commit" else MediaStore
whole = getattr(owner, step)
def dying(*arguments):
    global left
    left -= 1
    if left < 0:
        os._exit(9)
    return whole(*arguments)
setattr(owner, step, dying)
from app import create_app
create_app().cli.main(args=sys.argv[4:], prog_name="flask")
"""


def published(database: Path, folder: Path) -> dict[str, Any]:
    """Return all rows and files, but for times, host and surrogate keys."""
    engine = create_engine(f"sqlite:///{database}")
    with engine.connect() as connection:
        rows = {
            table: sorted(map(repr, connection.execute(text(f"SELECT {columns} FROM {table}"))))
            for table, columns in {
                "dataset": "name, sha256, image_count, pair_count, skipped_count",
                "image": "name, identity, sha256, media, quality",
                "pair": "id, image1, image2, genuine, fold, quality_min",
                "face_model": "name, sha256, dimension, preprocessing",
                "evaluation": "accuracy, eer, confidence_mean, explained_count, batch, threads",
                "fold_score": "fold, threshold, L, d0, k, b, status, accuracy",
                "result": "pair_id, distance, threshold, confidence, prediction, explained",
                "pair_column": "name, data",
                "result_column": "name, data",
                "explanation_set": "name, spec, wanted_count, explained_count, engine, batch",
                "explanation": "pair_id, status, deviations, scales, xmaps",
            }.items()
        }
    engine.dispose()
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for part in ("media", "data/runs")
        for path in (folder / part).rglob("*")
        if path.is_file()
    }
    return {**rows, "files": files}


def test_a_kill_at_any_step_and_a_rerun_give_the_bytes_of_a_whole_run(
    tmp_path: Path, migrated_file: Path, spec: Path
) -> None:
    def prepared(name: str) -> tuple[Path, dict[str, str]]:
        folder = tmp_path / name
        settings = Settings.from_environment({"XFV_DATA_DIR": str(folder / "data")})
        store(settings.data_dir)
        add_toy(settings)
        (folder / "xfv.sqlite3").write_bytes(migrated_file.read_bytes())
        return folder, {
            "DATABASE_URL": f"sqlite:///{folder}/xfv.sqlite3",
            "XFV_DATA_DIR": str(folder / "data"),
            "XFV_MEDIA_URL": str(folder / "media"),
            "XFV_REAL_DATA": "",
        }

    def run(environment: dict[str, str], step: str, left: int, held: float = 0.0) -> int:
        command = ["compute", "--dataset", "demo", "--spec", str(spec), "--limit", "4"]
        return subprocess.run(
            [sys.executable, "-c", DYING, step, str(left), str(held), *command],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            check=False,
        ).returncode

    folder, environment = prepared("whole")
    assert run(environment, "commit", 10**9) == 0
    whole = published(folder / "xfv.sqlite3", folder)
    assert len(whole["explanation"]) == 4

    folder, environment = prepared("killed")
    # Each run gets one step further than the former: dataset, model, evaluation, set, pairs.
    for step, left in (
        ("write", 5),
        ("commit", 0),
        ("commit", 1),
        ("commit", 1),
        ("commit", 1),
        ("write", 2),
        ("commit", 2),
        ("write", 8),
    ):
        assert run(environment, step, left) == 9
    # Its rows are held, and lost; the pictures are there already.
    assert run(environment, "write", 9, held=60.0) == 9
    assert run(environment, "commit", 10**9) == 0
    assert published(folder / "xfv.sqlite3", folder) == whole


# Presses Ctrl-C while the third image is embedded, which goes on until it is told to end.
INTERRUPTING: Final = """
import os, signal, time
from compute.embedding import OnnxEmbedder
from app import create_app
whole, begun = OnnxEmbedder.occluded, []
def embedding(self, image, spec, *, advance):
    begun.append(image)
    if len(begun) == 3:
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(6000):
            time.sleep(0.01)
            advance(0)
    return whole(self, image, spec, advance=advance)
OnnxEmbedder.occluded = embedding
create_app().cli.main(args=COMMAND, prog_name="flask")
"""


def test_ctrl_c_ends_an_image_at_its_next_batch_and_loses_nothing(
    tmp_path: Path, settings: Settings, app: Flask, spec: Path
) -> None:
    store(settings.data_dir)
    add_toy(settings)
    command = ["compute", "--dataset", "demo", "--spec", str(spec), "--limit", "4"]
    environment = {
        **os.environ,
        "DATABASE_URL": settings.database_url,
        "XFV_DATA_DIR": str(settings.data_dir),
        "XFV_MEDIA_URL": settings.media_url,
        "XFV_REAL_DATA": "",
    }
    stopped = subprocess.run(
        [sys.executable, "-c", f"COMMAND = {command!r}\n{INTERRUPTING}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert stopped.returncode == 2, stopped.stderr
    assert "Stopped. Finished work is kept" in stopped.stderr
    with app.app_context():
        done = db.session.scalar(select(func.count()).select_from(Explanation))
    assert done in (0, 1)  # the first pair may have been waiting to be published
    again = compute(app, "--spec", spec, "--limit", 4)
    assert f"{4 - done} pairs explained in set 'coarse' ({done} were before)" in again.output
