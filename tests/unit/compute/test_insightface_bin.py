"""InsightFace's .bin: every way it was written, and no pickle that does anything."""

from __future__ import annotations

import os
import pickle
import pickletools
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.formats import plain_pickle
from compute.datasets.formats.insightface_bin import read_bin
from compute.errors import DatasetError
from tests.dataset_files import python2_bin, write_bin

IMAGES = [b"\xff\xd8 one", b"\xff\xd8" + bytes(range(256)) * 3, b"\x89PNG three", b"\n.four"]
LABELS = [True, False]


def write(folder: Path, data: bytes) -> Path:
    path = folder / "lfw.bin"
    path.write_bytes(data)
    return path


def as_vector(image: bytes) -> Any:
    return np.frombuffer(image, np.uint8)


def as_writable_column(image: bytes) -> Any:
    return np.frombuffer(image, np.uint8).reshape(-1, 1).copy()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", [bytes, as_vector, as_writable_column])
def test_bytes_and_arrays_of_every_protocol(form: Any, protocol: int, tmp_path: Path) -> None:
    path = write_bin(
        tmp_path / "lfw.bin", [form(image) for image in IMAGES], LABELS, protocol=protocol
    )
    assert read_bin(path) == (IMAGES, LABELS)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("form", [as_vector, as_writable_column])
def test_arrays_named_as_older_numpy_named_them(form: Any, protocol: int, tmp_path: Path) -> None:
    data = pickle.dumps(([form(image) for image in IMAGES], LABELS), protocol=protocol)
    assert b"numpy._core" in data
    # A shorter name shifts the frames of protocol 4 and 5 and the length before the name.
    if protocol < 4:
        old = data.replace(b"numpy._core", b"numpy.core")
    else:
        rest = data[11:]  # after PROTO and FRAME, which may be left out
        for module in (b"numpy._core.multiarray", b"numpy._core.numeric"):
            older = module.replace(b"_core", b"core")
            rest = rest.replace(
                b"\x8c" + bytes([len(module)]) + module, b"\x8c" + bytes([len(older)]) + older
            )
        old = data[:2] + rest
    assert b"numpy._core" not in old
    assert read_bin(write(tmp_path, old)) == (IMAGES, LABELS)


def test_a_file_of_python_2_opcode_by_opcode(tmp_path: Path) -> None:
    data = python2_bin(IMAGES, LABELS)
    assert pickle.loads(data, encoding="bytes") == (IMAGES, LABELS)
    assert read_bin(write(tmp_path, data)) == (IMAGES, LABELS)


def test_an_array_of_python_2_opcode_by_opcode(tmp_path: Path) -> None:
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x02cnumpy\nndarray\nq\x03K\x00\x85q\x04"
        b"U\x01bq\x05\x87q\x06Rq\x07"
        b"(K\x01K\x03K\x01\x86cnumpy\ndtype\nq\x08U\x02u1q\x09K\x00K\x01\x87q\x0aRq\x0b"
        b"(K\x03U\x01|q\x0cNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
        b"\x89U\x03\xff\xd8!tb"
    )
    data = b"\x80\x02]q\x00(" + array + b"h\x07e](\x88e\x86."
    assert read_bin(write(tmp_path, data)) == ([b"\xff\xd8!"] * 2, [True])


def test_many_images_of_the_size_of_real_ones(tmp_path: Path) -> None:
    images = [bytes([i % 256]) * 5000 for i in range(1200)]
    path = write_bin(tmp_path / "lfw.bin", images, [i < 300 for i in range(600)], protocol=4)
    found, labels = read_bin(path)
    assert found == images
    assert sum(labels) == 300


