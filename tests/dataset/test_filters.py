from typing import Any

import pytest

from tests.dataset.support import config_of, record
from zantara_exp.dataset.filters import Filters

ASK = Filters(config_of().dataset)
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
        (record("Ciao", "Ciao! Ciao! Che bello sentirti, ciao!", category="greeting"), "repeated_greeting"),
        (record("Ciao", "Benvenuto! Scrivici al [PHONE_1] quando vuoi.", category="greeting"), "contact_in_greeting"),
        (record("Il vostro numero?", "Certo, puoi scriverci al [PHONE_1] quando vuoi."), ""),
        (record("Quanto dura?", "............."), "degenerate"),
        (record("Quanto dura?", "il visto dura " * 10), "degenerate"),
        (record("Quanto dura?", "[CONTEXT] Source: kb/visa.md chunk 17. Il visto dura"), "leaked_prompt"),
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
    assert Filters(config_of("dataset.filters=[low_rating,too_short]").dataset).refusal(both) == "low_rating"
    assert Filters(config_of("dataset.filters=[too_short,low_rating]").dataset).refusal(both) == "too_short"
    assert Filters(config_of("dataset.filters=[roles]").dataset).refusal(both) == ""
