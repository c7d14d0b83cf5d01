"""How long the rows of a dataset take into SQLite and PostgreSQL.

    python -m benchmarks.publishing [--pairs 6000]

The rows are made up; they go through the pipeline's own publishing. Pictures have one pixel and go
nowhere, `benchmarks/maps_and_pictures.py` measures real ones.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Final

import flask_migrate
import numpy as np

from app import create_app
from app.extensions import db
from app.media import MediaStore, media_key
from app.models import FaceModel
from app.settings import Settings
from benchmarks.explorer_site import CONDITIONS
from compute.datasets.catalogue import DatasetFacts
from compute.datasets.store import ImageRecord, PairRecord, StoredDataset
from compute.explanation import ROWS, row_name
from compute.occlusion import OcclusionSpec
from compute.publish.datasets import publish_dataset
from compute.publish.evaluations import publish_evaluation
from compute.publish.explanations import open_set
from compute.rendering import RenderedExplanation, pack
from compute.verification import Verification, verify
from compute.xmaps import NORMALISATIONS
from tests import postgresql

PAIRS: Final = 6000
DATABASES: Final = ("sqlite", "postgresql")
IMAGES_PER_PAIR: Final = 1.28
"""As in LFW: 7,701 images in 6,000 pairs."""
SPEC: Final = OcclusionSpec()


class NoPictures(MediaStore):
    """A media store that only says under which name it would have stored a picture."""

    def write(self, kind: str, data: bytes) -> str:
        """Return the key."""
        return media_key(kind, data)


def measure(pairs: int = PAIRS, databases: Sequence[str] = DATABASES) -> dict[str, Any]:
    """Publish the rows of so many pairs; return seconds by database and step.

    PostgreSQL is left out where it is not installed. Its server is one for tests, which does not
    wait for the disk; SQLite does so as the site's own.
    """
    found: dict[str, Any] = {"pairs": pairs}
    programs = postgresql.programs() if "postgresql" in databases else None
    server = postgresql.temporary_server(programs) if programs else nullcontext("")
    with tempfile.TemporaryDirectory(prefix="xfv-bench-") as folder, server as url:
        urls = {"sqlite": f"sqlite:///{folder}/xfv.sqlite3", "postgresql": url}
        for name in databases:
            if urls[name]:
                found[name] = _publish(urls[name], Path(folder), pairs)
    return found


def _publish(url: str, folder: Path, pairs: int) -> dict[str, float]:
    settings = Settings.from_environment(
        {"DATABASE_URL": url, "XFV_MEDIA_URL": str(folder / "media"), "XFV_REAL_DATA": ""}
    )
    dataset, verification = _dataset(pairs), _verification(pairs)
    explained = [_explained(seed) for seed in range(20)]
    media = NoPictures(settings.media_url)
    app = create_app(settings)
    seconds: dict[str, float] = {}
    with app.app_context():
        flask_migrate.upgrade()
        db.session.add(_model())
        db.session.commit()
        began = time.perf_counter()
        publish_dataset(media, dataset)
        seconds["images and pairs"] = time.perf_counter() - began
        began = time.perf_counter()
        publish_evaluation(
            dataset.name, "model", dataset.pairs, verification, CONDITIONS, skipped=0
        )
        seconds["results"] = time.perf_counter() - began
        began = time.perf_counter()
        with open_set(
            media, dataset.name, "model", "default", SPEC, CONDITIONS, wanted=pairs
        ) as opened:
            for i, pair in enumerate(dataset.pairs):
                opened.add(pair.id, explained[i % len(explained)])
        seconds["explanations"] = time.perf_counter() - began
        db.session.remove()
        db.engine.dispose()
    seconds["all"] = sum(seconds.values())
    return {step: round(spent, 3) for step, spent in seconds.items()}


def _dataset(pairs: int) -> StoredDataset:
    count = int(pairs * IMAGES_PER_PAIR)
    random = np.random.default_rng(0)
    chosen = random.integers(0, count, (pairs, 2)).tolist()
    return StoredDataset(
        facts=DatasetFacts("bench", "Bench", 1, pairs, "made up", "made up"),
        sha256="made up",
        origin={},
        images=np.zeros((count, 1, 1, 3), np.uint8),
        records=[
            ImageRecord(f"Some_Body_{i // 4}_{i:05d}", f"Some_Body_{i // 4}", "0" * 64, 0.5)
            for i in range(count)
        ],
        pairs=[
            PairRecord(1 + i, one, other, i % 2 == 0, i * 10 // pairs)
            for i, (one, other) in enumerate(chosen)
        ],
        skipped=[],
        masks=None,
    )


def _verification(pairs: int) -> Verification:
    genuine = np.arange(pairs) % 2 == 0
    distances = np.random.default_rng(1).normal(np.where(genuine, 0.6, 1.0), 0.12).clip(0, 2)
    return verify(distances, genuine, np.arange(pairs) * 10 // pairs)


def _explained(seed: int) -> RenderedExplanation:
    random = np.random.default_rng(seed)
    rows = [row_name(*row) for row in ROWS]
    pixel = np.full((1, 1, 3), seed, np.uint8)
    return RenderedExplanation(
        status="ok",
        deviations=pack(random.normal(0, 0.02, (len(ROWS), SPEC.count)).astype(np.float32)),
        scales={n: dict(zip(rows, random.random(5).tolist(), strict=True)) for n in NORMALISATIONS},
        xmaps=dict.fromkeys(("I1", "I2", "II1", "II2", "III1", "III2"), pixel),
    )


def _model() -> FaceModel:
    return FaceModel(
        name="model",
        title="Model",
        licence="made up",
        source="made up",
        sha256="made up",
        dimension=128,
        preprocessing={},
    )


def lines(found: dict[str, Any]) -> list[str]:
    """Return the measurement as a table."""
    return [
        f"{name:<12}{step:<20}{seconds:>8.2f} s"
        for name in DATABASES
        for step, seconds in found.get(name, {}).items()
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args(arguments)
    print("\n".join(lines(measure(options.pairs))))


if __name__ == "__main__":
    main()
