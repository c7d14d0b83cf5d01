"""Parquet in and out: the same rows give the same bytes, and nothing is read on trust."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from compute.errors import ReleaseError
from compute.releases.layout import MOST_ROWS, MOST_TABLE_BYTES, Table

_ROW_GROUP: Final = 100_000
_MOST_METADATA: Final = 2**20

Columns = Mapping[str, Sequence[Any]]


def schema_of(table: Table) -> Any:
    """Return the Arrow schema of a table."""
    types = {
        "int64": pa.int64(),
        "int16": pa.int16(),
        "double": pa.float64(),
        "bool": pa.bool_(),
        "string": pa.string(),
    }
    return pa.schema([pa.field(c.name, types[c.type], nullable=c.nullable) for c in table.columns])


def write_table(folder: Path, table: Table, columns: Columns) -> int:
    """Write a table into ``folder`` and return its number of rows.

    Options that could follow the version or the machine are fixed, and no time is written.
    """
    arrow = pa.table({c.name: columns[c.name] for c in table.columns}, schema=schema_of(table))
    pq.write_table(
        arrow,
        folder / table.file,
        version="2.6",
        compression="zstd",
        compression_level=9,
        row_group_size=_ROW_GROUP,
        data_page_version="1.0",
        store_schema=False,
    )
    return int(arrow.num_rows)


def read_table(folder: Path, table: Table) -> dict[str, list[Any]]:
    """Return the columns of a table after checking all that its format promises.

    Raises
    ------
    ReleaseError
        For a file that is no Parquet, is larger than a release may be, has other columns, missing
        values, numbers that are not finite, or keys that are not unique and ascending.
    """
    path = folder / table.file
    try:
        with pq.ParquetFile(
            path,
            thrift_string_size_limit=_MOST_METADATA,
            thrift_container_size_limit=_MOST_METADATA,
        ) as file:
            _require_small(path, file.metadata)
            found = file.schema_arrow.remove_metadata()
            if not found.equals(schema_of(table)):
                raise ReleaseError(_other_columns(path, table, found))
            arrow = file.read()
            arrow.validate(full=True)
    except (pa.ArrowException, OSError) as error:
        raise ReleaseError(f"{path}: cannot be read as Parquet ({error}).") from error
    for column in table.columns:
        _require_sound(path, column.name, arrow.column(column.name), nullable=column.nullable)
    _require_ascending(path, table.key, arrow.column(table.key).to_numpy())
    columns: dict[str, list[Any]] = arrow.to_pydict()
    return columns


def _require_small(path: Path, metadata: Any) -> None:
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if metadata.num_rows > MOST_ROWS or size > MOST_TABLE_BYTES:
        raise ReleaseError(
            f"{path}: {metadata.num_rows:,} rows of {size:,} bytes in all, expected at most "
            f"{MOST_ROWS:,} and {MOST_TABLE_BYTES:,}."
        )


def _other_columns(path: Path, table: Table, found: Any) -> str:
    expected = ", ".join(f"{c.name} {c.type}" for c in table.columns)
    actual = ", ".join(f"{field.name} {field.type}" for field in found)
    return f"{path}: its columns are not those of the format. Expected {expected}; found {actual}."


def _require_sound(path: Path, name: str, column: Any, *, nullable: bool) -> None:
    if column.null_count and not nullable:
        raise ReleaseError(f"{path}: column {name} lacks {column.null_count} values.")
    if pa.types.is_floating(column.type):
        finite = pc.fill_null(pc.is_finite(column), True).to_numpy()  # noqa: FBT003  pyarrow's
        if not finite.all():
            row = int(np.argmin(finite))
            raise ReleaseError(f"{path}: column {name}, row {row} is not a finite number.")


def _require_ascending(path: Path, key: str, values: Any) -> None:
    wrong = np.flatnonzero(np.diff(values) <= 0)
    if wrong.size:
        row = int(wrong[0]) + 1
        raise ReleaseError(
            f"{path}: {key} {values[row]} in row {row} follows {values[row - 1]}; expected each "
            "once, in ascending order."
        )
