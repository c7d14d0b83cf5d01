"""Cursors: a place in a sorted list, opaque to the client and bound to its query.

A cursor holds the sort values of one row, exactly, and the row's place in the list. Its checksum
covers the query too, so a cursor of another query, a cut or an edited one is refused. It is no
secret: whoever forges one gets rows that the site shows anyway.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.explorer.columns import LARGEST_INTEGER

CursorValue: TypeAlias = int | float | bool | str | None

CHECKSUM: Final = 9
LONGEST: Final = 4096


@dataclass(frozen=True)
class Cursor:
    """The sort values of a row, in the order of the sort keys, and its place from 0."""

    values: tuple[CursorValue, ...]
    place: int


class CursorError(ValueError):
    """The text is no cursor of this query."""


def encode_cursor(cursor: Cursor, query: str) -> str:
    """Write ``cursor`` as URL-safe text, bound to the canonical text of its query."""
    # repr() of a float, which json writes, reads back as the very same float.
    body = json.dumps([*cursor.values, cursor.place], separators=(",", ":"), allow_nan=False)
    data = body.encode()
    return _to_text(_checksum(data, query) + data)


def decode_cursor(text: str, query: str, types: Sequence[tuple[type, bool]]) -> Cursor:
    """Read a cursor of ``query``; ``types`` are those of the sort values, and if they may miss.

    Raises
    ------
    CursorError
        Where ``text`` was not written by `encode_cursor` for this query.
    """
    if len(text) > LONGEST:
        raise CursorError(f"it is longer than {LONGEST} characters")
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, binascii.Error):
        raise CursorError("it is damaged") from None
    checksum, body = data[:CHECKSUM], data[CHECKSUM:]
    # One text per cursor: base64 has spare bits in its last letter, which must not vary.
    if checksum != _checksum(body, query) or _to_text(data) != text:
        raise CursorError("it was made for another query, or is damaged")
    try:
        *values, place = json.loads(body)
    except (ValueError, TypeError, RecursionError):
        raise CursorError("it is damaged") from None
    if not _fits(values, types) or type(place) is not int or not 0 <= place < 2**53:
        raise CursorError("it does not fit the sort keys")
    return Cursor(tuple(values), place)


def _fits(values: Sequence[object], types: Sequence[tuple[type, bool]]) -> bool:
    if len(values) != len(types):
        return False
    return all(
        nullable if value is None else type(value) is kind and _storable(value)
        for value, (kind, nullable) in zip(values, types, strict=True)
    )


def _storable(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        return abs(value) <= LARGEST_INTEGER
    if isinstance(value, str):
        return not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value)
    return True


def _checksum(body: bytes, query: str) -> bytes:
    digest = hashlib.blake2b(digest_size=CHECKSUM, person=b"xfv cursor 1")
    digest.update(len(body).to_bytes(4, "big") + body + query.encode())
    return digest.digest()


def _to_text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
