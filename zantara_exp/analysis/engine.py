"""What computes the tables: DuckDB in this process, or Spark. The ibis expressions are the same on both.

Both read the same files of facts (`zantara_exp.analysis.facts`), never JSON: engines infer JSON differently, and a line
that one of them drops silently must be quarantined, not lost.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.config.decision import Engine as EngineConfig
from zantara_exp.spark import session

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa
    from ibis.expr.operations import Node


class DuckDB:
    """Tables by DuckDB in this process."""

    def __init__(self) -> None:
        import ibis

        self._ibis = ibis.duckdb.connect()
        self._ibis.raw_sql("set enable_progress_bar = false")  # a long query would draw one over our own lines
        self._tables = 0

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """Parquet files as one table; a column that a file lacks is null in its rows."""
        self._tables += 1
        files = [str(path) for path in paths]
        return self._ibis.read_parquet(files, table_name=f"zantara_{self._tables}", union_by_name=True)

    def view(self, name: str, table: ir.Table) -> ir.Table:
        """A name for an expression: ibis takes longer to compile a long one again than DuckDB to run it."""
        self._ibis.raw_sql(f'create or replace view "{name}" as {_sql(table.op())}')
        return self._ibis.table(name)

    def close(self) -> None:
        """Let go of memory."""
        self._ibis.disconnect()


class Spark:
    """Tables by Apache Spark: local, or the cluster that `engine.master` names."""

    def __init__(self, master: str, state: Path) -> None:
        import ibis

        self._session = session(master, state)
        self._ibis = ibis.pyspark.connect(self._session)
        self._tables = 0

    def read(self, paths: Sequence[Path]) -> ir.Table:
        """As DuckDB's."""
        self._tables += 1
        name = f"zantara_{self._tables}"
        rows = self._session.read.option("mergeSchema", "true").parquet(*(path.as_uri() for path in paths))
        rows.createOrReplaceTempView(name)
        return self._ibis.table(name)

    def view(self, name: str, table: ir.Table) -> ir.Table:
        """As DuckDB's."""
        return self._ibis.create_view(name, table, overwrite=True)

    def close(self) -> None:
        """Leave the session to the next one who asks: starting it takes seconds."""


Engine = DuckDB | Spark


@contextmanager
def open_engine(config: EngineConfig, state: Path) -> Iterator[Engine]:
    """The configured engine; `state` is `paths.state`. Raises MissingRequirementError where Spark cannot run here."""
    engine: Engine = DuckDB() if config.name == "duckdb" else Spark(config.master, state)
    try:
        yield engine
    finally:
        engine.close()


def fetched(table: ir.Table) -> pa.Table:
    """The rows of a table, of the types that ibis gives it.

    DuckDB's without `to_pyarrow`, which imports pandas for a class that it then has no use for: a third of a second
    before a verdict.
    """
    backend = table.get_backend()
    if backend.name != "duckdb":
        return table.to_pyarrow()
    return backend.con.sql(_sql(table.op())).to_arrow_table().cast(table.schema().to_pyarrow())


@lru_cache(512)
def _sql(asked: Node) -> str:
    """An expression in DuckDB's words, written once: ibis takes longer to write them than DuckDB to answer.

    A report opens the log for each gate and asks much of it again. Expressions are equal where tables have the same
    names and columns, whichever connection they belong to.
    """
    expression = asked.to_expr()
    found: str = expression.get_backend().compile(expression)
    return found


def first_value(value: ir.Scalar) -> Any:
    """What one value is; None where it is null."""
    return fetched(value.as_table()).column(0)[0].as_py()
