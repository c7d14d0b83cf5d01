"""Known models: that what is on record is complete, and that pulling believes hashes alone."""

from __future__ import annotations

import hashlib
import io
import re
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from compute.alignment import DETECTOR_FILE, DETECTOR_SHA256, SCRFD_SHA256
from compute.datasets.catalogue import CATALOGUE
from compute.demo import MODEL_PATH
from compute.embedding import Preprocessing
from compute.errors import HashMismatchError, ModelError
from compute.files import sha256_of_file
from compute.models.feeding import ways_to_feed
from compute.models.known import (
    KnownModel,
    keep_file,
    known_by_hash,
    known_model,
    known_models,
    pull,
    quality_file,
)
from compute.registry import NAME, ModelEntry, ModelRegistry
from tests import onnx_models, web_server
from tests.web_server import Site

TOY = onnx_models.toy()
KNOWN = KnownModel(
    name="toy",
    title="Toy",
    licence="None",
    source="tests",
    sha256=hashlib.sha256(TOY).hexdigest(),
    size=len(TOY),
    preprocessing=Preprocessing("bgr", (127.5,) * 3, (127.5,) * 3),
    dimension=onnx_models.DIMENSION,
)


@pytest.mark.parametrize("known", known_models().values(), ids=known_models())
def test_what_is_on_record_is_complete(known: KnownModel) -> None:
    assert NAME.fullmatch(known.name)
    assert known.title
    assert known.source
    assert len({known.name, known.title}) == 2
    for sha256 in (known.sha256, known.archive_sha256):
        assert re.fullmatch("[0-9a-f]{64}|", sha256)
    if known.url:
        assert known.licence
        assert known.url.startswith("https://")
        assert known.sha256
        assert bool(known.member) == bool(known.archive_sha256) == known.url.endswith(".zip")
        assert known.download.sha256 == (known.archive_sha256 or known.sha256)
    # Whoever may not use it for every purpose is asked before.
    restricted = any(word in known.licence.lower() for word in ("non-commercial", "nc-"))
    assert bool(known.terms) == restricted
    if known.kind != "recogniser":
        assert known.file.endswith(".onnx")
        assert known.preprocessing is None
    else:
        assert known.preprocessing in ways_to_feed()
        assert not known.file
    assert set(known.published) <= set(CATALOGUE) | {
        *("calfw", "cplfw", "sllfw", "xqlfw", "mlfw", "agedb-30", "cfp-fp")
    }
    assert all(70 < share < 100 for share in known.published.values())
    assert bool(known.published) == bool(known.figures)
    assert len(known.probes) in (0, 6)


def test_what_was_got_by_hand_is_taken_as_what_it_is() -> None:
    fed = "--color rgb --mean 127.5 --std 127.5"
    model = known_model("w600k_r50").download.note
    assert model.endswith(f"then: flask models add w600k_r50 --onnx FILE {fed}")
    detector = known_model("yunet").download.note
    assert detector.endswith("then: flask models add yunet --onnx FILE")


def test_a_rater_of_quality_is_a_file_or_one_that_was_pulled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = replace(KNOWN, name="rater", kind="quality", file="rater.onnx", preprocessing=None)
    monkeypatch.setattr("compute.models.known.known_models", lambda: {"rater": known})
    mine = tmp_path / "mine.onnx"
    mine.write_bytes(TOY)
    assert quality_file(tmp_path, mine) == mine
    with pytest.raises(ModelError, match=r"gone: no such file.*or one of rater"):
        quality_file(tmp_path, tmp_path / "gone")
    with pytest.raises(ModelError, match="flask models pull rater"):
        quality_file(tmp_path, Path("rater"))
    kept = keep_file(tmp_path, known, mine)
    assert quality_file(tmp_path, Path("rater")) == kept == tmp_path / "models/rater.onnx"


