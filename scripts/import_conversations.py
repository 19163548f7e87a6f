#!/usr/bin/env python3
"""Load exported chats into a database of production's schema: any file, folder or glob that source=files reads.

    scripts/import_conversations.py chats.jsonl.gz                                # the embedded PostgreSQL
    scripts/import_conversations.py 'exports/*.csv'
    scripts/import_conversations.py chats.jsonl --database-url-env DATABASE_URL   # a PostgreSQL of your own
    python -m zantara_exp source=imported dataset=chats paths.dataset=data/imported   # then the pipeline on them

Users, times, models and token counts that the export does not name are assumed, and marked so in `metadata.assumed`:
a user per conversation, conversations spread over the last 30 days, `haiku (assumed)`, four characters per token.
Importing a file twice adds nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from _project import use_own_python

_STATE = Path(".zantara")


def main() -> int:
    from datetime import UTC, date, datetime

    from zantara_exp.core import terminal
    from zantara_exp.core.errors import ZantaraError
    from zantara_exp.core.next_command import command

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="exported chats: a file, a folder or a glob")
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--database-url-env", metavar="NAME", help="environment variable with the database's URL")
    where.add_argument("--database", default="imported", help="database of the embedded PostgreSQL (default: imported)")
    parser.add_argument("--state", type=Path, default=_STATE, help="paths.state of the pipeline")
    parser.add_argument(
        "--last-day", type=date.fromisoformat, default=datetime.now(UTC).date(), help="assumed newest day"
    )
    parser.add_argument("--days", type=int, default=30, help="days that conversations without a time are spread over")
    given = parser.parse_args()
    try:
        added, known = _import(given)
    except ZantaraError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_status
    terminal.say(f"{given.file.name}: {added} conversations added, {known} were there already")
    terminal.say(f"next: {command(*_source(given), 'dataset=chats', 'paths.dataset=data/imported')}")
    return 0


def _source(given: argparse.Namespace) -> list[str]:
    """The overrides that read what was imported."""
    if given.database_url_env:
        variable = given.database_url_env
        return ["source=postgres", *([f"source.url_env={variable}"] if variable != "DATABASE_URL" else [])]
    database = [f"source.database={given.database}"] if given.database != "imported" else []
    return ["source=imported", *database, *([f"paths.state={given.state}"] if given.state != _STATE else [])]


def _import(given: argparse.Namespace) -> tuple[int, int]:
    import psycopg

    from zantara_exp.core import terminal
    from zantara_exp.core.errors import MissingRequirementError, ZantaraError
    from zantara_exp.dataset import embedded
    from zantara_exp.dataset.importing import import_file

    if given.database_url_env:
        url = os.environ.get(given.database_url_env)
        if not url:
            raise MissingRequirementError(
                f"{given.database_url_env} is not set",
                f"export {given.database_url_env}=postgresql://user:password@host/app",
            )
        try:
            with psycopg.connect(url, connect_timeout=10) as connection:
                return import_file(given.file, connection, given.last_day, given.days)
        except psycopg.Error as broken:
            said = type(broken).__name__  # its message may quote the URL, and the URL holds the password
            hint = "check the URL, and that the account may write"
            raise ZantaraError(f"the database of {given.database_url_env} refuses: {said}", hint) from None
    with embedded.server(given.state.absolute()) as server:
        if server.note:
            terminal.say(server.note)
        server.create_database(given.database)
        with psycopg.connect(server.conninfo(given.database)) as connection:
            return import_file(given.file, connection, given.last_day, given.days)


if __name__ == "__main__":
    use_own_python()
    sys.exit(main())
