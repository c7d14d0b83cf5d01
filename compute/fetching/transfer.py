"""One URL into one file over HTTP: resumed, retried with patience, refused where it is not it.

The bytes gather in a part file. Beside it lies what the server said of them (``.state``), so that
a later process goes on only with the very same file (``If-Range``) and else from the beginning.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import requests
import urllib3

from app.version import VERSION
from compute.errors import FetchError
from compute.files import require_space, write_json
from compute.patience import MOMENTARY, MomentaryError, Patience, StallClock, asked_wait
from compute.progress import progress_bar

_CHUNK: Final = 256 * 1024
_HEAD: Final = 512
_SPAN: Final = re.compile(r"bytes (\d+)-(\d+)/(\d+)", re.ASCII)
_GONE: Final = (404, 410)
_CLOSED: Final = (401, 403, 451)


@dataclass(frozen=True)
class Wanted:
    """What is to be downloaded.

    Attributes
    ----------
    size
        In bytes, where it is known.
    remedy
        What to do where it cannot be had from ``url``.
    """

    url: str
    name: str
    size: int | None
    remedy: str


@dataclass(frozen=True)
class _Body:
    """A body that is about to be read: where it starts in the file, and the file's size."""

    response: requests.Response
    offset: int
    total: int | None


class Transfer:
    """The download of one file into ``part``; ``resumed`` tells whether an earlier part served."""

    def __init__(
        self, wanted: Wanted, part: Path, *, patience: Patience, say: Callable[[str], None]
    ) -> None:
        self.resumed = False
        self._wanted = wanted
        self._part = part
        self._state = part.with_name(f"{part.name}.state")
        self._patience = patience
        self._say = say

    def run(self) -> None:
        """Bring the part to the whole file.

        Raises
        ------
        FetchError
            Where the file cannot be had; what has arrived stays for the next run.
        """
        failures, furthest = 0, 0
        with requests.Session() as session:
            session.max_redirects = 10
            while not self._is_whole():
                try:
                    with _full_disk_explained(self._part):
                        self._attempt(session)
                except MomentaryError as error:
                    have = self._have()
                    failures = 1 if have > furthest else failures + 1
                    furthest = max(have, furthest)
                    if failures >= self._patience.attempts:
                        raise FetchError(
                            f"{self._wanted.url}: {error}, {failures} times in a row. Check the "
                            "network (and HTTPS_PROXY, if there is a proxy), then run the command "
                            f"again to go on. {self._wanted.remedy}"
                        ) from error
                    wait = self._patience.before(failures, error.wait)
                    self._say(
                        f"{self._wanted.name}: {error}; trying again in {wait:g} s "
                        f"(failure {failures} of {self._patience.attempts})."
                    )
                    time.sleep(wait)

    def discard(self) -> None:
        """Forget what has arrived."""
        self._state.unlink(missing_ok=True)
        self._part.unlink(missing_ok=True)

    def _have(self) -> int:
        return self._part.stat().st_size if self._part.is_file() else 0

    def _known(self) -> dict[str, str | int | None]:
        """Return what the server said of the part: url, validator, total; empty where unknown."""
        try:
            known = json.loads(self._state.read_text(encoding="utf-8"))
            return known if known["url"] == self._wanted.url else {}
        except (OSError, ValueError, KeyError, TypeError):
            return {}  # a part of which nothing is known is not gone on with

    def _is_whole(self) -> bool:
        whole = self._known().get("total")
        return whole is not None and whole == self._have()

    def _attempt(self, session: requests.Session) -> None:
        validator = self._known().get("validator")
        have = self._have() if validator else 0
        headers = {"Accept-Encoding": "identity", "User-Agent": f"xfv/{VERSION}"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(validator)}
        try:
            with session.get(
                self._wanted.url,
                headers=headers,
                stream=True,
                timeout=(self._patience.connect, self._patience.stall),
            ) as response:
                self._receive(self._accept(response, have, validator))
        except requests.exceptions.SSLError as error:
            raise self._final(f"the connection is not secure ({error})") from error
        except (requests.ConnectionError, requests.Timeout) as error:
            asked = error.request.url if error.request is not None else None
            host = urlsplit(str(asked or self._wanted.url)).netloc
            raise MomentaryError(f"no answer from {host}") from error
        except requests.TooManyRedirects as error:
            raise self._final("more than 10 redirects") from error
        except requests.RequestException as error:
            raise self._final(f"cannot be asked for ({error})") from error

    def _accept(self, response: requests.Response, have: int, validator: object) -> _Body:
        """Read the head of an answer: which bytes of which file it brings."""
        secure = urlsplit(self._wanted.url).scheme == "https"
        if secure and any(
            urlsplit(each.url).scheme != "https" for each in (*response.history, response)
        ):
            raise self._final("redirects from https to http, where anyone may change the file")
        status = response.status_code
        if status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            self.discard()
            raise MomentaryError("the server has no such part of the file", wait=0.0)
        if status in MOMENTARY:
            raise MomentaryError(f"the server answers {status}", wait=asked_wait(response.headers))
        if status in _GONE:
            raise self._final(f"is not there (the server answers {status}): moved or withdrawn")
        if status in _CLOSED:
            raise self._final(f"may not be read (the server answers {status})")
        if status not in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
            raise self._final(f"the server answers {status}, expected 200")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise self._final("the server compresses the file although asked not to")
        if status == HTTPStatus.PARTIAL_CONTENT:
            return self._continuation(response, have, validator)
        if have:
            self._say(f"{self._wanted.name}: the server does not go on; from the beginning.")
        length = response.headers.get("Content-Length", "")
        return self._beginning(response, int(length) if length.isdecimal() else None)

    def _continuation(self, response: requests.Response, have: int, validator: object) -> _Body:
        span = _SPAN.fullmatch(response.headers.get("Content-Range", ""))
        start, end, total = (int(number) for number in span.groups()) if span else (0, 0, 0)
        same = _validator(response) in (None, validator)
        if not have or start != have or end + 1 != total or not same:
            self.discard()
            raise MomentaryError("the server sends another part than it was asked for", wait=0.0)
        self._require_size(response, total)
        self.resumed = True
        return _Body(response, have, total)

    def _beginning(self, response: requests.Response, total: int | None) -> _Body:
        if total is not None:
            self._require_size(response, total)
        self.discard()
        self._part.parent.mkdir(parents=True, exist_ok=True)
        known = {"url": self._wanted.url, "validator": _validator(response), "total": total}
        write_json(self._state, known)
        return _Body(response, 0, total)

    def _require_size(self, response: requests.Response, total: int) -> None:
        """Refuse a file of another size than the known one, or one that the disk cannot hold."""
        if self._wanted.size is not None and total != self._wanted.size:
            self.discard()
            head = response.raw.read(_HEAD)
            what = _stand_in(head) or "it is another file"
            raise self._final(f"has {total} bytes, expected {self._wanted.size}: {what}")
        require_space(self._part.parent, total - self._have(), self._wanted.name)

    def _receive(self, body: _Body) -> None:
        """Append the body to the part, and look at what has come."""
        limit = body.total if body.total is not None else self._wanted.size
        with (
            self._part.open("ab") as file,
            progress_bar(
                f"fetch {self._wanted.name}", body.total, "B", done=body.offset
            ) as progress,
        ):
            clock = StallClock(self._patience)
            have = body.offset
            while limit is None or have <= limit:
                try:
                    chunk = body.response.raw.read1(_CHUNK)
                except urllib3.exceptions.ReadTimeoutError as error:
                    raise MomentaryError(f"nothing came for {self._patience.stall:g} s") from error
                except (urllib3.exceptions.HTTPError, OSError) as error:
                    raise MomentaryError(f"the connection broke after {have} bytes") from error
                if not chunk:
                    break
                file.write(chunk)
                have += len(chunk)
                progress.update(len(chunk))
                clock.count(len(chunk))
            file.flush()
            os.fsync(file.fileno())
        self._look(have, limit)

    def _look(self, have: int, limit: int | None) -> None:
        """Refuse a body that is too short, too long, or something else in the file's place."""
        with self._part.open("rb") as file:
            what = _stand_in(file.read(_HEAD))
        if what is None and limit is not None and have < limit:
            raise MomentaryError(f"the connection ended after {have} of {limit} bytes")
        if what is None and limit is not None and have > limit:
            what = f"it has more than {limit} bytes"
        if what is not None:
            self.discard()
            raise self._final(f"is not {self._wanted.name}: {what}")
        write_json(self._state, {**self._known(), "total": have})

    def _final(self, what: str) -> FetchError:
        return FetchError(f"{self._wanted.url}: {what}. {self._wanted.remedy}")


@contextmanager
def _full_disk_explained(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise FetchError(
            f"{part}: the disk is full. What has arrived is kept: free some space and run the "
            "command again to go on."
        ) from error


def _validator(response: requests.Response) -> str | None:
    """Return what names this very version of a file: a strong ETag, or its date."""
    tag = response.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


def _stand_in(head: bytes) -> str | None:
    """Name what a server may send in a file's place, by its first bytes."""
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return (
            "it is a Git-LFS pointer, a note of where the file is kept; on GitHub, "
            "media.githubusercontent.com/media/OWNER/REPOSITORY/... has the file itself"
        )
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "it is a web page, perhaps one that asks for a confirmation"
    return None
