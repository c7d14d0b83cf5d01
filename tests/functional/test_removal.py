"""Datasets and models removed again: what goes, what stays, and when it is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result as Ran
from flask import Flask
from sqlalchemy import func, select

from app.extensions import db
from app.media import MediaStore
from app.models import (
    Dataset,
    Evaluation,
    Explanation,
    ExplanationSet,
    FaceModel,
    FoldScore,
    Image,
    Pair,
    PairColumn,
    Result,
    ResultColumn,
)
from app.settings import Settings
from compute.datasets.catalogue import CATALOGUE
from compute.datasets.store import ImageRecord, PairRecord, image_sha256, write_dataset
from compute.embedding import Preprocessing
from compute.files import exclusive
from compute.publish.withdrawn import hanging
from compute.registry import ModelRegistry
from tests import factories, onnx_models
from tests.pictures import picture

TABLES = (
    Dataset,
    Image,
    Pair,
    PairColumn,
    FaceModel,
    Evaluation,
    FoldScore,
    Result,
    ResultColumn,
    ExplanationSet,
    Explanation,
)


def run(app: Flask, *arguments: str, answer: str | None = None) -> Ran:
    return app.test_cli_runner().invoke(args=list(arguments), input=answer)


def rows() -> dict[str, int]:
    count = func.count()
    return {
        table.__tablename__: db.session.scalar(select(count).select_from(table)) or 0
        for table in TABLES
    }


def named_pictures() -> set[str]:
    """Return the keys that rows name."""
    masks = db.session.scalars(select(Pair.mask_media).where(Pair.mask_media.is_not(None)))
    keys = {*db.session.scalars(select(Image.media)), *filter(None, masks)}
    for xmaps in db.session.scalars(select(Explanation.xmaps)):
        keys |= set(xmaps.values())
    return keys


def stored_pictures(settings: Settings) -> set[str]:
    folder = Path(settings.media_url)
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}


def import_one_pair(data: Path, name: str = "lfw", seed: int = 0) -> None:
    images = np.stack([picture(seed + i) for i in range(3)])
    first = CATALOGUE[name].first_pair_id
    write_dataset(
        data,
        name,
        images=images,
        records=[
            ImageRecord(f"{i}.jpg", f"p{i}", image_sha256(image)) for i, image in enumerate(images)
        ],
        pairs=[PairRecord(first, 0, 1, genuine=True, fold=0)],
        skipped=[],
        origin={},
    )


def fill(media: MediaStore) -> None:
    """Publish two datasets that show the same faces, each judged and explained by two models."""
    session = db.session()
    models = [factories.make_model(session, name) for name in ("first", "second")]
    for name, first_id in (("lfw", 1), ("calfw", 6001)):
        dataset = factories.make_dataset(session, name, pairs=40, first_id=first_id, media=media)
        for seed, model in enumerate(models):
            evaluation = factories.make_evaluation(session, dataset, model, seed=seed)
            ids = range(first_id, first_id + 3)
            factories.make_explanations(session, evaluation, ids, media=media)
    session.commit()
    factories.pack_columns(session)
    session.commit()


def test_a_dataset_goes_with_all_that_hangs_on_it_and_nothing_else(
    app: Flask, settings: Settings, media: MediaStore
) -> None:
    data = settings.data_dir
    import_one_pair(data)
    import_one_pair(data, "calfw")
    (data / "runs/lfw/first").mkdir(parents=True)
    (data / "runs/calfw/first").mkdir(parents=True)
    (data / "datasets/.importing-lfw").mkdir()
    with app.app_context():
        fill(media)
        before, pictures = rows(), stored_pictures(settings)
        assert pictures == named_pictures()

    done = run(app, "datasets", "remove", "lfw", "--yes")

    assert done.exit_code == 0, done.output
    assert "2 evaluations, 6 explained pairs, 0 answers of reviewers" in done.output
    with app.app_context():
        models = before.pop("face_model")
        assert rows() == {"face_model": models, **{name: n // 2 for name, n in before.items()}}
        assert db.session.scalars(select(Dataset.name)).all() == ["calfw"]
        assert stored_pictures(settings) == named_pictures() < pictures
    assert [path.name for path in (data / "datasets").iterdir()] == ["calfw"]
    assert [path.name for path in (data / "runs").iterdir()] == ["calfw"]
    assert app.test_client().get("/explorer?dataset=calfw").status_code == 200
    assert app.test_client().get("/viewer/1").status_code == 404

    import_one_pair(data, seed=7)  # another one of this name is welcome now
    again = run(app, "datasets", "remove", "lfw", "--yes")
    assert again.output.splitlines() == ["Of lfw the site has nothing.", "lfw removed."]


def test_a_model_goes_with_all_that_hangs_on_it_and_nothing_else(
    app: Flask, settings: Settings, media: MediaStore, tmp_path: Path
) -> None:
    data = settings.data_dir
    file = tmp_path / "toy.onnx"
    file.write_bytes(onnx_models.toy())
    registry = ModelRegistry(data)
    for name in ("first", "second"):
        registry.add(name, file, preprocessing=Preprocessing())
        (data / f"runs/lfw/{name}").mkdir(parents=True)
    with app.app_context():
        fill(media)
        before = rows()

    done = run(app, "models", "remove", "first", answer="y\n")

    assert done.exit_code == 0, done.output
    assert list(registry.entries()) == ["second"]
    assert not (data / "models/first.onnx").exists()
    assert [path.name for path in (data / "runs/lfw").iterdir()] == ["second"]
    with app.app_context():
        of_the_dataset = ("dataset", "image", "pair", "pair_column")
        assert rows() == {n: k if n in of_the_dataset else k // 2 for n, k in before.items()}
        assert stored_pictures(settings) == named_pictures()
        assert hanging("model", "first") is None
    assert registry.add("first", file, preprocessing=Preprocessing("bgr")).fed["color"] == "bgr"


def test_what_is_not_agreed_to_or_is_in_use_stays(
    app: Flask, settings: Settings, media: MediaStore
) -> None:
    data = settings.data_dir
    import_one_pair(data)
    with app.app_context():
        fill(media)
        before = rows()

    for answer in ("n\n", ""):
        refused = run(app, "datasets", "remove", "lfw", answer=answer)
        assert refused.exit_code == 2
        assert "lfw was not removed (--yes agrees)" in refused.output
    for lock in ("calfw__first", "import-lfw", "releases"):
        with exclusive(data / "locks" / lock, doing="a test"):
            busy = run(app, "datasets", "remove", "lfw", "--yes")
        assert busy.exit_code == 2
        assert f"locks/{lock}" in busy.output

    assert (data / "datasets/lfw/dataset.json").is_file()
    with app.app_context():
        assert rows() == before
        assert stored_pictures(settings) == named_pictures()


def test_a_killed_removal_goes_on(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = settings.data_dir
    import_one_pair(data)

    def killed(_folder: Path, **_options: bool) -> None:
        if not list((data / "datasets").glob("lfw")):
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", killed)
        assert run(app, "datasets", "remove", "lfw", "--yes").exit_code == 2
    assert [path.name for path in (data / "datasets").iterdir()] == [".removing-lfw"]

    assert run(app, "datasets", "remove", "lfw", "--yes").exit_code == 0
    assert not list((data / "datasets").iterdir())
    assert run(app, "datasets", "remove", "lfw", "--yes").exit_code == 2


def test_what_a_link_leads_to_stays(app: Flask, settings: Settings, tmp_path: Path) -> None:
    data = settings.data_dir
    import_one_pair(data)
    elsewhere = (data / "datasets/lfw").rename(tmp_path / "lfw")
    (data / "datasets/lfw").symlink_to(elsewhere)

    done = run(app, "datasets", "remove", "lfw", "--yes")

    assert done.exit_code == 0, done.output
    assert not list((data / "datasets").iterdir())
    assert (elsewhere / "dataset.json").is_file()


def test_a_name_that_is_nowhere_lists_those_that_are(app: Flask) -> None:
    unknown = run(app, "datasets", "remove", "no-such", "--yes")
    assert unknown.exit_code == 2
    assert "expected one of lfw, calfw" in unknown.output
    absent = run(app, "datasets", "remove", "lfw", "--yes")
    assert absent.exit_code == 2
    assert "neither imported nor published" in absent.output
    model = run(app, "models", "remove", "no-such", "--yes")
    assert model.exit_code == 2
    assert "in the registry: none yet" in model.output
