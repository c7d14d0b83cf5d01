"""Posting, against a real server: limits of time and size, retries, redirects, keys, TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from compute.errors import RemoteError
from compute.remote.protocol import request_embeddings
from compute.remote.transport import ATTEMPTS, Manners, Transport
from tests.black_box import BlackBox, Reply, serving

BODY = request_embeddings(np.zeros((1, 112, 112, 3), np.uint8))
OK = Reply(body={"fine": True})
Script = Callable[[int], Reply | None]


@pytest.fixture
def box() -> Iterator[BlackBox]:
    with serving(BlackBox(script=lambda _: OK)) as box:
        yield box


class Waits(list[float]):
    """Notes how long is slept, and does not."""

    def __call__(self, seconds: float) -> None:
        self.append(round(seconds, 3))


def opened(box: BlackBox, waits: Waits | None = None, **manners: Any) -> Transport:
    sleep = Waits() if waits is None else waits
    return Transport(box.url, Manners(**{"allow_private": True, **manners}), sleep=sleep)


def post(box: BlackBox, waits: Waits | None = None, *, limit: int = 1000, **manners: Any) -> bytes:
    return opened(box, waits, **manners).post(BODY, limit=limit)


def once(reply: Reply, *, times: int = 1) -> Script:
    return lambda number: reply if number < times else OK


def test_a_request_is_json_and_says_who_asks(box: BlackBox) -> None:
    assert post(box) == b'{"fine": true}'
    ((path, headers, asked),) = box.seen
    assert path == "/model"
    assert headers["Host"] == f"127.0.0.1:{box.port}"
    assert headers["Content-Type"] == "application/json"
    assert headers["Accept-Encoding"] == "identity"
    assert headers["User-Agent"].startswith("xfv/")
    assert "Authorization" not in headers
    assert asked["protocol"] == 1


def test_connections_are_kept(box: BlackBox) -> None:
    transport = opened(box)
    for _ in range(3):
        transport.post(BODY, limit=1000)
    (pool,) = transport._pools.values()
    assert (pool.num_connections, pool.num_requests) == (1, 3)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_what_passes_is_tried_again(box: BlackBox, status: int) -> None:
    box.script = once(Reply(status), times=ATTEMPTS - 1)
    waits = Waits()
    assert post(box, waits) == b'{"fine": true}'
    assert waits == [0.5, 1, 2, 4, 8]


def test_what_does_not_pass_ends_with_the_last_reason(box: BlackBox) -> None:
    box.script = lambda _: Reply(503, {"error": "warming up"})
    with pytest.raises(RemoteError, match=r'503 .*: \{"error": "warming up"\}, 6 times in a row'):
        post(box)
    assert len(box.seen) == ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 422, 501, 303, 304])
def test_what_will_not_pass_is_not_tried_again(box: BlackBox, status: int) -> None:
    body = b"" if status == 304 else b"no\x1b[31m such\nmodel"
    box.script = lambda _: Reply(status, body)
    with pytest.raises(RemoteError, match=f"answers {status}") as caught:
        post(box)
    assert len(box.seen) == 1
    assert "\x1b" not in str(caught.value)
    assert status == 304 or "such model" in str(caught.value)


def test_retry_after_is_honoured_as_a_number_or_a_date(
    box: BlackBox, capsys: pytest.CaptureFixture[str]
) -> None:
    waits = Waits()
    box.script = once(Reply(429, headers={"Retry-After": "7"}))
    post(box, waits)
    assert waits == [7]
    assert "Trying again in 7 seconds" in capsys.readouterr().err
    box.seen.clear()
    box.script = once(
        Reply(503, headers={"Retry-After": formatdate(time.time() + 30, usegmt=True)})
    )
    post(box, waits)
    assert 25 < waits[1] <= 30
    box.seen.clear()
    box.script = once(Reply(503, headers={"Retry-After": "tomorrow, perhaps"}))
    post(box, waits)
    assert waits[2] == 0.5


def test_nobody_waits_for_hours(box: BlackBox) -> None:
    box.script = lambda _: Reply(429, headers={"Retry-After": "86400"})
    waits = Waits()
    with pytest.raises(RemoteError, match=r"429.*left alone for 86400 seconds.*finished work"):
        post(box, waits)
    assert waits == []


def test_a_service_that_is_not_there_is_tried_again() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = BlackBox(port=free.getsockname()[1])
    waits = Waits()
    with pytest.raises(RemoteError, match=r"cannot be reached.*6 times in a row"):
        post(gone, waits)
    assert len(waits) == ATTEMPTS - 1


def test_an_answer_that_breaks_off_is_asked_for_again(box: BlackBox) -> None:
    box.script = once(Reply(body=b'{"fi', length=100))
    assert post(box) == b'{"fine": true}'


@pytest.mark.parametrize(
    "slow", [Reply(chunks=(b"x",), pause=2.0), Reply(chunks=(b"x",) * 100, pause=0.05)]
)
def test_an_answer_that_takes_too_long_is_given_up(box: BlackBox, slow: Reply) -> None:
    """Whether nothing comes for long, or a byte now and then."""
    box.script = once(slow)
    assert post(box, timeout=0.5) == b'{"fine": true}'
    assert len(box.seen) >= 2  # on a busy machine a good answer can come too late as well


@pytest.mark.parametrize("length", [None, 10])
def test_an_answer_of_any_length_is_not_read(box: BlackBox, length: int | None) -> None:
    box.script = lambda _: Reply(chunks=(b"x" * 1000,) * 3)
    assert len(post(box, limit=3000)) == 3000
    with pytest.raises(RemoteError, match="longer than 2999 bytes"):
        post(box, limit=2999)


def test_compressed_answers_are_refused(box: BlackBox) -> None:
    box.script = lambda _: Reply(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"})
    with pytest.raises(RemoteError, match="encoded as 'gzip'"):
        post(box)


def test_requests_keep_their_distance(box: BlackBox) -> None:
    now = [100.0]
    waits = Waits()

    def sleep(seconds: float) -> None:
        waits(seconds)
        now[0] += seconds

    transport = Transport(
        box.url, Manners(allow_private=True, rate=4), sleep=sleep, clock=lambda: now[0]
    )
    for _ in range(3):
        transport.post(BODY, limit=1000)
    assert waits == [0.25, 0.25]
    now[0] += 10
    transport.post(BODY, limit=1000)
    assert waits == [0.25, 0.25]


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_repeat_the_post(box: BlackBox, status: int) -> None:
    box.script = once(Reply(status, headers={"Location": "/elsewhere"}))
    assert post(box) == b'{"fine": true}'
    assert [path for path, _, _ in box.seen] == ["/model", "/elsewhere"]
    assert box.seen[0][2] == box.seen[1][2]


def test_redirects_end(box: BlackBox) -> None:
    box.script = lambda _: Reply(307, headers={"Location": "/again"})
    with pytest.raises(RemoteError, match="redirects more than 3 times"):
        post(box)
    assert len(box.seen) == 4


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "https://user:secret@example.org/", "/?x=1", "http://[/"]
)
def test_redirects_to_what_may_not_be_given_are_refused(box: BlackBox, location: str) -> None:
    box.script = lambda _: Reply(302, headers={"Location": location})
    with pytest.raises(RemoteError) as caught:
        post(box)
    assert "secret" not in str(caught.value)
    assert len(box.seen) == 1


def test_a_key_is_sent_to_its_host_only_and_never_shown(
    box: BlackBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOX_KEY", "s3cret-key")
    with serving(BlackBox(script=lambda _: OK)) as other:
        box.script = once(Reply(307, headers={"Location": other.url}))
        post(box, key_env="BOX_KEY")
        box.script = lambda _: Reply(403, b"x" * 290 + b" bad key s3cret-key")
        with pytest.raises(RemoteError, match=r"403.*--key-env") as caught:
            post(box, key_env="BOX_KEY")
    assert box.seen[0][1]["Authorization"] == "Bearer s3cret-key"
    assert "Authorization" not in other.seen[0][1]
    for shown in (
        str(caught.value),
        repr(caught.value.__cause__),
        repr(Manners(key_env="BOX_KEY")),
    ):
        assert "s3cret" not in shown
        assert "s3" not in shown


@pytest.mark.parametrize("value", [None, "", "two words", "line\nbreak", "käse"])
def test_a_key_that_cannot_be_sent_is_not_shown(
    value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BOX_KEY", raising=False)
    if value is not None:
        monkeypatch.setenv("BOX_KEY", value)
    with pytest.raises(RemoteError, match="BOX_KEY") as caught:
        Transport("https://example.org/", Manners(key_env="BOX_KEY"))
    assert not value or value not in str(caught.value)


def test_a_key_in_place_of_its_variables_name_is_not_shown() -> None:
    with pytest.raises(RemoteError, match="name of an environment variable") as caught:
        Manners(key_env="sk-s3cret")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("wrong", [{"timeout": 0}, {"timeout": float("nan")}, {"rate": -1}])
def test_manners_that_make_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(RemoteError, match="expected"):
        Manners(**wrong)  # type: ignore[arg-type]


# What leads to this machine although it must not.


def test_a_name_that_leads_here_is_refused(box: BlackBox, monkeypatch: pytest.MonkeyPatch) -> None:
    leads_to(monkeypatch, ["127.0.0.1"])
    with pytest.raises(RemoteError, match=r"faces\.example resolves to 127\.0\.0\.1.*loopback"):
        Transport(f"https://faces.example:{box.port}/", Manners()).post(BODY, limit=1000)
    assert box.seen == []


def test_a_redirect_into_the_own_network_is_refused(
    authority: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first host counts as public here, the second as what it is."""
    import compute.remote.addresses as addresses

    known = addresses.not_public
    leads_to(monkeypatch, ["127.0.0.1"])
    inner = BlackBox(script=lambda _: OK)
    with serving(BlackBox(), tls=authority) as outer, serving(inner):
        monkeypatch.setattr(addresses, "not_public", lambda a: "" if a == "127.0.0.1" else known(a))
        for location, message in (
            (f"https://127.0.0.2:{inner.port}/", "127.0.0.2 is a loopback address"),
            ("https://169.254.169.254/latest/", "link-local"),
            (f"http://faces.example:{inner.port}/", "expected https"),
        ):
            outer.script = lambda _, to=location: Reply(307, headers={"Location": to})  # type: ignore[misc]
            transport = Transport(f"https://faces.example:{outer.port}/", Manners())
            with pytest.raises(RemoteError, match=message):
                transport.post(BODY, limit=1000)
    assert len(outer.seen) == 3
    assert inner.seen == []


