"""Black boxes through the whole pipeline, from ``models add --url`` to the pages of a pair."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
from click.testing import Result as Outcome
from flask import Flask
from numpy.typing import NDArray
from sqlalchemy import select

from app.extensions import db
from app.models import Evaluation, Explanation, ExplanationSet, FaceModel, Result
from app.settings import Settings
from compute import OcclusionSpec, explain_pair
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    image_sha256,
    write_dataset,
)
from compute.explanation import ROWS
from compute.pipeline import SPECS
from compute.registry import ModelRegistry
from tests.black_box import BlackBox, Reply, serving
from tests.onnx_models import toy_embeddings

FIRST: Final = 30001
SPEC: Final = OcclusionSpec(patch_sizes=(56,), stride=28)


def faces() -> NDArray[np.uint8]:
    """Return two noisy copies of each of four identities."""
    random = np.random.default_rng(3)
    base = random.integers(30, 226, (4, 14, 14, 3)).repeat(8, axis=1).repeat(8, axis=2)
    noisy = base.repeat(2, axis=0) + random.integers(-30, 31, (8, 112, 112, 3))
    images: NDArray[np.uint8] = np.clip(noisy, 0, 255).astype(np.uint8)
    return images


def pairs() -> list[PairRecord]:
    """Return a genuine and an impostor pair of each identity, in two folds."""
    found: list[PairRecord] = []
    for i in range(4):
        for genuine, second in ((True, 2 * i + 1), (False, (2 * i + 2) % 8)):
            found.append(PairRecord(FIRST + len(found), 2 * i, second, genuine, fold=i // 2))
    return found


def store(data: Path, images: NDArray[np.uint8]) -> None:
    records = [
        ImageRecord(f"id{i // 2}/{i}.png", f"id{i // 2}", image_sha256(image), None)
        for i, image in enumerate(images)
    ]
    write_dataset(
        data, "demo", images=images, records=records, pairs=pairs(), skipped=[], origin={}
    )


def embed(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Answer as the service does, without it."""
    return toy_embeddings(images).astype(np.float32)


@pytest.fixture
def box() -> Iterator[BlackBox]:
    with serving(BlackBox()) as box:
        yield box


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "coarse.toml"
    path.write_text("patch_sizes = [56]\nstride = 28\n", encoding="utf-8")
    return path


def flask(app: Flask, *arguments: object) -> Outcome:
    return app.test_cli_runner().invoke(args=[str(each) for each in arguments])


def add(app: Flask, box: BlackBox, *more: str, name: str = "box") -> Outcome:
    given = ("--url", box.url, "--batch", "4", "--allow-private")
    return flask(app, "models", "add", name, *given, *more)


def compute(app: Flask, *more: object) -> Outcome:
    return flask(app, "compute", "--dataset", "demo", "--model", "box", *more)


def published(app: Flask, model: str) -> tuple[list[Any], list[Any]]:
    """Return all results and explanations of a model, as they are stored."""
    with app.app_context():
        results = db.session.execute(
            select(Result.pair_id, Result.distance, Result.threshold, Result.confidence)
            .join(Result.model)
            .where(FaceModel.name == model)
            .order_by(Result.pair_id)
        )
        explanations = db.session.execute(
            select(
                Explanation.pair_id,
                Explanation.deviations,
                Explanation.scales,
                Explanation.xmaps,
                Explanation.status,
            )
            .join(Explanation.explanation_set)
            .join(ExplanationSet.evaluation)
            .join(Evaluation.model)
            .where(FaceModel.name == model)
            .order_by(Explanation.pair_id)
        )
        return [tuple(row) for row in results], [tuple(row) for row in explanations]


on_sqlite = pytest.mark.parametrize("backend", ["sqlite"], indirect=True)

KINDS: Final[dict[str, tuple[str, ...]]] = {"embeddings": (), "distances": ("--distances",)}


