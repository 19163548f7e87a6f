"""Markers for chat templates that come without: which tokens are the assistant's, in the base's own template.

TRL knows the templates of many families by heart. In any other, the statement that writes what somebody says is parted
before the words, and the assistant's part is marked. What comes of it has to write the same text as the template did,
character by character, with and without a system message and over several turns; else it is left as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_SAYS = re.compile(
    r"(?P<open>\{\{-?)\s*(?P<parts>[^{}]*?\bmessage(?:\[['\"]content['\"]\]|\.content)[^{}]*?)\s*(?P<close>-?\}\})"
)
"""A statement that writes what a message says."""
_CONTENT = re.compile(r"\bmessage(?:\[['\"]content['\"]\]|\.content)")
_PLUS = re.compile(r"""\s*\+\s*(?=(?:[^'"]|'[^']*'|"[^"]*")*$)""")
_BREAKS = re.compile(r"(?P<text>.*[^\\n])(?P<breaks>(?:\\n)+)(?P<quote>['\"])")
"""A text in quotes that ends with line breaks: those come after the end of the turn, and are nobody's words."""
_USER, _ANSWER = {"role": "user", "content": "How are you?"}, {"role": "assistant", "content": "Well! And you?"}
_SYSTEM = {"role": "system", "content": "You are kind."}
_CHATS = ([_USER, _ANSWER], [_USER, _ANSWER, _USER, _ANSWER], [_SYSTEM, _USER, _ANSWER, _USER, _ANSWER])


def marked(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The tokenizer's chat template with the assistant's tokens marked; None where no way is known."""
    template = tokenizer.chat_template
    if not isinstance(template, str):
        return None
    return _by_trl(tokenizer) or _parted(tokenizer, template)


def _by_trl(tokenizer: PreTrainedTokenizerBase) -> str | None:
    from trl.chat_template_utils import get_training_chat_template

    try:
        found: str | None = get_training_chat_template(tokenizer)
    except Exception:  # noqa: BLE001  it tries templates that it does not know, and they raise what they like
        return None
    return found


def _parted(tokenizer: PreTrainedTokenizerBase, template: str) -> str | None:
    found = _SAYS.sub(_with_markers, template)
    before = list(_written(tokenizer, template))
    same = found != template and before == list(_written(tokenizer, found))
    return found if same and any(before) else None


def _with_markers(statement: re.Match[str]) -> str:
    parts = _PLUS.split(statement["parts"])
    first = next((number for number, part in enumerate(parts) if _CONTENT.search(part)), None)
    if first is None:
        return statement[0]
    said, after = parts[first:], ""
    if broken := _BREAKS.fullmatch(said[-1]):
        said[-1] = broken["text"] + broken["quote"]
        after = broken["quote"] + broken["breaks"] + broken["quote"]
    elif re.fullmatch(r"(['\"])(?:\\n)+\1", said[-1]):
        after = said.pop()
    words = " + ".join(said)
    lines = [
        f"{statement['open']} {' + '.join(parts[:first]) or repr('')} }}}}",
        "{%- if message['role'] == 'assistant' %}{% generation %}",
        f"{{{{- {words} }}}}{{% endgeneration %}}{{%- else %}}{{{{- {words} }}}}{{%- endif %}}",
        f"{{{{- {after or repr('')} {statement['close']}",
    ]
    return "".join(lines)


def _written(tokenizer: PreTrainedTokenizerBase, template: str) -> Iterator[str]:
    """What the template makes of chats; empty where it refuses one, as some do with a system message."""
    any_tokenizer: Any = tokenizer
    for chat in _CHATS:
        for prompt in (False, True):
            given = chat[:-1] if prompt else chat
            try:
                yield any_tokenizer.apply_chat_template(
                    given, tokenize=False, add_generation_prompt=prompt, chat_template=template
                )
            except Exception:  # noqa: BLE001  a template raises what it likes
                yield ""
