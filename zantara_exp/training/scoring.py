"""Teacher-forced scores: how probable a model finds the recorded answers, token by token.

Token accuracy is the share of the answers' tokens that the model would have chosen itself, given the true tokens
before them. It says how well the wording was learnt, not whether an answer is true.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zantara_exp.training.encode import IGNORED, Encoded

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

_LOGITS_AT_ONCE = 64_000_000
"""Logits held in memory at once: 256 MB in fp32."""


@dataclass(frozen=True)
class Score:
    """One example's answer under a model. `loss_sum` in nats."""

    tokens: int
    correct: int
    loss_sum: float


@dataclass(frozen=True)
class Totals:
    """Scores of many examples, each token counting the same."""

    tokens: int
    correct: int
    loss_sum: float

    @property
    def loss(self) -> float:
        """Mean negative log-likelihood per answer token, in nats."""
        return self.loss_sum / self.tokens if self.tokens else math.nan

    @property
    def token_accuracy(self) -> float:
        """Share of answer tokens that were the model's first choice."""
        return self.correct / self.tokens if self.tokens else math.nan


def total(scores: Sequence[Score]) -> Totals:
    """Add scores up."""
    return Totals(sum(s.tokens for s in scores), sum(s.correct for s in scores), math.fsum(s.loss_sum for s in scores))


def score(
    model: PreTrainedModel, examples: Sequence[Encoded], batch_size: int, pad: int
) -> Iterator[tuple[int, Score]]:
    """Yield (index, score) of every example, the longest first, so that memory runs out at once or not at all."""
    import torch

    model.eval()
    vocabulary = int(model.config.get_text_config().vocab_size)
    waiting = sorted(range(len(examples)), key=lambda i: -len(examples[i].input_ids))
    with torch.inference_mode():
        while waiting:
            longest = len(examples[waiting[0]].input_ids)
            size = max(1, min(batch_size, _LOGITS_AT_ONCE // (longest * vocabulary)))
            chunk, waiting = waiting[:size], waiting[size:]
            yield from zip(chunk, _score_batch(model, [examples[i] for i in chunk], pad), strict=True)


def first_choices(model: PreTrainedModel, examples: Sequence[Encoded], pad: int) -> list[int]:
    """The token that the model would choose at each place of the recorded answers, one example after the other."""
    import torch

    model.eval()
    found: list[int] = []
    with torch.inference_mode():
        for example in examples:
            ids, labels, _ = (part.to(model.device) for part in _padded([example], pad))
            choices = model(input_ids=ids, use_cache=False).logits[0, :-1].argmax(-1)
            found += choices[labels[0, 1:] != IGNORED].tolist()
    return found


def _score_batch(model: PreTrainedModel, batch: Sequence[Encoded], pad: int) -> list[Score]:
    import torch

    ids, labels, mask = _padded(batch, pad)
    ids, labels, mask = (part.to(model.device) for part in (ids, labels, mask))
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1].float()
    wanted = labels[:, 1:]
    counted = wanted != IGNORED
    loss = torch.nn.functional.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=IGNORED, reduction="none")
    hits = (logits.argmax(-1) == wanted) & counted
    rows = zip(counted.sum(1).tolist(), hits.sum(1).tolist(), loss.double().sum(1).tolist(), strict=True)
    return [Score(int(tokens), int(correct), float(lost)) for tokens, correct, lost in rows]


def _padded(batch: Sequence[Encoded], pad: int) -> tuple[Tensor, Tensor, Tensor]:
    import torch

    width = max(len(e.input_ids) for e in batch)

    def filled(rows: Sequence[Sequence[int]], value: int) -> Tensor:
        return torch.tensor([[*row, *[value] * (width - len(row))] for row in rows])

    ids = filled([e.input_ids for e in batch], pad)
    labels = filled([e.labels for e in batch], IGNORED)
    return ids, labels, filled([[1] * len(e.input_ids) for e in batch], 0)
