"""What the benchmarks compute on: a fixed list of LFW pairs and two real models, or the demo.

Real faces and models lie where ``XFV_REAL_DATA`` says; without them the drawn faces and the demo
model stand in, and the figures are told under the demo's name.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.settings import Settings
from compute.alignment import find_detector
from compute.datasets.formats.lfw import PAIRS_PER_LABEL, read_pairs
from compute.datasets.given import Given, import_given
from compute.datasets.importing import import_demo
from compute.datasets.store import StoredDataset, read_dataset
from compute.demo import MODEL_PATH
from compute.embedding import Preprocessing
from compute.registry import ModelEntry, ModelRegistry

NAME: Final = "lfw60"
EACH: Final = 3
"""Of each label and fold: 60 pairs of LFW."""
LFW: Final = {"images": 7701, "pairs": 6000}
"""The images of the whole protocol, each of which is embedded once."""

_REAL: Final = {
    "ms1m": Preprocessing("rgb", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "casia": Preprocessing("rgb", (127.5,) * 3, (128.0,) * 3),
}


@dataclass(frozen=True)
class Bench:
    """A data folder with one dataset imported and models added, as a maintainer would have it."""

    data: Path
    dataset: StoredDataset
    models: dict[str, ModelEntry]

    def pictures(self, count: int) -> list[tuple[NDArray[np.uint8], NDArray[np.uint8]]]:
        """Return the images of the first pairs, (112, 112, 3) RGB."""
        images = self.dataset.images
        return [
            (np.asarray(images[pair.image1]), np.asarray(images[pair.image2]))
            for pair in self.dataset.pairs[:count]
        ]


def prepare(data: Path) -> Bench:
    """Import and add what there is into the folder ``data``; what is there already stays."""
    real = Settings.from_environment().real_data
    registry = ModelRegistry(data)
    if real is None or not (real / "data" / "lfw-deepfunneled.tar").is_file():
        import_demo(data)
        preprocessing = Preprocessing("rgb", (127.5,) * 3, (127.5,) * 3)
        model = registry.add("demo", MODEL_PATH, preprocessing=preprocessing)
        return Bench(data, read_dataset(data, "demo"), {"demo": model})
    table = data / f"{NAME}.csv"
    _write_pairs(real / "data" / "pairs.txt", table)
    given = Given(
        images=real / "data" / "lfw-deepfunneled.tar",
        pairs=table,
        find_detector=lambda: find_detector([real / "models"]),
    )
    import_given(data, NAME, given)
    models = {
        name: registry.add(
            name, real / "models" / f"mobilefacenet_{name}.onnx", preprocessing=preprocessing
        )
        for name, preprocessing in _REAL.items()
    }
    return Bench(data, read_dataset(data, NAME), models)


def _write_pairs(official: Path, table: Path) -> None:
    """Write the first pairs of each label and fold as a list of one's own."""
    listed = read_pairs(official)
    table.parent.mkdir(parents=True, exist_ok=True)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path1", "path2", "genuine", "fold", "identity1", "identity2"])
        for block in range(0, len(listed), PAIRS_PER_LABEL):
            for pair in listed[block : block + EACH]:
                fold = block // (2 * PAIRS_PER_LABEL)
                people = pair.identity1, pair.identity2
                writer.writerow([pair.image1, pair.image2, int(pair.genuine), fold, *people])
