"""All rows of a query, streamed: as CSV, or as the JSON's rows, one to a line."""

from __future__ import annotations

import csv
import io
from array import array
from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from app.api.replies import json_line
from app.explorer.columns import ColumnRef
from app.explorer.filters import ExplorerQuery
from app.explorer.layout import table_columns
from app.explorer.rows import PairRow, load_rows

CHUNK: Final = 1000
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def stream_table(engine: Engine, query: ExplorerQuery, ids: array[int]) -> Iterator[str]:
    """Yield the CSV (RFC 4180) of the pairs of ``ids``, a chunk of rows at a time."""
    columns = table_columns(query)
    yield lines([[ref.name for ref in columns]])
    for rows in _chunks(engine, query, ids):
        yield lines([[cell(_value(row, ref)) for ref in columns] for row in rows])


def stream_json_lines(engine: Engine, query: ExplorerQuery, ids: array[int]) -> Iterator[bytes]:
    """Yield the rows of the JSON, one to a line, a chunk of rows at a time."""
    for rows in _chunks(engine, query, ids):
        yield b"".join(json_line(row.to_json()) for row in rows)


def _chunks(engine: Engine, query: ExplorerQuery, ids: array[int]) -> Iterator[list[PairRow]]:
    """Yield the rows of ``ids``, `CHUNK` at a time.

    The request's own session ends with the request, before the last chunk: the stream has one of
    its own, closed with the stream, be it read to its end or not. Each chunk is a transaction, with
    the time that a page has.
    """
    with Session(engine) as session:
        for start in range(0, len(ids), CHUNK):
            rows = load_rows(
                session,
                ids[start : start + CHUNK].tolist(),
                datasets=query.known_datasets,
                models=query.models,
            )
            session.rollback()
            yield rows


def _value(row: PairRow, ref: ColumnRef) -> Any:
    if ref.model is None:
        return getattr(row, ref.column.name)
    result = row.models.get(ref.model.name)
    return None if result is None else result.get(ref.column.name)


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
