"""One controller at a time, where `rollout.alone` asks for it: a second one is refused. Each says that it lives.

On one machine it is a lock of a file beside the state. With `rollout.state=postgres` it is a lock of a transaction that
stays open, which holds through a pooler too; the database ends one that was silent for `_SILENT_LOOKS` looks, so that a
controller whose machine is gone keeps the next one out no longer.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING

from zantara_exp.config.rollout import Rollout
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.io.database import STATE, Database, UnusableDatabaseError

if TYPE_CHECKING:
    from psycopg import Connection

_SILENT_LOOKS, _SILENT_SECONDS = 3, 60
_STATEMENT_MS = 5000
_TAKE = "select pg_try_advisory_xact_lock(hashtext('zantara_rollout_controller'))"


class Alone:
    """The right to be the one controller, from `take` to `close`; a sign of life alone where nobody asks for it."""

    def __init__(self, plan: Rollout, layout: Layout) -> None:
        """Raises MissingRequirementError where the database's variable holds no URL."""
        self._asked, self._alive = plan.alone, layout.controller
        self._silent_ms = int(1000 * max(_SILENT_SECONDS, _SILENT_LOOKS * plan.every_seconds))
        shared = plan.alone and plan.state == "postgres"
        self._database = Database(plan.state_url_env, STATE, _STATEMENT_MS) if shared else None
        self._connection: Connection | None = None
        self._file: int | None = None
        self._held = ExitStack()

    def take(self) -> None:
        """Take it, or keep it, before each look. Raises ZantaraError where another controller has it.

        What holds the lock may be away, as a database is now and then: that is no refusal, and the look says so.
        """
        with suppress(OSError):  # a full disk ends no controller
            self._alive.parent.mkdir(parents=True, exist_ok=True)
            self._alive.touch()
        if not self._asked:
            return
        try:
            taken = self._in_file() if self._database is None else self._in_database(self._database)
        except (OSError, UnusableDatabaseError):
            return
        if not taken:
            raise ZantaraError(
                "rollout.alone=true: another controller watches this rollout",
                f"end that one first, or leave out rollout.alone: several are safe; {command('stage=rollout')}",
            )

    def close(self) -> None:
        """Let the next one have it."""
        self._connection = None
        with suppress(UnusableDatabaseError):
            self._held.close()
        if self._database is not None:
            self._database.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _in_file(self) -> bool:
        if self._file is not None:
            return True
        opened = os.open(self._alive, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(opened)
            return False
        self._file = opened
        return True

    def _in_database(self, database: Database) -> bool:
        if self._connection is not None and self._lives(self._connection):
            return True
        self.close()
        connection = self._held.enter_context(database.used())
        connection.execute(f"set local idle_in_transaction_session_timeout = {self._silent_ms}")
        found = connection.execute(_TAKE).fetchone()
        if found is None or not found[0]:
            self.close()
            return False
        self._connection = connection
        return True

    def _lives(self, connection: Connection) -> bool:
        """Whether the transaction that holds the lock is still open; asking keeps it so."""
        import psycopg

        try:
            connection.execute("select 1")
        except psycopg.Error:
            return False
        return True
