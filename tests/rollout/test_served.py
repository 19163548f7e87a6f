"""What users were served: written without waiting, whole, by several, read back; never content."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest

from tests.dataset.conftest import open_folder
from tests.rollout.support import append_to
from tests.shadow.test_mirror import wait_for
from zantara_exp.config import Config, compose
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import embedded
from zantara_exp.rollout.served import CANDIDATE, PRIMARY, Served, ServedLog, from_line, to_line
from zantara_exp.rollout.served_store import ServedReader, append_served, open_sink, read_served

pytestmark = pytest.mark.usefixtures("workdir")

NOON = datetime(2025, 11, 3, 12, tzinfo=UTC)
LATER = NOON + timedelta(days=1)
LINE = Served(
    NOON, "r-1", "a1b2", "greeting", None, "e1", 10.0, CANDIDATE, PRIMARY, "timeout", None, 3100.5, 3000.25, 3000.0,
    "claude-3-5-haiku", 20, 9,
)  # fmt: skip


class Moody:
    """A sink that fails as long as it is told to."""

    def __init__(self) -> None:
        self.fails = True
        self.lines: list[Served] = []

    def append(self, lines: Sequence[Served]) -> tuple[int, OSError | None]:
        if self.fails:
            return 0, OSError(28, "no room")
        self.lines += lines
        return len(lines), None

    def close(self, deadline_seconds: float) -> None: ...


@contextmanager
def kept_by(config: Config) -> Iterator[Callable[..., None]]:
    """Keeps lines where the config says, and returns when readers see them."""
    sink = open_sink(config, Layout(config))

    def keep(*lines: Served) -> None:
        assert append_served(sink, lines) == (len(lines), None)
        wait_for(lambda: sink.waiting == 0)

    yield keep
    sink.close(60)


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    with open_folder() as place, embedded.server(place) as server:
        server.create_database("served")
        yield server.conninfo("served")


@pytest.fixture(params=["file", "postgres"])
def config(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Config:
    if request.param == "postgres":
        monkeypatch.setenv("ROLLOUT_DATABASE_URL", request.getfixturevalue("database"))
        with psycopg.connect(os.environ["ROLLOUT_DATABASE_URL"], autocommit=True) as connection:
            connection.execute("drop table if exists zantara_served")
    found: Config = compose([f"rollout.state={request.param}"])
    return found


def test_a_line_is_read_as_it_was_written() -> None:
    assert from_line(to_line(LINE)) == LINE
    assert LINE.fallback
    assert not replace(LINE, answered_by=CANDIDATE).fallback
    assert not replace(LINE, arm=PRIMARY).fallback


def test_written_by_two_and_read_since_a_moment(config: Config) -> None:
    layout = Layout(config)
    assert list(read_served(config, layout, NOON)) == []
    sinks = [open_sink(config, layout) for _ in range(2)]
    logs = [ServedLog(partial(append_served, sink), sink.close, lambda _: "it") for sink in sinks]
    for number in range(200):
        line = replace(LINE, request_id=f"r-{number}", timestamp=NOON + timedelta(minutes=10 * number))
        logs[number % 2].note(line, "Ciao")
    for log in logs:
        log.close()
    found = list(read_served(config, layout, NOON + timedelta(days=1)))
    assert {line.request_id for line in found} == {f"r-{number}" for number in range(144, 200)}
    assert {line.language for line in found} == {"it"}
    assert len(list(read_served(config, layout, NOON))) == 200


def test_a_day_that_has_not_changed_is_not_read_again(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []

    def counted(line: bytes | str) -> Served:
        found = from_line(line)
        parsed.append(found.request_id)
        return found

    monkeypatch.setattr("zantara_exp.rollout.served_store.from_line", counted)
    layout = Layout(config)
    with kept_by(config) as keep:
        keep(replace(LINE, request_id="first"), replace(LINE, request_id="then", timestamp=LATER))
        reader = ServedReader(config, layout)
        assert len(list(reader.read(NOON))) == len(list(reader.read(NOON))) == 2
        assert parsed == ["first", "then"]
        keep(replace(LINE, request_id="new", timestamp=LATER + timedelta(minutes=1)))
        assert [line.request_id for line in reader.read(NOON)] == ["first", "then", "new"]
        assert parsed == ["first", "then", "then", "new"]
        keep(replace(LINE, request_id="late"))  # a gateway that could not write before
        assert {line.request_id for line in reader.read(NOON)} == {"first", "then", "new", "late"}
        assert [line.request_id for line in reader.read(LATER)] == ["then", "new"]


def test_lines_wait_while_they_cannot_be_written() -> None:
    sink = Moody()
    log = ServedLog(sink.append, sink.close, lambda _: "it")
    log.note(LINE, "Ciao")
    wait_for(lambda: log._troubled)
    sink.fails = False
    wait_for(lambda: len(sink.lines) == 1)
    sink.fails = True
    log.note(LINE, "Ciao")
    log.close()
    assert log.lost == 1


def test_a_language_that_is_known_is_kept_and_one_that_cannot_be_told_costs_no_line() -> None:
    def detect(_: str) -> str:
        raise ValueError

    sink = Moody()
    sink.fails = False
    log = ServedLog(sink.append, sink.close, detect)
    log.note(replace(LINE, language="id"), "Ciao")
    log.note(LINE, "Ciao")
    log.close()
    assert [line.language for line in sink.lines] == ["id", None]


def test_unreadable_lines_are_no_evidence_and_said(caplog: pytest.LogCaptureFixture) -> None:
    config = compose([])
    layout = Layout(config)
    append_to(layout.logs, [LINE])
    path = Path("logs/shadow_mode/served_2025-11-03.jsonl")
    newer = to_line(LINE).replace(b'"schema_version":2', b'"schema_version":7')
    path.write_bytes(path.read_bytes() + b"no JSON\n{}\n" + newer)
    assert list(read_served(config, layout, NOON)) == [LINE]
    assert "3 lines of the served log cannot be read" in caplog.text
