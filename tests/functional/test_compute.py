"""The pipeline as a maintainer runs it: commands, exit codes, kills, and what they publish."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.settings import ROOT
from compute import OcclusionSpec, explain_pair, xmap
from compute.datasets.store import ImageRecord, PairRecord, image_sha256, write_dataset
from compute.embedding import Preprocessing
from compute.explanation import ROWS
from compute.images import decode
from compute.opening import open_embedder
from compute.registry import ModelRegistry
from tests import onnx_models

FIRST_ID = 30001
SPEC = "patch_sizes = [28]\nstride = 20\n"


class Site:
    """A data folder, a media folder and a migrated database of one's own."""

    def __init__(self, folder: Path, migrated: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.data = folder / "data"
        self.database = folder / "xfv.sqlite3"
        self.database.write_bytes(migrated.read_bytes())
        self.environment = {
            **os.environ,
            "DATABASE_URL": f"sqlite:///{self.database}",
            "XFV_DATA_DIR": str(self.data),
            "XFV_MEDIA_URL": str(folder / "media"),
            "XFV_REAL_DATA": "",
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "flask", *arguments]

    def run(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*arguments),
            cwd=ROOT,
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        connection = sqlite3.connect(self.database, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def published(self) -> dict[str, Any]:
        """Return everything that must not depend on interruptions."""
        media = self.folder / "media"
        return {
            "media": {
                path.relative_to(media).as_posix(): path.read_bytes()
                for path in media.rglob("*")
                if path.is_file()
            },
            "results": self.query("SELECT * FROM result ORDER BY pair_id, model_id"),
            "folds": self.query("SELECT * FROM fold_score ORDER BY 1, 2"),
            "pairs": self.query("SELECT * FROM pair ORDER BY id"),
            "explanations": self.query("SELECT * FROM explanation ORDER BY set_id, pair_id"),
        }


def faces() -> NDArray[np.uint8]:
    """Return 24 images of 8 identities: three noisy copies of each."""
    rng = np.random.default_rng(7)
    base = rng.integers(0, 256, (8, 14, 14, 3)).repeat(8, axis=1).repeat(8, axis=2)
    noisy = base.repeat(3, axis=0) + rng.integers(-40, 41, (24, 112, 112, 3))
    images: NDArray[np.uint8] = np.clip(noisy, 0, 255).astype(np.uint8)
    return images


def store(data: Path, pixels: NDArray[np.uint8]) -> None:
    records = [
        ImageRecord(f"id{i // 3}/{i:04d}.png", f"id{i // 3}", image_sha256(image))
        for i, image in enumerate(pixels)
    ]
    pairs: list[PairRecord] = []
    for fold in range(8):
        own = 3 * fold
        other = (own + 3) % 24
        for genuine, (a, b) in (
            (True, (own, own + 1)),
            (True, (own, own + 2)),
            (False, (own, other)),
            (False, (own + 1, other)),
        ):
            pairs.append(PairRecord(FIRST_ID + len(pairs), a, b, genuine, fold))
    write_dataset(data, "demo", images=pixels, records=records, pairs=pairs, skipped=[], origin={})


@pytest.fixture
def site(tmp_path: Path, migrated_file: Path) -> Site:
    site = Site(tmp_path / "site", migrated_file)
    store(site.data, faces())
    add_model(site, "toy", onnx_models.toy())
    return site


def add_model(site: Site, name: str, model: bytes) -> None:
    path = site.folder / f"{name}.onnx"
    path.write_bytes(model)
    ModelRegistry(site.data).add(name, path, preprocessing=Preprocessing())


def test_pipeline_and_library_say_the_same(site: Site) -> None:
    done = site.run("compute", "--dataset", "demo", "--model", "toy", "--pairs", str(FIRST_ID))
    assert done.returncode == 0, done.stderr
    registry = ModelRegistry(site.data)
    embed = open_embedder(registry, registry.get("toy"), batch=7, threads=1)
    images = faces()[:2]
    expected = explain_pair(embed, images[0], images[1])
    ((blob, status),) = site.query("SELECT deviations, status FROM explanation")
    stored = np.frombuffer(zlib.decompress(blob), "<f4").reshape(5, OcclusionSpec().count)
    for (method, side), row in zip(ROWS, stored, strict=True):
        assert np.abs(row - expected.deviations(method, side)).max() < 1e-5
    assert status == "ok"
    ((key,),) = site.query("SELECT json_extract(xmaps, '$.III2') FROM explanation")
    drawn = decode((site.folder / "media" / key).read_bytes(), key).astype(int)
    whole = xmap(images[1], expected.similarity_map("III", 2)).astype(int)
    assert np.abs(drawn - whole).max() <= 1
    ((distance, explained),) = site.query(
        f"SELECT distance, explained FROM result WHERE pair_id = {FIRST_ID}"
    )
    assert distance == pytest.approx(expected.distance, abs=1e-6)
    assert explained == 1
    assert site.query("SELECT count(*), sum(explained) FROM result") == [(32, 1)]


def test_running_again_changes_nothing(site: Site) -> None:
    spec = site.folder / "coarse.toml"
    spec.write_text(SPEC)
    command = ("compute", "--dataset", "demo", "--spec", str(spec), "--limit", "6")
    assert site.run(*command).returncode == 0
    before = site.published()
    again = site.run(*command)
    assert again.returncode == 0
    assert "verified before" in again.stdout
    assert "0 pairs explained" in again.stdout
    assert site.published() == before


def test_a_killed_run_goes_on_to_the_bytes_of_one_that_was_not(
    site: Site, tmp_path: Path, migrated_file: Path
) -> None:
    whole = Site(tmp_path / "whole", migrated_file)
    store(whole.data, faces())
    add_model(whole, "toy", onnx_models.toy())
    command = ("compute", "--dataset", "demo", "--model", "toy", "--limit", "12")
    assert whole.run(*command).returncode == 0

    # The killed run has little memory, too: it embeds images again where the whole one did not.
    killed = 0
    for wanted in (1, 5):
        process = subprocess.Popen(
            site.command(*command),
            cwd=ROOT,
            env=site.environment | {"XFV_MEMORY_GIB": "0.000001"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            if site.query("SELECT count(*) FROM explanation")[0][0] >= wanted:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.02)
        killed += process.wait() == -signal.SIGKILL
    assert killed == 2
    last = site.run(*command, XFV_MEMORY_GIB="0.000001")
    assert last.returncode == 0
    assert site.published() == whole.published()


def test_little_memory_embeds_again_and_says_so(site: Site) -> None:
    done = site.run("compute", "--dataset", "demo", "--limit", "16", XFV_MEMORY_GIB="0.000001")
    assert done.returncode == 0
    assert "embedded again" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--dataset", "lwf"), "Unknown dataset 'lwf'"),
        (("--dataset", "lfw"), "not imported"),
        (("--dataset", "demo", "--model", "tory"), "Unknown model 'tory'"),
        (("--dataset", "demo", "--pairs", "1"), "has no pair 1"),
        (("--dataset", "demo", "--pairs", "x"), "neither an id nor a range"),
        (("--dataset", "demo", "--limit", "0"), "expected 1 or more"),
        (("--dataset", "demo", "--spec", "grey"), "expected one of default"),
    ],
)
def test_wrong_words_are_named(site: Site, arguments: tuple[str, ...], message: str) -> None:
    done = site.run("compute", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_new_database_is_to_be_upgraded_first(site: Site) -> None:
    site.database.unlink()
    done = site.run("compute", "--dataset", "demo")
    assert done.returncode == 2
    assert "flask db upgrade" in done.stderr


def test_a_damaged_store_is_refused(site: Site) -> None:
    images = site.data / "datasets/demo/images.npy"
    damaged = bytearray(images.read_bytes())
    damaged[-1] ^= 1
    images.write_bytes(damaged)
    done = site.run("compute", "--dataset", "demo")
    assert done.returncode == 2
    assert "SHA-256" in done.stderr
    assert site.query("SELECT count(*) FROM result") == [(0,)]


def test_a_folder_that_cannot_be_written_is_said(site: Site) -> None:
    (site.folder / "media").write_text("in the way")
    done = site.run("compute", "--dataset", "demo")
    assert done.returncode == 2
    assert "media" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (onnx_models.two_inputs, "2 inputs"),
        (onnx_models.nan_output, "not finite"),
        (onnx_models.zero_output, "zero"),
    ],
)
def test_models_that_cannot_be_used_are_refused(site: Site, model: Any, message: str) -> None:
    path = site.folder / "bad.onnx"
    path.write_bytes(model())
    done = site.run("models", "add", "bad", "--onnx", str(path))
    assert done.returncode == 2
    assert message in done.stderr
    assert "bad" not in ModelRegistry(site.data).entries()


def test_pairs_of_an_image_that_fails_are_skipped_and_listed(
    tmp_path: Path, migrated_file: Path
) -> None:
    site = Site(tmp_path / "site", migrated_file)
    pixels = faces()
    pixels[2] = 255
    store(site.data, pixels)
    add_model(site, "blind", onnx_models.toy(nan_above=254.0))
    done = site.run("compute", "--dataset", "demo", "--limit", "4")
    assert done.returncode == 1
    assert f"skipped pair {FIRST_ID + 1}: id0/0002.png" in done.stderr
    assert site.query("SELECT count(*), sum(explained) FROM result") == [(31, 4)]
    assert site.query("SELECT pair_count, skipped_count FROM evaluation") == [(31, 1)]
