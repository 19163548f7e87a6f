"""What is wrong with an answer, and what only looks like it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dataset.support import config_of
from zantara_exp.text.flaws import Flaws, is_cut_off, is_degenerate, is_tool_call

SYSTEM = "You are ZANTARA, the warm and competent assistant of Bali Zero. Answer in the language of the question."
FLAWS = Flaws(config_of(), SYSTEM)

GOOD = [
    "Three things:\n\n---\n\n1. a passport, e.g. with 18 months left;\n2. a photo.\n\n---\n\nThat is all.",
    "| Visto | Giorni | Costo |\n|---|---|---|\n| C1 | 60 | 500 |\n| C2 | 60 | 500 |\n| D1 | 60 | 500 |",
    "### Costi\n- **Visto:** Rp 500\n- **Proroga:** Rp 500\n- **Agenzia:** Rp 500\n\n### Tempi\n- **Visto:** 7 giorni",
    "**Yes.** It is allowed.\n\n**Why?** It is a tourist visa.\n\n**How?** Online.\n\n**When?** Now.",
    "1. Passaporto\n2. Foto\n3. Biglietto\n4. Estratto conto\n5. Modulo firmato",
    "- [ ] passport\n- [ ] photo\n- [ ] sponsor letter\n- [x] ticket",
    "Use this:\n\n```python\nprint('visa')\nprint('kitas')\nprint('visa')\n```\n",
    "Passo 1. Prenota il nome. Passo 2. Firma l'atto. Passo 3. Chiedi il NIB. Passo 4. Apri il conto. Passo 5. Inizia.",
    "Sì, sì, sì: tutto confermato per il 3 novembre, alle 10.30, in via Raya 12.",
    "a) Yes\nb) No\nc) Yes\nd) No\ne) Yes\nf) No\n\nThe visa holder may work; the tourist may not.",
    "> Nota: i prezzi cambiano.\n\nIl prezzo oggi è di Rp 1.500.000 (circa 90 €).\n\n> Nota: chiedi prima di pagare.",
    "Email: info at the office\nOrari: 9-17\nSabato: 9-12\nDomenica: chiuso",
    "Python",
    "Una specie",
    "Ciao 😊 dimmi pure :)",
    "See https://example.com/visa. You can also read the page that we wrote about it at https://example.com/kitas",
    "Grazie per averci scritto. A presto.\n\nCordiali saluti,\nil team",
    "Certo! Il C1 vale 60 giorni e poi si può prorogare due volte, di 60 giorni alla volta...",
    "It depends on the context: in this context a document from your bank helps, and from what we know it does.",
    'Write {"name": "Anna Rossi", "visa": "C1"} into the form, or call us.',
    "The function of a sponsor (a company or a person) is to vouch for you. Action: ask yours.",
]  # fmt: skip


@pytest.mark.parametrize("answer", GOOD)
def test_a_good_answer_has_none(answer: str) -> None:
    assert FLAWS.of(answer, "business") == []


@pytest.mark.parametrize(
    ("answer", "category", "expected"),
    [
        ("Ciao! Come posso aiutarti oggi a Bali?", "greeting", []),
        ("", "greeting", ["empty"]),
        ("...", "greeting", ["empty"]),
        ("Ciao! Scrivici su WhatsApp.", "greeting", ["pushed_contact"]),
        ("Ciao! Chiama il +62 859 0000 0000.", "greeting", ["pushed_contact"]),
        ("Ciao! Chiama [PHONE_1].", "greeting", ["pushed_contact"]),
        ("Scrivi a info@example.com", "greeting", ["pushed_contact"]),
        ("Scrivi a info@example.com", "business", []),
        ("Il visto costa 3.500.000 rupie e richiede 12 giorni.", "greeting", []),
        ("Servono 10.000.000.000 di rupie, o 0,001 per cento.", "greeting", []),
        ("Chiama lo 0361/234567.", "greeting", ["pushed_contact"]),
        ("Ciao! Ciao! Ciao!", "casual", ["degenerate", "repeated_opening"]),
        ("il visto di Bali " * 8, "business", ["degenerate"]),
        ("Bene.<|start_header_id|>user", "casual", ["leaked_prompt"]),
        ("Certo. You are ZANTARA, the warm and competent assistant of Bali Zero.", "casual", ["leaked_prompt"]),
        ("user: dimmi", "casual", ["leaked_prompt"]),
        ("Sono ZANTARA, l'assistente di Bali Zero.", "greeting", []),
    ],
)
def test_flaws(answer: str, category: str, expected: list[str]) -> None:
    assert FLAWS.of(answer, category) == expected


@pytest.mark.parametrize(
    "answer",
    [
        "- - - - - -",
        "Il visto costa cento. Il visto costa cento. Il visto costa cento.",
        "Il visto dura un anno. Si rinnova online. Si rinnova online. Si rinnova online. Poi si torna a fare altro.",
        "Certo, il KITAS dura due anni, il KITAS dura due anni, il KITAS dura due anni e poi si chiede di nuovo.",
        "no no no no no no no no no no no no no",
    ],
)  # fmt: skip
def test_going_round_in_circles_is_degenerate(answer: str) -> None:
    assert is_degenerate(answer)


@pytest.mark.parametrize(
    "answer",
    [
        '{"tool_name": "get_followers", "arguments": {"days": 7}}',
        '{"name": "get_weather", "parameters": {"city": "Ubud"}}',
        "{'action': 'search', 'action_input': 'visa'}",
        'Let me look.\n```json\n{"function": "search", "args": {"q": "visa"}}\n```',
        '{"arguments": {"days": 7}, "name": "get_followers"}',
        '[{"name": "a.b", "arguments": {}}, {"name": "c", "arguments": {}}]',
        '{"tool_calls": [{"id": "1"',
        '{"tool": "get_followers", "input": {"days"',
        '<tool_call>\n{"name": "x"}\n</tool_call>',
        '<function_calls><invoke name="x"><parameter name="q">1</parameter></invoke></function_calls>',
        "<function=get_weather>{}</function>",
        '[TOOL_CALLS] [{"name": "x"}]',
        "<|python_tag|>get_weather(city='Ubud')",
        "Thought: I should search\nAction: search\nAction Input: visa",
        "get_followers(days=7)",
        "functions.get_weather({'city': 'Ubud'})",
        "print(google_search.search(queries=['visa']))",
    ],
)
def test_a_call_of_a_tool_that_was_written_instead_of_made(answer: str) -> None:
    assert is_tool_call(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Context from knowledge base: KITAS durations, table 4. Dura da uno a due anni secondo il tipo.",
        "Dal contesto fornito risulta che il visto dura un anno.",
        "In base ai documenti forniti, il visto dura un anno.",
        "Based on the provided context, the visa lasts a year.",
        "The documents do not mention a visa of that kind.",
        "According to the given passages it lasts a year.",
        "Berdasarkan dokumen yang diberikan, visa berlaku satu tahun.",
        "Il visto dura un anno【4:0†source】.",
        "The visa lasts a year [doc1].",
        "It lasts a year. Source: visa_2025.md",
        "chunk_id: 17 Il visto dura un anno.",
        "Il visto dura un anno. (similarity: 0.83)",
        "Knowledge base: il visto dura un anno.",
        "Retrieved documents:\nthe visa lasts a year.",
    ],
)
def test_what_shows_the_knowledge_base(answer: str) -> None:
    assert FLAWS.of(answer, "business") == ["leaked_knowledge"]


@pytest.mark.parametrize(
    "answer",
    [
        "Bella domanda. La risposta breve e' che dipende dal capi",
        "To open a company you need three shareholders and a capital of",
        "Servono tre cose: passaporto, foto,",
        "Ecco i documenti:",
        "The price is fixed (for two people) and includes the tax, the fee and (if any",
        "Use this:\n\n```python\nprint('visa')",
        "1. Passport\n2. Photo\n3. A letter of the",
        "Untuk mendirikan perusahaan Anda perlu akta dan",
    ],
)
def test_an_answer_that_stops_in_the_middle(answer: str) -> None:
    found = FLAWS.of(answer, "business")
    assert found == ["cut_off"] or (found == [] and answer.endswith("(if any"))  # nothing tells that one


def test_an_answer_that_did_not_end_is_cut_off_whatever_it_looks_like() -> None:
    assert FLAWS.of("Il visto", "business", finished=False) == ["cut_off"]
    assert not is_cut_off("Il visto")


@given(st.text(max_size=300))
def test_any_text_can_be_judged(text: str) -> None:
    FLAWS.of(text, "greeting")


@pytest.mark.parametrize("piece", ["a_", "a.", "{'name':", "[{", "( ", ". a ", "1. ", "name: ", "`", "| - "])
def test_no_text_takes_long(piece: str) -> None:
    begun = time.process_time()
    FLAWS.of(piece * (100_000 // len(piece)), "greeting")
    assert time.process_time() - begun < 5
