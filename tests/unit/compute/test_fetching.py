"""Fetching: resumed, retried, refused where it is another file; against a real server."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import urllib3

from app.settings import ROOT
from compute.errors import FetchError, HashMismatchError, RunError
from compute.fetching import transfer
from compute.fetching.fetch import RemoteFile, fetch
from compute.fetching.pins import Pins
from compute.files import exclusive
from compute.patience import Patience
from tests import web_server
from tests.web_server import Site

CONTENT = hashlib.shake_128(b"a file").digest(200_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUICK = Patience(connect=2, stall=0.3, stall_bytes=1000, attempts=3, first_wait=0.01)


@pytest.fixture
def site() -> Iterator[Site]:
    with web_server.running() as site:
        site.files["/file.bin"] = CONTENT
        yield site


class Fetching:
    """A data folder, and what was said meanwhile."""

    def __init__(self, site: Site, data: Path) -> None:
        self.site, self.data, self.folder = site, data, data / "downloads"
        self.said: list[str] = []
        self.patience = QUICK

    def file(
        self,
        path: str = "/file.bin",
        sha256: str | None = SHA256,
        size: int | None = None,
        note: str = "",
    ) -> RemoteFile:
        return RemoteFile(self.site.url(path), path[1:], sha256, size, note)

    def run(self, *files: RemoteFile) -> list[Path]:
        return fetch(
            files or [self.file()],
            self.folder,
            data=self.data,
            say=self.said.append,
            patience=self.patience,
        )

    def present(self) -> list[str]:
        """Names in the folder; what is unfinished lies in ``.incoming``."""
        return sorted(path.name for path in self.folder.iterdir() if path.is_file())

    def unfinished(self) -> list[str]:
        incoming = self.folder / ".incoming"
        return sorted(path.name for path in incoming.iterdir() if path.name != "lock")


@pytest.fixture
def fetching_(site: Site, tmp_path: Path) -> Fetching:
    return Fetching(site, tmp_path / "data")


def test_a_file_is_fetched_once(fetching_: Fetching) -> None:
    (path,) = fetching_.run()
    assert path == fetching_.folder / "file.bin"
    assert path.read_bytes() == CONTENT
    assert fetching_.run() == [path]
    assert fetching_.site.asked == [("/file.bin", None)]
    assert fetching_.unfinished() == []
    assert fetching_.said == []


def test_files_come_in_the_order_they_are_asked_for(fetching_: Fetching) -> None:
    fetching_.site.files["/other.txt"] = b"other"
    other = fetching_.file("/other.txt", hashlib.sha256(b"other").hexdigest(), size=5)
    first, second = fetching_.run(other, fetching_.file())
    assert (first.read_bytes(), second.read_bytes()) == (b"other", CONTENT)


def test_redirects_are_followed(fetching_: Fetching) -> None:
    fetching_.site.answers["/moved.bin"].append(web_server.redirect("/file.bin"))
    (path,) = fetching_.run(fetching_.file("/moved.bin"))
    assert path.name == "moved.bin"
    assert path.read_bytes() == CONTENT


def test_a_circle_of_redirects_is_refused(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.redirect("/file.bin")] * 20
    with pytest.raises(FetchError, match="more than 10 redirects"):
        fetching_.run()


def test_a_broken_download_goes_on_where_it_stopped(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.break_after(120_000)]
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert fetching_.site.asked == [("/file.bin", None), ("/file.bin", "bytes=120000-")]
    assert "trying again" in fetching_.said[0]


def test_a_failed_run_leaves_its_part_to_the_next(fetching_: Fetching) -> None:
    fetching_.patience = Patience(stall=0.3, attempts=1)
    fetching_.site.answers["/file.bin"] = [web_server.break_after(150_000)]
    with pytest.raises(FetchError, match=r"broke|ended.* Run the command again to go on"):
        fetching_.run()
    assert fetching_.present() == []
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert fetching_.site.asked[1] == ("/file.bin", "bytes=150000-")


def test_a_server_without_ranges_sends_it_all_again(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.break_after(150_000), web_server.whole]
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert "the server does not go on; from the beginning" in fetching_.said[-1]


def test_a_file_that_changed_meanwhile_is_not_mixed(fetching_: Fetching) -> None:
    new = CONTENT[::-1]

    def break_and_change(handler: web_server.Handler) -> None:
        web_server.break_after(150_000)(handler)
        handler.server.files["/file.bin"] = new

    fetching_.site.answers["/file.bin"] = [break_and_change]
    (path,) = fetching_.run(fetching_.file(sha256=None))
    assert path.read_bytes() == new
    assert fetching_.site.asked[1] == ("/file.bin", "bytes=150000-")


def test_a_part_of_an_earlier_run_is_not_trusted_without_a_hash(fetching_: Fetching) -> None:
    fetching_.patience = Patience(stall=0.3, attempts=1)
    fetching_.site.answers["/file.bin"] = [web_server.break_after(150_000)]
    with pytest.raises(FetchError):
        fetching_.run(fetching_.file(sha256=None))
    part = fetching_.folder / ".incoming" / "file.bin.part"
    part.write_bytes(bytes(part.stat().st_size))
    (path,) = fetching_.run(fetching_.file(sha256=None))
    assert path.read_bytes() == CONTENT


def test_a_part_that_does_not_fit_is_fetched_from_the_beginning(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.break_after(150_000)]
    fetching_.patience = Patience(stall=0.3, attempts=1)
    with pytest.raises(FetchError):
        fetching_.run()
    part = fetching_.folder / ".incoming" / "file.bin.part"
    part.write_bytes(bytes(part.stat().st_size))  # as after a power cut
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert "do not fit together" in fetching_.said[-1]


@pytest.mark.parametrize("answer", [web_server.stall_after(50_000), web_server.drip])
def test_a_stalled_download_is_tried_again(fetching_: Fetching, answer: web_server.Answer) -> None:
    fetching_.site.answers["/file.bin"] = [answer]
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert "0.3 s; trying again" in fetching_.said[0]


def test_momentary_failures_are_waited_out(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [
        web_server.status(500),
        web_server.status(503, Retry_After="0"),
    ]
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    first, second = fetching_.said
    assert "answers 500; trying again in 0.01 s" in first
    assert "answers 503; trying again in 0 s" in second


def test_patience_ends(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.status(500)] * 9
    with pytest.raises(FetchError, match="answers 500, 3 times in a row"):
        fetching_.run()
    assert len(fetching_.site.asked) == 3


def test_patience_doubles_and_listens() -> None:
    patience = Patience(first_wait=1, longest_wait=6)
    assert [patience.before(n, None) for n in (1, 2, 3, 4)] == [1, 2, 4, 6]
    assert [patience.before(1, 5), patience.before(1, 3600)] == [5, 6]


@pytest.mark.parametrize(
    ("code", "words"),
    [(404, "not there"), (410, "not there"), (403, "may not"), (418, "expected 200")],
)
def test_a_file_that_cannot_be_had_is_said_at_once(
    fetching_: Fetching, code: int, words: str
) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.status(code)]
    with pytest.raises(FetchError, match=rf"{words}.*{code}|{code}.*{words}") as caught:
        fetching_.run(fetching_.file(note="Ask its owner."))
    assert str(caught.value).endswith("Ask its owner.")
    assert len(fetching_.site.asked) == 1
    assert fetching_.present() == []


def test_a_server_that_is_not_there_is_named(fetching_: Fetching) -> None:
    with pytest.raises(FetchError, match=r"no answer from 127\.0\.0\.1:9, 3 times"):
        fetching_.run(RemoteFile("http://127.0.0.1:9/file.bin", "file.bin", SHA256))


def test_a_wrong_hash_is_refused_and_nothing_is_kept(fetching_: Fetching) -> None:
    fetching_.site.files["/file.bin"] = CONTENT[:-1] + b"?"
    with pytest.raises(HashMismatchError, match=SHA256):
        fetching_.run()
    assert fetching_.present() == fetching_.unfinished() == []
    fetching_.site.files["/file.bin"] = CONTENT
    fetching_.run()
    assert fetching_.site.asked[-1] == ("/file.bin", None)


def test_a_damaged_file_is_fetched_again(fetching_: Fetching) -> None:
    (path,) = fetching_.run()
    path.write_bytes(b"damaged")
    fetching_.run()
    assert path.read_bytes() == CONTENT
    assert "is another file" in fetching_.said[0]


def test_a_wrong_size_is_refused_before_the_download(fetching_: Fetching) -> None:
    with pytest.raises(FetchError, match="has 200000 bytes, expected 123: it is another file"):
        fetching_.run(fetching_.file(size=123))
    assert fetching_.unfinished() == []


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 38696353\n"


@pytest.mark.parametrize("size", [None, 38_696_353])
@pytest.mark.parametrize(
    ("content", "words"),
    [(LFS, "Git-LFS pointer"), (b"\n<!DOCTYPE html><p>Confirm!", "web page")],
)
def test_what_comes_in_a_files_place_is_named(
    fetching_: Fetching, content: bytes, words: str, size: int | None
) -> None:
    fetching_.site.files["/file.bin"] = content
    with pytest.raises(FetchError, match=words):
        fetching_.run(fetching_.file(sha256=None, size=size))
    assert fetching_.present() == fetching_.unfinished() == []


def test_a_redirect_to_an_unprotected_address_is_refused(
    fetching_: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get(self: requests.Session, url: str, **_: object) -> requests.Response:
        asked, answer = requests.Response(), requests.Response()
        asked.url, answer.url, answer.status_code = url, "http://elsewhere/file.bin", 200
        answer.history, answer.raw = [asked], urllib3.HTTPResponse()
        return answer

    monkeypatch.setattr(requests.Session, "get", get)
    with pytest.raises(FetchError, match="from https to http"):
        fetching_.run(RemoteFile("https://safe/file.bin", "file.bin", SHA256))


def test_a_body_without_a_length_is_read_to_its_end(fetching_: Fetching) -> None:
    def chunked(handler: web_server.Handler) -> None:
        handler.head(200, Transfer_Encoding="chunked")
        for start in range(0, len(CONTENT), 70_000):
            chunk = CONTENT[start : start + 70_000]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")

    fetching_.site.answers["/file.bin"] = [chunked, chunked]
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    path.unlink()
    with pytest.raises(FetchError, match="more than 1000 bytes"):
        fetching_.run(fetching_.file(size=1000))


def test_a_compressed_body_is_refused(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.send(b"..", Content_Encoding="gzip")]
    with pytest.raises(FetchError, match="compresses"):
        fetching_.run()


@pytest.mark.parametrize(
    "span",
    [
        "bytes 0-199999/200000",
        "bytes 150000-160000/200000",
        "pages 150000-199999/200000",
        "bytes 150000-?/*",
        "",
    ],
)
def test_another_part_than_asked_for_is_never_appended(fetching_: Fetching, span: str) -> None:
    def wrong(handler: web_server.Handler) -> None:
        handler.head(206, Content_Range=span, Content_Length="9")
        handler.wfile.write(b"x" * 9)

    fetching_.site.answers["/file.bin"] = [web_server.break_after(150_000), wrong]
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert "do not fit" not in " ".join(fetching_.said)


def test_a_part_that_is_too_long_is_dropped(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.break_after(150_000)]
    fetching_.patience = Patience(stall=0.3, attempts=1)
    with pytest.raises(FetchError):
        fetching_.run()
    with (fetching_.folder / ".incoming" / "file.bin.part").open("ab") as part:
        part.write(bytes(90_000))
    fetching_.patience = QUICK
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert "no such part" in fetching_.said[0]


def test_a_hash_that_nobody_publishes_is_recorded_and_then_required(fetching_: Fetching) -> None:
    unknown = fetching_.file(sha256=None)
    (path,) = fetching_.run(unknown)
    pin = Pins(fetching_.data).get(unknown.url)
    assert pin is not None
    assert (pin.sha256, pin.size) == (SHA256, 200_000)
    assert "publishes no hash. Recorded now" in fetching_.said[0]
    assert "over http, unprotected" in fetching_.said[0]
    assert SHA256 in fetching_.said[0]

    path.unlink()
    fetching_.site.files["/file.bin"] = b"changed by its owner"
    with pytest.raises(HashMismatchError, match=r"recorded at the first download.*pins\.toml"):
        fetching_.run(unknown)
    assert fetching_.present() == []


def test_a_damaged_file_of_pins_is_said(fetching_: Fetching) -> None:
    fetching_.data.mkdir()
    (fetching_.data / "pins.toml").write_text('["http://x"]\nsha256 = 1\n')
    with pytest.raises(FetchError, match=r"pins\.toml: not a file of pinned hashes"):
        fetching_.run(fetching_.file(sha256=None))


def test_a_disk_that_is_too_small_is_said_before_anything_is_asked(
    fetching_: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(fetching_.data.parent)._replace(free=100_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(FetchError, match=r"40 MB to come and 67 MB to spare.*100 MB free"):
        fetching_.run(fetching_.file(size=40_000_000))
    assert fetching_.site.asked == []


def test_a_disk_that_fills_up_keeps_what_has_come(
    fetching_: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    incoming = fetching_.folder / ".incoming"
    incoming.mkdir(parents=True)
    monkeypatch.setattr(transfer.Transfer, "discard", lambda self: None)
    (incoming / "file.bin.part").symlink_to(full)
    with pytest.raises(FetchError, match=r"the disk is full\. What has arrived is kept"):
        fetching_.run()
    assert fetching_.present() == []


def test_two_processes_do_not_fetch_into_one_folder(fetching_: Fetching) -> None:
    with (
        exclusive(fetching_.folder / ".incoming" / "lock", doing="testing"),
        pytest.raises(RunError, match="Another process is fetching files"),
    ):
        fetching_.run()


@pytest.mark.parametrize("name", ["../file.bin", "a/b", ".hidden", ""])
def test_names_that_lead_elsewhere_are_refused(fetching_: Fetching, name: str) -> None:
    with pytest.raises(FetchError, match="plain file name"):
        fetching_.run(RemoteFile(fetching_.site.url("/file.bin"), name))


PROGRAM = """
import sys
from pathlib import Path
from compute.fetching.fetch import RemoteFile, fetch
data = Path(sys.argv[1])
fetch([RemoteFile(sys.argv[2], "file.bin", sys.argv[3])], data / "downloads", data=data)
"""


def test_a_killed_download_goes_on(fetching_: Fetching) -> None:
    fetching_.site.answers["/file.bin"] = [web_server.stall_after(150_000)]
    command = [sys.executable, "-c", PROGRAM, str(fetching_.data), fetching_.file().url, SHA256]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    part = fetching_.folder / ".incoming" / "file.bin.part"
    deadline = time.monotonic() + 30
    while not (part.is_file() and part.stat().st_size == 150_000) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert fetching_.present() == []
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert fetching_.site.asked == [("/file.bin", None), ("/file.bin", "bytes=150000-")]
    assert fetching_.unfinished() == []


def test_a_download_killed_at_its_last_step_is_not_made_again(
    fetching_: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("compute.fetching.fetch._hand_over", killed)
        with pytest.raises(KeyboardInterrupt):
            fetching_.run()
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert len(fetching_.site.asked) == 1


def test_a_file_system_without_hard_links_serves(
    fetching_: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(os.strerror(1))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    (path,) = fetching_.run()
    assert path.read_bytes() == CONTENT
    assert fetching_.unfinished() == []
