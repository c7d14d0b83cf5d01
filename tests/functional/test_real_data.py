"""Real faces, the real detector and real models, where they lie at hand (``XFV_REAL_DATA``)."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from flask import Flask
from onnx import numpy_helper
from sqlalchemy import select

from app import create_app
from app.extensions import db
from app.models import Evaluation, Explanation, Pair, Result
from app.settings import Settings
from compute import explain_pair
from compute.alignment import LandmarkDetector, find_detector
from compute.datasets.formats import lfw
from compute.datasets.given import Given, import_given
from compute.datasets.soundness import require_counts
from compute.datasets.sources import open_source
from compute.datasets.store import read_dataset
from compute.distances import cosine_distances, unit_vectors
from compute.embedding import OnnxEmbedder, Preprocessing
from compute.errors import ImageError, ModelError
from compute.explanation import ROWS, OccludedFace, embed_occlusions, pair_deviations
from compute.files import sha256_of_file
from compute.images import decode
from compute.models.known import known_by_hash
from compute.models.verification import check_on_record
from compute.occlusion import OcclusionSpec
from compute.opening import open_embedder
from compute.registry import ModelRegistry
from tests.dataset_files import write_lines

pytestmark = pytest.mark.realdata
MS1M = Preprocessing("rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CASIA = Preprocessing("rgb", (127.5, 127.5, 127.5), (128.0, 128.0, 128.0))


@pytest.fixture(scope="module")
def real() -> Path:
    folder = Settings.from_environment().real_data
    if folder is None or not (folder / "data/lfw-deepfunneled.tar").is_file():
        pytest.skip(f"no real faces: XFV_REAL_DATA is {folder}")
    return folder


@pytest.fixture(scope="module")
def data(real: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Import the first genuine and impostor pairs of two folds; the other images are missing."""
    folder = tmp_path_factory.mktemp("real")
    listed = lfw.read_pairs(real / "data/pairs.txt")
    chosen = [*listed[:8], *listed[300:308], *listed[600:608], *listed[900:908]]
    wanted = {name for pair in chosen for name in (pair.image1, pair.image2)}
    small = folder / "small.tar"
    with (
        tarfile.open(real / "data/lfw-deepfunneled.tar") as whole,
        tarfile.open(small, "w") as part,
    ):
        for member in whole:
            if "/".join(member.name.split("/")[-2:]) in wanted:
                part.addfile(member, whole.extractfile(member))
    report = import_given(
        folder / "data",
        "lfw",
        Given(
            images=small,
            pairs=real / "data/pairs.txt",
            find_detector=lambda: find_detector([real / "models"]),
        ),
    )
    assert report.images == len(wanted)
    assert report.pairs + sum(each.what.startswith("pair ") for each in report.skipped) == 6000
    return folder / "data"


def test_real_faces_are_aligned_and_their_pairs_kept(data: Path) -> None:
    dataset = read_dataset(data, "lfw")
    assert dataset.pairs[0].id == 1
    assert {pair.fold for pair in dataset.pairs} >= {0, 1}
    assert dataset.images.shape[1:] == (112, 112, 3)
    # Eyes are darker than cheeks in an aligned face: averaged over all faces, always so
    mean = np.asarray(dataset.images).mean(axis=(0, 3))
    eyes = (mean[50:53, 37:40].mean() + mean[50:53, 72:75].mean()) / 2
    cheeks = (mean[66:70, 34:40].mean() + mean[66:70, 72:78].mean()) / 2
    assert eyes < cheeks - 15


def test_a_list_of_sllfw_takes_the_same_images_to_the_same_faces(real: Path, data: Path) -> None:
    listed = [
        image
        for pair in lfw.read_pairs(real / "data/pairs.txt")
        for image in (pair.image1, pair.image2)
    ]
    pairs = write_lines(data.parent / "pair_SLLFW.txt", listed)
    given = Given(
        images=data.parent / "small.tar",
        pairs=pairs,
        find_detector=lambda: find_detector([real / "models"]),
    )
    report = import_given(data, "sllfw", given)
    lfw_faces, sllfw_faces = read_dataset(data, "lfw"), read_dataset(data, "sllfw")
    assert sllfw_faces.records == lfw_faces.records
    shift = 18_000
    assert sllfw_faces.pairs == [replace(pair, id=pair.id + shift) for pair in lfw_faces.pairs]
    assert len(report.skipped) == len(lfw_faces.skipped)
    require_counts(sllfw_faces)


