"""Success rate and latency while a run goes on."""

from __future__ import annotations

from bisect import insort
from collections import Counter

from zantara_exp.shadow.record import Side
from zantara_exp.traffic.answers import is_placeholder


class Tally:
    """Counts the candidate's answers; keeps all latencies of the run, for exact quantiles."""

    def __init__(self) -> None:
        self.total = 0
        self.errors: Counter[str] = Counter()
        self._latencies: list[float] = []

    def add(self, side: Side) -> None:
        """Count one answer."""
        self.total += 1
        if side.error is not None:
            self.errors[side.error] += 1
        elif is_placeholder(side.response):
            self.errors["placeholder"] += 1
        elif side.latency_ms is not None:
            insort(self._latencies, side.latency_ms + (side.waited_ms or 0.0))

    @property
    def success_rate(self) -> float | None:
        """Share of requests answered, 0 to 1; None before the first."""
        return 1 - self.errors.total() / self.total if self.total else None

    def latency_ms(self, share: float) -> float | None:
        """The latency that `share` of the answers do not exceed (nearest rank), in milliseconds."""
        if not self._latencies:
            return None
        rank = max(1, -int(-share * len(self._latencies) // 1))
        return self._latencies[rank - 1]

    def note(self) -> str:
        """One short line for a progress bar."""
        rate, p95 = self.success_rate, self.latency_ms(0.95)
        if rate is None:
            return ""
        return f"success {rate:.1%}" + (f", p95 {p95:.0f} ms" if p95 is not None else "")

    def metrics(self) -> dict[str, float]:
        """Metrics for the run's record; without those that were not measured."""
        values = {"shadow/success_rate": self.success_rate, "shadow/comparisons": float(self.total)}
        values |= {f"shadow/latency_p{round(share * 100)}_ms": self.latency_ms(share) for share in (0.5, 0.95, 0.99)}
        return {name: value for name, value in values.items() if value is not None}
