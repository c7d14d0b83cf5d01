"""Datasets made of others: the same pairs, worse faces, folds that share nobody."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from compute.datasets.degrade import degrade, parse_degradation
from compute.datasets.derive import Derivation, derive
from compute.datasets.soundness import require_counts, require_images
from compute.datasets.store import (
    ImageRecord,
    PairRecord,
    Skipped,
    image_sha256,
    is_imported,
    read_dataset,
    write_dataset,
)
from compute.errors import DatasetError, ModelError
from tests.pictures import picture

PEOPLE = 30
STEPS = (parse_degradation("jpeg=20"), parse_degradation("noise=8"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Store as LFW 30 people with two images: a genuine pair each, impostors in groups of three."""
    images = np.stack([picture(seed) for seed in range(2 * PEOPLE)])
    genuine = [
        PairRecord(1 + i, 2 * i, 2 * i + 1, genuine=True, fold=i // 3) for i in range(PEOPLE)
    ]
    impostor = [
        PairRecord(101 + i, 2 * i, 2 * other + 1, genuine=False, fold=i // 3)
        for i in range(PEOPLE)
        for other in (3 * (i // 3) + (i + 1) % 3,)
    ]
    left_out = {*range(1, 6001)} - {pair.id for pair in genuine + impostor}
    write_dataset(
        tmp_path,
        "lfw",
        images=images,
        records=[
            ImageRecord(f"P{i // 2}/{i % 2}.jpg", f"P{i // 2}", image_sha256(image), i / 100)
            for i, image in enumerate(images)
        ],
        pairs=genuine + impostor,
        skipped=[Skipped("Q/0.jpg", "no face")]
        + [Skipped(f"pair {number}", "needs Q/0.jpg") for number in sorted(left_out)],
        origin={},
        masks=None,
    )
    return tmp_path


def test_faces_are_degraded_and_all_else_stays(data: Path) -> None:
    report = derive(data, "lfw-low", "lfw", Derivation(STEPS, seed=3))
    assert (report.images, report.pairs, len(report.skipped)) == (60, 60, 5941)
    base, low = read_dataset(data, "lfw"), read_dataset(data, "lfw-low")
    require_images(low)
    require_counts(low)
    shift = low.facts.first_pair_id - 1
    assert shift >= 1_000_000
    assert [(p.id - shift, p.image1, p.image2, p.genuine, p.fold) for p in low.pairs] == [
        (p.id, p.image1, p.image2, p.genuine, p.fold) for p in base.pairs
    ]
    assert low.skipped[0] == base.skipped[0]
    assert low.skipped[1].what == f"pair {31 + shift}"
    for before, after, image in zip(base.records, low.records, low.images, strict=True):
        assert (after.name, after.identity, after.quality) == (before.name, before.identity, None)
        row = base.records.index(before)
        expected = degrade(np.asarray(base.images[row]), STEPS, seed=3, name=before.name)
        assert np.array_equal(image, expected)
    assert low.facts.title == "LFW, degraded by jpeg=20, noise=8 (seed 3)"
    assert "Derived from LFW" in low.facts.source
    assert low.facts.images_of == "lfw"


def test_the_same_derivation_is_the_same_dataset(data: Path) -> None:
    derive(data, "lfw-low", "lfw", Derivation(STEPS))
    assert derive(data, "lfw-low", "lfw", Derivation(STEPS)).already
    with pytest.raises(DatasetError, match="other sources: seed was 0, now 1"):
        derive(data, "lfw-low", "lfw", Derivation(STEPS, seed=1))


def test_folds_share_no_identity(data: Path) -> None:
    report = derive(data, "lfw-disjoint", "lfw", Derivation(disjoint_folds=5))
    base, disjoint = read_dataset(data, "lfw"), read_dataset(data, "lfw-disjoint")
    assert report.pairs == 60  # groups of three fit into folds whole
    folds_of: dict[str, set[int]] = {}
    for pair in disjoint.pairs:
        for row in (pair.image1, pair.image2):
            folds_of.setdefault(disjoint.records[row].identity, set()).add(pair.fold)
    assert all(len(folds) == 1 for folds in folds_of.values())
    assert {pair.fold for pair in disjoint.pairs} == set(range(5))
    assert disjoint.records == base.records
    assert disjoint.facts.title == "LFW, 5 identity-disjoint folds (seed 0)"


def brightness(path: Path, *, outputs: int = 1) -> Path:
    """Write a model that rates a face by its mean, as it is fed."""
    nodes = [helper.make_node("ReduceMean", ["x"], ["m"], axes=[1, 2, 3], keepdims=0)]
    nodes += [helper.make_node("Identity", ["m"], [f"y{i}"]) for i in range(outputs)]
    graph = helper.make_graph(
        nodes,
        "brightness",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 3, 112, 112])],
        [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, ["N"]) for i in range(outputs)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_a_model_rates_the_faces(data: Path, tmp_path: Path) -> None:
    model = brightness(tmp_path / "bright.onnx")
    derive(data, "lfw-rated", "lfw", Derivation(quality=model))
    base, rated = read_dataset(data, "lfw"), read_dataset(data, "lfw-rated")
    assert np.array_equal(rated.images, base.images)
    expected = (np.asarray(base.images).mean(axis=(1, 2, 3)) - 127.5) / 127.5
    found = [record.quality for record in rated.records]
    assert found == pytest.approx(list(expected), abs=1e-4)
    assert rated.facts.title == "LFW, quality by bright.onnx (seed 0)"
    assert derive(data, "lfw-rated", "lfw", Derivation(quality=model)).already
    for path, message in (
        (tmp_path / "gone.onnx", "gone.onnx: no such file. Check --quality"),
        (brightness(tmp_path / "two.onnx", outputs=2), "1 inputs and 2 outputs"),
        (data / "datasets/lfw/pairs.csv", "not an ONNX model"),
    ):
        with pytest.raises(ModelError, match=message):
            derive(data, "rated", "lfw", Derivation(quality=path))
        assert not is_imported(data, "rated")


def test_pairs_across_folds_are_named(data: Path) -> None:
    base = read_dataset(data, "lfw")
    ring = [
        PairRecord(101 + i, 2 * i, (2 * i + 3) % 60, genuine=False, fold=i // 3)
        for i in range(PEOPLE)
    ]
    write_dataset(
        data / "ring",
        "lfw",
        images=np.asarray(base.images),
        records=base.records,
        pairs=base.pairs[:PEOPLE] + ring,
        skipped=base.skipped,
        origin={},
    )
    report = derive(data / "ring", "split", "lfw", Derivation(disjoint_folds=3))
    disjoint = read_dataset(data / "ring", "split")
    across = [each for each in report.skipped if "are in different folds" in each.reason]
    assert len(across) == 60 - len(disjoint.pairs) >= 3
    require_counts(disjoint)


def test_what_derives_nothing_is_refused(data: Path) -> None:
    for name, base, derivation, message in (
        ("low", "lfw", Derivation(), "nothing makes it differ from lfw"),
        ("calfw", "lfw", Derivation(STEPS), "name of its own, such as lfw-jpeg"),
        ("Low", "lfw", Derivation(STEPS), "Unknown dataset 'Low'"),
        ("low", "demo", Derivation(STEPS), "'demo' is not imported"),
        ("low", "low", Derivation(STEPS), "Unknown dataset 'low'"),
        ("low", "lfw", Derivation(disjoint_folds=11), "11 folds: expected 2 to 10"),
    ):
        with pytest.raises(DatasetError, match=message):
            derive(data, name, base, derivation)
        assert not is_imported(data, "low")
