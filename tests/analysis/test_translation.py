from __future__ import annotations

import re

import pytest

from zantara_exp.analysis import italian
from zantara_exp.analysis.translation import Words
from zantara_exp.core.stage import Table

IT = Words("it")


@pytest.mark.parametrize(
    ("english", "said"),
    [
        ("1,234.5 ms", "1.234,5 ms"),
        ("87.1 % to 99.96 %", "87,1 % – 99,96 %"),
        ("> 95 % within 1500 ms; no-go < 95 % within 2500 ms", "> 95 % entro 1500 ms; no-go < 95 % entro 2500 ms"),
        (
            "Gate go_no_go says stop. The primary goes on answering.",
            "Il gate go_no_go dice stop. Il primario continua ",
        ),
        (
            "Gate daily cannot decide yet: not decided: success. At this rate a decision takes 3 to 5 more days.",
            "Il gate daily non può ancora decidere: da decidere: success. Di questo passo la decisione richiede altri ",
        ),
        (
            "shown to have p95 below 1500: at least 97.6 % of requests keep the limit",
            "dimostrato p95 sotto 1500: almeno il 97,6 % delle richieste rispetta il limite",
        ),
        (
            "not shown to be above 98 % yet: measured 98.5 %, at least 97.1 %",
            "non ancora dimostrato sopra 98 %: misurato 98,5 %, almeno 97,1 %",
        ),
        (
            "not decided: success; sample ratio mismatch: 1 of 401 users lie outside of the sampled 10 %; 400 users do "
            "not fill the sampled 10 % evenly: 0 to 71 in a tenth of it, where 40.0 are expected (p < 1e-12)",
            "da decidere: success; il campione non è quello dichiarato: 1 utente su 401 fuori dal 10 % campionato; 400 "
            "utenti non riempiono in modo uniforme il 10 % campionato: da 0 a 71 in un suo decimo, attesi 40,0 (p < 1e",
        ),
        ("not refuted: nothing shows it above 5 %", "non smentito: nulla mostra che sia sopra 5 %"),
        (
            "in language=id shown to be below 95 %: measured 91.0 %",
            "in language=id dimostrato sotto 95 %: misurato 91,0 %",
        ),
        ("100.0 % of 50 requests, 100.0 % of their cost", "il 100,0 % di 50 richieste, il 100,0 % del loro costo"),
        ("98.00 % (1 failure)", "98,00 % (1 errore)"),
        ("98.00 % (21 failures)", "98,00 % (21 errori)"),
        ("1 user in the last 1 day, 30 are needed", "1 utente negli ultimi 1 giorno"),
        ("10 of 12 are good; 1 pair is not labelled yet and counts against", "10 of 12 are good; 1 coppia non ancora "),
        ("1 request has no known cost: tokens or price are missing.", "1 richiesta non ha un costo noto"),
        (
            "12 of the first 50 pairs are not labelled yet (`cannot judge` is a label); the labels of ayu do not "
            "count: 2 of 3 hidden checks wrong, at most 20 % may be; 2 pairs are disputed, for boss to settle; "
            "a NO_GO is certain: 30 of the first 50 pairs are worse, whatever the 12 open ones are",
            "12 delle prime 50 coppie non ancora giudicate (`cannot judge` is a label); i giudizi di ayu non contano: "
            "2 verifiche nascoste sbagliate su 3, al massimo 20 %; coppie contese: 2, da decidere a cura di boss; "
            "un NO_GO è certo: 30 delle prime 50 coppie sono peggiori, comunque siano le 12 aperte",
        ),
        (
            "shown to be above 80 %: measured 90.1 %, at least 80.4 %; with the judge 50 labels tell as much as 79, 29 "
            "saved; without it: 44 of 50 are equivalent or better; 46 would show it; the next look is at 75",
            "dimostrato sopra 80 %: misurato 90,1 %, almeno 80,4 %; con il giudice 50 etichette dicono quanto 79, 29 "
            "risparmiate; senza: 44 su 50 equivalenti o migliori; basterebbero 46; prossimo sguardo a 75",
        ),
        (
            "160 of 200 are equivalent or better; 172 would show it, and no look is left; the judge counts for "
            "nothing: it has not seen 10 of the first 50 pairs",
            "160 su 200 equivalenti o migliori; basterebbero 172, e non restano sguardi; il giudice non conta: non ha "
            "visto 10 delle prime 50 coppie",
        ),
        (
            "every criterion passes; without evidence on complaints",
            "ogni criterio è superato; senza evidenza su complaints",
        ),
    ],
)
def test_sentences_with_numbers(english: str, said: str) -> None:
    assert IT(english).startswith(said)
    assert Words("en")(english) == english


def test_what_is_no_text_of_ours_stays() -> None:
    assert IT("zantara-llama-3.1-8b-v2") == "zantara-llama-3.1-8b-v2"
    table = IT.table(Table("By category", ["category", "requests"], [["success", "1,000"]]))
    assert (table.title, table.columns, table.rows) == (
        "Per categoria",
        ["categoria", "richieste"],
        [["success", "1.000"]],
    )


def test_every_pattern_fills_its_sentence() -> None:
    for pattern, template in italian.SENTENCES:
        groups = re.compile(pattern).groups
        assert template.format(*"x" * groups)
        assert template.count("{}") in (0, groups), pattern
