"""How near answers come to their references, pair by pair: intervals need each score, not the mean.

exact match   1 where they are the same, differences in white space aside, else 0. By `evaluate`.
chrF          F2 over character n-grams up to 6, 0 to 100: no word list, so all languages alike. By sacrebleu.
              Popovic 2015, https://aclanthology.org/W15-3049
ROUGE-L       F1 of the longest common subsequence of words, 0 to 1. By rouge-score.
              Lin 2004, https://aclanthology.org/W04-1013
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from tempfile import TemporaryDirectory


def exact_match(said: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """1 or 0 per pair."""
    from zantara_exp.evaluation.modules.exact_match.exact_match import ExactMatch

    with TemporaryDirectory() as scratch:
        metric = ExactMatch(keep_in_memory=True, cache_dir=scratch)
        scores: list[float] = metric.compute(predictions=said, references=wanted)["scores"]
    return scores


def chrf(said: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """0 to 100 per pair."""
    from sacrebleu.metrics import CHRF

    metric = CHRF()
    return [float(metric.sentence_score(one, [other]).score) for one, other in zip(said, wanted, strict=True)]


def rouge_l(said: Sequence[str], wanted: Sequence[str]) -> list[float]:
    """0 to 1 per pair."""
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rougeL"], tokenizer=_Words())
    return [float(scorer.score(other, one)["rougeL"].fmeasure) for one, other in zip(said, wanted, strict=True)]


class _Words:
    """Runs of letters and digits of any alphabet; the stock tokenizer takes a letter with an accent for a gap."""

    def tokenize(self, text: str) -> list[str]:
        return re.findall(r"\w+", text.lower())
