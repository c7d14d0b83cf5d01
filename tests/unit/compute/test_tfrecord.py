"""TFRecord files: the published format, both checksums, and every kind of damage named."""

from __future__ import annotations

import gzip
import struct
from itertools import permutations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compute.datasets.formats.tfrecord import PairExample, masked_crc32c, read_examples
from compute.errors import DatasetError
from tests.dataset_files import (
    bytes_feature,
    encode_example,
    encode_pair,
    encode_record,
    int64_feature,
    message,
    varint,
    write_examples,
)

PAIRS = [
    PairExample(b"\x89PNG one", b"\x89PNG two" * 40, genuine=True),
    PairExample(b"\x89PNG three" * 300, b"\xff\xd8 four", genuine=False),
    PairExample(b"\0" * 7, b"\xff" * 7, genuine=True),
]


def write(folder: Path, *examples: bytes) -> Path:
    path = folder / "set.tfrecord"
    path.write_bytes(b"".join(encode_record(example) for example in examples))
    return path


def test_the_checksum_is_crc32c_rotated_and_offset() -> None:
    crc = 0xE3069283  # of b"123456789": the check value of CRC-32C
    assert masked_crc32c(b"123456789") == (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32


def test_a_record_written_byte_by_byte(tmp_path: Path) -> None:
    entries = (
        b"\x0a\x0f\x0a\x06image1\x12\x05\x0a\x03\x0a\x01A"
        b"\x0a\x0f\x0a\x06image2\x12\x05\x0a\x03\x0a\x01B"
        b"\x0a\x0f\x0a\x06issame\x12\x05\x1a\x03\x0a\x01\x01"
    )
    path = write(tmp_path, b"\x0a" + bytes([len(entries)]) + entries)
    assert list(read_examples(path)) == [PairExample(b"A", b"B", genuine=True)]


def test_pairs_come_in_their_order(tmp_path: Path) -> None:
    path = write_examples(tmp_path / "set.tfrecord", PAIRS)
    assert list(read_examples(path)) == PAIRS


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            PairExample,
            image1=st.binary(min_size=1, max_size=300),
            image2=st.binary(min_size=1, max_size=300),
            genuine=st.booleans(),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[PairExample]
) -> None:
    path = tmp_path_factory.getbasetemp() / "set.tfrecord"
    assert list(read_examples(write_examples(path, pairs))) == pairs


@pytest.mark.parametrize("order", list(permutations(("image1", "image2", "issame"))))
def test_the_order_of_the_map_does_not_matter(order: tuple[str, ...], tmp_path: Path) -> None:
    features = {
        "image1": bytes_feature(b"A"),
        "image2": bytes_feature(b"B"),
        "issame": int64_feature(1),
    }
    path = write(tmp_path, encode_example({key: features[key] for key in order}))
    assert list(read_examples(path)) == [PairExample(b"A", b"B", genuine=True)]


@pytest.mark.parametrize(
    ("feature", "genuine"),
    [
        (int64_feature(1, packed=True), True),
        (int64_feature(1, packed=False), True),
        (int64_feature(0, packed=True), False),
        (int64_feature(0, packed=False), False),
        (int64_feature(), False),
        (b"", False),
    ],
)
def test_the_label_packed_unpacked_or_left_out(
    feature: bytes, genuine: bool, tmp_path: Path
) -> None:
    example = encode_example(
        {"image1": bytes_feature(b"A"), "image2": bytes_feature(b"B"), "issame": feature}
    )
    assert list(read_examples(write(tmp_path, example))) == [PairExample(b"A", b"B", genuine)]


def test_what_else_an_example_holds_is_passed_over(tmp_path: Path) -> None:
    more = encode_example(
        {
            "image1": bytes_feature(b"A"),
            "height": int64_feature(112, 2**63 - 1),
            "score": message(2, message(1, struct.pack("<2f", 0.5, 0.25))),
            "name": bytes_feature(b"x", b"y"),
            "image2": bytes_feature(b"B"),
            "issame": int64_feature(1),
        }
    )
    unknown = varint(9 << 3) + varint(5) + varint(10 << 3 | 5) + b"1234" + varint(11 << 3 | 1)
    path = write(tmp_path, more + unknown + b"12345678" + message(12, b"later"))
    assert list(read_examples(path)) == [PairExample(b"A", b"B", genuine=True)]


def test_a_key_that_comes_twice_counts_as_said_last(tmp_path: Path) -> None:
    first = encode_pair(PairExample(b"A", b"B", genuine=False))
    second = encode_pair(PairExample(b"C", b"D", genuine=True))
    path = write(tmp_path, first + second)
    assert list(read_examples(path)) == [PairExample(b"C", b"D", genuine=True)]


A, B, ONE = bytes_feature(b"A"), bytes_feature(b"B"), int64_feature(1)


