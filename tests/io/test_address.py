"""Addresses of databases: those of other tools are understood; of a wrong one the part is named, not the password."""

import pytest
from psycopg.conninfo import conninfo_to_dict

from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.io.address import database_url, without_secrets


def url(said: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("LOG_DATABASE_URL", said)
    return database_url("LOG_DATABASE_URL", "log=postgres", "log=jsonl")


@pytest.mark.parametrize(
    ("said", "parts"),
    [
        ("postgresql://r:p%40w@h:6432/a", {"user": "r", "password": "p@w", "host": "h", "port": "6432", "dbname": "a"}),
        ("postgres://r:p@h/a?pgbouncer=true&connection_limit=1", {"host": "h", "password": "p"}),
        ("postgresql+asyncpg://r:p@h/a?ssl=require", {"host": "h", "sslmode": "require"}),
        ("postgresql+psycopg2://r:p@h/a?schema=public", {"host": "h", "dbname": "a"}),
        ("postgresql://r:a:b@h/a", {"password": "a:b", "host": "h"}),
        ("postgresql://r:p@h1:1,h2:2/a?target_session_attrs=any", {"host": "h1,h2", "port": "1,2"}),
        ("postgresql:///a?host=/var/run", {"host": "/var/run", "dbname": "a"}),
        ("postgresql://r:p@[::1]:5432/a", {"host": "::1"}),
        ("host=h dbname=a password=p@w", {"host": "h", "password": "p@w"}),
    ],
)
def test_what_other_tools_write_is_understood(
    said: str, parts: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = conninfo_to_dict(url(said, monkeypatch))
    assert {name: found.get(name) for name in parts} == parts


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ("postgresql://reader:Sup3r@S3cret@127.0.0.1:5432/app", "@ is %40"),
        ("postgresql://reader:Sup3r/S3cret@127.0.0.1:5432/app", "/ %2F"),
        ("postgresql://reader:Sup3r?S3cret@127.0.0.1:5432/app", "\\? %3F"),
        ("postgresql://reader:Sup3r?x=S3cret@127.0.0.1:5432/app", "\\? %3F"),
        ("postgresql://reader:Sup3r#S3cret@127.0.0.1:5432/app", "# %23"),
        ("postgresql://reader:Sup3r%S3cret@127.0.0.1:5432/app", "% %25"),
        ("postgresql://reader:S3cret@h/app?schema=sales", "schema=.*source.table"),
        ("postgresql://reader:S3cret@h/app?colour=red", "the part \\?colour="),
        ("postgresql://h.invalid/db?user=u&password=Sup3r&S3cret", "% %25"),
        ("postgresql://reader:S3cret@[", "libpq cannot read it"),
        ("postgresql://h:S3cret/app", "its port is no number"),
        ("mysql://reader:S3cret@h/app", "does not begin with postgresql://"),
        ("", "LOG_DATABASE_URL, which is not set"),
    ],
)
def test_what_is_wrong_is_named_and_no_part_of_the_password(
    said: str, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(MissingRequirementError, match=named) as caught:
        url(said, monkeypatch)
    assert "S3cret" not in f"{caught.value} {caught.value.hint}"
    assert "log=jsonl" in caught.value.hint


def test_what_a_driver_says_holds_no_password() -> None:
    said = 'password authentication failed: "p@w" of postgresql://r:p@w@h'
    assert "p@w" not in without_secrets(said, "postgresql://r:p%40w@h/a")
