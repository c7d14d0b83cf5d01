"""The format of a release: its files, their columns, and how much of each is believed.

Pure: nothing here reads a file or a row. ``docs/releases.md`` is the same for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from compute.explanation import ROWS, row_name
from compute.xmaps import NORMALISATIONS

FORMAT: Final = 1
MANIFEST: Final = "release.json"
CHECKSUMS: Final = "SHA256SUMS"
CROISSANT: Final = "croissant.json"
LICENCE: Final = "LICENCE.md"

SIDES: Final = tuple(row_name(method, side) for method, side in ROWS)
"""I1, I2, II1, II2, III: the second axis of an array of deviations."""
SCALES: Final = tuple((n, side, f"scale_{n}_{side}") for n in NORMALISATIONS for side in SIDES)
"""Normalisation, side and column of each published scale."""

Type = Literal["int64", "int16", "double", "bool", "string"]


@dataclass(frozen=True)
class Column:
    """One column of a table, as Parquet types it."""

    name: str
    type: Type
    help: str
    nullable: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the column as ``release.json`` states it."""
        kind = f"{self.type} or null" if self.nullable else self.type
        return {"name": self.name, "type": kind, "help": self.help}


@dataclass(frozen=True)
class Table:
    """One Parquet file; ``key`` is unique and its rows are sorted by it."""

    file: str
    help: str
    key: str
    columns: tuple[Column, ...]


PAIRS: Final = Table(
    "pairs.parquet",
    "Every pair of the dataset, whether the model could judge it or not.",
    "pair_id",
    (
        Column("pair_id", "int64", "Stable id of the pair; the key of all tables."),
        Column("genuine", "bool", "Both images show the same identity."),
        Column("fold", "int16", "Fold of the dataset's protocol."),
        Column("identity1", "string", "Identity of the first image."),
        Column("identity2", "string", "Identity of the second image."),
        Column("image1", "string", "Name of the first image in the dataset."),
        Column("image2", "string", "Name of the second image in the dataset."),
        Column("image1_sha256", "string", "SHA-256 of the first aligned image's RGB bytes."),
        Column("image2_sha256", "string", "SHA-256 of the second aligned image's RGB bytes."),
        Column("quality1", "double", "Quality of the first image.", nullable=True),
        Column("quality2", "double", "Quality of the second image.", nullable=True),
    ),
)
SCORES: Final = Table(
    "scores.parquet",
    "What the model said of each pair that it could judge.",
    "pair_id",
    (
        Column("pair_id", "int64", "The pair."),
        Column("distance", "double", "Cosine distance d, in [0, 2]."),
        Column("threshold", "double", "Threshold t of the pair's fold, learnt on the others."),
        Column("confidence", "double", "C-Score, in [0.5, 1]."),
        Column("prediction", "bool", "True where d <= t: predicted genuine."),
        Column("correct", "bool", "The prediction is the truth."),
    ),
)
FOLDS: Final = Table(
    "folds.parquet",
    "Threshold and confidence curve of each fold, fitted on the other folds.",
    "fold",
    (
        Column("fold", "int16", "The fold that was left out."),
        Column("threshold", "double", "Threshold t."),
        Column("L", "double", "Height of the sigmoid, eq. (2)."),
        Column("d0", "double", "Its middle, a distance."),
        Column("k", "double", "Its slope."),
        Column("b", "double", "Its floor."),
        Column("status", "string", "ok, or which documented fit it falls back to."),
        Column("accuracy", "double", "Share of right predictions on the fold."),
    ),
)
TABLES: Final = (PAIRS, SCORES, FOLDS)


def array_file(name: str) -> str:
    """Return the file of an explanation set's deviations."""
    return f"deviations-{name}.npy"


def explained_table(name: str) -> Table:
    """Return the table beside the array of an explanation set: one row for each of the array."""
    return Table(
        f"deviations-{name}.parquet",
        f"One row for each of {array_file(name)}, in the same order.",
        "pair_id",
        (
            Column("pair_id", "int64", "The explained pair."),
            Column("status", "string", "ok, or flat where every deviation is below 1e-6."),
            *(
                Column(column, "double", f"max|S| of the map {side}, normalised by {normalise}.")
                for normalise, side, column in SCALES
            ),
        ),
    )


def array_help(shape: tuple[int, int, int]) -> str:
    """Say what an array of deviations of ``shape`` (P, 5, K) holds."""
    pairs, _sides, occlusions = shape
    return (
        f"float32 ({pairs}, {len(SIDES)}, {occlusions}): for each pair the deviations of "
        f"{', '.join(SIDES)} under {occlusions} occlusions; patch sizes in order, then y, then x."
    )


# How much a release may hold before it is refused unread: ten times what the platform is built for.
MOST_ROWS: Final = 1_000_000
MOST_TABLE_BYTES: Final = 2**30
MOST_TEXT_BYTES: Final = 2**22
MOST_SETS: Final = 100
