"""Protocol 1: what is posted, and answers good and bad."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compute.errors import RemoteError
from compute.images import decode
from compute.remote.protocol import (
    largest_answer,
    read_distances,
    read_embeddings,
    request_distances,
    request_embeddings,
)

URL = "https://example.org/"


def answer(**content: Any) -> bytes:
    return json.dumps({"protocol": 1, **content}).encode()


def test_pictures_arrive_to_the_pixel() -> None:
    images = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    asked = json.loads(request_embeddings(images))
    assert (asked["protocol"], asked["wanted"]) == (1, "embeddings")
    read = [decode(base64.b64decode(text, validate=True), "sent") for text in asked["images"]]
    assert np.array_equal(np.stack(read), images)
    asked = json.loads(request_distances(images[:2], [(0, 1), (1, 1)]))
    assert (asked["wanted"], asked["pairs"]) == ("distances", [[0, 1], [1, 1]])


def test_embeddings_are_read_to_the_last_bit() -> None:
    rows = np.random.default_rng(1).standard_normal((3, 7)).astype(np.float32)
    found = read_embeddings(answer(embeddings=rows.tolist(), more=[1]), 3, url=URL)
    assert found.dtype == np.float32
    assert np.array_equal(found, rows)
    integers = read_embeddings(answer(embeddings=[[1, 2], None]), 2, url=URL)
    assert np.array_equal(integers, np.array([[1, 2], [np.nan] * 2]), equal_nan=True)


def test_distances_are_read_and_rounding_is_forgiven() -> None:
    found = read_distances(answer(distances=[0, 0.25, 2, -1e-9, 2 + 1e-9, None]), 6, url=URL)
    assert np.array_equal(found, [0, 0.25, 2, 0, 2, np.nan], equal_nan=True)
    assert np.isnan(read_distances(answer(distances=[None]), 1, url=URL)).all()


DEEP = b'{"protocol": 1, "embeddings": ' + b"[" * 100_000
BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON"),
    "a web page": (b"<html>Sign in</html>", r"not JSON.*begins with '<html>Sign in"),
    "no text": (b"\xff\xfe\x00", "not JSON"),
    "nested": (DEEP, "not JSON"),
    "a list": (b"[[1, 2], [3, 4]]", "a list, expected an object"),
    "no protocol": (b'{"embeddings": [[1], [2]]}', 'has "protocol": null, expected "protocol": 1'),
    "another protocol": (b'{"protocol": 2, "embeddings": [[1], [2]]}', '"protocol": 2, expected'),
    "true protocol": (b'{"protocol": true, "embeddings": [[1], [2]]}', '"protocol": true'),
    "no embeddings": (answer(error="no model"), '"embeddings": null, expected a list'),
    "distances": (answer(distances=[1, 2]), '"embeddings": null'),
    "too few": (answer(embeddings=[[1, 2]]), "1 embeddings, expected 2"),
    "too many": (answer(embeddings=[[1], [2], [3]]), "3 embeddings, expected 2"),
    "ragged": (answer(embeddings=[[1, 2], [3]]), "of lengths 1, 2, expected one length"),
    "empty": (answer(embeddings=[[], []]), "of lengths 0"),
    "too long": (answer(embeddings=[[0] * 8193] * 2), "of lengths 8193, expected one length"),
    "flat": (answer(embeddings=[1, 2]), "no list"),
    "text": (answer(embeddings=[[1, "2"], [3, 4]]), '"2" at place 1 of embedding 0'),
    "truth": (answer(embeddings=[[1, 2], [True, 4]]), "true at place 0 of embedding 1"),
    "NaN": (b'{"protocol": 1, "embeddings": [[NaN], [1]]}', "NaN is not JSON; give null"),
    "infinite": (b'{"protocol": 1, "embeddings": [[1e999], [1]]}', "beyond float32"),
    "huge": (answer(embeddings=[[1e39], [1]]), "embedding 0 beyond float32"),
    "whole": (answer(embeddings=[[10**400], [1]]), "embedding 0 beyond float64"),
    "digits": (b'{"protocol": 1, "embeddings": [[' + b"1" * 9000 + b"], [1]]}", "not JSON"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_embeddings_are_refused_in_words(kind: str) -> None:
    data, message = BAD[kind]
    with pytest.raises(RemoteError, match=message) as caught:
        read_embeddings(data, 2, url=URL)
    assert str(caught.value).startswith(URL)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([0.1, 2.5], r"distance 1 of 2.5, expected 0 \(same\) to 2"),
        ([-0.1, 1], "distance 0 of -0.1"),
        ([0.1, "0.2"], '"0.2" at place 1'),
        ([0.1], "1 distances, expected 2"),
        ([[0.1], [0.2]], "at place 0"),
        (0.1, '"distances": 0.1, expected a list'),
    ],
)
def test_bad_distances_are_refused_in_words(values: Any, message: str) -> None:
    with pytest.raises(RemoteError, match=message):
        read_distances(answer(distances=values), 2, url=URL)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)


@given(st.binary(max_size=60) | JSON_VALUES.map(lambda value: answer(embeddings=value)))
def test_whatever_is_answered_is_embeddings_or_an_error(data: bytes) -> None:
    try:
        found = read_embeddings(data, 2, url=URL)
    except RemoteError:
        return
    assert found.shape[0] == 2
    assert not np.isinf(found).any()


@given(JSON_VALUES.map(lambda value: answer(distances=value)))
def test_whatever_is_answered_is_distances_or_an_error(data: bytes) -> None:
    try:
        found = read_distances(data, 2, url=URL)
    except RemoteError:
        return
    assert found.shape == (2,)
    assert ((np.isnan(found)) | ((found >= 0) & (found <= 2))).all()


def test_the_longest_embeddings_fit_into_the_limit() -> None:
    rows = np.full((2, 8192), -1.2345678901234567e-300)
    data = answer(embeddings=rows.tolist())
    assert len(data) < largest_answer("embeddings", 2)
    assert largest_answer("distances", 2) < largest_answer("embeddings", 1)
