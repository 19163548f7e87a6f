"""What a request says beside its chat: only what is set, since today's models refuse what they do not know."""

from pathlib import Path
from typing import Any

import pytest

from tests.composing import composed
from tests.endpoints.asking import asked
from zantara_exp.config import compose
from zantara_exp.config.traffic import KINDS, Endpoint
from zantara_exp.core.errors import ConfigError
from zantara_exp.endpoints.build import CLIENTS, option
from zantara_exp.endpoints.candidate_id import epoch_of
from zantara_exp.traffic.movable import Asked, Movable

COMPLETION = {"choices": [{"message": {"content": "Ciao!"}, "finish_reason": "stop"}]}
MESSAGE = {"content": [{"type": "text", "text": "Ciao!"}], "stop_reason": "end_turn"}
CONVERSED = {"output": {"message": {"content": [{"text": "Ciao!"}]}}, "stopReason": "end_turn"}
JOB = {"id": "j", "status": "COMPLETED", "output": "Ciao!"}
NOTHING: dict[str, Any] = {"max_tokens": None, "temperature": None}
SENT: list[tuple[str, object, dict[str, Any], dict[str, Any]]] = [
    ("openai", COMPLETION, {}, {"max_tokens": 256, "temperature": 0.0}),
    ("openai", COMPLETION, NOTHING, {}),
    ("openai", COMPLETION, {**NOTHING, "max_completion_tokens": 900, "reasoning_effort": "minimal"},
     {"max_completion_tokens": 900, "reasoning_effort": "minimal"}),
    ("azure", COMPLETION, {**NOTHING, "max_completion_tokens": 900}, {"max_completion_tokens": 900}),
    ("anthropic", MESSAGE, {"temperature": None}, {"max_tokens": 256}),
    ("anthropic", MESSAGE, {"temperature": 0.5, "thinking": {"type": "disabled"}},
     {"max_tokens": 256, "temperature": 0.5, "thinking": {"type": "disabled"}}),
    ("bedrock", CONVERSED, {}, {"inferenceConfig": {"maxTokens": 256, "temperature": 0.0}}),
    ("bedrock", CONVERSED, {**NOTHING, "thinking": {"type": "disabled"}},
     {"additionalModelRequestFields": {"thinking": {"type": "disabled"}}}),
    ("bedrock", CONVERSED, NOTHING, {}),
]  # fmt: skip
CHAT_FIELDS = ("model", "messages", "system", "stream")


@pytest.mark.parametrize(("kind", "reply", "settings", "said"), SENT)
def test_only_what_is_set_is_sent(
    kind: str, reply: object, settings: dict[str, Any], said: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THE_KEY", "k")
    config = Endpoint(kind=kind, model="m", stream=False, api_key_env="THE_KEY", **settings)
    answer, sent = asked(config, reply)
    assert (answer.text, answer.error) == ("Ciao!", None)
    assert {name: value for name, value in sent.body.items() if name not in CHAT_FIELDS} == said


def test_a_job_of_runpods_says_only_what_is_set() -> None:
    _, sent = asked(Endpoint(kind="runpod", model="m"), JOB)
    assert sent.body["input"]["sampling_params"] == {"max_tokens": 256, "temperature": 0.0}
    _, sent = asked(Endpoint(kind="runpod", model="m", **NOTHING), JOB)
    assert sent.body["input"].keys() == {"messages", "sampling_params"}
    assert sent.body["input"]["sampling_params"] == {}


@pytest.mark.parametrize("name", ["anthropic", "gpt", "azure"])
def test_todays_models_are_asked_as_they_want_it(name: str) -> None:
    """As candidate by the option, as primary and A/A by its name, as judge by the option that builds on it."""
    found = option(name)
    assert found.temperature is None
    assert (found.max_tokens is None) == (name != "anthropic")
    assert found.longest_answer > 0
    if name != "azure":
        judge = composed(f"judge={name}").judge.endpoint
        assert (judge.temperature, judge.max_tokens is None) == (None, name == "gpt")
    assert composed(f"endpoint={name}").endpoint == found


def test_every_kind_has_its_client() -> None:
    assert {*CLIENTS, "local"} == set(KINDS)


def test_what_a_kind_does_not_send_is_refused() -> None:
    for settings, why in (
        (["endpoint=anthropic", "endpoint.max_tokens=null"], r"endpoint\.max_tokens.*must say it"),
        (["endpoint=anthropic", "endpoint.reasoning_effort=low"], r"endpoint\.reasoning_effort.*openai"),
        (["endpoint=gpt", "endpoint.thinking={type: disabled}"], r"endpoint\.thinking.*anthropic, bedrock"),
        (["endpoint=gpt", "endpoint.max_tokens=400"], r"endpoint\.max_completion_tokens.*set one to null"),
        (["endpoint=anthropic", "endpoint.thinking=off"], r"endpoint\.thinking.*type: disabled"),
    ):
        with pytest.raises(ConfigError, match=why):
            compose(settings)
    thinking = compose(["endpoint=anthropic", "endpoint.thinking={type: disabled}"]).endpoint.thinking
    assert thinking == {"type": "disabled"}


def test_another_setting_is_another_epoch_and_none_is_the_old_one() -> None:
    def epoch(**settings: Any) -> str:
        return epoch_of(Endpoint(kind="openai", base_url="http://x", model="m", **settings), "", Path())

    assert epoch() == "678576a300c6c69b"
    newer = epoch(max_tokens=None, max_completion_tokens=256)
    others = [epoch(reasoning_effort="low"), epoch(temperature=None), newer]
    assert len({epoch(), *others}) == 4


def test_the_longest_answer_by_either_name_is_what_a_request_is_held_against() -> None:
    config = composed("endpoint=gpt", "endpoint.max_completion_tokens=300")
    assert Movable.of(config).request(Asked({"max_tokens": 299})) == "shorter_answer"
    assert Movable.of(config).request(Asked({"max_tokens": 300})) == ""
