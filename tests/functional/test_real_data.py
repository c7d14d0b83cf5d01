"""Real faces, the real detector and real models, where they lie at hand (``XFV_REAL_DATA``)."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from app.settings import Settings
from compute import explain_pair
from compute.alignment import LandmarkDetector, find_detector
from compute.datasets import lfw
from compute.datasets.importing import import_lfw
from compute.datasets.store import read_dataset
from compute.distances import cosine_distances
from compute.embedding import Preprocessing
from compute.errors import ImageError
from compute.explanation import OccludedFace, embed_occlusions, pair_deviations
from compute.occlusion import OcclusionSpec
from compute.registry import ModelRegistry, open_embedder

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
    report = import_lfw(
        folder / "data",
        images=small,
        pairs=real / "data/pairs.txt",
        detector=find_detector([real / "models"]),
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
    spec = OcclusionSpec(patch_sizes=(28,))
    images = [
        np.asarray(dataset.images[i]) for i in (dataset.pairs[0].image1, dataset.pairs[0].image2)
    ]
    whole = explain_pair(embed, *images, spec=spec)
    sides = [OccludedFace(embed(i[None])[0], embed_occlusions(embed, i, spec)) for i in images]
    for (method, side), row in pair_deviations(sides[0], sides[1], spec).items():
        assert np.abs(row - whole.deviations(method, side)).max() < 1e-5
