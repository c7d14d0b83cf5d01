"""The registry: names, hashes, and what a damaged one says."""

from __future__ import annotations

import errno
import os
import tomllib
from pathlib import Path

import onnx
import pytest
import tomli_w
from onnx import external_data_helper

from compute.embedding import Preprocessing
from compute.errors import HashMismatchError, ModelError, RunError
from compute.files import exclusive, sha256_of_file
from compute.opening import open_embedder
from compute.registry import ModelEntry, ModelRegistry
from tests import onnx_models
from tests.onnx_models import toy

HALF = Preprocessing("bgr", (127.5,) * 3, (128.0,) * 3)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "toy.onnx"
    path.write_bytes(toy())
    return path


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "data")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_model_comes_back_as_it_was_added(
    registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    assert registry.entries() == {}
    added = registry.add(
        "toy", file, preprocessing=HALF, title="Toy", licence="None", source="tests"
    )
    other = registry.add("a-2_b", file, preprocessing=Preprocessing())
    again = ModelRegistry(tmp_path / "data")
    assert again.entries() == {"toy": added, "a-2_b": other}
    assert list(again.entries()) == ["toy", "a-2_b"]
    assert again.get("toy") == added
    assert added.sha256 == sha256_of_file(file)
    assert (other.title, other.source) == ("a-2_b", "toy.onnx")
    assert again.path(added).read_bytes() == file.read_bytes()
    again.verify(added)
    assert open_embedder(again, added, batch=4, threads=1).batch == 4


@pytest.mark.parametrize(
    "name",
    ["", "Toy", "a__b", "_a", "-a", "a b", "a.b", "é", "../a", "a/b", "a" * 65, "a\n", "a\0"],
)
def test_names_that_would_not_fit_elsewhere_are_refused(
    name: str, registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModelError, match=r"Model name .*expected 1 to 64 of a-z"):
        registry.add(name, file, preprocessing=HALF)
    assert not (tmp_path / "data").exists()


def test_adding_the_same_again_changes_nothing(
    registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    first = registry.add("toy", file, preprocessing=HALF)
    before = contents(tmp_path / "data")
    assert registry.add("toy", file, preprocessing=HALF) == first
    assert contents(tmp_path / "data") == before


def test_adding_again_restores_a_lost_or_damaged_copy(
    registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    entry = registry.add("toy", file, preprocessing=HALF)
    before = contents(tmp_path / "data")
    (tmp_path / "data" / "models" / "toy.onnx").unlink()
    with pytest.raises(ModelError, match=r"toy.onnx is missing"):
        registry.path(entry)
    registry.add("toy", file, preprocessing=HALF)
    assert contents(tmp_path / "data") == before
    (tmp_path / "data" / "models" / "toy.onnx").write_bytes(b"damaged")
    registry.add("toy", file, preprocessing=HALF)
    assert contents(tmp_path / "data") == before


def test_another_file_or_preprocessing_under_the_same_name_is_refused(
    registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    registry.add("toy", file, preprocessing=HALF)
    before = contents(tmp_path / "data")
    other = tmp_path / "other.onnx"
    other.write_bytes(toy(seed=1))
    for path, preprocessing in ((other, HALF), (file, Preprocessing())):
        with pytest.raises(ModelError, match=r"'toy' is in the registry already.*another name"):
            registry.add("toy", path, preprocessing=preprocessing)
    assert contents(tmp_path / "data") == before


def test_a_bad_model_leaves_nothing(registry: ModelRegistry, tmp_path: Path) -> None:
    path = tmp_path / "bad.onnx"
    path.write_bytes(onnx_models.nan_output())
    with pytest.raises(ModelError, match=f"{path}: embedding 0 is not finite"):
        registry.add("bad", path, preprocessing=HALF)
    assert registry.entries() == {}
    assert not (tmp_path / "data" / "models" / "bad.onnx").exists()
    with pytest.raises(ModelError, match=r"gone.onnx: no such file\. Check --onnx"):
        registry.add("bad", tmp_path / "gone.onnx", preprocessing=HALF)


def test_weights_beside_the_file_are_taken_in(registry: ModelRegistry, tmp_path: Path) -> None:
    model = onnx.load_from_string(toy())
    path = tmp_path / "split.onnx"
    external_data_helper.convert_model_to_external_data(
        model, location="weights.bin", size_threshold=0, convert_attribute=True
    )
    onnx.save(model, str(path))
    assert (tmp_path / "weights.bin").stat().st_size > 0
    entry = registry.add("split", path, preprocessing=Preprocessing())
    assert entry.changes == ("weights taken in from weights.bin",)
    assert entry.given_sha256 == entry.file_sha256 == sha256_of_file(path)
    before = contents(tmp_path / "data")
    assert registry.add("split", path, preprocessing=Preprocessing()) == entry
    assert contents(tmp_path / "data") == before
    (tmp_path / "weights.bin").unlink()
    path.unlink()
    again = ModelRegistry(tmp_path / "data")
    assert again.get("split") == entry
    again.verify(entry)


def test_a_model_kept_at_its_batch_by_an_earlier_version_stays_as_it_is(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    path = tmp_path / "three.onnx"
    path.write_bytes(toy(batch=3))
    entry = registry.add("three", path, preprocessing=HALF)
    assert (entry.io.batch, entry.file_sha256) == (0, sha256_of_file(path))
    file = tmp_path / "data" / "models" / "registry.toml"
    earlier = tomllib.loads(file.read_text())
    stored = earlier["models"]["three"]
    stored["sha256"] = stored.pop("given_sha256")
    del stored["changes"], stored["io"]["precision"]
    stored["io"]["batch"] = 3
    file.write_text(tomli_w.dumps(earlier))
    copy = tmp_path / "data" / "models" / "three.onnx"
    copy.write_bytes(path.read_bytes())
    kept = registry.get("three")
    assert (kept.io.batch, kept.changes) == (3, ())
    registry.verify(kept)
    copy.unlink()
    assert registry.add("three", path, preprocessing=HALF) == kept
    assert copy.read_bytes() == path.read_bytes()


def test_a_changed_file_is_noticed_wherever_it_is_used(
    registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    entry = registry.add("toy", file, preprocessing=HALF)
    copy = tmp_path / "data" / "models" / "toy.onnx"
    copy.write_bytes(toy(seed=1))
    for use in (
        lambda: registry.path(entry),
        lambda: registry.verify(entry),
        lambda: open_embedder(registry, entry, batch=1, threads=1),
    ):
        with pytest.raises(HashMismatchError, match=rf"{copy}: SHA-256 is .*{entry.sha256}"):
            use()


def test_an_unknown_model_lists_the_known(registry: ModelRegistry, file: Path) -> None:
    with pytest.raises(ModelError, match=r"Unknown model 'toy'; in the registry: none yet\. Add"):
        registry.get("toy")
    registry.add("a", file, preprocessing=HALF)
    registry.add("b", file, preprocessing=HALF)
    with pytest.raises(ModelError, match="in the registry: a, b"):
        registry.get("toy")


def damaged_versions(text: str) -> dict[str, str]:
    return {
        "cut off": text[: len(text) // 2],
        "empty": "",
        "not a table": "models = 5",
        "entry not a table": "[models]\ntoy = 5",
        "missing key": text.replace("licence", "license"),
        "missing mean": text.replace("mean =", "means ="),
        "colour": text.replace('"bgr"', '"xyz"'),
        "layout": text.replace('"nchw"', '"xyz"'),
        "batch": text.replace("batch = 0", 'batch = "many"'),
        "std": text.replace("std = [", "std = [0.0,"),
    }


@pytest.mark.parametrize("kind", damaged_versions(""))
def test_a_damaged_registry_names_its_file(
    kind: str, registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    registry.add("toy", file, preprocessing=HALF)
    path = tmp_path / "data" / "models" / "registry.toml"
    text = path.read_text(encoding="utf-8")
    assert tomllib.loads(text)["models"]["toy"]["io"]["layout"] == "nchw"
    damaged = damaged_versions(text)[kind]
    assert damaged != text
    path.write_text(damaged, encoding="utf-8")
    with pytest.raises(ModelError, match=rf"^{path}[,:]"):
        registry.entries()


def test_a_registry_that_is_not_text_names_its_file(
    registry: ModelRegistry, tmp_path: Path
) -> None:
    path = tmp_path / "data" / "models" / "registry.toml"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match=f"^{path}: not a model registry"):
        registry.entries()


def test_a_full_disk_adds_nothing(
    registry: ModelRegistry, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            registry.add("toy", file, preprocessing=HALF)
    assert registry.entries() == {}
    assert {path.name for path in (tmp_path / "data" / "models").iterdir()} == {".lock"}
    assert isinstance(registry.add("toy", file, preprocessing=HALF), ModelEntry)


def test_two_cannot_change_the_registry_at_a_time(
    registry: ModelRegistry, file: Path, tmp_path: Path
) -> None:
    with (
        exclusive(tmp_path / "data" / "models" / ".lock", doing="adding"),
        pytest.raises(RunError, match="changing the model registry"),
    ):
        registry.add("toy", file, preprocessing=HALF)