def test_a_face_is_found_alike_in_a_photograph_of_any_size(real: Path) -> None:
    detector = LandmarkDetector(find_detector([real / "models"]))
    off = []
    with open_source(real / "data/lfw-deepfunneled.tar") as source:
        for name in source.paths[:600:100]:
            image = decode(source.read(name), name)
            large = np.asarray(cv2.resize(image, None, fx=8, fy=8), np.uint8)
            found = (detector.landmarks(large, name) + 0.5) / 8 - 0.5
            off.append(np.abs(found - detector.landmarks(image, name)).mean())
    assert np.mean(off) < 4  # of 250 pixels; as large as it is, YuNet was off by 7 and more


def test_an_image_without_a_face_is_named(real: Path) -> None:
    detector = LandmarkDetector(find_detector([real / "models"]))
    with pytest.raises(ImageError, match=r"wall\.jpg: no face"):
        detector.landmarks(np.full((250, 250, 3), 128, np.uint8), "wall.jpg")


@pytest.mark.parametrize(("name", "preprocessing"), [("ms1m", MS1M), ("casia", CASIA)])
def test_real_models_tell_people_apart(
    real: Path, data: Path, name: str, preprocessing: Preprocessing
) -> None:
    registry = ModelRegistry(data)
    entry = registry.add(
        name, real / f"models/mobilefacenet_{name}.onnx", preprocessing=preprocessing
    )
    assert entry.io.dimension == 128
    dataset = read_dataset(data, "lfw")
    embed = open_embedder(registry, entry, batch=16, threads=2)
    rows = embed(np.asarray(dataset.images))
    distances = cosine_distances(
        rows[[pair.image1 for pair in dataset.pairs]], rows[[pair.image2 for pair in dataset.pairs]]
    )
    genuine = np.array([pair.genuine for pair in dataset.pairs])
    predicted = distances <= 0.745
    assert np.mean(predicted == genuine) >= 0.95
    spec = OcclusionSpec(patch_sizes=(28,), stride=14)
    images = [
        np.asarray(dataset.images[i]) for i in (dataset.pairs[0].image1, dataset.pairs[0].image2)
    ]
    whole = explain_pair(embed, *images, spec=spec)
    sides = [OccludedFace(embed(i[None])[0], embed_occlusions(embed, i, spec)) for i in images]
    for (method, side), row in pair_deviations(sides[0], sides[1], spec).items():
        assert np.abs(row - whole.deviations(method, side)).max() < 1e-5


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize(("name", "preprocessing"), [("ms1m", MS1M), ("casia", CASIA)])
def test_copies_with_the_batch_baked_in_give_the_same_embeddings(
    real: Path, data: Path, tmp_path: Path, name: str, preprocessing: Preprocessing, batch: int
) -> None:
    given = real / f"models/mobilefacenet_{name}.onnx"
    registry = ModelRegistry(tmp_path)
    baked = tmp_path / "baked.onnx"
    model = onnx.load(given)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = batch
    (reshape,) = (node for node in model.graph.node if node.op_type == "Reshape")
    target = numpy_helper.from_array(np.array([batch, 128], dtype=np.int64), "baked")
    model.graph.initializer.append(target)
    reshape.input[1] = "baked"
    onnx.save(model, baked)
    images = np.asarray(read_dataset(data, "lfw").images[:10])
    entries = [
        registry.add(added, path, preprocessing=preprocessing)
        for added, path in (("whole", given), ("baked", baked))
    ]
    assert [entry.io.batch for entry in entries] == [0, 0]
    assert entries[1].changes == (
        f"made for batches of {batch}, opened to any (checked row by row)",
    )
    rows = [
        unit_vectors(open_embedder(registry, entry, batch=16, threads=2)(images))
        for entry in entries
    ]
    assert np.abs(rows[0] - rows[1]).max() < 1e-5
    # And at the file's own batch, had it not been opened
    kept = OnnxEmbedder(baked, preprocessing, replace(entries[1].io, batch=batch), threads=2)
    assert np.abs(unit_vectors(kept(images)) - rows[0]).max() < 1e-5


