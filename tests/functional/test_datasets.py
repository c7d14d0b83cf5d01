"""Datasets on the site: label notes, pair ids that clash, states, and the derive command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select, update

from app import create_app
from app.extensions import db
from app.media import MediaStore
from app.models import Dataset, Pair
from app.settings import Settings
from compute.datasets.catalogue import CATALOGUE, DatasetFacts
from compute.datasets.own import Said, own_facts
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    StoredDataset,
    image_sha256,
    read_dataset,
    write_dataset,
)
from compute.errors import RunError
from compute.publish import Publisher
from tests import factories
from tests.conftest import close_database, site_settings
from tests.pictures import picture

ONE_PHOTOGRAPH = [f"Leslie_Ann_Woodward/Leslie_Ann_Woodward_000{i}.jpg" for i in (1, 2)]
OTHERS = ["Ada/Ada_0001.jpg", "Eve/Eve_0001.jpg"]


def store(data: Path, facts: DatasetFacts) -> StoredDataset:
    """Store a genuine pair whose images are one photograph, and an impostor pair."""
    names = [*ONE_PHOTOGRAPH, *OTHERS]
    images = np.stack([picture(seed) for seed in range(4)])
    first = facts.first_pair_id
    write_dataset(
        data,
        facts.name,
        images=images,
        records=[
            ImageRecord(name, name.split("/")[0], image_sha256(image))
            for name, image in zip(names, images, strict=True)
        ],
        pairs=[
            PairRecord(first, 0, 1, genuine=True, fold=0),
            PairRecord(first + 1, 2, 3, genuine=False, fold=1),
        ],
        skipped=[Skipped(f"pair {first + i}", "left out") for i in range(2, facts.pairs)],
        origin={},
        facts=None if facts.name in CATALOGUE else facts,
    )
    return read_dataset(data, facts.name)


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=list(arguments))


def notes() -> dict[int, str | None]:
    return {row.id: row.note for row in db.session.scalars(select(Pair))}


NOTE = "Both images are one photograph."


def test_notes_stand_on_the_pair_and_its_label_stays(
    app: Flask, settings: Settings, media: MediaStore
) -> None:
    dataset = store(settings.data_dir, CATALOGUE["xqlfw"])
    with app.app_context():
        Publisher(media).dataset(dataset)
        assert notes() == {24001: NOTE, 24002: None}
        assert db.session.get_one(Pair, 24001).genuine
    client = app.test_client()
    page = client.get("/viewer/24001").get_data(as_text=True)
    assert NOTE in page
    assert "Label note" not in client.get("/viewer/24002").get_data(as_text=True)
    assert client.get("/api/v1/pairs/24001").get_json()["note"] == NOTE
    assert client.get("/api/v1/pairs/24002").get_json()["note"] is None


def test_what_was_published_without_notes_gets_them(
    app: Flask, settings: Settings, media: MediaStore
) -> None:
    dataset = store(settings.data_dir, CATALOGUE["lfw"])
    with app.app_context():
        Publisher(media).dataset(dataset)
        db.session.execute(update(Pair).values(note="what was once believed"))
        db.session.commit()
        Publisher(media).dataset(dataset)
        assert notes() == {1: NOTE, 2: None}


def test_images_of_others_get_no_notes(app: Flask, settings: Settings, media: MediaStore) -> None:
    dataset = store(settings.data_dir, own_facts(settings.data_dir, "mine", 2, Said("Mine")))
    with app.app_context():
        Publisher(media).dataset(dataset)
        assert set(notes().values()) == {None}
        row = db.session.scalars(select(Dataset)).one()
        assert (row.name, row.title, row.skipped_count) == ("mine", "Mine", 0)
        assert row.licence == "Not stated at import."


def test_pair_ids_that_another_dataset_has_are_refused(
    app: Flask, settings: Settings, media: MediaStore
) -> None:
    facts = own_facts(settings.data_dir, "mine", 2, Said())
    with app.app_context():
        other = factories.make_dataset(
            db.session(), "alpha", pairs=8, first_id=facts.first_pair_id + 1
        )
        db.session.commit()
        with pytest.raises(RunError, match=f"{facts.first_pair_id + 1}, of which {other.name}"):
            Publisher(media).dataset(store(settings.data_dir, facts))
        assert db.session.scalars(select(Dataset.name)).all() == ["alpha"]


def line_of(output: str, name: str) -> str:
    return next(line for line in output.splitlines() if line.startswith(f"{name} "))


def test_the_list_says_how_far_each_dataset_is(app: Flask, settings: Settings) -> None:
    data = settings.data_dir
    store(data, CATALOGUE["lfw"])
    (data / "downloads").mkdir()
    (data / "downloads/mlfw.tfrecord").touch()
    with app.app_context():
        session = db.session()
        lfw = factories.make_dataset(session, "lfw", pairs=24, first_id=1)
        factories.make_evaluation(session, lfw, factories.make_model(session, "first"), seed=1)
        session.commit()
    listed = run(app, "datasets", "list")
    assert listed.exit_code == 0
    assert line_of(listed.output, "lfw").split() == ["lfw", "6000", "10", "1..6000", "verified"]
    assert line_of(listed.output, "mlfw").endswith("pulled")
    assert line_of(listed.output, "cfp-fp").endswith("absent")
    for facts in CATALOGUE.values():
        assert facts.licence in listed.output
        assert facts.source in listed.output


def test_the_list_does_without_a_database(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, f"sqlite:///{tmp_path}/new.sqlite3")
    store(settings.data_dir, CATALOGUE["lfw"])
    app = create_app(settings)
    listed = run(app, "datasets", "list")
    close_database(app)
    assert listed.exit_code == 0
    assert line_of(listed.output, "lfw").endswith("imported")
    assert "What is verified is not known" in listed.output


def test_derive_says_what_it_made_and_what_it_left_out(app: Flask, settings: Settings) -> None:
    facts = own_facts(settings.data_dir, "mine", 2, Said("Mine"))
    store(settings.data_dir, facts)
    done = run(app, "datasets", "derive", "low", "--from", "mine", "--degrade", "jpeg=20")
    assert (done.exit_code, "low imported: 4 images, 2 pairs." in done.output) == (0, True)
    listed = run(app, "datasets", "list").output
    assert line_of(listed, "low").endswith("imported")
    assert "Derived from Mine (mine, SHA-256" in listed
    assert run(app, "datasets", "verify", "low").exit_code == 0
    for arguments, message in (
        (("x", "--from", "mine", "--degrade", "jpg=20"), "expected one of downsample=FACTOR"),
        (("x", "--from", "mine"), "nothing makes it differ"),
        (("x", "--from", "mine", "--folds", "identity-disjoint"), "identities in 2 pairs are too"),
        (("x", "--degrade", "jpeg=20"), "--from"),
    ):
        failed = run(app, "datasets", "derive", *arguments)
        assert (failed.exit_code, message in failed.output) == (2, True), failed.output
