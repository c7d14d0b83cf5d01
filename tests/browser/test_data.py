"""Releases in the browser: both pages, clean, readable and without a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from app.extensions import db
from app.settings import Settings
from compute.releases.export import Wanted, export
from tests import factories
from tests.browser.conftest import Watched, new_context, served
from tests.conftest import media_store_of

pytestmark = pytest.mark.browser

PATHS = ["/data", "/data/alpha/first/1.1.0"]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[str]:
    """Serve a site with two versions of a release; the URL of its root, without a slash."""
    with served(tmp_path_factory.mktemp("shelf"), migrated_file) as (url, app):
        settings: Settings = app.config["SETTINGS"]
        with app.app_context():
            factories.make_demo(db.session(), media_store_of(app))
            for sets in ((), None):
                export(Wanted("alpha", "first", sets), settings.media_url, settings.data_dir)
            db.session.remove()
        yield url


@pytest.mark.parametrize("path", PATHS)
def test_a_page_loads_clean_its_description_included(
    watched: Watched, shelf: str, path: str
) -> None:
    watched.page.goto(shelf + path, wait_until="networkidle")
    assert watched.problems == []
    assert all(url.startswith(shelf) for url in watched.requests)


def test_from_the_list_to_a_file_without_scripts(chromium: Browser, shelf: str) -> None:
    context = new_context(chromium, java_script_enabled=False)
    page = context.new_page()
    page.goto(shelf + "/data")
    page.get_by_role("link", name="1.1.0 of First on Alpha").click()
    page.get_by_role("navigation", name="Versions").get_by_role("link", name="1.0.0").click()
    assert page.url.endswith("/data/alpha/first/1.0.0")
    page.go_back()
    with page.expect_download() as started:
        page.get_by_role("link", name="deviations-default.npy").click()
    assert started.value.suggested_filename == "deviations-default.npy"
    assert Path(started.value.path()).stat().st_size == 128 + 19 * 5 * 1058 * 4
    context.close()
