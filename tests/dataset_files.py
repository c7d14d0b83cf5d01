"""Small files in the official formats of the datasets, quirks included, written by hand."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from compute.datasets.formats.tfrecord import PairExample, masked_crc32c


def write_lines(path: Path, lines: Iterable[str], *, end: str = "\n") -> Path:
    """Write a text file with an end after every line."""
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def calfw_lines() -> list[str]:
    """Return 6000 pairs over 50 names: genuine ones tagged with their fold, impostors with 0."""
    lines = []
    for i in range(3000):
        name, tag = f"Ann_de-{i % 50:02d}", 1 + i // 300
        lines += [f"{name}_0001.jpg {tag}", f"{name}_{2 + i // 50:04d}.jpg {tag}"]
    for i in range(3000):
        lines += [f"Ann_de-{i % 50:02d}_0001.jpg 0", f"Ann_de-{(i + 1) % 50:02d}_0002.jpg 0"]
    return lines


def cplfw_lines() -> list[str]:
    """Return 6000 pairs over 50 names: genuine ones tagged 1, impostors 0, numbers not padded."""
    lines = []
    for i in range(3000):
        name = f"Bob_{i % 50:02d}"
        lines += [f"{name}_1.jpg 1", f"{name}_{2 + i // 50}.jpg 1"]
    for i in range(3000):
        lines += [f"Bob_{i % 50:02d}_1.jpg 0", f"Bob_{(i + 1) % 50:02d}_2.jpg 0"]
    return lines


def sllfw_lines() -> list[str]:
    """Return 6000 pairs over 50 names: fold by fold, 300 genuine and 300 impostor, no label."""
    lines = []
    for fold in range(10):
        for i in range(300):
            name = f"Eve_{i % 50:02d}"
            lines += [f"{name}/{name}_0001.jpg", f"{name}/{name}_{2 + fold:04d}.jpg"]
        for i in range(300):
            first, second = f"Eve_{i % 50:02d}", f"Eve_{(i + 1 + fold) % 50:02d}"
            lines += [f"{first}/{first}_0001.jpg", f"{second}/{second}_0002.jpg"]
    return lines


def lfw_lines(*, separator: str = "\t") -> list[str]:
    """Return 6000 pairs over 40 names: a header, then fold by fold 300 genuine, 300 impostor."""
    lines = [f"10{separator}300"]
    for fold in range(10):
        lines += [f"Name_{i % 40:02d}\t{1 + i % 7}\t{8 + fold}" for i in range(300)]
        lines += [
            f"Name_{i % 40:02d}\t{1 + fold}\tName_{(i + 1 + fold) % 40:02d}\t{1 + i % 9}"
            for i in range(300)
        ]
    return [line.replace("\t", separator) for line in lines]


def varint(value: int) -> bytes:
    """Encode a number as protocol buffers do."""
    encoded = b""
    while value > 0x7F:
        encoded += bytes([value & 0x7F | 0x80])
        value >>= 7
    return encoded + bytes([value])


def message(number: int, data: bytes) -> bytes:
    """Encode one field that holds bytes or another message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def bytes_feature(*values: bytes) -> bytes:
    """Encode a ``Feature`` with a ``BytesList``."""
    return message(1, b"".join(message(1, value) for value in values))


def int64_feature(*values: int, packed: bool = True) -> bytes:
    """Encode a ``Feature`` with an ``Int64List``, packed as proto3 does, or value by value."""
    encoded = [varint(value) for value in values]
    if packed:
        return message(3, message(1, b"".join(encoded)))
    return message(3, b"".join(varint(1 << 3) + value for value in encoded))


def encode_example(features: Mapping[str, bytes]) -> bytes:
    """Encode a ``tf.train.Example`` of encoded features, in their order."""
    entries = (message(1, key.encode()) + message(2, value) for key, value in features.items())
    return message(1, b"".join(message(1, entry) for entry in entries))


def encode_pair(pair: PairExample) -> bytes:
    """Encode a pair as the published files do."""
    return encode_example(
        {
            "image1": bytes_feature(pair.image1),
            "image2": bytes_feature(pair.image2),
            "issame": int64_feature(int(pair.genuine)),
        }
    )


def encode_record(data: bytes) -> bytes:
    """Frame one record."""
    length = struct.pack("<Q", len(data))
    checksums = (struct.pack("<I", masked_crc32c(part)) for part in (length, data))
    return length + next(checksums) + data + next(checksums)


def write_examples(path: Path, pairs: Sequence[PairExample]) -> Path:
    """Write a TFRecord file of pairs."""
    path.write_bytes(b"".join(encode_record(encode_pair(pair)) for pair in pairs))
    return path


def write_bin(
    path: Path, images: Sequence[object], labels: Sequence[object], *, protocol: int
) -> Path:
    """Write a ``.bin`` as Python 3 does: images may be bytes or arrays."""
    path.write_bytes(pickle.dumps((list(images), list(labels)), protocol=protocol))
    return path


def python2_bin(images: Sequence[bytes], labels: Sequence[bool]) -> bytes:
    """Return a ``.bin`` as Python 2 wrote it (protocol 2): images as text, opcode by opcode."""

    def text(data: bytes) -> bytes:
        if len(data) < 256:
            return b"U" + bytes([len(data)]) + data  # SHORT_BINSTRING
        return b"T" + struct.pack("<i", len(data)) + data  # BINSTRING

    def put(number: int) -> bytes:
        return b"q" + bytes([number]) if number < 256 else b"r" + struct.pack("<I", number)

    # PROTO 2, then a list: EMPTY_LIST, MARK, its items, APPENDS
    first = b"\x80\x02" + b"]" + put(0) + b"("
    items = b"".join(text(image) + put(1 + i) for i, image in enumerate(images))
    second = b"e" + b"]" + put(1 + len(images)) + b"("
    flags = b"".join(b"\x88" if label else b"\x89" for label in labels)
    return first + items + second + flags + b"e" + b"\x86" + put(2 + len(images)) + b"."
