"""A kind of endpoint, a source and two metrics of one's own (docs/extending.md)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from zantara_exp import Answered, Config, HttpEndpoint
from zantara_exp.cost.usage import Usage
from zantara_exp.endpoints.base import EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.streaming import Pieces


class Ollama(HttpEndpoint):
    """Ollama's own API: `POST {base_url}/api/chat`. Timeouts, breaker, size limit and cost are HttpEndpoint's."""

    def __init__(self, config: Any, base_url: str, model: str) -> None:
        super().__init__(config, base_url, model, headers={})

    async def _ask(self, messages: Sequence[Message], pieces: Pieces) -> Reply:
        options = {"temperature": self._config.temperature, "num_predict": self._config.max_tokens}
        sent = {"model": self._config.model, "messages": list(messages), "stream": False, "options": options}
        said = await self._json("api/chat", sent)
        text = said.get("message", {}).get("content")
        if not isinstance(text, str):
            raise EndpointError(Reason.BAD_ANSWER, "the body holds no message.content")
        used = Usage(input=said.get("prompt_eval_count"), output=said.get("eval_count"))
        return Reply(text, used, said.get("done_reason"))


def tickets(config: Config) -> Iterator[dict[str, Any]]:
    """Answered support tickets of `source.path`, a JSON line each, in a shape that `source=files` reads."""
    for line in Path(str(config.source.path)).read_text(encoding="utf-8").splitlines():
        ticket = json.loads(line)
        yield {
            "id": ticket["number"],
            "user_id": ticket["customer"],
            "created_at": ticket["opened"],
            "model": ticket["answered_by"],
            "messages": [
                {"role": "user", "content": ticket["question"]},
                {"role": "assistant", "content": ticket["answer"]},
            ],
        }


def keeps_link(answered: Sequence[Answered]) -> list[bool | None]:
    """Whether the candidate gives a link wherever the primary does."""
    link = re.compile(r"https?://\S+")
    return [bool(link.search(each.candidate)) if link.search(each.primary) else None for each in answered]


def words_more(answered: Sequence[Answered]) -> list[float]:
    """How many words the candidate's answer is longer; judged as kind=mean, with a bound."""
    return [max(0.0, float(len(each.candidate.split()) - len(each.primary.split()))) for each in answered]


words_more.kind = "mean"  # type: ignore[attr-defined]
