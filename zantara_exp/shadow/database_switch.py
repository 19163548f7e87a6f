"""With `log=postgres`, the kill switch of all replicas: the newest row of `zantara_shadow_mode(word, changed_at)`.

While the database is away the last word read counts. Before the first one shadow mode is on; the variable and the file
of `zantara_exp.shadow.switch` work without a database.
"""

from __future__ import annotations

import logging
import threading

from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.on_off import means_on
from zantara_exp.io.database import LOG, Database

_LOOK_SECONDS = 0.25
_IS_THERE = "select to_regclass('zantara_shadow_mode')"
_CREATE = """
create table if not exists zantara_shadow_mode (word text not null, changed_at timestamptz not null default now())
"""
_READ = "select word from zantara_shadow_mode order by changed_at desc limit 1"
_log = logging.getLogger(__name__)


class RowSwitch:
    """Reads the row again and again in a thread."""

    def __init__(self, variable: str) -> None:
        """Raises MissingRequirementError if the variable holds no URL."""
        self.on = True
        self._database, self._where = Database(variable, LOG), f"the database of {variable}"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shadow-mode-row", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop looking."""
        self._closing.set()

    def _run(self) -> None:
        away = False
        while not self._closing.wait(_LOOK_SECONDS):
            try:
                self.on = means_on(read_word(self._database), self._where)
                away = False
            except ZantaraError as error:
                if not away:
                    _log.warning("shadow mode stays %s meanwhile: %s", "on" if self.on else "off", error.message)
                away = True
        self._database.close()


def read_word(database: Database) -> str:
    """The newest word, empty if there is none. Raises ZantaraError if the database cannot be used."""
    with database.used() as connection:
        if connection.execute(_IS_THERE).fetchone() == (None,):
            return ""
        found = connection.execute(_READ).fetchone()
    return "" if found is None else str(found[0])


def write_word(database: Database, word: str) -> None:
    """Set the switch of all replicas. Raises ZantaraError as `read_word`."""
    with database.used() as connection:
        connection.execute(_CREATE)
        connection.execute("insert into zantara_shadow_mode (word) values (%s)", [word])
