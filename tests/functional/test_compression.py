"""What is sent through gzip: pages as they go out, files that do not change once."""

from __future__ import annotations

import gzip
import re

import pytest
from flask.testing import FlaskClient

from app import caching, compression

GZIP = {"Accept-Encoding": "gzip, deflate, br, zstd"}


@pytest.mark.parametrize("path", ["/explorer", "/viewer/1", "/api/v1/pairs", "/api/openapi.json"])
def test_a_page_is_the_same_through_gzip_and_much_smaller(
    demo_client: FlaskClient, path: str
) -> None:
    plain = demo_client.get(path)
    packed = demo_client.get(path, headers=GZIP)
    assert "Content-Encoding" not in plain.headers
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(packed.data) == plain.data
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
    for name in ("Content-Type", "Content-Security-Policy"):
        assert packed.headers[name] == plain.headers[name]


@pytest.mark.parametrize("given", ["", "br", "gzip;q=0", "identity"])
def test_who_does_not_take_gzip_is_not_sent_it(demo_client: FlaskClient, given: str) -> None:
    answer = demo_client.get("/explorer", headers={"Accept-Encoding": given})
    assert "Content-Encoding" not in answer.headers


def test_pictures_and_short_answers_go_as_they_are(demo_client: FlaskClient) -> None:
    for path in ("/viewer/1/1.png", "/healthz"):
        assert "Content-Encoding" not in demo_client.get(path, headers=GZIP).headers
    assert "Vary" not in demo_client.get("/viewer/1/1.png", headers=GZIP).headers


def test_an_export_stays_a_stream(demo_client: FlaskClient) -> None:
    answer = demo_client.get("/api/v1/pairs.csv", headers=GZIP)
    assert answer.is_streamed
    assert "Content-Encoding" not in answer.headers


def test_what_is_at_hand_is_not_sent_again_in_either_form(demo_client: FlaskClient) -> None:
    path = "/viewer/1/1.csv"
    tag = demo_client.get(path, headers=GZIP).headers["ETag"]
    assert tag.startswith("W/")
    assert demo_client.get(path).headers["ETag"] == tag
    for more in (GZIP, {}):
        again = demo_client.get(path, headers=more | {"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        assert (again.headers["ETag"], again.headers["Vary"]) == (tag, "Accept-Encoding")


def test_a_static_file_is_compressed_once(
    demo_client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    (style,) = re.findall(r'href="([^"]*/css/viewer\.css)"', demo_client.get("/viewer/1").text)
    plain, packed = demo_client.get(style), demo_client.get(style, headers=GZIP)
    monkeypatch.setattr(compression, "compress_file", lambda _data: pytest.fail("again"))
    assert demo_client.get(style, headers=GZIP).data == packed.data
    assert gzip.decompress(packed.data) == plain.data
    assert plain.headers["Content-Type"] == packed.headers["Content-Type"]
    assert plain.headers["Content-Type"] == "text/css; charset=utf-8"
    assert packed.headers["Cache-Control"] == caching.IMMUTABLE
    again = demo_client.get(style, headers=GZIP | {"If-None-Match": packed.headers["ETag"]})
    assert again.status_code == 304
    assert "Content-Security-Policy" in packed.headers


def test_what_does_not_get_smaller_is_left_alone() -> None:
    assert compression.compress_file(bytes(range(256))) is None
    assert compression.compress_file(b"x" * 1000) is not None
