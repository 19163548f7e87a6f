"""What is wrong with an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.evaluation.flaws import flaws, is_degenerate

SYSTEM = "You are ZANTARA, the warm and competent assistant of Bali Zero. Answer in the language of the question."


@pytest.mark.parametrize(
    ("answer", "category", "expected"),
    [
        ("Ciao! Come posso aiutarti oggi a Bali?", "greeting", []),
        ("", "greeting", ["empty"]),
        ("Ciao! Scrivici su WhatsApp.", "greeting", ["contact_in_greeting"]),
        ("Ciao! Chiama il +62 859 0000 0000.", "greeting", ["contact_in_greeting"]),
        ("Scrivi a info@example.com", "greeting", ["contact_in_greeting"]),
        ("Scrivi a info@example.com", "business", []),
        ("Il visto costa 3.500.000 rupie e richiede 12 giorni.", "greeting", []),
        ("Ciao! Ciao! Ciao!", "casual", ["degenerate"]),
        ("il visto di Bali " * 8, "business", ["degenerate"]),
        ("Bene.<|start_header_id|>user", "casual", ["leak"]),
        ("Certo. You are ZANTARA, the warm and competent assistant of Bali Zero.", "casual", ["leak"]),
        ("user: dimmi", "casual", ["leak"]),
        ("Sono ZANTARA, l'assistente di Bali Zero.", "greeting", []),
    ],
)
def test_flaws(answer: str, category: str, expected: list[str]):
    assert flaws(answer, category, SYSTEM, finished=True) == expected


def test_an_answer_that_did_not_end_is_cut_off():
    assert flaws("Il visto", "business", SYSTEM, finished=False) == ["cut_off"]


@given(st.text(max_size=300))
def test_any_text_can_be_judged(text: str):
    flaws(text, "greeting", SYSTEM, finished=True)


def test_a_list_with_repeated_words_is_not_degenerate():
    assert not is_degenerate(
        "Per il visto C1 servono passaporto, foto e prova di fondi. Per il visto C2 servono passaporto, lettera "
        "dell'azienda e prova di fondi. I tempi sono di sette giorni lavorativi per entrambi i visti."
    )
