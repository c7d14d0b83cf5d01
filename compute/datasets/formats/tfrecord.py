"""TFRecord files of labelled pairs, read without TensorFlow.

A record is ``length (u64), checksum of the length, data, checksum of the data``, little-endian; the
checksums are CRC-32C, rotated and offset. The data is a ``tf.train.Example``, a protocol buffer:
``Example{1: Features}``, ``Features{1: map entry}``, ``entry{1: key, 2: Feature}``,
``Feature{1: BytesList | 2: FloatList | 3: Int64List}``, each list ``{1: repeated value}``
(TensorFlow, core/lib/io/record_writer.h and core/example).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import google_crc32c

from compute.errors import DatasetError

KEYS: Final = ("image1", "image2", "issame")
"""What an example must have; anything else in it is passed over."""
MAX_RECORD_BYTES: Final = 64 * 2**20

_LENGTH: Final = struct.Struct("<QI")
_CHECKSUM: Final = struct.Struct("<I")
_MASK_DELTA: Final = 0xA282EAD8
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_WIDTH: Final = {_FIXED64: 8, _FIXED32: 4}
_BYTES_LIST, _INT64_LIST = 1, 3


@dataclass(frozen=True)
class PairExample:
    """One record: two encoded images (PNG or JPEG) and whether they show one person."""

    image1: bytes
    image2: bytes
    genuine: bool


def read_examples(path: Path) -> Iterator[PairExample]:
    """Read the pairs of a file in their order, one at a time.

    A file that was cut off between two records looks whole: only their number tells, which whoever
    knows the set compares.

    Raises
    ------
    DatasetError
        Names the file, the record (from 1), what was expected and what is there; raised on the way,
        so that what came before is no dataset.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    number = 0
    with file:
        for number, data in enumerate(_records(path, file), start=1):
            try:
                yield _example(data)
            except ValueError as error:
                _refuse(path, number, f"{error}. Is it a file of pairs with {', '.join(KEYS)}?")
    if number == 0:
        raise DatasetError(
            f"{path}: no record, expected at least one. The file is cut off or is another one. "
            "Fetch it again."
        )


def masked_crc32c(data: bytes) -> int:
    """Return the checksum of ``data`` as a TFRecord stores it."""
    crc: int = google_crc32c.value(data)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _refuse(path: Path, number: int, what: str) -> NoReturn:
    raise DatasetError(f"{path}, record {number}: {what}")


def _records(path: Path, file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while header := file.read(_LENGTH.size):
        number += 1
        if len(header) < _LENGTH.size:
            _refuse(path, number, _cut_off(len(header), _LENGTH.size))
        length, checksum = _LENGTH.unpack(header)
        if checksum != masked_crc32c(header[:8]):
            what = (
                "the file does not begin with a TFRecord (uncompressed)"
                if number == 1
                else "the checksum (CRC-32C) of its length is wrong"
            )
            _refuse(path, number, f"{what}. The file is damaged or is another one. Fetch it again.")
        if length > MAX_RECORD_BYTES:
            _refuse(path, number, f"{length} bytes, expected at most {MAX_RECORD_BYTES}.")
        body = file.read(length + _CHECKSUM.size)
        if len(body) < length + _CHECKSUM.size:
            _refuse(path, number, _cut_off(len(body), length + _CHECKSUM.size))
        data = body[:length]
        actual, stored = masked_crc32c(data), _CHECKSUM.unpack(body[length:])[0]
        if actual != stored:
            _refuse(
                path,
                number,
                f"its checksum (CRC-32C) is {actual:08x}, expected {stored:08x}. The file is "
                "damaged. Fetch it again.",
            )
        yield data


def _cut_off(there: int, expected: int) -> str:
    return f"{there} bytes, expected {expected}. The file is cut off. Fetch it again."


def _example(data: bytes) -> PairExample:
    features: dict[str, list[tuple[int, bytes | int]]] = {}
    for field, features_bytes in _fields(data):
        if field == 1:
            for entry_field, entry in _fields(_as_bytes(features_bytes)):
                if entry_field == 1:
                    key, feature = _entry(_as_bytes(entry))
                    features[key] = feature
    missing = [key for key in KEYS if key not in features]
    if missing:
        there = ", ".join(repr(key[:40]) for key in sorted(features)[:10]) or "nothing"
        raise ValueError(f"no feature {missing[0]!r}, there is {there}")
    return PairExample(
        image1=_image("image1", features["image1"]),
        image2=_image("image2", features["image2"]),
        genuine=_label(features["issame"]),
    )


def _entry(data: bytes) -> tuple[str, list[tuple[int, bytes | int]]]:
    key, feature = b"", b""
    for field, value in _fields(data):
        if field == 1:
            key = _as_bytes(value)
        elif field == 2:
            feature += _as_bytes(value)  # a message that comes twice is merged
    return key.decode("utf-8"), list(_fields(feature))


def _values(feature: list[tuple[int, bytes | int]], kind: int) -> list[bytes | int]:
    """Return the values of the one list that a feature holds, empty where it holds none."""
    if not feature:
        return []
    if any(field != kind for field, _ in feature):
        raise ValueError(f"list of kind {feature[0][0]}, expected {kind}")
    return [
        value for _, values in feature for field, value in _fields(_as_bytes(values)) if field == 1
    ]


def _image(key: str, feature: list[tuple[int, bytes | int]]) -> bytes:
    values = _values(feature, _BYTES_LIST)
    if len(values) != 1 or not isinstance(values[0], bytes) or not values[0]:
        raise ValueError(f"feature {key!r} holds {len(values)} values, expected one encoded image")
    return values[0]


def _label(feature: list[tuple[int, bytes | int]]) -> bool:
    values: list[int] = []
    for value in _values(feature, _INT64_LIST):
        values += [value] if isinstance(value, int) else _varints(value)
    # Protocol buffers leave out what is zero.
    label = values[0] if values else 0
    if len(values) > 1 or label not in (0, 1):
        raise ValueError(f"feature 'issame' holds {values[:3]}, expected one number, 0 or 1")
    return label == 1


def _fields(data: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield number and value of each field of a message."""
    position = 0
    while position < len(data):
        tag, position = _varint(data, position)
        field, wire = tag >> 3, tag & 7
        if field == 0:
            raise ValueError("not a protocol buffer (field 0)")
        if wire == _VARINT:
            value, position = _varint(data, position)
            yield field, value
            continue
        if wire == _BYTES:
            length, position = _varint(data, position)
        elif wire in _WIDTH:
            length = _WIDTH[wire]
        else:
            raise ValueError(f"not a protocol buffer (wire type {wire})")
        if position + length > len(data):
            raise ValueError(
                f"a field of {length} bytes where {len(data) - position} are left: not an Example"
            )
        yield field, data[position : position + length]
        position += length


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(data):
            raise ValueError("a number is cut off: not an Example")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number of more than 10 bytes: not an Example")


def _varints(packed: bytes) -> list[int]:
    values, position = [], 0
    while position < len(packed):
        value, position = _varint(packed, position)
        values.append(value)
    return values


def _as_bytes(value: bytes | int) -> bytes:
    if isinstance(value, int):
        raise ValueError("a number where a message is expected: not an Example")  # noqa: TRY004 - one kind of error for what the data says
    return value
