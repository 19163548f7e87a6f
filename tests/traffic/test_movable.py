"""What would move, request by request: the one predicate of mirror, replay, router, gateway, gate and report."""

from typing import Any

import pytest

from zantara_exp.config.rollout import Rollout
from zantara_exp.traffic.movable import Asked, Movable

MOVABLE = Movable(Rollout(categories=["greeting", "casual"]), max_tokens=256)
TOOL = {"name": "visa", "input_schema": {"type": "object"}}
FUNCTION = {"type": "function", "function": {"name": "visa", "parameters": {}}}

STAYS: list[tuple[str, dict[str, Any]]] = [
    ("tools", {"tools": [TOOL]}),
    ("tools", {"tools": [FUNCTION], "tool_choice": "auto"}),
    ("tools", {"functions": [{"name": "visa"}]}),
    ("tools", {"mcp_servers": [{"url": "https://x"}]}),
    ("format", {"response_format": {"type": "json_object"}}),
    ("format", {"response_format": {"type": "json_schema", "json_schema": {}}}),
    ("stop", {"stop": ["\n"]}),
    ("stop", {"stop_sequences": ["\n"]}),
    ("thinking", {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
    ("thinking", {"thinking": {"type": "adaptive"}}),
    ("thinking", {"reasoning_effort": "high"}),
    ("thinking", {"reasoning": {"effort": "low"}}),
    ("several_answers", {"n": 3}),
    ("logprobs", {"logprobs": True}),
    ("not_text", {"modalities": ["text", "audio"]}),
    ("shorter_answer", {"max_tokens": 200}),
    ("shorter_answer", {"max_completion_tokens": 1, "max_tokens": 4096}),
    ("other_option", {"logit_bias": {"50256": -100}}),
    ("other_option", {"an_option_of_next_year": {"x": 1}}),
]
MOVES: list[dict[str, Any]] = [
    {},
    {"model": "m", "max_tokens": 256, "temperature": 0.7, "stream": True, "stream_options": {"include_usage": True}},
    {"model": "m", "messages": [{"role": "user", "content": "Ciao"}], "system": "Be short."},
    {"thinking": {"type": "disabled"}},
    {"reasoning_effort": "none"},
    {"reasoning": {"effort": "none"}},
    {"reasoning": {"enabled": False}},
    {"tools": [], "tool_choice": "auto", "parallel_tool_calls": True},
    {"tools": None, "stop": [], "response_format": None, "n": None, "logprobs": False},
    {"tools": [TOOL], "tool_choice": {"type": "none"}},
    {"tools": [FUNCTION], "tool_choice": "none"},
    {"response_format": {"type": "text"}, "n": 1, "modalities": ["text"]},
    {"max_tokens": None},
]


@pytest.mark.parametrize(("why", "options"), STAYS)
def test_what_stays_with_the_primary_and_why(why: str, options: dict[str, Any]) -> None:
    assert MOVABLE.request(Asked(options)) == why


@pytest.mark.parametrize("options", MOVES)
def test_what_asks_for_nothing_but_text(options: dict[str, Any]) -> None:
    assert MOVABLE.request(Asked(options)) == ""


def test_a_long_chat_and_one_that_no_candidate_could_be_shown() -> None:
    assert MOVABLE.request(Asked(characters=4000)) == ""
    assert MOVABLE.request(Asked(characters=4001)) == "long"
    assert Movable(Rollout(longest_chat=9000)).request(Asked(characters=4001)) == ""
    assert MOVABLE.request(Asked({"tools": [TOOL]}, unshowable="not_text")) == "not_text"


def test_without_a_known_candidate_no_answer_is_too_short() -> None:
    assert Movable(Rollout(categories=["greeting", "casual"])).request(Asked({"max_tokens": 1})) == ""


def test_categories_and_languages_that_are_not_moved() -> None:
    assert MOVABLE.segment("casual", "it") == ""
    assert MOVABLE.segment("business", "it") == "category_business"
    assert MOVABLE.segment(None, "it") == "category_unknown"
    only = {"language": ("en",)}
    assert MOVABLE.segment("casual", "en", only) == ""
    assert MOVABLE.segment("casual", "it", only) == "not_covered_language_it"
    assert MOVABLE.segment("casual", None, only) == "not_covered_language_unknown"


def test_what_is_asked_for_by_an_empty_object_is_asked_for() -> None:
    plain = Movable(Rollout(categories=["greeting", "casual"]))
    assert plain.request(Asked({"web_search_options": {}})) == "tools"
    assert plain.request(Asked({"functions": [{"name": "f"}], "function_call": "none"})) == ""


def test_what_is_excluded_stays_and_so_does_what_cannot_be_told_from_it() -> None:
    part = {"language": "id", "category": "casual"}
    without = Movable(Rollout(categories=["greeting", "casual"], exclude=[part]))
    why = "excluded_language_id_category_casual"
    assert (without.by_language, MOVABLE.by_language) == (True, False)
    assert without.segment("casual", "id") == why
    assert without.segment("casual", None) == without.segment("casual", "unknown") == why
    assert without.segment("greeting", "id") == without.segment("casual", "it") == ""
    assert MOVABLE.segment("casual", "id", more=[part]) == why
