"""Protocol 1: what is posted to a black box, and its answers, checked and turned into arrays."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any, Final, Literal, NoReturn

import numpy as np
from numpy.typing import NDArray

from compute.errors import RemoteError
from compute.images import encode_png

PROTOCOL: Final = 1

Answers = Literal["embeddings", "distances"]
"""What a service gives: an embedding per image, or a distance per pair of images."""

MOST_NUMBERS: Final = 8192
"""Longest embedding that is read."""
_BYTES_PER_NUMBER: Final = 32
_ENVELOPE: Final = 1 << 16
_SLACK: Final = 1e-6
"""How far rounding may take a distance beyond [0, 2]."""


def request_embeddings(images: NDArray[np.uint8]) -> bytes:
    """Return the body that asks for the embeddings of (N, 112, 112, 3) uint8 RGB."""
    return _body({"images": _encoded(images)}, "embeddings")


def request_distances(images: NDArray[np.uint8], pairs: Sequence[tuple[int, int]]) -> bytes:
    """Return the body that asks for the distances of pairs: places in ``images``, from 0."""
    return _body({"images": _encoded(images), "pairs": [list(pair) for pair in pairs]}, "distances")


def _body(content: dict[str, Any], answers: Answers) -> bytes:
    return json.dumps({"protocol": PROTOCOL, "wanted": answers, **content}).encode()


def _encoded(images: NDArray[np.uint8]) -> list[str]:
    return [base64.b64encode(encode_png(image)).decode("ascii") for image in images]


def largest_answer(answers: Answers, count: int) -> int:
    """Return how many bytes an answer of ``count`` values may have at most."""
    numbers = MOST_NUMBERS if answers == "embeddings" else 1
    return _ENVELOPE + count * numbers * _BYTES_PER_NUMBER


def read_embeddings(data: bytes, count: int, *, url: str) -> NDArray[np.float32]:
    """Read an answer: (``count``, D) float32; NaN in the rows of images that got ``null``.

    Raises
    ------
    RemoteError
        For anything else than ``count`` embeddings of one length of finite numbers.
    """
    rows = _values(data, "embeddings", count, url)
    lengths = {len(row) if isinstance(row, list) else -1 for row in rows if row is not None}
    if not lengths:
        # Nothing tells the length; whoever asks knows what was there before.
        return np.full((count, 0), np.nan, dtype=np.float32)
    if len(lengths) > 1 or not 1 <= max(lengths) <= MOST_NUMBERS:
        found = ", ".join("no list" if length < 0 else str(length) for length in sorted(lengths))
        _fail(url, f"embeddings of lengths {found}", f"one length of 1 to {MOST_NUMBERS}")
    embeddings = np.full((count, lengths.pop()), np.nan, dtype=np.float32)
    for place, row in enumerate(rows):
        if row is not None:
            with np.errstate(over="ignore"):
                embeddings[place] = _numbers(row, f"embedding {place}", url)
            if not np.isfinite(embeddings[place]).all():
                _fail(url, f"numbers in embedding {place} beyond float32", "at most 3e38")
    return embeddings


def read_distances(data: bytes, count: int, *, url: str) -> NDArray[np.float64]:
    """Read an answer: (``count``,) float64 in [0, 2]; NaN for pairs that got ``null``.

    Raises
    ------
    RemoteError
        For anything else than ``count`` numbers in [0, 2].
    """
    values = _values(data, "distances", count, url)
    distances = np.full(count, np.nan)
    known = np.array([value is not None for value in values], dtype=bool)
    given = [value for value in values if value is not None]
    if given:
        distances[known] = _numbers(given, "the distances", url)
    outside = np.flatnonzero((distances < -_SLACK) | (distances > 2 + _SLACK))
    if outside.size:
        place = int(outside[0])
        _fail(url, f"distance {place} of {distances[place]:g}", "0 (same) to 2 (opposite)")
    clipped: NDArray[np.float64] = np.clip(distances, 0.0, 2.0)
    return clipped


def _values(data: bytes, answers: Answers, count: int, url: str) -> list[Any]:
    try:
        # RecursionError: nested beyond all measure. ValueError: also for bytes that are no text.
        content = json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        start = data[:60].decode("utf-8", "replace")
        raise RemoteError(
            f"{url}: the answer is not JSON ({error}); it begins with {start!r}. docs/black-box.md "
            "shows what is expected."
        ) from error
    if not isinstance(content, dict):
        _fail(url, f"a {type(content).__name__}", "an object")
    if content.get("protocol") != PROTOCOL or isinstance(content.get("protocol"), bool):
        _fail(url, f'"protocol": {_short(content.get("protocol"))}', f'"protocol": {PROTOCOL}')
    values = content.get(answers)
    if not isinstance(values, list):
        _fail(url, f'"{answers}": {_short(values)}', "a list")
    if len(values) != count:
        _fail(url, f"{len(values)} {answers}", f"{count}, one for each that was asked for")
    return values


def _numbers(values: list[Any], what: str, url: str) -> NDArray[np.float64]:
    for place, value in enumerate(values):
        if type(value) not in (int, float):
            _fail(url, f"{_short(value)} at place {place} of {what}", "a number")
    try:
        return np.array(values, dtype=np.float64)
    except OverflowError:
        _fail(url, f"a number in {what} beyond float64", "finite numbers")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON; give null where there is no value")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else text[:40] + "..."


def _fail(url: str, found: str, expected: str) -> NoReturn:
    raise RemoteError(
        f"{url}: the answer has {found}, expected {expected}. docs/black-box.md shows the protocol."
    )