def test_a_service_that_gives_embeddings_is_a_model_like_any(
    app: Flask, settings: Settings, box: BlackBox, spec: Path
) -> None:
    images = faces()
    store(settings.data_dir, images)
    added = add(app, box, "--licence", "ours")
    assert added.exit_code == 0, added.output
    assert f"box added: 16-D embeddings from {box.url}, batch 4, SHA-256 " in added.output
    assert "16-D embeddings from" in flask(app, "models", "list").output
    verified = flask(app, "models", "verify", "box")
    assert (verified.exit_code, "answers are as they were" in verified.output) == (0, True)
    done = compute(app, "--spec", spec)
    assert done.exit_code == 0, done.output
    _, explanations = published(app, "box")
    assert len(explanations) == 8
    for pair, (pair_id, stored, _, xmaps, _) in zip(pairs(), explanations, strict=True):
        assert pair_id == pair.id
        expected = explain_pair(embed, images[pair.image1], images[pair.image2], spec=SPEC)
        rows = np.frombuffer(zlib.decompress(stored), "<f4").reshape(5, SPEC.count)
        for (method, side), values in zip(ROWS, rows, strict=True):
            assert np.array_equal(values, expected.deviations(method, side).astype("<f4"))
        assert set(xmaps) == {"I1", "I2", "II1", "II2", "III1", "III2"}
    with app.app_context():
        evaluation = db.session.scalars(select(Evaluation)).one()
        assert evaluation.engine == "HTTP black box, protocol 1, embeddings"
        assert (evaluation.batch, evaluation.threads) == (4, 0)
        model = db.session.scalars(select(FaceModel)).one()
        entry = ModelRegistry(settings.data_dir).get("box")
        assert model.sha256 == evaluation.model_sha256 == entry.sha256
        assert model.preprocessing == {"url": box.url, "answers": "embeddings"}
        assert (model.source, model.licence, model.dimension) == (box.url, "ours", 16)


def test_a_service_that_gives_distances_is_explained_by_method_two(
    app: Flask, settings: Settings, box: BlackBox, spec: Path
) -> None:
    images = faces()
    store(settings.data_dir, images)
    added = add(app, box, "--distances")
    assert added.exit_code == 0, added.output
    assert "distances only from" in added.output
    assert "method II only: methods I and III need embeddings" in added.output
    done = compute(app, "--spec", spec)
    assert done.exit_code == 0, done.output
    assert "method II only: methods I and III need embeddings" in done.output
    card = flask(app, "models", "card", "box").output
    assert f"{box.url}, batch 4" in card
    assert "distances only: explained by method II" in card
    assert "8 explained" in card
    results, explanations = published(app, "box")
    for pair, result, (_, stored, scales, xmaps, status) in zip(
        pairs(), results, explanations, strict=True
    ):
        expected = explain_pair(embed, images[pair.image1], images[pair.image2], spec=SPEC)
        assert result[1] == pytest.approx(expected.distance, abs=1e-6)
        rows = np.frombuffer(zlib.decompress(stored), "<f4").reshape(5, SPEC.count)
        assert np.isnan(rows[[0, 1, 4]]).all()
        assert np.abs(rows[2] - expected.deviations("II", 1)).max() < 1e-6
        assert np.abs(rows[3] - expected.deviations("II", 2)).max() < 1e-6
        assert (set(xmaps), status) == ({"II1", "II2"}, "ok")
        for normalise in ("count", "coverage"):
            assert [row for row, scale in scales[normalise].items() if scale] == ["II1", "II2"]
    with app.app_context():
        opened = db.session.scalars(select(ExplanationSet)).one()
        assert opened.engine == "HTTP black box, protocol 1, distances"


def dies_at(request: int) -> Callable[[int], Reply | None]:
    """Let a service refuse everything from a request on."""
    return lambda number: Reply(403, b"out of credit") if number >= request else None


@on_sqlite
@pytest.mark.parametrize("kind", KINDS)
def test_a_service_that_fails_costs_nothing_that_is_finished(
    app: Flask, settings: Settings, box: BlackBox, spec: Path, kind: str
) -> None:
    """At whatever request it fails, the rows in the end are those of a run that never stopped."""
    store(settings.data_dir, faces())
    assert add(app, box, *KINDS[kind], name="calm").exit_code == 0
    calm = flask(app, "compute", "--dataset", "demo", "--model", "calm", "--spec", spec)
    assert calm.exit_code == 0, calm.output
    expected = published(app, "calm")
    assert add(app, box, *KINDS[kind]).exit_code == 0
    explained = []
    for request in (1, 3, 9) if kind == "embeddings" else (1, 5, 15):
        box.seen.clear()
        box.script = dies_at(request)
        stopped = compute(app, "--spec", spec)
        assert stopped.exit_code == 2, stopped.output
        assert "403" in stopped.output
        assert "out of credit" in stopped.output
        assert "skipped" not in stopped.output  # no image is blamed for it
        explained.append(len(published(app, "box")[1]))
    assert explained == sorted(explained)
    assert 0 < explained[-1] < 8
    box.seen.clear()
    box.script = lambda _: None
    done = compute(app, "--spec", spec)
    assert done.exit_code == 0, done.output
    assert f"({explained[-1]} were before)" in done.output
    assert published(app, "box") == expected
    box.seen.clear()
    assert compute(app, "--spec", spec).exit_code == 0
    assert len(box.seen) == (4 if kind == "embeddings" else 8)  # the probes, nothing else


