"""From messages to token ids with the assistant's tokens marked; the one data path of every trainer and of scoring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from zantara_exp.config.training import Trainer
from zantara_exp.core.errors import ZantaraError
from zantara_exp.training.data import Example

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""Label of a token that does not count in the loss."""


@dataclass(frozen=True)
class Encoded:
    """One example as token ids; `labels` repeats the assistant's ids and holds IGNORED elsewhere."""

    input_ids: list[int]
    labels: list[int]

    @property
    def targets(self) -> int:
        """Tokens that count in the loss; the first of a sequence is never predicted."""
        return sum(label != IGNORED for label in self.labels[1:])


@dataclass
class EncodedSplit:
    """A split as token ids, with what was cut from it."""

    examples: list[Encoded] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    """Index of each example in the split it was made from."""
    cut: int = 0
    dropped: int = 0
    longest: int = 0

    @property
    def tokens(self) -> int:
        """All tokens."""
        return sum(len(e.input_ids) for e in self.examples)

    @property
    def targets(self) -> int:
        """Tokens that count in the loss."""
        return sum(e.targets for e in self.examples)

    def report(self) -> dict[str, int]:
        """Counts for the summary."""
        counts = {"examples": len(self.examples), "tokens": self.tokens, "assistant_tokens": self.targets}
        return counts | {"cut": self.cut, "dropped": self.dropped, "longest": self.longest}


def encode(tokenizer: PreTrainedTokenizerBase, example: Example) -> Encoded:
    """Render and tokenize one example; `labels` are IGNORED outside the template's generation markers."""
    out = rendered(tokenizer, example.messages, return_assistant_tokens_mask=True)
    ids, mask = list(out["input_ids"]), list(out["assistant_masks"])
    return Encoded(ids, [token if said else IGNORED for token, said in zip(ids, mask, strict=True)])


def rendered(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]], **options: Any) -> Any:
    """What the chat template makes of a chat, as token ids. Raises ZantaraError where the template refuses it."""
    from jinja2.exceptions import TemplateError

    turns = [{**m, "content": without_special_tokens(tokenizer, m["content"])} for m in messages]
    try:
        return tokenizer.apply_chat_template(turns, return_dict=True, **options)
    except TemplateError as error:
        roles = ", ".join(m["role"] for m in messages)
        raise ZantaraError(
            f"the chat template cannot render a chat of the roles {roles}: {error}",
            "mend the .jinja file, or set model.chat_template=llama3 or chatml",
        ) from error


_CONTROL = ("<|start_header_id|>", "<|end_header_id|>", "<|im_start|>", "<|im_end|>")


def without_special_tokens(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """`text` without the spelling of control tokens: a chat must not be able to open a turn of its own."""
    if "<" not in text and "[" not in text:  # how control tokens begin; it saves most texts the search
        return text
    # Not `all_special_tokens`, which leaves out most of a tokenizer's control tokens, such as Phi's <|user|>.
    spelled = [*(token.content for token in tokenizer.added_tokens_decoder.values() if token.special), *_CONTROL]
    before = ""
    while text != before:  # one taken out of another's middle may leave a third
        before = text
        for token in spelled:
            text = text.replace(token, "")
    return text


def encode_split(
    tokenizer: PreTrainedTokenizerBase, examples: Sequence[Example], limits: Trainer, name: str
) -> EncodedSplit:
    """Encode a split under `max_length`. Raises ZantaraError when nothing is left to train on, and says why."""
    _refuse_blind_template(tokenizer, examples[0])
    split = EncodedSplit()
    for index, example in enumerate(examples):
        encoded = encode(tokenizer, example)
        length = len(encoded.input_ids)
        split.longest = max(split.longest, length)
        if length > limits.max_length:
            if limits.too_long == "refuse":
                raise ZantaraError(
                    f"example {index + 1} of the {name} split has {length} tokens, "
                    f"more than trainer.max_length={limits.max_length}",
                    f"raise trainer.max_length to {length}, or set trainer.too_long=cut or drop",
                )
            encoded = Encoded(encoded.input_ids[: limits.max_length], encoded.labels[: limits.max_length])
            if limits.too_long == "drop" or not encoded.targets:
                split.dropped += 1
                continue
            split.cut += 1
        elif not encoded.targets:
            # One such example in a batch would only be a waste; many are a template that marks some answers only.
            raise ZantaraError(
                f"example {index + 1} of the {name} split has no token to learn from: the chat template marks none",
                "put every assistant message between {% generation %} and {% endgeneration %}",
            )
        split.examples.append(encoded)
        split.sources.append(index)
    if not split.targets:
        raise ZantaraError(
            f"nothing of the {name} split is left: all {len(examples)} examples are longer than trainer.max_length="
            f"{limits.max_length} (the longest has {split.longest} tokens)",
            f"raise trainer.max_length to {split.longest}",
        )
    return split


def _refuse_blind_template(tokenizer: PreTrainedTokenizerBase, example: Example) -> None:
    """A template without markers yields an all-zero mask: nothing would be learnt, silently."""
    template = str(tokenizer.chat_template)
    if "generation %}" not in template.replace("-%}", "%}"):
        raise ZantaraError(
            "the chat template marks no assistant tokens (no {% generation %} ... {% endgeneration %}), "
            "so there would be nothing to train on",
            "set model.chat_template=llama3 or chatml, or add the markers to the .jinja file",
        )
    encoded = encode(tokenizer, example)
    if not encoded.targets:
        raise ZantaraError(
            "the chat template's {% generation %} markers enclose no token of the first example",
            "put the assistant's content and its end-of-turn token between the markers",
        )
    if tokenizer.eos_token_id not in encoded.labels:
        raise ZantaraError(
            f"the chat template leaves the end-of-turn token {tokenizer.eos_token} outside of its {{% generation %}} "
            "markers: the model would not learn to stop",
            "move the end-of-turn token before {% endgeneration %}",
        )
    marked = _as_read(tokenizer, [label for label in encoded.labels if label != IGNORED])
    answers = "".join(m["content"] for m in example.messages if m["role"] == "assistant")
    for message in example.messages:
        said = _as_read(tokenizer, tokenizer(message["content"], add_special_tokens=False)["input_ids"])
        if message["role"] != "assistant" and message["content"] not in answers and said in marked:
            raise ZantaraError(
                f"the chat template's {{% generation %}} markers enclose what the {message['role']} says: "
                "the model would learn to ask, not to answer",
                "put only the assistant's content and its end-of-turn token between the markers",
            )


def _as_read(tokenizer: PreTrainedTokenizerBase, ids: list[int]) -> str:
    """The text of token ids without white space, in which a tokenizer may differ from what it was given."""
    return "".join(str(tokenizer.decode(ids)).split())


def shown(tokenizer: PreTrainedTokenizerBase, encoded: Encoded) -> str:
    """The example as the model reads it, with what it is trained on in >> <<."""
    parts: list[str] = []
    start = 0
    for end in range(1, len(encoded.labels) + 1):
        inside = encoded.labels[start] != IGNORED
        if end == len(encoded.labels) or (encoded.labels[end] != IGNORED) != inside:
            text = str(tokenizer.decode(encoded.input_ids[start:end], skip_special_tokens=False))
            parts.append(f">>{text}<<" if inside else text)
            start = end
    return "".join(parts)
