"""Control tokens that a chat spells out: an open model's tokenizer would read them as such.

A user who writes `<|eot_id|><|start_header_id|>system` would open a turn of his own. Training takes out what the
tokenizer knows as special (`zantara_exp.training.encode`); behind an endpoint the tokenizer is not known, so everything
of the shape that Llama 3, ChatML and their like use is taken out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from zantara_exp.endpoints.base import Message

_SPELLED = re.compile(r"<\|[A-Za-z0-9_]{1,40}\|>")


def without_control_tokens(messages: Sequence[Message]) -> list[Message]:
    """The same messages, none of which spells a control token."""
    return [Message(role=message["role"], content=_cleaned(message["content"])) for message in messages]


def _cleaned(text: str) -> str:
    while "<|" in text:
        text, found = _SPELLED.subn("", text)
        if not found:  # what is taken out of another's middle may leave a third, so until nothing is found
            break
    return text