@on_sqlite
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_service_refuses_is_skipped_and_listed(
    app: Flask, settings: Settings, box: BlackBox, spec: Path, kind: str
) -> None:
    images = faces()
    images[3] = 128  # of one colour: null
    store(settings.data_dir, images)
    assert add(app, box, *KINDS[kind]).exit_code == 0
    done = compute(app, "--spec", spec)
    assert done.exit_code == 1, done.output
    (lost,) = [pair.id for pair in pairs() if 3 in (pair.image1, pair.image2)]
    assert f"skipped pair {lost}: " in done.output
    results, explanations = published(app, "box")
    assert len(results) == len(explanations) == 7


@on_sqlite
@pytest.mark.parametrize("kind", KINDS)
def test_another_model_behind_the_url_stops_the_run(
    app: Flask, settings: Settings, box: BlackBox, kind: str
) -> None:
    store(settings.data_dir, faces())
    assert add(app, box, *KINDS[kind]).exit_code == 0
    box.embed = lambda images: toy_embeddings(images, seed=1)
    for again in (
        compute(app),
        flask(app, "models", "verify", "box"),
        add(app, box, *KINDS[kind]),
    ):
        assert again.exit_code == 2
        assert "Another model answers there" in again.output
    assert published(app, "box") == ([], [])


@on_sqlite
def test_a_service_may_be_spoken_to_in_another_way(
    app: Flask, settings: Settings, box: BlackBox
) -> None:
    assert add(app, box, "--title", "The box").exit_code == 0
    registry = ModelRegistry(settings.data_dir)
    before = registry.get("box")
    assert add(app, box, "--rate", "50", "--timeout", "5").exit_code == 0
    after = registry.get("box")
    assert (before.sha256, before.title) == (after.sha256, after.title)
    assert after.endpoint is not None
    assert (after.endpoint.manners.rate, after.endpoint.manners.timeout) == (50, 5)
    other = add(app, box, "--distances")
    assert (other.exit_code, "another name" in other.output) == (2, True)


@on_sqlite
def test_the_key_is_stored_nowhere(
    app: Flask, settings: Settings, box: BlackBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOX_KEY", "s3cret-key")
    added = add(app, box, "--key-env", "BOX_KEY")
    assert added.exit_code == 0, added.output
    assert {headers["Authorization"] for _, headers, _ in box.seen} == {"Bearer s3cret-key"}
    kept = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    assert any("BOX_KEY" in path.read_text() for path in kept)
    assert not any("s3cret" in path.read_text() for path in kept)
    monkeypatch.delenv("BOX_KEY")
    assert "BOX_KEY is not set" in flask(app, "models", "verify", "box").output


@on_sqlite
@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--batch 4", "--onnx FILE or as --url URL"),
        ("--url https://example.org/", "--url needs --batch N"),
        ("--url https://example.org/ --onnx x.onnx --batch 4", "--onnx FILE or as --url URL"),
        ("--url https://example.org/ --batch 4 --color bgr", "--color belongs to --onnx"),
        ("--url https://example.org/ --batch 4 --output x", "--output belongs to --onnx"),
        ("--onnx x.onnx --distances", "--distances belongs to --url"),
        ("--url https://example.org/ --batch 0", "--batch 0: expected 1 to 1024"),
        ("--url http://127.0.0.1:1/ --batch 4", "--allow-private"),
        ("--url https://127.0.0.1:1/ --batch 4", "127.0.0.1 is a loopback address"),
        ("--url https://[::1]:1/ --batch 4", "::1 is a loopback address"),
        ("--url https://localhost:1/ --batch 4", "localhost resolves to"),
        ("--url https://169.254.169.254/x --batch 4", "a link-local address"),
        ("--url https://e.org/?key=s3cret --batch 4", "--key-env"),
        ("--url https://example.org/ --batch 4 --key-env NO_SUCH_KEY", "NO_SUCH_KEY is not set"),
    ],
)
def test_models_that_are_not_added(
    app: Flask, settings: Settings, given: str, message: str
) -> None:
    refused = flask(app, "models", "add", "box", *given.split())
    assert refused.exit_code == 2, refused.output
    assert message in refused.output
    assert "s3cret" not in refused.output
    assert ModelRegistry(settings.data_dir).entries() == {}


