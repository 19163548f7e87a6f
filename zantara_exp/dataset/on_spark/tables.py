"""A database's rows by ranges of their key, time and id: each worker reads its own, and all see one snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from zantara_exp.config.schema import Config
from zantara_exp.dataset import connect, query
from zantara_exp.dataset.batches import Row
from zantara_exp.dataset.parts import Within
from zantara_exp.dataset.sources import Database


@dataclass(frozen=True)
class TableRange:
    """Rows of a table between two keys."""

    config: Config
    conninfo: str
    snapshot: str
    table: query.Table
    first: datetime
    end: datetime
    within: Within

    def rows(self) -> Iterator[Row]:
        """See Range. Raises ZantaraError where the database refuses, or its snapshot is gone."""
        import psycopg

        link = connect.Link(self.conninfo, self.config, self.snapshot)
        try:
            yield from Database(self.config, link, self.table, self.first, self.end).rows(self.within)
        except psycopg.Error as broken:
            raise connect.explained(broken, self.config) from None
        finally:
            link.close()


def ranges_of(database: Database, size: int) -> list[TableRange]:
    """The rows in scope, newest first, in ranges of about `size`. The snapshot lasts as long as the connection."""
    snapshot = database.link.asked(lambda connection: connection.execute("select pg_export_snapshot()").fetchone())
    name = str(snapshot[0]) if snapshot else ""
    of = (database.config, database.link.conninfo, name, database.table, database.first, database.end)
    return [TableRange(*of, within) for within in database.parts(size)]
