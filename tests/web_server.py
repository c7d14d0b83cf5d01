"""A web server of a test's own: it serves files with ranges, and misbehaves as it is told to."""

from __future__ import annotations

import hashlib
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Answer = Callable[["Handler"], None]


class Site(ThreadingHTTPServer):
    """Files by path; ``answers`` are given first, in turn, each to one request of its path."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {}
        self.answers: dict[str, list[Answer]] = defaultdict(list)
        self.asked: list[tuple[str, str | None]] = []
        """Path and ``Range`` of every request."""
        self.released = threading.Event()
        """Set when the test is over: whoever stalls may go."""

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that went away: tests make them."""


class Handler(BaseHTTPRequestHandler):
    """Serves one request."""

    protocol_version = "HTTP/1.1"
    server: Site

    def do_GET(self) -> None:
        self.server.asked.append((self.path, self.headers["Range"]))
        waiting = self.server.answers[self.path]
        answer = waiting.pop(0) if waiting else serve
        answer(self)

    def log_message(self, *_: Any) -> None:
        """Keep the test's output clean."""

    @property
    def content(self) -> bytes:
        return self.server.files[self.path]

    def head(self, status: int, **headers: str) -> None:
        """Send status and headers; ``_`` in a header's name stands for ``-``."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def hang_up(self) -> None:
        self.close_connection = True


def tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def serve(handler: Handler) -> None:
    """Serve the file, or the rest of it where that is asked for and it is still the same file."""
    if handler.path not in handler.server.files:
        handler.head(404, Content_Length="0")
        return
    content, etag = handler.content, tag(handler.content)
    asked = handler.headers["Range"]
    if asked is None or handler.headers.get("If-Range", etag) != etag:
        handler.head(200, Content_Length=str(len(content)), ETag=etag)
        handler.wfile.write(content)
        return
    start = int(asked.removeprefix("bytes=").removesuffix("-"))
    if start >= len(content):
        handler.head(416, Content_Range=f"bytes */{len(content)}", Content_Length="0")
        return
    handler.head(
        206,
        Content_Length=str(len(content) - start),
        Content_Range=f"bytes {start}-{len(content) - 1}/{len(content)}",
        ETag=etag,
    )
    handler.wfile.write(content[start:])


def break_after(count: int) -> Answer:
    """Answer as if all went well, and hang up after so many bytes of the file."""

    def answer(handler: Handler) -> None:
        content = handler.content
        handler.head(200, Content_Length=str(len(content)), ETag=tag(content))
        handler.wfile.write(content[:count])
        handler.hang_up()

    return answer


def stall_after(count: int) -> Answer:
    """Send so many bytes of the file, and then nothing until the test is over."""

    def answer(handler: Handler) -> None:
        content = handler.content
        handler.head(200, Content_Length=str(len(content)), ETag=tag(content))
        handler.wfile.write(content[:count])
        handler.server.released.wait(30)
        handler.hang_up()

    return answer


def drip(handler: Handler) -> None:
    """Send the file byte by byte, never silent for long."""
    content = handler.content
    handler.head(200, Content_Length=str(len(content)), ETag=tag(content))
    for each in content:
        handler.wfile.write(bytes([each]))
        if handler.server.released.wait(0.02):
            break
    handler.hang_up()


def whole(handler: Handler) -> None:
    """Send the file from the beginning, whatever part is asked for."""
    content = handler.content
    handler.head(200, Content_Length=str(len(content)), ETag=tag(content))
    handler.wfile.write(content)


def status(code: int, **headers: str) -> Answer:
    """Answer with a status and an empty body."""
    return lambda handler: handler.head(code, Content_Length="0", **headers)


def redirect(target: str) -> Answer:
    return status(302, Location=target)


def send(content: bytes, **headers: str) -> Answer:
    """Send something else in the file's place."""

    def answer(handler: Handler) -> None:
        handler.head(200, Content_Length=str(len(content)), **headers)
        handler.wfile.write(content)

    return answer


@contextmanager
def running() -> Iterator[Site]:
    """Run a site on a free port."""
    site = Site()
    thread = threading.Thread(target=site.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        site.released.set()
        site.shutdown()
        thread.join()
        site.server_close()
