"""A user's own pairs as CSV: ``path1,path2,genuine`` and, if known, fold, identities, qualities."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compute.datasets.formats.pair_lines import read_lines
from compute.datasets.pairs import FOLDS, NamedPair
from compute.errors import DatasetError

REQUIRED: Final = ("path1", "path2", "genuine")
OPTIONAL: Final = ("fold", "identity1", "identity2", "quality1", "quality2")
COLUMNS: Final = REQUIRED + OPTIONAL

_TRUTH: Final = {"1": True, "true": True, "0": False, "false": False}


@dataclass(frozen=True)
class TableRow:
    """One pair of the table.

    Attributes
    ----------
    line
        Where it is in the file, from 1: the line that it ends on.
    pair
        Images by the path that the table gives; identities are empty where it gives none.
    fold
        0 to 9, or None where the table has no such column.
    quality1, quality2
        Finite, higher is better; None where the table gives none.
    """

    line: int
    pair: NamedPair
    fold: int | None = None
    quality1: float | None = None
    quality2: float | None = None


def read_table(path: Path) -> list[TableRow]:
    """Read and check a table of pairs: UTF-8, commas, a header line, columns in any order.

    Parameters
    ----------
    path
        ``genuine`` is 1 or 0 (or true, false); a ``fold`` is 0 to 9; paths are relative to the
        folder or archive of images, with ``/``.

    Returns
    -------
    One row for each pair, in the order of the file.

    Raises
    ------
    DatasetError
        Names the file, the line, what was expected and what is there. Also where two rows
        contradict each other: about an identity, a quality, or a pair that is there twice.
    """
    # With its line end, so that a quoted break stays in its field and is refused there.
    reader = csv.reader((f"{line}\n" for line in read_lines(path)), strict=True)
    try:
        header = _header(path, next(reader, []))
        checks = _Checks(path)
        rows = []
        for fields in reader:
            if fields:
                row = _row(path, reader.line_num, header, fields)
                checks.add(row)
                rows.append(row)
    except csv.Error as error:
        raise DatasetError(
            f"{path}, line {reader.line_num}: not CSV ({error}). Quote what holds a comma or a "
            "quote."
        ) from error
    checks.finish(with_folds="fold" in header)
    return rows


def _header(path: Path, fields: list[str]) -> list[str]:
    header = [field.strip() for field in fields]
    unknown = [name for name in header if name not in COLUMNS]
    missing = [name for name in REQUIRED if name not in header]
    twice = [name for name in header if header.count(name) > 1]
    alone = [
        f"{kind}{3 - side}"
        for kind in ("identity", "quality")
        for side in (1, 2)
        if f"{kind}{side}" in header and f"{kind}{3 - side}" not in header
    ]
    for names, problem in (
        (unknown, "is unknown"),
        (missing, "is missing"),
        (twice, "is there twice"),
        (alone, "is missing beside its other half"),
    ):
        if names:
            raise DatasetError(
                f"{path}, line 1: the column {names[0][:80]!r} {problem}; expected a header such "
                f"as '{','.join(REQUIRED)}[,{','.join(OPTIONAL)}]', separated by commas."
            )
    return header


def _row(path: Path, line: int, header: list[str], fields: list[str]) -> TableRow:
    if len(fields) != len(header):
        raise DatasetError(
            f"{path}, line {line}: {len(fields)} fields, expected {len(header)} "
            f"({','.join(header)})."
        )
    cells = dict(zip(header, (field.strip() for field in fields), strict=True))
    try:
        return TableRow(
            line=line,
            pair=NamedPair(
                image1=_path("path1", cells["path1"]),
                image2=_path("path2", cells["path2"]),
                identity1=_identity("identity1", cells),
                identity2=_identity("identity2", cells),
                genuine=_truth(cells["genuine"]),
            ),
            fold=_fold(cells["fold"]) if "fold" in cells else None,
            quality1=_quality("quality1", cells),
            quality2=_quality("quality2", cells),
        )
    except ValueError as error:
        raise DatasetError(f"{path}, line {line}: {error}.") from error


def _wrong(column: str, text: str, expected: str) -> ValueError:
    return ValueError(f"{column} is {text[:200]!r}, expected {expected}")


def _path(column: str, text: str) -> str:
    parts = text.split("/")
    if "\\" in text or not text.isprintable() or any(part in ("", ".", "..") for part in parts):
        raise _wrong(
            column, text, "a path inside the images' folder, such as 'Ada/1.jpg', separated by '/'"
        )
    return text


def _identity(column: str, cells: dict[str, str]) -> str:
    if column not in cells:
        return ""
    if not cells[column] or not cells[column].isprintable():
        raise _wrong(column, cells[column], "a name (or leave both columns out)")
    return cells[column]


def _truth(text: str) -> bool:
    if text.lower() not in _TRUTH:
        raise _wrong("genuine", text, "1 (one person) or 0 (two persons)")
    return _TRUTH[text.lower()]


def _fold(text: str) -> int:
    if text not in {str(fold) for fold in range(FOLDS)}:
        raise _wrong("fold", text, f"0 to {FOLDS - 1}")
    return int(text)


def _quality(column: str, cells: dict[str, str]) -> float | None:
    text = cells.get(column, "")
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise _wrong(column, text, "a number, higher is better (or nothing)")
    return value


class _Checks:
    """What rows must agree on, and where each fact was said first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pairs: dict[frozenset[str], int] = {}
        self._said: dict[tuple[str, str], tuple[str | float, int]] = {}
        self._labels: set[bool] = set()
        self._folds: set[int | None] = set()

    def add(self, row: TableRow) -> None:
        pair = row.pair
        if pair.image1 == pair.image2:
            self._refuse(row, f"pairs {pair.image1} with itself; expected two images")
        key = frozenset((pair.image1, pair.image2))
        if key in self._pairs:
            self._refuse(
                row,
                f"{pair.image1} and {pair.image2} are a pair on line {self._pairs[key]} already; "
                "expected each pair once",
            )
        self._pairs[key] = row.line
        for image, kind, fact in _facts(row):
            said, line = self._said.setdefault((image, kind), (fact, row.line))
            if said != fact:
                self._refuse(
                    row,
                    f"the {kind} of {image} is {fact!r}, expected {said!r} as on line {line}",
                )
        if pair.identity1 and pair.genuine != (pair.identity1 == pair.identity2):
            self._refuse(
                row,
                f"genuine is {int(pair.genuine)} for the identities {pair.identity1!r} and "
                f"{pair.identity2!r}; expected 1 for one identity, 0 for two",
            )
        self._labels.add(pair.genuine)
        self._folds.add(row.fold)

    def finish(self, *, with_folds: bool) -> None:
        if len(self._labels) < 2:
            what = "no pairs" if not self._labels else "pairs of one label only"
            raise DatasetError(
                f"{self._path}: {what}, expected genuine (1) and impostor (0) pairs: a threshold "
                "needs both."
            )
        if with_folds and len(self._folds) < 2:
            raise DatasetError(
                f"{self._path}: one fold only, expected two or more (or no column 'fold'): the "
                "threshold of a fold comes from the others."
            )

    def _refuse(self, row: TableRow, what: str) -> None:
        raise DatasetError(f"{self._path}, line {row.line}: {what}.")


def _facts(row: TableRow) -> Iterator[tuple[str, str, str | float]]:
    pair = row.pair
    for image, identity, quality in (
        (pair.image1, pair.identity1, row.quality1),
        (pair.image2, pair.identity2, row.quality2),
    ):
        if identity:
            yield image, "identity", identity
        if quality is not None:
            yield image, "quality", quality
