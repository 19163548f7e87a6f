"""Scores of comparisons kept beside the facts: a log that has grown is scored in its new part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from zantara_exp.io.whole_files import unfinished


def kept(file: Path, column: str) -> dict[str, float | None]:
    """The scores of a file, by comparison; none where it is not there."""
    import pyarrow.parquet as pq

    if not file.is_file():
        return {}
    table = pq.read_table(file)
    return dict(zip(table["comparison_id"].to_pylist(), table[column].to_pylist(), strict=True))


def keep(file: Path, column: str, scores: Mapping[str, float | None]) -> None:
    """Write them; a kill leaves the old file or the new one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.parent.mkdir(parents=True, exist_ok=True)
    columns = {"comparison_id": pa.array(scores, pa.string()), column: pa.array(scores.values(), pa.float64())}
    with unfinished(file) as waiting:
        pq.write_table(pa.table(columns), waiting)
