"""One file out of a zip, whole or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from compute.errors import FetchError, HashMismatchError
from compute.fetching.unpacking import take_member

MODEL = hashlib.shake_128(b"a model").digest(50_000)


def packed(folder: Path, *members: tuple[str, bytes]) -> Path:
    path = folder / "pack.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("member", ["model.onnx", "pack/model.onnx", "../../model.onnx"])
def test_a_member_is_found_by_its_name_and_goes_nowhere_else(tmp_path: Path, member: str) -> None:
    archive = packed(tmp_path, ("pack/", b""), (member, MODEL), ("pack/other.onnx", b"other"))
    target = tmp_path / "models" / "mine.onnx"
    sha256 = hashlib.sha256(MODEL).hexdigest()
    assert take_member(archive, "model.onnx", target, sha256=sha256) == target
    assert target.read_bytes() == MODEL
    assert [path.name for path in target.parent.iterdir()] == ["mine.onnx"]


@pytest.mark.parametrize(
    ("names", "words"),
    [(["a/other.onnx"], r"found 0 \(a/other\.onnx"), (["a/model.onnx", "b/model.onnx"], "found 2")],
)
def test_the_member_must_be_the_only_one(tmp_path: Path, names: list[str], words: str) -> None:
    archive = packed(tmp_path, *((name, MODEL) for name in names))
    with pytest.raises(FetchError, match=words):
        take_member(archive, "model.onnx", tmp_path / "mine.onnx")


def test_a_member_with_another_hash_is_not_kept(tmp_path: Path) -> None:
    archive = packed(tmp_path, ("model.onnx", MODEL))
    with pytest.raises(HashMismatchError, match="expected 00"):
        take_member(archive, "model.onnx", tmp_path / "mine.onnx", sha256="0" * 64)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack.zip"]


@pytest.mark.parametrize("damage", ["cut", "changed", "another file"])
def test_a_damaged_archive_is_said(tmp_path: Path, damage: str) -> None:
    archive = packed(tmp_path, ("model.onnx", MODEL))
    content = bytearray(archive.read_bytes())
    if damage == "cut":
        del content[-1000:]
    elif damage == "changed":
        content[20_000] ^= 1
    else:
        content[:] = b"no zip"
    archive.write_bytes(content)
    with pytest.raises(FetchError, match="not a sound zip"):
        take_member(archive, "model.onnx", tmp_path / "mine.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack.zip"]
