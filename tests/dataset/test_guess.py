"""What `zantara-exp init --from-database` finds in a real database."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Json, Jsonb

from tests.dataset.support import rows_of
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import compose
from zantara_exp.config.data import Roles, Source
from zantara_exp.dataset.embedded import Server
from zantara_exp.guess.speakers import who_takes_turns


class Looked(NamedTuple):
    told: str
    source: Source


def test_it_looks_at_the_database(
    server: Server, workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server.create_database("guessed")
    with psycopg.connect(server.conninfo("guessed"), autocommit=True) as connection:
        connection.execute("create schema app; create table public.notes (id int, note text)")
        connection.execute("insert into notes select n, 'nothing ' || n from generate_series(1, 3) n")
        connection.execute(
            "create table app.chat_log (chat_no int, customer text, turns jsonb, extra jsonb, at timestamptz)"
        )
        for number in range(40):
            connection.execute(
                "insert into app.chat_log values (%s, %s, %s, %s, now())",
                [
                    number, f"c{number % 8}",
                    '[{"role": "user", "content": "Wo bleibt meine Bestellung von letzter Woche, bitte?"},'
                    ' {"role": "assistant", "content": "Sie ist unterwegs und kommt morgen bei Ihnen an."}]',
                    '{"model_name": "gpt-5", "stars": 4}',
                ],
            )  # fmt: skip
    monkeypatch.setenv("DATABASE_URL", server.conninfo("guessed"))
    assert run_overrides(["init", "ours", "--from-database"]) == 0
    told = capsys.readouterr().out
    assert "table app.chat_log: 40 of the newest 40 rows are chats" in told
    assert "languages: de 100%" in told
    assert "bestellung" in told
    config = compose(["experiment=ours"], "ours")
    columns = config.source.columns
    assert config.source.table == "app.chat_log"
    assert (columns.messages, columns.created_at, columns.user) == ("turns", "at", "customer")
    assert (columns.model, columns.rating, columns.session) == ("extra.model_name", "extra.stars", "")
    assert config.dataset.languages == ["de"]
    with pytest.raises(SystemExit) as ended:
        run_overrides(["init", "--help"])
    assert ended.value.code == 0


_DUTCH = [
    ("Hoe laat vertrekt de trein van Utrecht naar Amsterdam?", "De eerstvolgende trein vertrekt om kwart over negen."),
    ("Kan ik mijn kaartje nog omruilen voor morgen?", "Dat kan kosteloos tot een uur voor het vertrek van de trein."),
]


@pytest.fixture
def looked_at(database: psycopg.Connection, workdir: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Looked]:
    """What `init --from-database` tells of the database, and the config that it wrote."""

    def look(*arguments: str, status: int = 0) -> Looked:
        capsys.readouterr()
        assert run_overrides(["init", "ours", "--from-database", *arguments]) == status
        said = capsys.readouterr()
        return Looked(said.out + said.err, compose(["experiment=ours"], "ours").source if status == 0 else Source())

    return look


def test_names_and_columns_of_another_language(
    database: psycopg.Connection, looked_at: Callable[..., Looked], monkeypatch: pytest.MonkeyPatch
) -> None:
    database.execute(
        "create table gesprekken (gesprek_nr bigint primary key, klant_nr int, taal varchar(2), verwijderd boolean, "
        "bericht jsonb, meta jsonb, bijgewerkt timestamptz, begonnen timestamptz, kanaal text)"
    )
    database.execute("create index on gesprekken (klant_nr)")
    for number in range(60):
        asked, answered = _DUTCH[number % 2]
        chat = [
            {"role": "systeem", "content": "Je bent een assistent."},
            {"role": "reiziger", "content": asked},
            {"role": "medewerker", "content": answered},
        ]
        database.execute(
            "insert into gesprekken values (%s, %s, 'nl', %s, %s, %s, now() + interval '1 day', now() - %s * interval "
            "'1 hour', 'web')",
            [number, 100 + number % 12, number == 7, Jsonb(chat), Jsonb({"antwoordmodel": "claude-haiku"}), number],
        )
    looked = looked_at("--table=gesprekken")
    columns = looked.source.columns
    assert (columns.messages, columns.id, columns.user) == ("bericht", "gesprek_nr", "klant_nr")
    assert (columns.created_at, columns.language, columns.model) == ("begonnen", "taal", "meta.antwoordmodel")
    assert looked.source.where == "verwijderd is not true"
    assert looked.source.roles == Roles(user=["reiziger"], assistant=["medewerker"], system=["systeem"])
    assert re.search("roles +reiziger is the user; medewerker is the assistant; systeem is the system", looked.told)
    assert "columns not used: bijgewerkt (timestamp with time zone), kanaal (text)" in looked.told
    assert "trein" in looked.told
    done = run_overrides(["stage=extract", "experiment=ours", "--config-dir=ours", "source.stats_only=true"])
    assert done == 0


@pytest.mark.parametrize("who", [("klant", "hulp"), (True, False)])
def test_messages_with_keys_of_their_own(
    who: tuple[object, object], database: psycopg.Connection, looked_at: Callable[..., Looked]
) -> None:
    database.execute("create table praatjes (nr int, klantnr uuid, verloop json, tijd timestamptz)")
    for number in range(30):
        said = zip(who * 2, [text for pair in _DUTCH for text in pair], strict=True)
        chat = [{"wie": each, "tekst": text, "om": f"2025-01-01T10:0{at}"} for at, (each, text) in enumerate(said)]
        database.execute("insert into praatjes values (%s, %s, %s, now())", [number, UUID(int=number % 6), Json(chat)])
    looked = looked_at()
    assert (looked.source.roles.key, looked.source.roles.text_key) == ("wie", "tekst")
    asks, answers = (str(each).casefold() for each in who)
    assert (looked.source.roles.user, looked.source.roles.assistant) == ([asks], [answers])
    assert looked.source.columns.user == "klantnr"
    own = ["experiment=ours", "--config-dir=ours", "dataset.languages=[nl]"]
    assert run_overrides(["stage=extract", *own]) == 0
    raw = next(Path("data").rglob("raw_conversations.jsonl"))
    assert [each["content"] for each in rows_of(raw)[0]["messages"]] == [text for pair in _DUTCH for text in pair]


def test_a_row_for_each_message(database: psycopg.Connection, looked_at: Callable[..., Looked]) -> None:
    database.execute(
        "create table wiadomosci (id bigserial primary key, rozmowa_id uuid, pasazer text, kto text, tresc text, "
        "kiedy timestamp, usunieto timestamptz, ocena int)"
    )
    for number in range(40):
        for kto, tresc in zip(("pasażer", "konsultant") * 2, ("Dzień dobry, o której odjeżdża pociąg do Gdańska?",
            "Pociąg do Gdańska odjeżdża o ósmej rano.", "Ile kosztuje bilet ulgowy?", "Kosztuje 49 złotych."),
            strict=True):  # fmt: skip
            database.execute(
                "insert into wiadomosci (rozmowa_id, pasazer, kto, tresc, kiedy) values (%s, %s, %s, %s, now())",
                [str(UUID(int=number)), f"p{number % 9}", kto, tresc],
            )
    looked = looked_at()
    columns = looked.source.columns
    assert (columns.session, columns.role, columns.content) == ("rozmowa_id", "kto", "tresc")
    assert (columns.id, columns.user, columns.created_at) == ("id", "pasazer", "kiedy")
    assert looked.source.where == "usunieto is null"
    assert looked.source.roles == Roles(user=["pasażer"], assistant=["konsultant"])
    assert "one row per message, 40 chats in the newest 160 rows" in looked.told
    assert "languages: pl 100%" in looked.told
    assert run_overrides(["stage=extract", "experiment=ours", "--config-dir=ours", "source.stats_only=true"]) == 0


def test_no_column_of_users_is_said(database: psycopg.Connection, looked_at: Callable[..., Looked]) -> None:
    database.execute("create table chats (id int, messages jsonb, created_at timestamptz)")
    for number in range(20):
        turns = [{"role": "user", "content": _DUTCH[0][0]}, {"role": "assistant", "content": _DUTCH[0][1]}]
        database.execute("insert into chats values (%s, %s, now())", [number, Jsonb(turns)])
    looked = looked_at()
    assert re.search(r'user +""   \(none found\)', looked.told)
    assert "no column was found that names the users" in looked.told
    assert "none that five users share" not in looked.told


def test_what_holds_no_chats_is_said_with_what_there_is(
    database: psycopg.Connection, looked_at: Callable[..., Looked]
) -> None:
    database.execute("create table bestellingen (nr int, status text, opmerking text)")
    database.execute(
        "insert into bestellingen select n, (array['open', 'klaar'])[1 + n %% 2], 'graag snel bezorgen aub' "
        "from generate_series(1, 50) n", []
    )  # fmt: skip
    told = looked_at("--table=bestellingen", status=1).told
    assert "table bestellingen does not seem to hold chats" in told
    assert "its columns: nr (integer), status (text), opmerking (text)" in told
    assert "--table=gesprek: the database has no such table" in looked_at("--table=gesprek", status=1).told
    assert "looked at: bestellingen" in looked_at(status=1).told


@pytest.mark.parametrize(
    ("chats", "own"),
    [
        ([["reiziger", "assistent"], ["reiziger", "assistent"] * 2], {"reiziger": "user", "assistent": "assistant"}),
        ([["agent", "klient", "agent"], ["agent", "klient", "agent"]], {"klient": "user", "agent": "assistant"}),
        ([["user", "zantara"], ["user", "zantara"]], {"zantara": "assistant"}),
        ([["open"], ["klaar"]], None),
        ([["a", "a", "a", "b"], ["b", "b", "a"]], None),
    ],
)
def test_two_names_that_take_turns(chats: list[list[str]], own: dict[str, str] | None) -> None:
    turns = who_takes_turns(chats)
    assert (turns and turns.own) == own