def test_what_was_checked_is_what_is_connected_to(
    box: BlackBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads elsewhere when asked again is not asked again."""
    asked = leads_to(monkeypatch, ["127.0.0.1"], then=["203.0.113.1"])
    transport = Transport(
        f"http://faces.example:{box.port}/model", Manners(allow_private=True), sleep=Waits()
    )
    for _ in range(3):
        transport.post(BODY, limit=1000)
    assert asked == ["faces.example"]
    assert box.seen[0][1]["Host"] == f"faces.example:{box.port}"


def test_the_next_attempt_takes_the_next_address(
    box: BlackBox, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, ["127.0.0.9", "127.0.0.1"])
    waits = Waits()
    transport = Transport(
        f"http://faces.example:{box.port}/model", Manners(allow_private=True), sleep=waits
    )
    transport.post(BODY, limit=1000)
    assert len(waits) == 1


def test_the_certificate_is_that_of_the_name(
    authority: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    leads_to(monkeypatch, ["127.0.0.1"])
    manners = Manners(allow_private=True)
    with serving(BlackBox(script=lambda _: OK), tls=authority) as box:
        good = Transport(f"https://faces.example:{box.port}/", manners)
        assert good.post(BODY, limit=1000) == b'{"fine": true}'
        other = Transport(f"https://other.example:{box.port}/", manners)
        with pytest.raises(RemoteError, match="certificate cannot be trusted"):
            other.post(BODY, limit=1000)
        monkeypatch.delenv("SSL_CERT_FILE")
        stranger = Transport(f"https://faces.example:{box.port}/", manners)
        with pytest.raises(RemoteError, match="SSL_CERT_FILE"):
            stranger.post(BODY, limit=1000)
    assert len(box.seen) == 1


def leads_to(
    monkeypatch: pytest.MonkeyPatch, numbers: list[str], *, then: list[str] | None = None
) -> list[str]:
    """Let every name lead to ``numbers``, and the next time to ``then``; return what was asked."""
    asked: list[str] = []
    known = socket.getaddrinfo

    def getaddrinfo(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        if host.replace(".", "").isdecimal():
            return known(host, port, *args, **more)
        asked.append(host)
        found = numbers if len(asked) == 1 or then is None else then
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, port)) for each in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    return asked


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a self-signed certificate for faces.example and its key, in one file."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    path = tmp_path_factory.mktemp("tls") / "faces.pem"
    public = path.with_suffix(".crt")
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    name = ["-subj", "/CN=faces.example", "-addext", "subjectAltName=DNS:faces.example"]
    subprocess.run(
        [program, *options.split(), *name, "-keyout", path, "-out", public],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    path.write_bytes(path.read_bytes() + public.read_bytes())
    return path


@pytest.fixture
def authority(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """Return what serves TLS as faces.example; clients of this test trust it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