@pytest.fixture
def by_distance(
    app: Flask, settings: Settings, box: BlackBox, monkeypatch: pytest.MonkeyPatch
) -> Flask:
    """Return a site with a model of embeddings and one of distances; both explain two pairs."""
    monkeypatch.setitem(SPECS, "default", SPEC)
    store(settings.data_dir, faces())
    assert add(app, box, "--distances").exit_code == 0
    assert add(app, box, name="whole").exit_code == 0
    both = ("--model", "box", "--model", "whole")
    done = flask(app, "compute", "--dataset", "demo", *both, "--pairs", f"{FIRST},{FIRST + 1}")
    assert done.exit_code == 0, done.output
    return app


@on_sqlite
def test_the_site_offers_what_distances_allow_and_says_so(
    by_distance: Flask,
) -> None:
    client = by_distance.test_client()
    page = f"/viewer/{FIRST}?model=box"
    shown = client.get(page)
    assert shown.status_code == 200
    assert "gives distances only" in shown.text
    assert "in place of method" not in shown.text
    assert "<span>II only</span>" in shown.text
    assert "Method III</option>" not in shown.text
    assert "shown in place of method III" in client.get(f"{page}&method=III").text
    assert client.get(f"/viewer/{FIRST}?model=whole").text.count("gives distances only") == 0

    address = f"/api/v1/pairs/{FIRST}/explanations/box"
    (found,) = client.get(address).get_json()["sets"]
    assert found["methods"] == ["II"]
    assert set(found["xmaps"]) == {"II1", "II2"}
    stored = np.frombuffer(client.get(f"{address}.bin").data, "<i2").reshape(5, -1)
    assert [bool(row.any()) for row in stored] == [False, False, True, True, False]
    (whole,) = client.get(f"/api/v1/pairs/{FIRST}/explanations/whole").get_json()["sets"]
    assert whole["methods"] == ["I", "II", "III"]

    picture = f"/viewer/{FIRST}/1.png?model=box&view=map"
    assert client.get(f"{picture}&method=II").status_code == 200
    for query in ("", "&method=I", "&method=III", "&method=II&compare=III"):
        refused = client.get(picture + query)
        assert refused.status_code == 400
        assert "gives distances only" in refused.text

    compared = client.get(f"/viewer/{FIRST}/compare")
    assert compared.status_code == 200
    assert compared.text.count("none: box gives distances only") == 2  # in the rows of I and III
    only = client.get(f"/viewer/{FIRST}/compare?method=II")
    assert (only.status_code, "gives distances only" in only.text) == (200, False)
    assert client.get(f"/viewer/{FIRST}/compare/figure.png").status_code == 200
    reviewed = client.get("/triage/queue?dataset=demo&model=box&below=1&reviewer=me")
    assert reviewed.status_code == 200
    for other in ("/", "/method", "/models", "/models/box/demo", "/explorer", "/api/docs"):
        assert client.get(other).status_code == 200, other


@on_sqlite
def test_a_release_of_distances_comes_back_as_it_was(by_distance: Flask, tmp_path: Path) -> None:
    app = by_distance
    before = published(app, "box")
    folder = tmp_path / "released"
    out = flask(app, "export", "--dataset", "demo", "--model", "box", "--to", folder)
    assert out.exit_code == 0, out.output
    with app.app_context():
        model = db.session.scalars(select(FaceModel).filter_by(name="box")).one()
        db.session.delete(model)
        db.session.commit()
    assert published(app, "box") == ([], [])
    back = flask(app, "import", folder)
    assert back.exit_code == 0, back.output
    assert published(app, "box") == before
