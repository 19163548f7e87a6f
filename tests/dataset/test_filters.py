from typing import Any

import pytest

from tests.dataset.support import config_of, record
from zantara_exp.dataset.filters import Filters, left_of

ASK = Filters(config_of())
GOOD = "Certo, il visto dura sessanta giorni e si può prorogare due volte."


def with_roles(*roles: str) -> dict[str, Any]:
    made = record(*["Quanto dura il visto per Bali?"] * len(roles))
    for message, role in zip(made["messages"], roles, strict=True):
        message["role"] = role
    return made


@pytest.mark.parametrize(
    ("conversation", "reason"),
    [
        (record("Quanto dura il visto?", GOOD), ""),
        (record("Quanto dura il visto?", GOOD, "Grazie"), ""),
        (with_roles("assistant", "user"), "roles"),
        (with_roles("user", "user", "assistant"), "roles"),
        (with_roles("user"), "roles"),
        (record("", GOOD), "empty"),
        (record("Quanto dura?", "Ok."), "too_short"),
        (record("Quanto dura?", GOOD * 60), "too_long"),
        (record("x" * 5000, GOOD), "too_long"),
        (record("Quanto dura?", "Mi dispiace, si è verificato un errore interno."), "error_text"),
        (record("How long?", "Sorry, an internal error occurred.", language="en"), "error_text"),
        (record("Berapa lama?", "Maaf, terjadi kesalahan.", language="id"), "error_text"),
        (record("Ciao", "Ciao! Ciao! Che bello sentirti, ciao!", category="greeting"), "repeated_opening"),
        (record("Ciao", "Benvenuto! Scrivici al [PHONE_1] quando vuoi.", category="greeting"), "pushed_contact"),
        (record("Il vostro numero?", "Certo, puoi scriverci al [PHONE_1] quando vuoi."), ""),
        (record("Quanto dura?", "............."), "empty"),
        (record("Quanto dura?", "- - - - - - - - - - - -"), "degenerate"),
        (record("Quanto dura?", "il visto dura " * 10), "degenerate"),
        (record("Quanto dura?", "[CONTEXT] Source: kb/visa.md chunk 17. Il visto dura"), "leaked_prompt"),
        (record("Quanto dura?", "Context from knowledge base: KITAS, table 4. Dura un anno."), "leaked_knowledge"),
        (record("Quanti?", '{"tool_name": "get_followers", "arguments": {"days": 7}}'), "tool_call"),
        (record("Conviene?", "Bella domanda. La risposta breve e' che dipende dal capi"), "cut_off"),
        (record("Quanto dura?", GOOD, language="unknown"), "language_unknown"),
        (record("Quanto dura?", "The visa is valid for sixty days and may be extended."), "language_mismatch"),
        (record("Quanto dura?", GOOD, rating=1), "low_rating"),
        (record("Quanto dura?", GOOD, rating=2), ""),
    ],
)
def test_reasons(conversation: dict[str, Any], reason: str) -> None:
    assert ASK.refusal(conversation) == reason


def test_the_order_is_the_configs() -> None:
    both = record("Quanto dura?", "Ok.", rating=1)
    assert Filters(config_of("dataset.filters=[low_rating,too_short]")).refusal(both) == "low_rating"
    assert Filters(config_of("dataset.filters=[too_short,low_rating]")).refusal(both) == "too_short"
    assert Filters(config_of("dataset.filters=[roles]")).refusal(both) == ""


def test_a_bad_turn_goes_and_its_chat_stays() -> None:
    chat = record("Ciao!", "...", "Mi senti?", GOOD, "Quanto?", "Si è verificato un errore interno.", "E poi?", GOOD)
    sifted = ASK.sift(chat)
    assert (sifted.reason, sifted.dropped) == ("", {0: "empty", 2: "error_text"})


def test_where_nothing_is_left_the_commonest_reason_counts() -> None:
    sifted = ASK.sift(record("Ciao!", "...", "E?", "Ok.", "E poi?", "Si."))
    assert (sifted.reason, sifted.dropped) == ("too_short", {})


def test_what_is_out_of_order_goes_with_what_answers_it() -> None:
    """An opening of the assistant's, and questions that the config does not join."""
    roles = ("assistant", "user", "assistant", "user", "user", "assistant", "user", "assistant", "assistant")
    chat = with_roles(*roles)
    for message in chat["messages"]:
        message["content"] = GOOD if message["role"] == "assistant" else message["content"]
    sifted = ASK.sift(chat)
    assert sifted.dropped == {0: "roles", 2: "roles", 3: "roles"}


def test_a_low_rating_is_of_the_whole_chat() -> None:
    assert ASK.sift(record("Quanto?", GOOD, "E poi?", GOOD, rating=1)).reason == "low_rating"


def test_many_are_sifted_as_each_alone() -> None:
    said = ["Ok.", GOOD, "The visa is valid for sixty days and may be extended.", "Quanto dura?"]
    pairs = [(one, two, of) for one in said for two in said for of in ("it", "en")]
    chats = [record("Quanto dura?", one, "E poi?", two, language=of) for one, two, of in pairs]
    together = Filters(config_of()).sift_all([*chats, *chats])
    assert together == [ASK.sift(each) for each in [*chats, *chats]]
    assert {each.reason for each in together} == {"", "language_mismatch", "too_short"}
    assert [left_of(chat, each) is None for chat, each in zip(chats, together, strict=False)] == [
        bool(each.reason) for each in together[: len(chats)]
    ]
