"""What is personal goes, what only looks like it stays; by sets of marked texts (tests/dataset/redaction)."""

import re
import time
from datetime import date

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.bench.redaction import HELD_OUT, SETS, marked, read, scored
from zantara_exp.config.data import COUNTRIES, Dataset
from zantara_exp.core.errors import MissingRequirementError
from zantara_exp.dataset.personal import PACKS
from zantara_exp.dataset.personal.phones import exists_abroad
from zantara_exp.dataset.personal.spoken_in import SPOKEN, left_in
from zantara_exp.dataset.redact import Redactor

PLACEHOLDER = re.compile(r"\[[A-Z_]+_\d+\]")


@pytest.mark.parametrize(
    ("name", "recall", "precision"),
    [("development", 1, 1), ("first", 0.99, 1), ("second", 1, 1), ("third", 0.99, 1), ("fourth", 0.99, 1)],
)
def test_recall_and_precision_of_what_the_patterns_were_mended_on(name: str, recall: float, precision: float) -> None:
    scores, found = scored(name, Redactor().spans)
    assert scores.whole.marked > 100
    assert scores.whole.recall >= recall, found.missed
    assert scores.whole.precision >= precision, found.wrong
    assert scores.whole.named >= 0.99 * scores.whole.found


def test_packs_that_came_later_find_what_they_were_mended_on() -> None:
    scores, found = scored("later", Redactor().spans)
    assert (found.missed, found.wrong) == ([], [])
    assert scores.whole.named == scores.whole.marked > 30


@pytest.mark.parametrize(
    "text",
    ["tel. 602 123 456", "zadzwoń: 602123456", "Telefon: 22 33 44 55", "bel me: 612 345 678", "call 21 345 67 89"],
)
def test_a_telephone_that_is_named_goes_whatever_the_country(text: str) -> None:
    assert Redactor([]).text(text).endswith("[PHONE_1]")


@pytest.mark.parametrize(
    "text",
    [
        "call me at 10:30",
        "phone for 1.250.000 dollars",
        "tel. 12",
        "call about order 602123456",
        "phones: 3.500.000",
        "bel op 12-03-2024",
    ],
)
def test_what_is_said_of_a_telephone_and_is_none(text: str) -> None:
    assert Redactor([]).text(text) == text


def test_every_pack_is_of_a_language() -> None:
    assert {code for codes in SPOKEN.values() for code in codes} == COUNTRIES.keys()
    assert left_in(Dataset(languages=["de", "en"], countries=["DE", "US"])) == ""
    assert left_in(Dataset(languages=["de", "cs"], countries=["DE"])).startswith("no pack for cs: identity")


def test_every_country_has_a_pack_and_texts() -> None:
    assert PACKS.keys() == COUNTRIES.keys()
    later = {"NL", "PL"}  # nobody else has written texts of these yet
    for name in (*HELD_OUT, "later"):
        texts = list(read(SETS / f"{name}.txt"))
        for country in later if name == "later" else COUNTRIES.keys() - later:
            own = [each for each in texts if each.country == country]
            assert sum(len(each.details) for each in own) >= 12
            assert sum(not each.details for each in own) >= 6


def test_a_kind_is_counted_found_only_where_all_of_it_went() -> None:
    text = marked("call <PHONE:0812 3456 7890> now")
    assert text.details == [(5, 19, "PHONE")]
    assert Redactor().text("call 0812 3456 7890 now") == "call [PHONE_1] now"


def test_countries_that_are_off_find_nothing_of_theirs() -> None:
    text = "codice fiscale RSSMRA85T10A562S, NIK 5171012505850003, mail anna@example.com"
    assert Redactor(["ID"]).text(text) == "codice fiscale RSSMRA85T10A562S, NIK [NIK_1], mail [EMAIL_1]"
    assert Redactor([]).text("SSN 123-45-6789, card 4111 1111 1111 1111") == "SSN 123-45-6789, card [CARD_1]"
    with pytest.raises(KeyError, match="XX"):
        Redactor(["XX"])


def test_same_value_same_placeholder_within_a_conversation() -> None:
    redactor = Redactor()
    chat = redactor.conversation()
    assert chat.text("anna@example.com or 0812 3456 7890") == "[EMAIL_1] or [PHONE_1]"
    assert chat.text("not bob@example.com but ANNA@example.com") == "not [EMAIL_2] but [EMAIL_1]"
    assert chat.text("081234567890") == "[PHONE_1]"
    assert redactor.conversation().text("bob@example.com") == "[EMAIL_1]"
    assert redactor.counts == {"EMAIL": 4, "PHONE": 2}


@pytest.mark.parametrize("name", ["development", *HELD_OUT])
def test_redacting_twice_changes_nothing(name: str) -> None:
    redactor = Redactor()
    for each in read(SETS / f"{name}.txt"):
        once = redactor.text(each.text)
        assert redactor.text(once) == once


