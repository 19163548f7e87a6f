"""Parquet files of the comparison log's tables, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from zantara_exp.whole import remove_leftovers, unfinished

_GROUP = 16 << 20
"""Bytes of a group of the Parquet file: few large answers fill one as well as many small ones."""
_REPEATED = (
    *("epoch", "arm", "user", "category", "language", "sampling_reason", "scope_why_not"),
    *(f"{side}_{name}" for side in ("primary", "candidate") for name in ("model", "provider", "error")),
)
"""Columns of few values; a dictionary of texts that never come again would only take time."""


def write_parquet(target: Path, tables: Iterable[Any]) -> None:
    """Write tables of one schema as one Parquet file; no tables, no file."""
    import pyarrow.parquet as pq

    groups = _gathered(tables)
    first = next(groups, None)
    if first is None:
        remove_leftovers(target)
        target.unlink(missing_ok=True)
        return
    repeated = [name for name in first.schema.names if name in _REPEATED]
    with (
        unfinished(target) as waiting,
        # snappy takes half the time of zstd, and nobody looks for the least and greatest of texts
        pq.ParquetWriter(
            waiting, first.schema, compression="snappy", use_dictionary=repeated, write_statistics=["day"]
        ) as writer,
    ):
        for table in chain([first], groups):
            writer.write_table(table)


def _gathered(tables: Iterable[Any]) -> Iterator[Any]:
    """The same rows in tables of at least _GROUP bytes, but for the last."""
    import pyarrow as pa

    waiting: list[Any] = []
    size = 0
    for table in tables:
        waiting.append(table)
        size += table.nbytes
        if size >= _GROUP:
            yield pa.concat_tables(waiting)
            waiting, size = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def size_of(made: Path) -> str:
    """Rows and bytes of a Parquet file, or why it has none: what tells that it is the one that was written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return f"{pq.read_metadata(made).num_rows} in {made.stat().st_size}"
    except FileNotFoundError:
        return "none"
    except pa.ArrowInvalid:
        return "damaged"