@pytest.mark.parametrize(("name", "preprocessing"), [("ms1m", MS1M), ("casia", CASIA)])
def test_a_real_model_that_is_fed_wrongly_is_named(
    real: Path, tmp_path: Path, name: str, preprocessing: Preprocessing
) -> None:
    registry = ModelRegistry(tmp_path)
    file = real / f"models/mobilefacenet_{name}.onnx"
    known = known_by_hash(sha256_of_file(file))
    right = registry.add("right", file, preprocessing=preprocessing)
    assert "are those on record" in (check_on_record(registry, right, known) or "")
    turned = Preprocessing("bgr", preprocessing.mean[::-1], preprocessing.std[::-1])
    for added, fed, wrong in (
        ("turned", turned, "colour order"),
        ("scaled", Preprocessing("rgb", (0.0,) * 3, (255.0,) * 3), "normalisation"),
    ):
        entry = registry.add(added, file, preprocessing=fed)
        with pytest.raises(ModelError, match=rf"wrong {wrong}\..*with --color rgb"):
            check_on_record(registry, entry, known)


@pytest.fixture
def site(data: Path, migrated_file: Path, tmp_path: Path) -> Iterator[Flask]:
    """Return a site on the imported faces."""
    database = tmp_path / "xfv.sqlite3"
    shutil.copyfile(migrated_file, database)
    app = create_app(
        Settings.from_environment(
            {
                "DATABASE_URL": f"sqlite:///{database}",
                "XFV_DATA_DIR": str(data),
                "XFV_MEDIA_URL": str(tmp_path / "media"),
                "XFV_REAL_DATA": "",
            }
        )
    )
    yield app
    with app.app_context():
        db.session.remove()
        db.engine.dispose()


def test_commands_publish_what_the_library_says_of_real_faces(
    site: Flask, real: Path, data: Path, tmp_path: Path
) -> None:
    spec = tmp_path / "coarse.toml"
    spec.write_text("patch_sizes = [28]\nstride = 14\n", encoding="utf-8")
    runner = site.test_cli_runner()
    onnx = real / "models/mobilefacenet_ms1m.onnx"
    mean, std = "123.675,116.28,103.53", "58.395,57.12,57.375"
    added = runner.invoke(
        args=["models", "add", "ms1m", "--onnx", str(onnx), "--mean", mean, "--std", std]
    )
    assert added.exit_code == 0, added.output
    done = runner.invoke(
        args=["compute", "--dataset", "lfw", "--model", "ms1m", "--spec", str(spec), "--limit", "2"]
    )
    # The images that were left out of the archive, and their pairs, are listed.
    assert done.exit_code == 1, done.output
    assert "2 pairs explained in set 'coarse'" in done.output
    assert "not in" in done.output
    dataset = read_dataset(data, "lfw")
    registry = ModelRegistry(data)
    embed = open_embedder(registry, registry.get("ms1m"), batch=16, threads=2)
    coarse = OcclusionSpec(patch_sizes=(28,), stride=14)
    place = {record.name: i for i, record in enumerate(dataset.records)}
    with site.app_context():
        evaluation = db.session.scalars(select(Evaluation)).one()
        assert evaluation.pair_count == len(dataset.pairs)
        assert evaluation.accuracy > 0.9
        explained = db.session.scalars(select(Explanation)).all()
        assert len(explained) == 2
        assert {db.session.get_one(Pair, row.pair_id).genuine for row in explained} == {True, False}
        for row in explained:
            pair = db.session.get_one(Pair, row.pair_id)
            images = [
                np.asarray(dataset.images[place[name]]) for name in (pair.image1, pair.image2)
            ]
            expected = explain_pair(embed, *images, spec=coarse)
            stored = np.frombuffer(zlib.decompress(row.deviations), "<f4").reshape(5, -1)
            for (method, side), values in zip(ROWS, stored, strict=True):
                assert np.abs(values - expected.deviations(method, side)).max() < 1e-5
            result = db.session.get_one(Result, (pair.id, evaluation.model_id))
            assert result.distance == pytest.approx(expected.distance, abs=1e-5)
