"""Answers of a model to the test split, in batches, kept as they come so that a killed evaluation goes on."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.core.stage import Progress
from zantara_exp.evaluation.result_cache import KeyedLines
from zantara_exp.training.data import Example
from zantara_exp.training.encode import rendered

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


@dataclass(frozen=True)
class Answer:
    """What the model said."""

    text: str
    tokens: int
    """Tokens generated, the end of turn included."""
    finished: bool
    """Whether the model ended its turn itself."""
    batch_seconds: float
    """Seconds its batch took; not a serving latency."""


class AnswerStore:
    """Answers on disk by what was asked of which model."""

    def __init__(self, path: Path) -> None:
        self._lines = KeyedLines(path)

    def get(self, key: str) -> Answer | None:
        """The answer to `key`, when it was given before."""
        found = self._lines.get(key)
        try:
            return Answer(**found) if found else None
        except TypeError:
            return None  # of another version of this program; it is generated again

    def put(self, answers: Mapping[str, Answer]) -> None:
        """Keep a batch."""
        self._lines.put({key: asdict(answer) for key, answer in answers.items()})

    def remove(self) -> None:
        """Forget all of them."""
        self._lines.remove()


def answer_all(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    examples: Sequence[Example],
    store: AnswerStore,
    epoch: str,
    batch_size: int,
    max_new_tokens: int,
    progress: Progress,
) -> list[Answer]:
    """Answer the last question of each example, without sampling. `epoch` identifies the model."""
    prompts = [prompt_ids(tokenizer, example.prompt) for example in examples]
    keys = [_key(epoch, max_new_tokens, prompt) for prompt in prompts]
    open_ = [i for i in dict(zip(keys, range(len(keys)), strict=True)).values() if store.get(keys[i]) is None]
    open_.sort(key=lambda i: len(prompts[i]))
    progress.advance(len(examples) - len(open_))
    with _one_thread():
        for start in range(0, len(open_), batch_size):
            chunk = open_[start : start + batch_size]
            answers = generate(model, tokenizer, [prompts[i] for i in chunk], max_new_tokens)
            store.put({keys[i]: answer for i, answer in zip(chunk, answers, strict=True)})
            progress.advance(len(chunk))
    found = [store.get(key) for key in keys]
    return [answer for answer in found if answer is not None]


def prompt_ids(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """The chat as token ids, up to where the answer begins."""
    return list(rendered(tokenizer, messages, add_generation_prompt=True)["input_ids"])


def _key(epoch: str, max_new_tokens: int, prompt: Sequence[int]) -> str:
    return hashlib.sha256(f"{epoch} {max_new_tokens} {prompt}".encode()).hexdigest()


def generate(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, prompts: Sequence[Sequence[int]], max_new_tokens: int
) -> list[Answer]:
    """Answer one batch of prompts, given as token ids, without sampling."""
    import torch

    any_model: Any = model
    pad, width = int(tokenizer.pad_token_id or 0), max(len(p) for p in prompts)
    # Padding stands on the left: what is generated follows the prompt directly.
    ids = torch.tensor([[pad] * (width - len(p)) + list(p) for p in prompts], device=model.device)
    mask = torch.tensor([[0] * (width - len(p)) + [1] * len(p) for p in prompts], device=model.device)
    started = time.perf_counter()
    with torch.inference_mode():
        out = any_model.generate(
            input_ids=ids,
            attention_mask=mask,
            max_new_tokens=max_new_tokens,
            do_sample=False,
            pad_token_id=pad,
            eos_token_id=tokenizer.eos_token_id,
        )
    seconds = time.perf_counter() - started
    return [_answer(tokenizer, row, seconds) for row in out[:, width:].tolist()]


def _answer(tokenizer: PreTrainedTokenizerBase, ids: list[int], seconds: float) -> Answer:
    end = tokenizer.eos_token_id
    finished = end in ids
    said = ids[: ids.index(end)] if finished else ids
    # Special tokens stay visible: an answer that holds one leaks the prompt's frame.
    text = str(tokenizer.decode(said, skip_special_tokens=False)).strip()
    return Answer(text, len(said) + int(finished), finished, seconds)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Small matrices on a CPU are slower on many threads than on one; much slower when other work is running."""
    import torch

    before = torch.get_num_threads()
    if not torch.cuda.is_available():
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
