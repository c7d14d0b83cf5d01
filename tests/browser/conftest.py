"""A real site on a port of its own, and Chromium to look at it."""

from __future__ import annotations

import io
import json
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pytest
from flask import Flask
from PIL import Image as Picture
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import select
from werkzeug.serving import WSGIRequestHandler, make_server

from app import create_app
from app.extensions import db
from app.media import MediaStore
from app.models import Evaluation, Pair
from app.settings import Settings
from compute.releases.export import Wanted, export
from tests import factories
from tests.conftest import close_database, media_store_of, site_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CHROMIUM: Final = Path("/usr/bin/chromium")
ARGUMENTS: Final = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_ANSWER: Final = "tests.answer"
MASKED: Final = 1
"""The pair of the site of which it is known what really differs."""


class _Handler(WSGIRequestHandler):
    """Closes the answer to a browser that went away.

    Werkzeug drains the request first, which fails then, and leaves the answer's file open.
    """

    def connection_dropped(
        self, error: BaseException, environ: WSGIEnvironment | None = None
    ) -> None:
        if environ and (close := getattr(environ.get(_ANSWER), "close", None)):
            close()


def _remembering(app: Flask) -> WSGIApplication:
    """Return the app, keeping each answer where ``_Handler`` finds it."""

    def remember(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        environ[_ANSWER] = answer = app(environ, start)
        return answer

    return remember


@contextmanager
def served(folder: Path, migrated_file: Path) -> Iterator[tuple[str, Flask]]:
    """Serve a site on an empty database from a thread: the URL of its root, and the app."""
    database = folder / "xfv.sqlite3"
    shutil.copyfile(migrated_file, database)
    app = create_app(site_settings(folder, f"sqlite:///{database}"))
    server = make_server("127.0.0.1", 0, _remembering(app), True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", app
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        close_database(app)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[str]:
    """Serve ``make_demo``, and a second explanation set; the URL of its root, without a slash."""
    with served(tmp_path_factory.mktemp("site"), migrated_file) as (url, app):
        with app.app_context():
            _fill(media_store_of(app))
            settings: Settings = app.config["SETTINGS"]
            export(Wanted("alpha", "first", None), settings.media_url, settings.data_dir)
            db.session.remove()
        yield url


@pytest.fixture
def empty_site(tmp_path: Path, migrated_file: Path) -> Iterator[tuple[str, Flask]]:
    """Serve a site without data, to be filled by the test; its URL and app."""
    with served(tmp_path, migrated_file) as found:
        yield found


def _fill(media: MediaStore) -> None:
    session = db.session()
    factories.make_demo(session, media)
    evaluation = session.scalars(select(Evaluation).order_by(Evaluation.id)).first()
    if evaluation is None:
        raise LookupError("make_demo made no evaluation")
    factories.make_explanations(session, evaluation, [1, 3], name="second-set", media=media, seed=1)
    mask = Picture.new("L", (112, 112))
    mask.paste(255, (20, 30, 60, 50))
    buffer = io.BytesIO()
    mask.save(buffer, "PNG")
    session.get_one(Pair, MASKED).mask_media = media.write("masks", buffer.getvalue())
    session.commit()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return headless Chromium, one for all tests."""
    if not CHROMIUM.exists():
        pytest.skip(f"there is no Chromium at {CHROMIUM}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


class Watched:
    """A page that remembers what went wrong in it and whom it asked."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.problems: list[str] = []
        self.requests: list[str] = []
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.problems.append(str(error)))
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("requestfailed", lambda request: self.problems.append(f"failed: {request.url}"))

    def _console(self, message: Any) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(message.text)


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """Return a fresh context at desktop size; ``options`` as Playwright's."""
    return browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})


@pytest.fixture
def watched(chromium: Browser) -> Iterator[Watched]:
    """Return a watched page of a fresh context."""
    context = new_context(chromium)
    yield Watched(context.new_page())
    context.close()


@pytest.fixture
def viewer(watched: Watched, site: str) -> Page:
    """Return the viewer of pair 1, drawn."""
    watched.page.goto(f"{site}/viewer/1?model=first")
    wait_until_drawn(watched.page)
    return watched.page


def wait_until_drawn(page: Page, method: str = "I") -> None:
    """Wait until the maps of a method are on the canvases."""
    page.wait_for_selector(f"[data-viewer][data-drawn='{method}']")


def shown_maps(page: Page) -> list[np.ndarray[Any, np.dtype[np.float64]]]:
    """Return the maps on the canvases, left and right, (112, 112) each."""
    maps = page.eval_on_selector_all(
        "canvas[data-map]", "all => all.map((canvas) => [...canvas.shown.values])"
    )
    return [np.array(each).reshape(112, 112) for each in maps]


def shown_pixels(page: Page) -> list[np.ndarray[Any, np.dtype[np.uint8]]]:
    """Return the pixels on the canvases, (112, 112, 3) each."""
    pictures = page.eval_on_selector_all(
        "canvas[data-map]",
        "all => all.map((c) => [...c.getContext('2d').getImageData(0, 0, 112, 112).data])",
    )
    return [np.array(each, dtype=np.uint8).reshape(112, 112, 4)[..., :3] for each in pictures]


def golden() -> dict[str, Any]:
    """Return the conformance vectors as the browser takes them."""
    path = Path(__file__).parent.parent / "golden" / "conformance.json"
    vectors: dict[str, Any] = json.loads(path.read_text())
    return vectors