@pytest.mark.parametrize(
    ("example", "what"),
    [
        (encode_example({"image": A, "label": ONE}), "no feature 'image1', there is 'image'"),
        (encode_example({"image1": A, "issame": ONE}), "no feature 'image2'"),
        (encode_example({"image1": A, "image2": B}), "no feature 'issame'"),
        (b"", "no feature 'image1', there is nothing"),
        (encode_example({"image1": b"", "image2": B, "issame": ONE}), "'image1' holds 0 values"),
        (
            encode_example({"image1": bytes_feature(b"A", b"A"), "image2": B, "issame": ONE}),
            "'image1' holds 2 values",
        ),
        (
            encode_example({"image1": A, "image2": bytes_feature(b""), "issame": ONE}),
            "'image2' holds 1 values, expected one encoded image",
        ),
        (encode_example({"image1": ONE, "image2": B, "issame": ONE}), "list of kind 3, expected 1"),
        (encode_example({"image1": A, "image2": B, "issame": A}), "list of kind 1, expected 3"),
        (
            encode_example({"image1": A, "image2": B, "issame": int64_feature(2)}),
            r"'issame' holds \[2\], expected one number, 0 or 1",
        ),
        (
            encode_example({"image1": A, "image2": B, "issame": int64_feature(2**64 - 1)}),
            "'issame' holds",
        ),
        (
            encode_example({"image1": A, "image2": B, "issame": int64_feature(1, 1, packed=False)}),
            r"'issame' holds \[1, 1\]",
        ),
        (b"\x0a\x05abc", "a field of 5 bytes where 3 are left"),
        (b"\x0a" + b"\xff" * 11, "a number of more than 10 bytes"),
        (b"\x0b\x00", "wire type 3"),
        (b"\x02\x00", "field 0"),
        (b"\x08\x05", "a number where a message is expected"),
        (message(1, message(1, message(1, b"\xff") + message(2, A))), "utf-8"),
    ],
)
def test_another_example_names_the_record_and_what_is_there(
    example: bytes, what: str, tmp_path: Path
) -> None:
    path = write(tmp_path, encode_pair(PAIRS[0]), example)
    examples = read_examples(path)
    assert next(examples) == PAIRS[0]
    with pytest.raises(DatasetError, match=what) as raised:
        next(examples)
    assert str(raised.value).startswith(f"{path}, record 2: ")
    assert "image1, image2, issame" in str(raised.value)


def test_a_file_cut_off_anywhere_gives_an_error_or_misses_whole_records(tmp_path: Path) -> None:
    path = write_examples(tmp_path / "set.tfrecord", PAIRS)
    whole = path.read_bytes()
    ends = [0]
    for pair in PAIRS:
        ends.append(ends[-1] + len(encode_record(encode_pair(pair))))
    for kept in range(0, len(whole), 17):
        path.write_bytes(whole[:kept])
        if kept in ends[1:]:
            continue
        with pytest.raises(DatasetError, match=r"cut off.*Fetch it again"):
            list(read_examples(path))
    for records, kept in enumerate(ends[1:-1], start=1):
        path.write_bytes(whole[:kept])
        assert list(read_examples(path)) == PAIRS[:records]


def test_a_changed_byte_anywhere_is_noticed(tmp_path: Path) -> None:
    path = write_examples(tmp_path / "set.tfrecord", PAIRS)
    whole = path.read_bytes()
    for place in range(0, len(whole), 13):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        with pytest.raises(DatasetError, match=r"record [123]: .*(CRC-32C|TFRecord)"):
            list(read_examples(path))


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_an_example_of_garbage_with_sound_checksums_is_an_error_of_ours(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = write(tmp_path_factory.getbasetemp(), data)
    with pytest.raises(DatasetError, match="record 1: "):
        list(read_examples(path))


def test_a_record_of_absurd_length_is_not_allocated(tmp_path: Path) -> None:
    length = struct.pack("<Q", 2**60)
    path = tmp_path / "set.tfrecord"
    path.write_bytes(length + struct.pack("<I", masked_crc32c(length)) + b"x" * 100)
    with pytest.raises(DatasetError, match=f"record 1: {2**60} bytes, expected at most"):
        list(read_examples(path))


@pytest.mark.parametrize(
    "data",
    [
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n",
        b"<!DOCTYPE html><html>Not found</html>",
        gzip.compress(encode_record(encode_pair(PAIRS[0])), mtime=0),
    ],
)
def test_another_kind_of_file_is_named_as_such(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "set.tfrecord"
    path.write_bytes(data)
    with pytest.raises(DatasetError, match="record 1: the file does not begin with a TFRecord"):
        list(read_examples(path))


def test_an_empty_file_has_no_pairs(tmp_path: Path) -> None:
    path = tmp_path / "set.tfrecord"
    path.write_bytes(b"")
    with pytest.raises(DatasetError, match="no record, expected at least one"):
        list(read_examples(path))


def test_a_missing_file_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"nowhere: cannot be read \(No such file"):
        list(read_examples(tmp_path / "nowhere"))