class Calls:
    """Pickles as a call of anything."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def bomb() -> Any:
    """Lists of lists of lists: 10**30 leaves, were they ever walked."""
    content: list[Any] = [b"x"]
    for _ in range(30):
        content = [content] * 10
    return content


def endless() -> Any:
    content: list[Any] = []
    content.append(content)
    return content


MARKER = "XFV_PICKLE_WAS_RUN"

ATTACKS: dict[str, Any] = {
    "system": Calls(os.system, f"touch {MARKER}"),
    "eval": Calls(eval, f"open('{MARKER}', 'w')"),
    "exec": Calls(exec, f"open('{MARKER}', 'w')"),
    "import": Calls(__import__, "antigravity"),
    "getattr": Calls(getattr, b"", "decode"),
    "open": Calls(open, MARKER, "w"),
    "huge bytes": Calls(bytes, 2**40),
    "huge bytearray": Calls(bytearray, 2**40),
    "huge zeros": Calls(np.zeros, 2**40),
    "object array": np.array([b"a", None], dtype=object),
    "float array": np.zeros(4),
    "matrix": np.zeros((2, 2), np.uint8),
    "scalar": np.uint8(3),
    "ordered": OrderedDict(a=1),
    "dict": {"a": b"b"},
    "set": {b"a"},
    "float": 0.5,
    "complex": 1j,
    "path": Path("x"),
    "text": "text",
    "number": 7,
    "none": None,
    "empty": b"",
    "list": [b"a"],
    "bomb": bomb(),
    "endless": endless(),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_anything_else_is_refused_and_nothing_is_run(
    attack: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    value = ATTACKS[attack]
    for protocol in range(6):
        for content in (value, ([value, b"two"], [True]), ([b"one", b"two"], [value])):
            path = write(tmp_path, pickle.dumps(content, protocol=protocol))
            with pytest.raises(DatasetError, match="from a source you trust") as raised:
                read_bin(path)
            assert str(raised.value).startswith(str(path))
            assert len(str(raised.value)) < 1000
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_file_names_is_said(tmp_path: Path) -> None:
    path = write(tmp_path, b"\x80\x02cposix\nsystem\nU\x02ls\x85R.")
    with pytest.raises(DatasetError, match=r"byte 2: names 'posix.system'.*may be an attack"):
        read_bin(path)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"r" + b"\xff\xff\xff\x7f", "never made"),
        (b"](U\x01ar\xff\xff\xff\x7fU\x01be](\x88e\x86.", None),
        (b"\x8e" + struct.pack("<Q", 2**62) + b"abc", "expected 4611686018427387904 bytes"),
        (b"\x8d" + struct.pack("<Q", 2**62) + b"abc", "bytes"),
        (b"\x96" + struct.pack("<Q", 2**62) + b"abc", "bytes"),
        (b"T\xff\xff\xff\x7fabc", "bytes"),
        (b"\x8b\xff\xff\xff\x7fabc", "long4"),
        (b"\x95" + struct.pack("<Q", 2**62) + b"N.", "at its top: NoneType"),
        (b"h\x07.", "never made"),
        (b"e.", "never made"),
        (b"(.", "not one value"),
        (b"NN.", "not one value"),
        (b".", "not one value"),
        (b"Na.", "never made"),
        (b"NNa.", "appends to NoneType"),
        (b"N(Ne.", "appends to NoneType"),
        (b"NNR.", "calls NoneType"),
        (b"NNb.", "sets the state of NoneType"),
        (b"cnumpy\nndarray\nK\x01\x85R.", "calls ndarray"),
        (b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x03\x00\x00\x00hex\x86R.", "calls encode"),
        (b"c_codecs\nencode\nX\x02\x00\x00\x00\xc4\x80X\x06\x00\x00\x00latin1\x86R.", "latin-1"),
        (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nJ\xff\xff\xff\x7f\x85U\x01b\x87R.",
         "calls _reconstruct"),
        (b"cnumpy\ndtype\nU\x01O\x85R.", "an array of 'O'"),
        (b"Pname\n.", "the opcode PERSID"),
        (b"NQ.", "the opcode BINPERSID"),
        (b"\x82\x01.", "the opcode EXT1"),
        (b"(cos\nsystem\no.", "'os.system'"),
        (b"(ios\nsystem\n.", "the opcode INST"),
        (b"\x97.", "the opcode NEXT_BUFFER"),
        (b"N" * 5 + b"2.", "the opcode DUP"),
        (b"N.N", "byte 1: 1 bytes after its end"),
        (b"N", "byte 0|no end|exhausted"),
        (b"", "exhausted|no end"),
        (b"version https://git-lfs.github.com/spec/v1\n", "byte"),
        (b"<!DOCTYPE html>", "byte"),
    ],
)  # fmt: skip
def test_pickles_no_pickler_writes(data: bytes, what: str | None, tmp_path: Path) -> None:
    path = write(tmp_path, data)
    if what is None:
        assert read_bin(path) == ([b"a", b"b"], [True])
        return
    with pytest.raises(DatasetError, match=what):
        read_bin(path)


def test_a_pickle_of_endless_steps_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_pickle, "MAX_OPCODES", 1000)
    with pytest.raises(DatasetError, match="more than 1000 steps"):
        read_bin(write(tmp_path, b"N" * 2000 + b"."))


def test_deep_nesting_does_no_harm(tmp_path: Path) -> None:
    for data in (b"N" + b"\x85" * 50_000 + b".", b"]" * 50_000 + b"a" * 49_999 + b"."):
        with pytest.raises(DatasetError, match="at its top"):
            read_bin(write(tmp_path, data))


@pytest.mark.parametrize(
    ("images", "labels", "what"),
    [
        ([b"a", b"b"], [True, False], "2 images and 2 labels"),
        ([b"a"], [True], "1 images and 1 labels"),
        ([], [], "0 images and 0 labels"),
        ([b"a", b""], [True], "image 1: nothing"),
        ([b"a", b"b"], [1], "label 0: int, expected True or False"),
    ],
)
def test_lists_that_do_not_match_are_refused(
    images: list[object], labels: list[object], what: str, tmp_path: Path
) -> None:
    path = write_bin(tmp_path / "lfw.bin", images, labels, protocol=4)
    with pytest.raises(DatasetError, match=what):
        read_bin(path)


WHOLE = pickle.dumps(([as_vector(image) for image in IMAGES[:2]] + IMAGES[2:], LABELS), protocol=4)


def test_a_file_cut_off_anywhere_is_an_error_of_ours(tmp_path: Path) -> None:
    for whole in (WHOLE, python2_bin(IMAGES, LABELS)):
        for kept in range(0, len(whole), 7):
            with pytest.raises(DatasetError, match=r"lfw\.bin, "):
                read_bin(write(tmp_path, whole[:kept]))


@settings(deadline=None, max_examples=150)
@given(garbage=st.binary(max_size=30), start=st.integers(0, len(WHOLE)), more=st.integers(0, 40))
def test_damage_is_an_error_of_ours_or_leaves_whole_pairs(
    garbage: bytes, start: int, more: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged.bin"
    path.write_bytes(WHOLE[:start] + garbage + WHOLE[start + more :])
    try:
        images, labels = read_bin(path)
    except DatasetError as error:
        assert str(path) in str(error)
    else:
        assert len(images) == 2 * len(labels)
        assert all(type(image) is bytes for image in images)
        assert all(type(label) is bool for label in labels)


CODES = [opcode.code.encode("latin-1") for opcode in pickletools.opcodes]


@settings(deadline=None, max_examples=150)
@given(parts=st.lists(st.one_of(st.sampled_from(CODES), st.binary(max_size=3)), max_size=40))
def test_opcodes_at_random_are_an_error_of_ours(
    parts: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "opcodes.bin"
    path.write_bytes(b"".join(parts))
    with pytest.raises(DatasetError):
        read_bin(path)
