"""The kill switches of shadow mode: off within a second, without a restart.

SHADOW_MODE_ENABLED=false                              in the environment of the process
python -m zantara_exp.shadow.switch off                the file .zantara/shadow_mode, for all that share `paths.state`
python -m zantara_exp.shadow.switch off log=postgres   a row, for replicas on all machines; `on` and `show` likewise
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.core.on_off import means_on

VARIABLE = "SHADOW_MODE_ENABLED"


class Switch:
    """Whether shadow mode is on. With no switch set it is on; an unknown word means off, with a warning."""

    def __init__(self, state: Path) -> None:
        self.file = state / "shadow_mode"

    def is_on(self) -> bool:
        """Read both switches; costs a system call."""
        return means_on(os.environ.get(VARIABLE, ""), VARIABLE) and means_on(self._noted(), str(self.file))

    def _noted(self) -> str:
        try:
            return self.file.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError):
            return "unreadable"


def main(arguments: Sequence[str]) -> int:
    """Turn shadow mode off or on, or show it; returns the exit status."""
    from zantara_exp.config import compose
    from zantara_exp.core import terminal
    from zantara_exp.core.errors import ConfigError, ZantaraError
    from zantara_exp.core.next_command import command

    try:
        word, *overrides = arguments or [""]
        if word not in ("on", "off", "show"):
            raise ConfigError(
                f"'{word}' is no word of this switch: on, off or show, and then overrides",
                command("show", *overrides, program="python -m zantara_exp.shadow.switch"),
            )
        terminal.say(turned(word, compose(overrides)))
    except ZantaraError as error:
        terminal.say(str(error))
        return error.exit_status
    return 0


def turned(word: str, config: Config) -> str:
    """Set the switch that the config names, unless the word is `show`; return its state as text."""
    from zantara_exp.core.layout import Layout

    if config.log.kind == "postgres":
        from zantara_exp.io.database import LOG, Database
        from zantara_exp.shadow.database_switch import read_word, write_word

        database = Database(config.log.url_env, LOG)
        try:
            if word != "show":
                write_word(database, word)
            where = f"the database of {config.log.url_env}"
            on = means_on(read_word(database), where)
        finally:
            database.close()
    else:
        switch = Switch(Layout(config).state)
        if word != "show":
            switch.file.parent.mkdir(parents=True, exist_ok=True)
            switch.file.write_text(f"{word}\n", encoding="utf-8")
        on, where = switch.is_on(), f"{VARIABLE} and {switch.file}"
    return f"shadow mode is {'on' if on else 'off'} by {where}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
