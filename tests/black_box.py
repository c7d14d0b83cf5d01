"""A black box on a port of this machine: it answers by the protocol, or as a test scripts it."""

from __future__ import annotations

import base64
import io
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.onnx_models import toy_embeddings

Embed = Callable[[NDArray[np.uint8]], NDArray[np.float64]]


@dataclass(frozen=True)
class Reply:
    """What is sent back: ``body`` as it is, or as JSON where it is not bytes."""

    status: int = 200
    body: Any = b""
    headers: dict[str, str] = field(default_factory=dict)
    chunks: tuple[bytes, ...] = ()
    """Sent one after another in place of the body, each with ``pause`` seconds before it."""
    pause: float = 0.0
    length: int | None = None
    """Content-Length, where it shall be another than that of the body."""


@dataclass
class BlackBox:
    """A running service; ``script`` may answer in its place, given the number of the request.

    Attributes
    ----------
    seen
        Path, headers and JSON of every request.
    """

    embed: Embed = toy_embeddings
    script: Callable[[int], Reply | None] = lambda _: None
    seen: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)
    port: int = 0
    scheme: str = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/model"

    def answer(self, asked: dict[str, Any]) -> Reply:
        """Answer as the protocol says; an image of one colour gets null."""
        pngs = [io.BytesIO(base64.b64decode(text, validate=True)) for text in asked["images"]]
        images = np.stack([np.asarray(Image.open(png)) for png in pngs])
        rows = self.embed(images)
        blank = np.ptp(images, axis=(1, 2, 3)) == 0
        if asked["wanted"] == "embeddings":
            found = [
                None if empty else row for row, empty in zip(rows.tolist(), blank, strict=True)
            ]
            return Reply(body={"protocol": 1, "embeddings": found})
        units = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        distances = [
            None if blank[a] or blank[b] else float(1 - units[a] @ units[b])
            for a, b in asked["pairs"]
        ]
        return Reply(body={"protocol": 1, "distances": distances})


def _send(handler: BaseHTTPRequestHandler, reply: Reply, done: threading.Event) -> None:
    body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
    parts = reply.chunks or (body,)
    length = sum(map(len, parts)) if reply.length is None else reply.length
    handler.send_response(reply.status)
    for name, value in {"Content-Length": str(length), **reply.headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.close_connection = reply.length is not None
    try:
        for part in parts:
            if reply.pause:
                done.wait(reply.pause)
            handler.wfile.write(part)
            handler.wfile.flush()
    except OSError:
        handler.close_connection = True


@contextmanager
def serving(box: BlackBox, *, tls: ssl.SSLContext | None = None) -> Iterator[BlackBox]:
    """Serve a black box until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            number = len(box.seen)
            box.seen.append((self.path, dict(self.headers), asked))
            _send(self, box.script(number) or box.answer(asked), done)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Say nothing where a client hangs up."""

    done = threading.Event()
    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        box.scheme = "https"
    box.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield box
    finally:
        done.set()
        server.shutdown()
        server.server_close()
        thread.join()
