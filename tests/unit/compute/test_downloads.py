"""Pulling datasets: what is known of their files, and what comes of it, from a real server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import Result
from flask import Flask

from compute.datasets import downloads
from compute.datasets.catalogue import CATALOGUE
from compute.datasets.download_table import DOWNLOADS, SOURCES, ByHand, Download
from compute.datasets.downloads import pull, pulled
from compute.errors import DatasetError, FetchError
from compute.fetching.fetch import RemoteFile
from compute.patience import Patience
from tests import web_server
from tests.web_server import Site

QUICK = Patience(stall=0.5, attempts=1)


def known_files() -> list[RemoteFile]:
    return [
        file
        for sources in DOWNLOADS.values()
        for known in sources.values()
        if isinstance(known, Download)
        for file in (*known.files, *known.lists)
    ]


def test_every_dataset_that_is_not_drawn_can_be_pulled() -> None:
    assert set(CATALOGUE) - {"demo"} <= set(DOWNLOADS)
    for sources in DOWNLOADS.values():
        assert any(isinstance(known, Download) for known in sources.values())
        assert list(sources) == [source for source in SOURCES if source in sources]


def test_what_is_known_of_the_files_is_well_formed() -> None:
    for file in known_files():
        assert file.sha256 is None or re.fullmatch(r"[0-9a-f]{64}", file.sha256), file.name
        assert file.url.startswith("https://") or file.sha256 is None, file.name
    by_name = {file.name: file for file in known_files()}
    assert all(by_name[file.name] == file for file in known_files())  # one folder holds all
    hashes = [file.sha256 for file in by_name.values() if file.sha256]
    assert len(set(hashes)) == len(hashes)


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    with web_server.running() as site:
        site.files |= {"/toy.tfrecord": b"records", "/toy.zip": b"images"}

        def file(name: str) -> RemoteFile:
            content = site.files.get(f"/{name}")
            sha256 = hashlib.sha256(content).hexdigest() if content else None
            return RemoteFile(site.url(f"/{name}"), name, sha256)

        table = {
            "toy": {
                "tfrecord": Download((file("toy.tfrecord"),), (file("pairs.txt"),)),
                "original": Download((file("toy.zip"), file("pairs.txt"))),
                "bin": ByHand("Ask its authors."),
            }
        }
        monkeypatch.setattr(downloads, "DOWNLOADS", table)
        yield site


def test_the_first_source_is_pulled_and_then_known_to_be_there(site: Site, tmp_path: Path) -> None:
    site.files["/pairs.txt"] = b"pairs"
    assert pulled(tmp_path, "toy", "tfrecord") is None
    report = pull(tmp_path, "toy", patience=QUICK)
    assert (report.source, report.skipped) == ("tfrecord", [])
    assert report.paths == [tmp_path / "downloads" / name for name in ("toy.tfrecord", "pairs.txt")]
    assert pulled(tmp_path, "toy", "tfrecord") == report.paths
    assert pulled(tmp_path, "toy", "original") is None
    assert pulled(tmp_path, "toy", "bin") is None
    assert pulled(tmp_path, "own", "tfrecord") is None


def test_a_list_that_cannot_be_had_is_skipped(site: Site, tmp_path: Path) -> None:
    report = pull(tmp_path, "toy", patience=QUICK)
    assert [skipped.what for skipped in report.skipped] == ["pairs.txt"]
    assert "404" in report.skipped[0].reason
    assert pulled(tmp_path, "toy", "tfrecord") == [tmp_path / "downloads" / "toy.tfrecord"]


def test_a_file_that_is_needed_is_not_skipped(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="404"):
        pull(tmp_path, "toy", "original", patience=QUICK)
    assert pulled(tmp_path, "toy", "original") is None


@pytest.mark.parametrize(
    ("name", "source", "words"),
    [
        ("own", None, "own: nothing on the web is known for it; to be pulled: toy"),
        ("toy", "ftp", "no source 'ftp', expected one of tfrecord, original, bin"),
        ("toy", "bin", r"Ask its authors\. Then run: flask datasets import toy"),
    ],
)
def test_what_cannot_be_pulled_is_explained(
    site: Site, tmp_path: Path, name: str, source: str | None, words: str
) -> None:
    with pytest.raises(DatasetError, match=words):
        pull(tmp_path, name, source)


@pytest.fixture
def database_url(migrated_file: Path) -> str:
    """Use any database: the command reads none."""
    return f"sqlite:///{migrated_file}"


def test_the_command_lists_its_files_and_what_it_skipped(site: Site, app: Flask) -> None:
    def run(*arguments: str) -> Result:
        return app.test_cli_runner().invoke(args=["datasets", "pull", *arguments])

    done = run("toy")
    assert done.exit_code == 1
    assert "toy pulled from tfrecord. Next: flask datasets import toy" in done.output
    assert "skipped pairs.txt" in done.output
    site.files["/pairs.txt"] = b"pairs"
    done = run("toy")
    assert done.exit_code == 0
    assert "Recorded now, required from then on" in done.output
    assert run("toy", "--source", "bin").exit_code == 2
