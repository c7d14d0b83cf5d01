"""The CSV of a query: all its rows, streamed."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.explorer.filters import ExplorerQuery
from app.explorer.rows import PAIR_FIELDS, RESULT_FIELDS, PairRow, load_rows

CHUNK: Final = 1000
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def stream_table(engine: Engine, query: ExplorerQuery, ids: array[int]) -> Iterator[str]:
    """Yield the CSV (RFC 4180) of the pairs of ``ids``, a chunk of rows at a time.

    The request's own session ends with the request, before the last chunk: the stream has one of
    its own, closed with the stream, be it read to its end or not.
    """
    names = [model.name for model in query.models]
    yield lines([[*PAIR_FIELDS, *(f"{name}.{field}" for name in names for field in RESULT_FIELDS)]])
    with Session(engine) as session:
        for start in range(0, len(ids), CHUNK):
            rows = load_rows(
                session,
                ids[start : start + CHUNK].tolist(),
                datasets=query.known_datasets,
                models=query.models,
            )
            yield lines([_cells(row, names) for row in rows])


def _cells(row: PairRow, models: list[str]) -> list[str]:
    cells = [cell(getattr(row, field)) for field in PAIR_FIELDS]
    for name in models:
        result = row.models[name]
        cells += ["" if result is None else cell(getattr(result, f)) for f in RESULT_FIELDS]
    return cells


def cell(value: Any) -> str:
    """Return one cell: flags as 0 and 1, exact numbers, nothing for a missing value.

    A spreadsheet would run a text that begins like a formula: such a text gets an apostrophe.
    """
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, str) and value.startswith(FORMULA):
        return f"'{value}"
    return repr(value) if isinstance(value, float) else str(value)


def lines(rows: list[list[str]]) -> str:
    """Return rows of cells as CSV (RFC 4180)."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator="\r\n").writerows(rows)
    return buffer.getvalue()