def test_hashes_are_of_one_model_each() -> None:
    hashes = [known.sha256 for known in known_models().values() if known.sha256]
    assert len(set(hashes)) == len(hashes)
    for known in known_models().values():
        if known.sha256:
            assert known_by_hash(known.sha256) == known
    assert known_by_hash("") is None
    assert known_by_hash("0" * 64) is None


def test_the_records_agree_with_what_the_project_pins() -> None:
    detector = known_models()["yunet"]
    assert (detector.file, detector.sha256) == (DETECTOR_FILE, DETECTOR_SHA256)
    for name, sha256 in SCRFD_SHA256.items():
        assert (known_models()[name].file, known_models()[name].sha256) == (f"{name}.onnx", sha256)
    assert known_models()["demo"].sha256 == sha256_of_file(MODEL_PATH)


def test_what_cannot_be_pulled_says_what_can() -> None:
    with pytest.raises(ModelError, match=r"'nope' is not a known model; these .*w600k_r50.*--onnx"):
        known_model("nope")
    with pytest.raises(ModelError, match=r"no program can fetch it .*SavedModel.*models add"):
        known_model("arcface_octuplet")
    assert known_model("w600k_mbf").member == "w600k_mbf.onnx"


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server.running() as site:
        site.files["/toy.onnx"] = TOY
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("pack/inner/toy.onnx", TOY)
            archive.writestr("pack/other.onnx", b"other")
        site.files["/pack.zip"] = packed.getvalue()
        yield site


def plain(site: Site) -> KnownModel:
    return replace(KNOWN, url=site.url("/toy.onnx"))


def packed(site: Site) -> KnownModel:
    sha256 = hashlib.sha256(site.files["/pack.zip"]).hexdigest()
    return replace(KNOWN, url=site.url("/pack.zip"), member="toy.onnx", archive_sha256=sha256)


@pytest.mark.parametrize("way", [plain, packed])
def test_a_model_is_pulled_into_the_registry_once(way: object, site: Site, tmp_path: Path) -> None:
    assert callable(way)
    known: KnownModel = way(site)
    entry = pull(tmp_path, known)
    assert isinstance(entry, ModelEntry)
    assert (entry.preprocessing, entry.title, entry.licence, entry.source, entry.sha256) == (
        known.preprocessing,
        "Toy",
        "None",
        "tests",
        known.sha256,
    )
    asked = len(site.asked)
    assert pull(tmp_path, known) == entry
    assert len(site.asked) == asked
    (tmp_path / "models" / "toy.onnx").write_bytes(b"damaged")
    assert pull(tmp_path, known) == entry
    ModelRegistry(tmp_path).verify(entry)
    left = [path.name for path in (tmp_path / "downloads" / "models").glob("*.onnx")]
    assert left == []


def test_a_detector_is_put_where_it_is_looked_for(site: Site, tmp_path: Path) -> None:
    known = replace(plain(site), kind="detector", file="eyes.onnx", preprocessing=None)
    assert pull(tmp_path, known) == tmp_path / "models" / "eyes.onnx"
    assert (tmp_path / "models" / "eyes.onnx").read_bytes() == TOY
    assert pull(tmp_path, known) == tmp_path / "models" / "eyes.onnx"
    assert len(site.asked) == 1
    assert ModelRegistry(tmp_path).entries() == {}


@pytest.mark.parametrize("way", [plain, packed])
def test_another_file_is_never_added(way: object, site: Site, tmp_path: Path) -> None:
    assert callable(way)
    with pytest.raises(HashMismatchError):
        pull(tmp_path, replace(way(site), sha256="0" * 64))
    assert ModelRegistry(tmp_path).entries() == {}


def test_a_length_that_its_owner_does_not_give_is_said(site: Site, tmp_path: Path) -> None:
    said: list[str] = []
    pull(tmp_path, replace(plain(site), dimension=512), say=said.append)
    assert any("16-D embeddings, 512 were expected" in line for line in said)
