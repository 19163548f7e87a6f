"""What an answer took and what it cost: usage read from any API as it is, or estimated from the text.

Anthropic counts what its caches read and wrote beside `input_tokens`, OpenAI within `prompt_tokens`. Here both
become the same five numbers, none of which holds another.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from math import ceil
from typing import Any

CHARS_PER_TOKEN = 3.3
"""As dataset.chars_per_token has it: for an answer whose server counted nothing."""
_NONSENSE = 2**40
"""No request has so many tokens."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one answer; None: not counted. A cache that is not named took no part."""

    input: int | None = None
    """Read at the full price: what no cache read or wrote."""
    cache_read: int | None = None
    cache_write_5m: int | None = None
    cache_write_1h: int | None = None
    output: int | None = None
    """Written, reasoning included."""
    estimated: bool = False
    """Whether any of it comes from the length of the text."""

    @property
    def read(self) -> int | None:
        """All that the model read, whoever had it cached."""
        if self.input is None:
            return None
        return self.input + (self.cache_read or 0) + (self.cache_write_5m or 0) + (self.cache_write_1h or 0)

    @property
    def known(self) -> bool:
        """Whether it says enough to be billed."""
        return self.input is not None and self.output is not None


@dataclass(frozen=True, slots=True)
class Billed:
    """What an answer cost. `usd` is None where that is not known, which is not free."""

    usd: float | None = None
    basis: str | None = None
    """What it rests on: prices, or a fee and the volume that it is spread over."""
    price_date: str | None = None
    """The UTC day whose prices these are, YYYY-MM-DD."""
    seconds: float | None = None
    """Of a worker, where those are billed."""


def usage_of(said: object) -> Usage:
    """The usage that an API or its SDK reports: a mapping, or an object such as `reply.usage`; nothing for None."""
    if isinstance(said, Usage):
        return said
    found = _fields(said)
    if "prompt_tokens" in found or "completion_tokens" in found:
        return _with_cache_inside(found, "prompt", "completion")
    if isinstance(found.get("input_tokens_details"), Mapping):  # OpenAI's Responses
        return _with_cache_inside(found, "input", "output")
    if isinstance(found.get("input_token_details"), Mapping):  # LangChain's
        return _langchain(found)
    if "input_tokens" in found or "output_tokens" in found:
        return _anthropic(found)
    if "inputTokens" in found or "outputTokens" in found:  # Bedrock's Converse
        fresh, read, stored, written = (count(found.get(name)) for name in _CONVERSE)
        return Usage(fresh, read, stored, None, written)
    gemini = {_GEMINI[name]: value for name, value in found.items() if name in _GEMINI}
    if gemini:
        return _gemini(gemini)
    return Usage(count(found.get("input")), output=count(found.get("output")))  # RunPod's vLLM worker


def merged(known: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Two usages of one stream: counts only grow, so that a null or a nought that comes late takes nothing away."""
    whole = dict(known)
    for name, value in later.items():
        old = whole.get(name)
        if isinstance(value, Mapping):
            whole[name] = merged(old if isinstance(old, Mapping) else {}, value)
        elif old is None or (count(old) is not None and (count(value) or 0) > old):
            whole[name] = value
    return whole


def completed(usage: Usage, asked: Iterable[str], answer: str) -> Usage:
    """The usage with what was not counted estimated from the texts, and marked so."""
    if usage.known:
        return usage
    read = usage.input if usage.input is not None else _tokens(sum(map(len, asked)))
    written = usage.output if usage.output is not None else _tokens(len(answer))
    return replace(usage, input=read, output=written, estimated=True)


def so_far(usage: Usage, asked: Iterable[str], answer: str) -> Usage:
    """What an answer that broke off took by then, an estimate: the text that came, and what its stream had counted."""
    known = completed(usage, asked, answer)
    return replace(known, output=max(known.output or 0, _tokens(len(answer))), estimated=True)


def count(value: object) -> int | None:
    """A token count, or None where the server sent none or nonsense."""
    counted = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _NONSENSE
    return value if counted else None  # type: ignore[return-value]


def _fields(said: object) -> Mapping[str, Any]:
    if isinstance(said, Mapping):
        return said
    dump = getattr(said, "model_dump", None)  # pydantic's, which SDKs are made of
    if callable(dump):
        found = dump()
    elif is_dataclass(said) and not isinstance(said, type):
        found = {each.name: getattr(said, each.name) for each in fields(said)}
    else:
        found = getattr(said, "__dict__", {})
    return found if isinstance(found, Mapping) else {}


_CONVERSE = ("inputTokens", "cacheReadInputTokens", "cacheWriteInputTokens", "outputTokens")
_GEMINI = {
    **{f"{name}_token_count": name for name in ("prompt", "candidates", "cached_content", "thoughts")},
    "promptTokenCount": "prompt",
    "candidatesTokenCount": "candidates",
    "cachedContentTokenCount": "cached_content",
    "thoughtsTokenCount": "thoughts",
}


def _gemini(found: Mapping[str, Any]) -> Usage:
    """What the cache had is within the prompt's count, thoughts are beside the answer's."""
    prompt, cached = count(found.get("prompt")), count(found.get("cached_content"))
    said, thought = count(found.get("candidates")), count(found.get("thoughts"))
    fresh = None if prompt is None else max(0, prompt - (cached or 0))
    written = None if said is None and thought is None else (said or 0) + (thought or 0)
    return Usage(fresh, cached, output=written)


def _langchain(found: Mapping[str, Any]) -> Usage:
    """What caches read and wrote is within `input_tokens`, whoever answered."""
    inside, whole = _fields(found.get("input_token_details")), count(found.get("input_tokens"))
    cached, stored = count(inside.get("cache_read")), count(inside.get("cache_creation"))
    fresh = None if whole is None else max(0, whole - (cached or 0) - (stored or 0))
    return Usage(fresh, cached, stored, None, count(found.get("output_tokens")))


def _anthropic(found: Mapping[str, Any]) -> Usage:
    written = count(found.get("cache_creation_input_tokens"))
    parts = _fields(found.get("cache_creation"))
    hour, five = count(parts.get("ephemeral_1h_input_tokens")), count(parts.get("ephemeral_5m_input_tokens"))
    if written is not None and (five is None or five + (hour or 0) < written):
        five = max(0, written - (hour or 0))
    read = count(found.get("cache_read_input_tokens"))
    return Usage(count(found.get("input_tokens")), read, five, hour, count(found.get("output_tokens")))


def _with_cache_inside(found: Mapping[str, Any], asked: str, answered: str) -> Usage:
    """OpenAI's count of what was read holds what its cache read and wrote."""
    inside = _fields(found.get(f"{asked}_tokens_details"))
    whole, written = count(found.get(f"{asked}_tokens")), count(found.get(f"{answered}_tokens"))
    cached, stored = count(inside.get("cached_tokens")), count(inside.get("cache_write_tokens"))
    cached = count(found.get("prompt_cache_hit_tokens")) if cached is None else cached  # DeepSeek's
    total = count(found.get("total_tokens"))
    if whole is not None and written is not None and total is not None and total > whole + written:
        written = total - whole  # some servers count reasoning beside the answer: their total tells
    fresh = None if whole is None else max(0, whole - (cached or 0) - (stored or 0))
    return Usage(fresh, cached, stored, None, written)


def _tokens(characters: int) -> int:
    return ceil(characters / CHARS_PER_TOKEN)