def test_signs_that_only_look_different_are_one_value() -> None:
    chat = Redactor().conversation()
    assert chat.text("WA 0812\u00a03456\u20117890") == "WA [PHONE_1]"
    assert chat.text("\uff10\uff18\uff11\uff12 3456 7890, 0812\u200b34567890 ya") == "[PHONE_1], [PHONE_1] ya"


def test_key_of_a_kind_that_no_file_may_hold() -> None:
    key = "-".join(["sk", "ant", "api03", "0a1b2c3d4e5f6g7h8i9j"])
    assert Redactor().text(f"la chiave è {key}") == "la chiave è [KEY_1]"
    begin, end = (f"-----{word} RSA PRIVATE KEY-----" for word in ("BEGIN", "END"))
    assert Redactor().text(f"ecco:\n{begin}\nMIIabc/+=\n{end}\nciao") == "ecco:\n[KEY_1]\nciao"


@pytest.mark.parametrize("region", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_numbers_exist_where_phonenumbers_knows_them(region: str) -> None:
    for kind in (phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE):
        if example := phonenumbers.example_number_for_type(region, kind):
            number = phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)
            assert exists_abroad(number[1:])
            assert Redactor().text(f"scrivi a {number} grazie") == "scrivi a [PHONE_1] grazie"


@given(st.sampled_from(["39", "62", "49", "33", "34", "44"]), st.from_regex(r"[0-9]{7,11}", fullmatch=True))
def test_numbers_exist_as_phonenumbers_says(code: str, number: str) -> None:
    parsed = phonenumbers.parse(f"+{code}{number}")
    if phonenumbers.is_valid_number(parsed):
        assert exists_abroad(code + number)


def amounts() -> st.SearchStrategy[str]:
    """Whole numbers in groups of three, as the countries write them."""
    numbers = st.integers(min_value=1_000, max_value=10**13)
    return st.builds(lambda number, sign: f"{number:,}".replace(",", sign), numbers, st.sampled_from(".,' "))


@given(
    amounts(),
    st.sampled_from(["Rp {}", "{} rupiah", "costa {} euro", "total {}", "€ {}", "harga {}", "{} orang", "sono {}"]),
)
def test_amounts_are_never_personal(amount: str, around: str) -> None:
    text = around.format(amount)
    assert Redactor().text(text) == text


@given(
    st.dates(date(1800, 1, 1), date(2150, 1, 1)).map(
        lambda day: [f"{day:%d/%m/%Y}", f"{day:%d.%m.%y}", f"{day:%Y-%m-%d}", f"{day:%d-%m-%Y}", f"{day:%Y%m%d}"]
    ),
    st.sampled_from(["il {}", "on {}", "{} - {}", "am {} um 10.30", "dal {} al {}", "ordine {}"]),
)
def test_dates_that_nobody_was_born_on_stay(days: list[str], around: str) -> None:
    for day in days:
        text = around.format(day, day)
        assert Redactor().text(text) == text


ODD = ["", " ", "\n", "[EMAIL_1]", *(unit * (20_000 // len(unit)) for unit in (
    "a", "1 ", "@", "é", "a@", "1-", "IT60", "A1", "via ", "via Roma ", "password ", "tel 1", "12 rue ", "AB 1 ",
    "1.1.1.", ":", "a.at b.", "123 Main St ", "sk-", "eyJ", "0812 ", "uno due tre ", "\uff11", "1\u200b"))]  # fmt: skip


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
def test_odd_texts_pass_in_linear_time(text: str) -> None:
    redactor, begun = Redactor(), time.process_time()
    redactor.text(text + "1")
    assert time.process_time() - begun < 5  # what grew with the square took minutes


@given(st.text(max_size=200))
def test_never_fails_and_takes_whole_signs(text: str) -> None:
    redacted = Redactor().text(text)
    kept = PLACEHOLDER.split(redacted)
    place = 0
    for part in kept:
        place = text.find(part, place)
        assert place >= 0


@given(
    st.from_regex(r"[a-z]{3,8}@[a-z]{3,8}\.(com|it|co\.id)", fullmatch=True),
    st.sampled_from(["{}", "a {} b", "({}),", "è:{}."]),
)
def test_no_address_survives(address: str, around: str) -> None:
    assert address not in Redactor().text(around.format(address))


def test_names_need_an_extra_that_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zantara_exp.dataset.names.find_spec", lambda name: None)
    with pytest.raises(MissingRequirementError, match="needs Presidio and spaCy, which are not installed") as told:
        Redactor(models=["it_core_news_sm"])
    assert told.value.hint == "pip install 'zantara-exp[names]'"
