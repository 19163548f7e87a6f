"""Which requests would move: the one predicate that mirror, replay, router, gateway, gate and report ask.

A request is movable when the rollout would send it to the candidate: it asks for text that any chat model could answer,
at a length that the candidate may have, in a category and a language that are moved. `why_not` names what keeps it with
the primary; such a request is out of scope, neither evidence for the candidate nor lost.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zantara_exp.config.rollout import EXCLUDABLE, Rollout
from zantara_exp.config.schema import Config

NOT_TEXT, UNREADABLE, STORED_CHAT = "not_text", "unreadable", "stored_chat"
UNSHOWABLE = (NOT_TEXT, UNREADABLE, STORED_CHAT)
"""A chat that no candidate could be shown, not even for looking at: `stored_chat` lies in part with the provider."""
CLIENT_GONE, TOOL_USE = "client_gone", "tool_use"
UNKNOWN = "unknown"
"""A language that nobody could name."""
IMPATIENT = "impatient"
"""Of a rollout's requests: the client waits for less than a candidate could be called late after."""
SCORE_BELOW = "score_below"
"""Of a learned route's requests: nobody vouches for the candidate's answer."""
WITHOUT_ANSWER = (CLIENT_GONE, TOOL_USE, NOT_TEXT)
"""What came of a movable request, in the place of the primary's error: nothing that an answer could be held against."""

_PLAIN = frozenset((
    "model", "messages", "system", "input", "instructions", "stream", "stream_options", "max_tokens",
    "max_completion_tokens", "max_output_tokens", "temperature", "top_p", "top_k", "seed", "presence_penalty",
    "frequency_penalty", "verbosity", "user", "safety_identifier", "metadata", "store", "service_tier",
    "prompt_cache_key", "prompt_cache_retention", "cache_control", "truncation", "parallel_tool_calls",
    "max_tool_calls", "tool_choice", "function_call", "anthropic_version", "anthropic_beta",
))  # fmt: skip
"""What a request may hold that any chat model can answer, or that asks for nothing without what it belongs to."""
_ASKED_EMPTY = ("web_search_options",)
"""What is asked for by an empty object as well."""
_LIMITS = ("max_completion_tokens", "max_output_tokens", "max_tokens")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for beside the words of its chat."""

    options: Mapping[str, Any] = field(default_factory=dict)
    """As the API names them: max_tokens, tools, response_format ... The whole body will do."""
    characters: int = 0
    """Of the message and the history."""
    unshowable: str = ""
    """One of UNSHOWABLE, where its chat is not text alone."""


class Movable:
    """The predicate of one config."""

    def __init__(self, plan: Rollout, max_tokens: int = 0) -> None:
        """`max_tokens`: of the candidate's answers; 0 where that is not known, and no answer is too short for it."""
        self.categories = frozenset(plan.categories)
        self._longest, self._max_tokens = plan.longest_chat, max_tokens
        self._exclude = plan.exclude
        self.by_language = any("language" in part for part in plan.exclude)
        """Whether the language has to be known to say whether a request moves."""

    @classmethod
    def of(cls, config: Config) -> Movable:
        """That of the config's rollout and candidate."""
        return cls(config.rollout, config.endpoint.longest_answer)

    def request(self, asked: Asked) -> str:
        """Why a request stays with the primary whatever it is about; empty where it need not.

        `long` is what nobody should have to sort: it is told before category and language are.
        """
        if asked.unshowable:
            return asked.unshowable
        if more := _more_than_text(asked.options):
            return more
        limits = (_count(asked.options.get(name)) for name in _LIMITS)
        longest = next(filter(None, limits), None)
        if longest is not None and longest < self._max_tokens:
            return "shorter_answer"
        return "long" if asked.characters > self._longest else ""

    def segment(
        self,
        category: str | None,
        language: str | None,
        covers: Mapping[str, Collection[str]] | None = None,
        sure: bool = True,
        more: Sequence[Mapping[str, str]] = (),
    ) -> str:
        """Why a request about this, in this language, stays with the primary; empty where it need not.

        `sure`: whether the category is, as somebody said or `dataset.category` found. `covers`: the values by dimension
        that a running rollout's GO covers; none given: all are. `more`: parts that it
        leaves out, beside those of `rollout.exclude`.
        """
        if category not in self.categories:
            return f"category_{category or 'unknown'}"
        if not sure:
            return f"category_{category}_unsure"
        of = {"category": category, "language": language}
        for part in (*self._exclude, *more):
            # What cannot be told apart from what is left out stays as well.
            if all(of[name] in (part[name], None, UNKNOWN) for name in EXCLUDABLE if name in part):
                return why_excluded(part)
        parts = (
            f"not_covered_{name}_{of.get(name) or 'unknown'}"
            for name, values in (covers or {}).items()
            if of.get(name) not in values
        )
        return next(parts, "")


