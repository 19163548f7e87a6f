"""Prices by exact names, dated, with caches and tiers; and ten bills computed by hand."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from zantara_exp.config.decision import Cost, Price
from zantara_exp.cost.prices import charge_by_tokens, known_providers, price_of, priced_models, standing_of
from zantara_exp.cost.usage import Usage, usage_of

DAY = date(2026, 11, 3)
COST = Cost()


def input_and_output(name: str, cost: Cost = COST, day: date = DAY) -> tuple[float, float] | None:
    price = price_of(name, cost, day)
    return None if price is None else (price.tiers[0][1].input, price.tiers[0][1].output)


@pytest.mark.parametrize(
    ("name", "dollars"),
    [
        ("claude-3-5-haiku", (0.8, 4)),
        ("claude-3-5-haiku-latest", (0.8, 4)),
        ("claude-3-5-haiku-20241022", (0.8, 4)),
        ("claude-haiku-4-5-20251001", (1, 5)),
        ("claude-haiku-5-5", (0.1, 0.5)),
        ("claude-haiku-5-5-20261001", (0.1, 0.5)),
        ("claude-sonnet-4-20250514", (3, 15)),
        ("claude-sonnet-4@20250514", (3, 15)),
        ("Claude-Haiku-4-5", (1, 5)),
        ("gpt-4o-mini", (0.15, 0.6)),
        ("gemini-2.0-flash", (0.1, 0.4)),  # its list matches it by a part only; the id itself is its name
        ("gpt-4o-mini-2024-07-18", (0.15, 0.6)),
        ("claude-haiku-4-55", None),
        ("claude-haiku-4-5-turbo", None),
        ("my-claude-haiku-4-5", None),
        ("claude-3-5-haiku-20241022-ours", None),
        ("haiku", None),
        ("claude", None),
        ("meta-llama/Llama-3.1-8B-Instruct", None),
        ("", None),
    ],
)
def test_a_name_is_priced_whole_or_not_at_all(name: str, dollars: tuple[float, float] | None) -> None:
    assert input_and_output(name) == dollars


def test_own_prices_and_aliases_win() -> None:
    own = Cost(prices={"claude-haiku-4-5": Price(7, 8), "m": Price(1, 2)}, aliases={"haiku": "claude-haiku-4-5"})
    assert input_and_output("haiku", own) == (7, 8)
    assert input_and_output("m", own) == (1, 2)
    assert input_and_output("claude-haiku-4-5-20251001", own) == (1, 5)  # another name
    assert input_and_output("haiku", Cost(aliases={"haiku": "claude-3-5-haiku"})) == (0.8, 4)
    assert input_and_output("claude-haiku-4-5", Cost(providers=["openai"])) is None


def test_the_lists_that_are_looked_at_are_there() -> None:
    assert set(COST.providers) <= set(known_providers())


def test_without_a_count_or_a_price_nothing_is_said() -> None:
    assert charge_by_tokens("claude-haiku-4-5", Usage(10), COST, DAY) is None
    assert charge_by_tokens("claude-haiku-4-5", Usage(output=10), COST, DAY) is None
    assert charge_by_tokens("haiku", Usage(10, output=10), COST, DAY) is None
    assert charge_by_tokens(None, Usage(10, output=10), COST, DAY) is None


def test_a_bill_says_by_what_and_of_which_day() -> None:
    bill = charge_by_tokens("claude-3-5-haiku", Usage(10, output=10), COST, DAY)
    assert bill is not None
    assert bill.price_date == "2026-11-03"
    assert bill.basis is not None
    assert bill.basis.startswith("claude-3-5-haiku-latest by genai-prices ")
    assert bill.basis.endswith(": USD 0.8 / 4 a million tokens, cached 0.08, to cache 1 or 1.6 (1 h)")


ANTHROPIC = {
    "input_tokens": 20,
    "cache_read_input_tokens": 1900,
    "cache_creation_input_tokens": 80,
    "output_tokens": 100,
}
OPENAI = {"prompt_tokens": 2000, "completion_tokens": 100, "prompt_tokens_details": {"cached_tokens": 1900}}
OWN = Cost(prices={"llama": Price(0.05, 0.08), "cached": Price(2, 8, cache_read=0.5, cache_write_5m=2.5)})


@pytest.mark.parametrize(
    ("model", "usage", "micro_dollars", "cost"),
    [
        # dollars a million tokens times tokens: millionths of a dollar
        ("claude-3-5-haiku", {"input_tokens": 2000, "output_tokens": 100}, 2000 * 0.8 + 100 * 4, COST),
        ("claude-3-5-haiku-20241022", ANTHROPIC, 20 * 0.8 + 1900 * 0.08 + 80 * 1.0 + 100 * 4, COST),
        (
            "claude-3-5-haiku",
            {**ANTHROPIC, "cache_creation": {"ephemeral_5m_input_tokens": 30, "ephemeral_1h_input_tokens": 50}},
            20 * 0.8 + 1900 * 0.08 + 30 * 1.0 + 50 * 1.6 + 100 * 4, COST,
        ),
        ("claude-haiku-4-5", ANTHROPIC, 20 * 1 + 1900 * 0.1 + 80 * 1.25 + 100 * 5, COST),
        ("claude-haiku-5-5", ANTHROPIC, 20 * 0.1 + 1900 * 0.01 + 80 * 0.125 + 100 * 0.5, COST),
        # above 100,000 tokens read, caches included, every token costs five times as much
        (
            "claude-haiku-5-5", {**ANTHROPIC, "cache_read_input_tokens": 99_901},
            20 * 0.5 + 99_901 * 0.05 + 80 * 0.625 + 100 * 2.5, COST,
        ),
        ("claude-haiku-5-5", {**ANTHROPIC, "cache_read_input_tokens": 99_900},
         20 * 0.1 + 99_900 * 0.01 + 80 * 0.125 + 100 * 0.5, COST),
        ("gpt-4o-mini", OPENAI, 100 * 0.15 + 1900 * 0.075 + 100 * 0.6, COST),
        ("llama", {"prompt_tokens": 41, "completion_tokens": 9}, 41 * 0.05 + 9 * 0.08, OWN),
        ("cached", ANTHROPIC, 20 * 2 + 1900 * 0.5 + 80 * 2.5 + 100 * 8, OWN),
    ],
)  # fmt: skip
def test_bills_by_hand(model: str, usage: dict[str, Any], micro_dollars: float, cost: Cost) -> None:
    bill = charge_by_tokens(model, usage_of(usage), cost, DAY)
    assert bill is not None
    assert bill.usd == pytest.approx(micro_dollars / 1e6)


def test_what_the_lists_say_of_a_models_life() -> None:
    assert standing_of("claude-haiku-4-5-20251001", COST) == (True, "")
    assert standing_of("claude-sonnet-4-5", COST) == (True, "")  # its comment tells of a beta that was retired
    known, said = standing_of("devstral-2512", COST)
    assert known
    assert said.endswith(": Deprecated 2026-05-22")
    assert standing_of("grok-2-1212", COST).said.startswith("deprecated, says genai-prices ")
    assert standing_of("grok-2-1212", Cost(prices={"grok-2-1212": Price(1, 1)})) == (True, "")
    assert standing_of("claude-haiku-4-6", COST) == (False, "claude-haiku-4-5")
    assert standing_of("zz", COST) == (False, "")
    assert standing_of("mine", Cost(aliases={"mine": "gemini-2.0-flash"})).said.startswith("deprecated")


def test_models_a_chat_could_be_given_to() -> None:
    found = {price.model: price for price in priced_models(Cost(prices={"m": Price(1, 2)}), DAY)}
    assert {"claude-haiku-5-5", "gpt-5-nano", "m"} <= set(found)
    assert not {"gemini-2.0-flash", "text-embedding-3-small", "whisper-1", "gpt-4o-mini-tts"} & set(found)
    assert (found["claude-haiku-4-5"].provider, found["m"].provider) == ("anthropic", "cost.prices")
    assert all(price.tiers[0][1].output > 0 for price in found.values())
