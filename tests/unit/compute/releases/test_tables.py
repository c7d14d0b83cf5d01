"""Parquet: the same rows give the same bytes; other columns, gaps and NaN are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from compute.errors import ReleaseError
from compute.releases import tables
from compute.releases.layout import FOLDS, PAIRS, SCORES
from compute.releases.tables import read_table, write_table


def scores() -> dict[str, list[Any]]:
    return {
        "pair_id": [1, 2, 5],
        "distance": [0.1, 2 / 3, 1.9999999999999998],
        "threshold": [0.7, 0.7, 0.71],
        "confidence": [1.0, 0.5, 0.75],
        "prediction": [True, True, False],
        "correct": [True, False, True],
    }


def test_rows_come_back_to_the_last_bit(tmp_path: Path) -> None:
    assert write_table(tmp_path, SCORES, scores()) == 3
    assert read_table(tmp_path, SCORES) == scores()
    frame = pd.read_parquet(tmp_path / SCORES.file)
    assert frame.distance.tolist() == scores()["distance"]
    assert list(frame.columns) == list(scores())


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_table(tmp_path / name, SCORES, scores())
    first, second = (tmp_path / name / SCORES.file for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_quality_may_be_missing(tmp_path: Path) -> None:
    row = {
        column.name: {"bool": True, "string": "x", "double": None}.get(column.type, 7)
        for column in PAIRS.columns
    }
    write_table(tmp_path, PAIRS, {name: [value] for name, value in row.items()})
    assert read_table(tmp_path, PAIRS)["quality1"] == [None]


def rewrite(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        pq.write_table(change(pq.read_table(path)), path, store_schema=False)

    return spoil


def with_column(name: str, values: list[Any]) -> Callable[[Path], None]:
    def change(table: Any) -> Any:
        place = table.schema.get_field_index(name)
        field = table.schema.field(name)
        return table.set_column(place, field, pa.array(values, field.type))

    return rewrite(change)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (with_column("distance", [0.1, float("nan"), 0.2]), "distance, row 1 is not a finite"),
        (with_column("confidence", [float("inf"), 0.5, 0.5]), "confidence, row 0 is not a finite"),
        (with_column("pair_id", [1, 5, 2]), "pair_id 2 in row 2 follows 5"),
        (with_column("pair_id", [1, 1, 2]), "pair_id 1 in row 1 follows 1"),
        (rewrite(lambda t: t.drop_columns(["correct"])), "its columns are not those"),
        (rewrite(lambda t: t.append_column("x", [[1, 2, 3]])), "its columns are not those"),
        (
            rewrite(lambda t: t.set_column(0, "pair_id", [pa.array(["1", "2", "3"])])),
            "found pair_id string",
        ),
        (lambda path: path.write_bytes(b"PAR1 nothing of the kind PAR1"), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:-9]), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
    ],
)
def test_what_is_no_such_table_is_refused(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    write_table(tmp_path, SCORES, scores())
    spoil(tmp_path / SCORES.file)
    with pytest.raises(ReleaseError, match=message):
        read_table(tmp_path, SCORES)


def test_a_table_of_too_many_rows_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_table(tmp_path, SCORES, scores())
    monkeypatch.setattr(tables, "MOST_ROWS", 2)
    with pytest.raises(ReleaseError, match=r"3 rows of .* expected at most 2"):
        read_table(tmp_path, SCORES)


def test_missing_values_are_refused_where_there_must_be_one(tmp_path: Path) -> None:
    columns: dict[str, list[Any]] = {c.name: [0.5] for c in FOLDS.columns}
    columns |= {"fold": [0], "status": ["ok"]}
    write_table(tmp_path, FOLDS, columns)
    table = pq.read_table(tmp_path / FOLDS.file)
    gap = table.set_column(0, "fold", pa.array([None], pa.int16()))
    pq.write_table(gap, tmp_path / FOLDS.file, store_schema=False)
    with pytest.raises(ReleaseError, match="its columns are not those of the format"):
        read_table(tmp_path, FOLDS)
