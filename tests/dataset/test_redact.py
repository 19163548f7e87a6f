import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dataset.redaction_cases import INNOCENT, PERSONAL
from zantara_exp.dataset.redact import Redactor


def expected(kind: str, marked: str) -> tuple[str, str]:
    value = re.search("<(.*)>", marked)
    assert value is not None
    text = marked.replace("<", "").replace(">", "")
    return text, text.replace(value[1], f"[{kind}_1]", 1)


def test_the_test_set_is_large_enough() -> None:
    assert len(PERSONAL) >= 150
    assert len(set(INNOCENT)) >= 150


def test_recall_and_precision() -> None:
    found = sum(Redactor().text(text) == wanted for text, wanted in (expected(*case) for case in PERSONAL))
    wrong = [text for text in INNOCENT if Redactor().text(text) != text]
    assert found / len(PERSONAL) >= 0.98
    assert found / (found + len(wrong)) >= 0.95, wrong


def test_same_value_same_placeholder_within_a_conversation() -> None:
    redactor = Redactor()
    chat = redactor.conversation()
    assert chat.text("anna@example.com or 0812 3456 7890") == "[EMAIL_1] or [PHONE_1]"
    assert chat.text("not bob@example.com but ANNA@example.com") == "not [EMAIL_2] but [EMAIL_1]"
    assert chat.text("081234567890") == "[PHONE_1]"
    assert redactor.conversation().text("bob@example.com") == "[EMAIL_1]"
    assert redactor.counts == {"EMAIL": 4, "PHONE": 2}


def test_redacting_twice_changes_nothing() -> None:
    redactor = Redactor()
    for kind, marked in PERSONAL:
        once = redactor.text(expected(kind, marked)[0])
        assert redactor.text(once) == once


@pytest.mark.parametrize("text", ["", " ", "\n", "[EMAIL_1]", "a" * 50_000, "1 " * 5_000, "@" * 5_000, "é" * 5_000])
def test_odd_texts_pass(text: str) -> None:
    assert len(Redactor().text(text)) <= len(text)


@given(st.text(max_size=200))
def test_never_fails(text: str) -> None:
    Redactor().text(text)


@given(
    st.from_regex(r"[a-z]{3,8}@[a-z]{3,8}\.(com|it|co\.id)", fullmatch=True),
    st.sampled_from(["{}", "a {} b", "({}),", "è:{}."]),
)
def test_no_address_survives(address: str, around: str) -> None:
    assert address not in Redactor().text(around.format(address))
