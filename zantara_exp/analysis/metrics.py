"""The one set of definitions: from counts to the numbers that report, gate, guardrails and MLflow show.

- **success**: the share of sampled requests that the candidate answered. An error, a timeout, a refusal, an empty
  answer and "..." are failures.
- **latency**: of successful requests only, in milliseconds; a request that was refused in no time never looks fast.
  For "latency at most x" a failed request counts as not fast.
- **similar**: chrF at or above `engine.similar_chrf`, among requests that the primary answered; a candidate that
  failed there is not similar. Never length alone.
- **cost**: the primary by its price list and tokens, the candidate as `endpoint.billing` says; what it fails is paid
  to both.

All of it adds up over days, languages and engines, because `Counts` holds only counts, sums and latency buckets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from math import sqrt

from zantara_exp.analysis.facts import BUCKET_RATIO


@dataclass
class Latencies:
    """A distribution of latencies as counts of logarithmic buckets, with the exact sum in milliseconds."""

    buckets: Counter[int] = field(default_factory=Counter)
    total: float = 0.0

    @property
    def count(self) -> int:
        """Latencies measured."""
        return self.buckets.total()

    @property
    def mean(self) -> float | None:
        """Mean in milliseconds."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """The smallest latency (ms, within 0.25 %) that at least `share` of the requests do not exceed."""
        return self._at(max(1, -(-share * self.count // 1))) if self.count else None

    def interval(self, share: float, spread: float = 1.0) -> tuple[float, float] | None:
        """95 % interval of a quantile in milliseconds, by order statistics with the normal approximation.

        `spread` says how many times fewer requests they are worth, as requests of a user are alike.
        """
        if not self.count:
            return None
        half = 1.96 * sqrt(self.count * spread * share * (1 - share))
        middle = share * self.count
        return self._at(max(1.0, middle - half)), self._at(min(float(self.count), middle + half + 1))

    def _at(self, rank: float) -> float:
        passed = 0
        for bucket in sorted(self.buckets):
            passed += self.buckets[bucket]
            if passed >= rank:
                return float(BUCKET_RATIO ** (bucket + 0.5))
        raise AssertionError("the rank lies within the count")


@dataclass
class Counts:
    """Everything that adds up over a set of comparisons."""

    requests: int = 0
    answered: int = 0
    timeouts: int = 0
    primary_answered: int = 0
    scored: int = 0
    similar: int = 0
    chrf: float = 0.0
    embedded: int = 0
    """Scored comparisons that have a cosine as well: none without a model."""
    embedding: float = 0.0
    unmeasured: int = 0
    """Answers of the candidate without a usable latency."""
    primary_tokens_input: float = 0.0
    primary_tokens_output: float = 0.0
    candidate_tokens_input: float = 0.0
    candidate_tokens_output: float = 0.0
    estimated: int = 0
    """Requests whose primary's tokens were estimated from the text."""
    priced: int = 0
    """Requests whose primary cost is known: tokens counted, model on the price list."""
    primary_usd: float = 0.0
    billed: int = 0
    """Requests whose cost with the candidate is known, a primary that steps in included."""
    candidate_usd: float = 0.0
    timed: int = 0
    """Requests whose seconds of a worker were reported."""
    seconds: float = 0.0
    latency: Latencies = field(default_factory=Latencies)
    primary_latency: Latencies = field(default_factory=Latencies)

    @property
    def success(self) -> float | None:
        """Share of requests the candidate answered."""
        return self.answered / self.requests if self.requests else None

    @property
    def timeout_share(self) -> float | None:
        """Share of requests that the candidate let time out."""
        return self.timeouts / self.requests if self.requests else None

    @property
    def similar_share(self) -> float | None:
        """Share of scored requests with a similar answer."""
        return self.similar / self.scored if self.scored else None

    @property
    def mean_chrf(self) -> float | None:
        """Mean chrF of scored requests, 0 to 100."""
        return self.chrf / self.scored if self.scored else None

    @property
    def mean_embedding(self) -> float | None:
        """Mean cosine of the answers' embeddings, -1 to 1."""
        return self.embedding / self.embedded if self.embedded else None

    @property
    def usd_per_request(self) -> float | None:
        """What the primary takes for a request, in US dollars."""
        return self.primary_usd / self.priced if self.priced else None

    @property
    def candidate_usd_per_request(self) -> float | None:
        """What a request takes with the candidate, in US dollars."""
        return self.candidate_usd / self.billed if self.billed else None


SUMS = tuple(item.name for item in fields(Counts) if not item.name.endswith("latency"))
"""Fields of Counts that a query sums."""


def added(parts: Iterable[Counts]) -> Counts:
    """The counts of all parts together."""
    whole = Counts()
    for part in parts:
        for name in SUMS:
            setattr(whole, name, getattr(whole, name) + getattr(part, name))
        for name in ("latency", "primary_latency"):
            mine, other = getattr(whole, name), getattr(part, name)
            mine.buckets.update(other.buckets)
            mine.total += other.total
    return whole


def wilson(good: int, trials: int) -> tuple[float, float] | None:
    """95 % interval of a share for a picture (Wilson 1927): one look, requests taken as independent.

    Gates never use it: their bounds hold over daily looks and for users who repeat (`zantara_exp.gates`).
    """
    if not trials:
        return None
    z = 1.96
    share, spread = good / trials, z * z / trials
    middle = (share + spread / 2) / (1 + spread)
    half = z * sqrt(share * (1 - share) / trials + spread / (4 * trials)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


def flat(counts: Counts, savings: float | None) -> Mapping[str, float]:
    """The numbers for MLflow, those that there are."""
    numbers = {
        "shadow/requests": float(counts.requests),
        "shadow/success_rate": counts.success,
        "shadow/timeout_share": counts.timeout_share,
        "shadow/latency_mean_ms": counts.latency.mean,
        "shadow/latency_p50_ms": counts.latency.quantile(0.5),
        "shadow/latency_p95_ms": counts.latency.quantile(0.95),
        "shadow/latency_p99_ms": counts.latency.quantile(0.99),
        "shadow/similar_share": counts.similar_share,
        "shadow/chrf_mean": counts.mean_chrf,
        "shadow/embedding_mean": counts.mean_embedding,
        "shadow/primary_latency_p95_ms": counts.primary_latency.quantile(0.95),
        "shadow/savings": savings,
    }
    return {name: value for name, value in numbers.items() if value is not None}
