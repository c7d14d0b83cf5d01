"""Archives and folders of images: the same files, whatever holds them, and what damage says."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from compute.datasets.sources import open_source
from compute.errors import DatasetError, ImageError

FILES = {
    "lfw/Zoe/Zoe_0001.jpg": b"zoe" * 500,
    "lfw/Ann/Ann_0001.jpg": b"ann one" * 300,
    "lfw/Ann/Ann_0002.jpg": b"ann two" * 900,
    "lfw/README": b"not an image",
}
NAMES = ["Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Zoe/Zoe_0001.jpg"]


def tar_bytes(files: Sequence[tuple[str, bytes]], mode: str = "w") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for name, data in files:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zip_bytes(files: Sequence[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


def write_folder(root: Path, files: Sequence[tuple[str, bytes]]) -> Path:
    for name, data in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def make(kind: str, folder: Path, files: Sequence[tuple[str, bytes]]) -> Path:
    if kind == "folder":
        return write_folder(folder / "images", files)
    modes = {"tar": "w", "tgz": "w:gz", "tar.xz": "w:xz", "tar.bz2": "w:bz2"}
    path = folder / f"images.{kind}"
    path.write_bytes(zip_bytes(files) if kind == "zip" else tar_bytes(files, modes[kind]))
    return path


KINDS = ["tar", "tgz", "tar.xz", "tar.bz2", "zip", "folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gives_the_same_files(kind: str, tmp_path: Path) -> None:
    with open_source(make(kind, tmp_path, list(FILES.items()))) as source:
        assert {name: source.read(name) for name in NAMES} == {
            name: FILES[f"lfw/{name}"] for name in NAMES
        }


@pytest.mark.parametrize("prefix", ["", "./", "a/b/c/", "/", "../../"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_folders_above_do_not_matter_and_lead_nowhere(
    kind: str, prefix: str, tmp_path: Path
) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    path = make(kind, inside, [(f"{prefix}Ann/Ann_0001.jpg", b"ann")])
    with open_source(path) as source:
        assert source.read("Ann/Ann_0001.jpg") == b"ann"
    assert sorted(tmp_path.rglob("*")) == [inside, path]


@pytest.mark.parametrize("kind", ["tar", "tgz", "zip"])
def test_archives_are_read_in_stored_order_and_missing_names_come_last(
    kind: str, tmp_path: Path
) -> None:
    with open_source(make(kind, tmp_path, list(FILES.items()))) as source:
        order = source.in_stored_order([*NAMES, "Abe/Abe_0001.jpg"])
    assert order == ["Zoe/Zoe_0001.jpg", "Ann/Ann_0001.jpg", "Ann/Ann_0002.jpg", "Abe/Abe_0001.jpg"]


@pytest.mark.parametrize("kind", ["tar", "zip", "folder"])
def test_a_name_in_two_folders_is_refused_and_both_are_named(kind: str, tmp_path: Path) -> None:
    files = [("old/Ann/Ann_0001.jpg", b"old"), ("new/Ann/Ann_0001.jpg", b"new")]
    with (
        open_source(make(kind, tmp_path, files)) as source,
        pytest.raises(DatasetError, match=r"Ann_0001.*more than once.*Ann_0001.*Ann_0001"),
    ):
        source.in_stored_order(["Ann/Ann_0001.jpg"])


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_a_path_stored_twice_is_refused(kind: str, tmp_path: Path) -> None:
    files = [("Ann/Ann_0001.jpg", b"old"), ("Ann/Ann_0001.jpg", b"new")]
    with (
        open_source(make(kind, tmp_path, files)) as source,
        pytest.raises(DatasetError, match="more than once"),
    ):
        source.in_stored_order(["Ann/Ann_0001.jpg"])


def test_a_duplicate_that_nobody_needs_is_harmless(tmp_path: Path) -> None:
    files = [("a/x/y.txt", b""), ("b/x/y.txt", b""), ("Ann/Ann_0001.jpg", b"ann")]
    with open_source(make("tar", tmp_path, files)) as source:
        assert source.in_stored_order(["Ann/Ann_0001.jpg"]) == ["Ann/Ann_0001.jpg"]


def test_a_missing_file_is_an_image_error_that_names_the_archive(tmp_path: Path) -> None:
    path = make("tar", tmp_path, list(FILES.items()))
    with (
        open_source(path) as source,
        pytest.raises(ImageError, match=rf"Abe/Abe_0001.jpg: not in {path}"),
    ):
        source.read("Abe/Abe_0001.jpg")


def test_links_in_a_tar_are_left_out(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    path = tmp_path / "links.tar"
    with tarfile.open(path, "w") as archive:
        for name, kind in (
            ("Ann/Ann_0001.jpg", tarfile.SYMTYPE),
            ("B/B_0001.jpg", tarfile.LNKTYPE),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, str(secret)
            archive.addfile(info)
    with open_source(path) as source:
        for name in ("Ann/Ann_0001.jpg", "B/B_0001.jpg"):
            with pytest.raises(ImageError, match="not in"):
                source.read(name)


def test_links_in_a_folder_are_left_out(tmp_path: Path) -> None:
    outside = write_folder(tmp_path / "outside", [("Ann_0001.jpg", b"secret")])
    root = write_folder(tmp_path / "images", [("Bob/Bob_0001.jpg", b"bob")])
    (root / "Bob" / "Bob_0002.jpg").symlink_to(outside / "Ann_0001.jpg")
    (root / "Ann").symlink_to(outside)
    with open_source(root) as source:
        assert source.read("Bob/Bob_0001.jpg") == b"bob"
        for name in ("Bob/Bob_0002.jpg", "Ann/Ann_0001.jpg"):
            with pytest.raises(ImageError, match="not in"):
                source.read(name)


@pytest.mark.parametrize("kind", ["tar", "tgz", "tar.xz", "zip"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_a_cut_off_archive_never_gives_other_bytes(kind: str, kept: float, tmp_path: Path) -> None:
    # Noise, so that compression leaves something to cut.
    noise = [
        (f"A/A_{i:04d}.jpg", bytes((i * j * 31 + j) % 251 for j in range(2000))) for i in range(9)
    ]
    path = make(kind, tmp_path, noise)
    whole = path.read_bytes()
    # A tar ends in 10 KiB of zeros; what is cut is its content.
    end = len(whole) - 10240 if kind == "tar" else len(whole)
    path.write_bytes(whole[: int(end * kept)])
    missing = 0
    try:
        with open_source(path) as source:
            for name, data in noise:
                try:
                    assert source.read(name) == data
                except ImageError:
                    missing += 1
    except DatasetError as error:
        assert str(path) in str(error)
        assert "Fetch it again" in str(error)
    else:
        assert missing > 0


@pytest.mark.parametrize("kind", ["tgz", "zip", "tar.xz", "tar.bz2"])
def test_damage_in_the_middle_is_an_error_of_ours(kind: str, tmp_path: Path) -> None:
    noise = [
        (f"A/A_{i:04d}.jpg", bytes((i * j * 31 + j) % 251 for j in range(2000))) for i in range(9)
    ]
    path = make(kind, tmp_path, noise)
    whole = path.read_bytes()
    wrong = 0
    for place in range(10, len(whole), max(1, len(whole) // 150)):
        damaged = bytearray(whole)
        damaged[place : place + 4] = bytes(255 - byte for byte in damaged[place : place + 4])
        path.write_bytes(damaged)
        try:
            with open_source(path) as source:
                for name, _ in noise:
                    try:
                        source.read(name)
                    except ImageError:
                        wrong += 1
        except DatasetError:
            wrong += 1
    assert wrong > 0


@pytest.mark.parametrize(
    "data", [b"", b"hello, this is no archive\n" * 50, b"PK\x05\x06" + b"x" * 18]
)
def test_no_archive_at_all(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "images.tar"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="neither a folder nor a sound tar"), open_source(path):
        pass


def test_a_missing_path_names_the_option(tmp_path: Path) -> None:
    with (
        pytest.raises(DatasetError, match=r"nowhere: no such file or folder.*--images"),
        open_source(tmp_path / "nowhere"),
    ):
        pass


def test_a_zip_with_a_password_is_an_image_error(tmp_path: Path) -> None:
    path = make("zip", tmp_path, [("A/A_0001.jpg", b"secret" * 100)])
    data = bytearray(path.read_bytes())
    # The flag of encryption in the local header and in the directory.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with open_source(path) as source, pytest.raises(ImageError, match="cannot be read"):
        source.read("A/A_0001.jpg")


@pytest.mark.parametrize("kind", ["tar", "zip", "folder"])
def test_names_of_any_depth_are_found_and_the_whole_path_comes_first(
    kind: str, tmp_path: Path
) -> None:
    files = [("old/a.png", b"old"), ("a.png", b"new"), ("x/y/z/b.png", b"deep")]
    with open_source(make(kind, tmp_path, files)) as source:
        assert source.in_stored_order(["a.png"]) == ["a.png"]
        assert source.read("a.png") == b"new"
        assert source.read("old/a.png") == b"old"
        assert source.read("b.png") == source.read("x/y/z/b.png") == b"deep"
        with pytest.raises(ImageError, match="not in"):
            source.read("z.png")


def test_one_of_several_copies_is_taken_by_its_folder(tmp_path: Path) -> None:
    files = [("aligned images/a.jpg", b"aligned"), ("all/images/a.jpg", b"photograph")]
    with open_source(make("zip", tmp_path, files)) as source:
        assert source.under("images").read("a.jpg") == b"photograph"
        assert source.under("nothing").read("images/a.jpg") == b"photograph"
