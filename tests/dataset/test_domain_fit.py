"""Where a domain does not fit its chats, and what labels by hand say of what has to stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dataset.support import config_of, record, write
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import labels, sampled_chats
from zantara_exp.dataset.domain_fit import misfits
from zantara_exp.dataset.evidence import evidence
from zantara_exp.dataset.filters import Sifted
from zantara_exp.gates.evidence import EvidenceRequest, Missing, Number

ASKED = EvidenceRequest("wrongly_moved")
STAYS = [{"text": "Quanto costa il visto?", "language": "it", "category": "business"}]
MOVES = [{"text": "Ciao!", "language": "it", "category": "greeting"}]


def chats(count: int, question: str, category: str, language: str = "it") -> list[dict[str, object]]:
    made = record(question, "Va bene.", category=category, language=language)
    return [{**made, "conversation_id": f"{category}{number}"} for number in range(count)]


def test_what_fits_has_no_finding() -> None:
    there = [*chats(40, "Ciao!", "greeting"), *chats(30, "Raccontami una barzelletta", "casual")]
    assert misfits([*there, *chats(30, "Quanto costa il visto?", "business")], {}, config_of()) == []


def test_what_no_pattern_tells_is_said_with_its_share() -> None:
    there = [*chats(30, "Wo kann ich Geld wechseln", "business"), *chats(70, "Ciao!", "greeting")]
    found = misfits(there, {}, config_of())
    assert found[0].startswith("30% are business by default: no pattern matched")
    assert "0 of 100 are casual: does domain.categories.casual fit?" in found


def test_without_examples_it_is_said_why_little_moves() -> None:
    there = [*chats(70, "Ciao, mi scrive la banca dove?", "greeting"), *chats(30, "Ciao", "greeting")]
    found = misfits(there, {}, config_of("domain.examples=null", "domain.categories.business.patterns=[visto]"))
    assert any(
        each.startswith("70% of what could move is not sure enough for it: without domain.examples") for each in found
    )


def test_languages_that_nobody_declared_are_named() -> None:
    there = [*chats(80, "Ciao!", "greeting"), *chats(20, "Hallo", "casual", language="unknown")]
    found = misfits(there, {"de": 9}, config_of())
    assert "9% look German (de), which is not among dataset.languages (it, en, id)" in found
    assert "11% are in no language that can be told: do dataset.languages (it, en, id) fit?" in found


def test_chats_of_each_label_reason_and_quarantine_are_shown(workdir: Path) -> None:
    there = chats(19, "Ciao!", "greeting")
    order = sampled_chats.in_chance_order(there, 7)
    assert order != sampled_chats.in_chance_order(there, 8)
    found = sampled_chats.by_label(there, order)
    assert {name: len(each) for name, each in found.items()} == {"category: greeting": 10, "language: it": 10}
    half = record("Ciao!", "Va bene.", "E il tempo?", "ok")
    refused = sampled_chats.by_reason(
        [*there, half], [Sifted("too_short", {})] * 19 + [Sifted("", {1: "empty"})], range(len(there) + 1)
    )
    assert {name: len(each) for name, each in refused.items()} == {"too_short": 10, "empty": 1}
    assert refused["empty"] == [{"conversation_id": "c1", "user": "E il tempo?", "assistant": "ok"}]
    path = Layout(config_of()).quarantine
    assert sampled_chats.quarantined(path, 7) == {}
    row = {"conversation_id": "c", "user": "u", "timestamp": "2025-11-03T10:00:00Z", "reason": "no_messages"}
    write(
        path, [*({**row, "conversation_id": f"c{n}"} for n in range(12)), {**row, "reason": "no_time", "place": "a:3"}]
    )
    lost = sampled_chats.quarantined(path, 7)
    assert {name: len(each) for name, each in lost.items()} == {"no_messages": 10, "no_time": 1}
    assert lost["no_time"] == [{"conversation_id": "c", "time": "2025-11-03T10:00:00Z", "at": "a:3"}]


def test_without_labels_nothing_is_known_of_what_has_to_stay(workdir: Path) -> None:
    config = config_of()
    (found,) = evidence([ASKED], None, config, Layout(config))
    assert isinstance(found, Missing)
    assert "run stage=label" in found.reason
    write(Layout(config).labelled, MOVES)
    (found,) = evidence([ASKED], None, config, Layout(config))
    assert isinstance(found, Missing)


def test_the_bound_is_of_what_has_to_stay(workdir: Path) -> None:
    """None of 59 is shown to be at most 5 %, by 1 - 0.05 ** (1 / 59); one more moved is not."""
    config = config_of()
    path = Layout(config).labelled
    write(path, [*STAYS * 59, *MOVES * 40])
    assert labels.promise(path, config) == (59, 0, pytest.approx(1 - 0.05 ** (1 / 59)))
    (found,) = evidence([ASKED], None, config, Layout(config))
    assert isinstance(found, Number)
    assert found.value < 0.05
    write(path, [*STAYS * 59, {"text": "Ciao!", "language": "it", "category": "business"}])
    rows, moved, most = labels.promise(path, config)
    assert (rows, moved) == (60, 1)
    assert most > 0.05