def why_excluded(part: Mapping[str, str]) -> str:
    """Why a request of an excluded part stays with the primary: `excluded_language_id_category_casual`."""
    return "_".join(["excluded", *(f"{name}_{part[name]}" for name in EXCLUDABLE if name in part)])


def _more_than_text(options: Mapping[str, Any]) -> str:
    """The first thing asked for that is no text, or no single one; what is null, empty or off asks for nothing."""
    for name, value in options.items():
        empty = value == {} and name in _ASKED_EMPTY
        if name in _PLAIN or not (value or empty):
            continue
        why, asks = _MORE.get(name, ("other_option", bool))
        off = why == "tools" and any(_is("none", options.get(choice)) for choice in ("tool_choice", "function_call"))
        if (empty or asks(value)) and not off:
            return why
    return ""


def _is(kind: str, value: object) -> bool:
    """Whether a setting that is a word, or an object with a `type`, says this."""
    return kind == (value.get("type") if isinstance(value, Mapping) else value)


def _several(value: object) -> bool:
    return value != 1


def _format(value: object) -> bool:
    """A format of its own (`response_format`), or one in a setting that says more (`text`, `output_config`)."""
    if isinstance(value, Mapping) and "type" not in value:
        return bool(value.get("format")) and not _is("text", value["format"])
    return not _is("text", value)


def _logprobs(value: object) -> bool:
    """What `include` adds to a text by itself; the rest of it belongs to tools and thoughts."""
    return isinstance(value, list) and any("logprobs" in str(each) for each in value)


def _thinks(value: object) -> bool:
    """`thinking: {type: disabled}`, `reasoning_effort: none` and the like ask for none."""
    if isinstance(value, Mapping) and "effort" in value:
        return bool(value["effort"]) and value["effort"] != "none"
    return not (_is("disabled", value) or _is("none", value) or value == {"enabled": False})


def _beyond_text(value: object) -> bool:
    return value != ["text"]


_MORE: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(("tools", "functions", "mcp_servers", "container", "web_search_options"), ("tools", bool)),
    **dict.fromkeys(("response_format", "output_format", "output_config", "text"), ("format", _format)),
    **dict.fromkeys(("stop", "stop_sequences"), ("stop", bool)),
    **dict.fromkeys(("thinking", "reasoning", "reasoning_effort"), ("thinking", _thinks)),
    **dict.fromkeys(("logprobs", "top_logprobs"), ("logprobs", bool)),
    "include": ("logprobs", _logprobs),
    **dict.fromkeys(("previous_response_id", "conversation", "prompt"), (STORED_CHAT, bool)),
    "n": ("several_answers", _several),
    "modalities": (NOT_TEXT, _beyond_text),
    "audio": (NOT_TEXT, bool),
}
REASONS = (
    *dict.fromkeys(why for why, _ in _MORE.values()), "other_option", "shorter_answer", "long", UNREADABLE,
)  # fmt: skip
"""What `request` can say."""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
