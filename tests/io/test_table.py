"""Tables of events: who writes makes them, who reads does not, and those of earlier versions are brought up to date."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

from tests.dataset.conftest import open_folder
from zantara_exp.dataset import embedded
from zantara_exp.io.database import LOG
from zantara_exp.io.events import COMPLAINTS, SERVED, Kind
from zantara_exp.io.table import Row, Table


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with open_folder() as place, embedded.server(place) as server:
        server.create_database("events")
        yield server.conninfo("events")


@pytest.fixture(autouse=True)
def variable(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOG_DATABASE_URL", url)


def table(kind: Kind) -> closing[Table]:
    return closing(Table(kind, "LOG_DATABASE_URL", LOG))


def test_a_reader_makes_no_table_and_a_writer_does(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as admin, table(COMPLAINTS) as reader:
        assert reader.days() == []
        assert reader.known_end("spool") == 0
        assert reader.edit(lambda line: None, dry=True) == 0
        assert admin.execute("select to_regclass('zantara_complaints')").fetchone() == (None,)
        with table(COMPLAINTS) as writer:
            writer.add([Row("spool", 9, '{"timestamp":"2025-10-21T08:00:00Z"}')])
        assert [(day.day, day.lines) for day in reader.days()] == [("2025-10-21", 1)]
        assert reader.known_end("spool") == 9


def test_a_table_of_an_earlier_version_is_brought_up_to_date(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as older:
        older.execute("create table zantara_served (at timestamptz not null, line text not null)")
        older.execute("insert into zantara_served values ('2025-10-20T23:30:00Z', 'first'), ('2025-10-21', 'then')")
        with table(SERVED) as reader:
            assert [(day.day, day.lines) for day in reader.days()] == [("2025-10-20", 1), ("2025-10-21", 1)]
            assert [line for rows in reader.of_day("2025-10-20") for _, line in rows] == ["first"]
        older.execute("insert into zantara_served (at, line) values (now(), 'of a gateway of that version')")
    with table(SERVED) as reader:
        assert sum(day.lines for day in reader.days()) == 3
