"""Several candidates on one sample: a verdict for each, one for all, and comparisons on the same requests.

The candidates share the gate's alpha (`zantara_exp.config.candidates.shared`), so that the chance of any false GO is at
most alpha. GO: at least one candidate passes; the cheapest of these is named. NO_GO: all are refuted. Two candidates
that got the same requests are compared on the requests in which they differ (kind=paired, users as clusters; McNemar
1947); all pairs and measures together use one further alpha (Bonferroni). No verdict rests on this comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from zantara_exp.config.gate import Criterion, Gate, Threshold
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.stage import Table
from zantara_exp.cost.billing import TOKENS
from zantara_exp.gates.criteria import decide
from zantara_exp.gates.decision import FAIL, GO, INCONCLUSIVE, NO_GO, PASS, CriterionDecision
from zantara_exp.gates.evidence import Against, Beside, UserDays
from zantara_exp.gates.rules import resolve
from zantara_exp.gates.user_visits import Floats
from zantara_exp.gates.verdict import Verdict
from zantara_exp.text.wording import usd

_PAIRED = Criterion(kind="paired", go=Threshold(above=0.5), no_go=Threshold(below=0.5))
_NOTHING = "–"


@dataclass(frozen=True)
class Together:
    """The result for all candidates."""

    verdict: str
    candidate: str | None
    """The candidate that a GO names."""
    advice: str
    """To move, to stay, or to take the cheaper API: one sentence."""
    alpha: float
    verdicts: Mapping[str, Verdict]
    beside: Mapping[str, Beside]
    pairs: Sequence[tuple[Against, CriterionDecision]]

    def to_json(self, files: Mapping[str, str]) -> dict[str, Any]:
        """As plain values; `files` has the path of each candidate's verdict."""
        first = next(iter(self.verdicts.values()))
        rows = {
            name: {
                "candidate_id": verdict.epoch,
                **{key: getattr(verdict, key) for key in ("verdict", "reason", "alpha", "as_of", "requests", "users")},
                "monthly_usd": self.beside[name].monthly_usd,
                "saved": self.beside[name].saved,
                "file": files[name],
            }
            for name, verdict in self.verdicts.items()
        }
        pairs = [
            {
                "first": of.first,
                "second": of.second,
                "metric": of.metric,
                "better": _better(of, found),
                "requests": _sum(of.days.trials),
                "differ": _differ(of.days),
                "estimate": found.view.estimate,
                "lower": found.view.lower,
                "upper": found.view.upper,
            }
            for of, found in self.pairs
            if of.days is not None
        ]
        said = {"schema_version": 1, "gate": first.gate, "verdict": self.verdict, "candidate": self.candidate}
        return {**said, "reason": self.advice, "alpha": self.alpha, "candidates": rows, "pairs": pairs}

    def tables(self) -> list[Table]:
        """Tables: the candidates side by side, and the comparisons of two."""
        columns = ("candidate", "verdict", "requests", "success", "p95", "similar", "a month", "saved", "why")
        rows = [
            [name, verdict.verdict, *_figures(self.beside[name]), verdict.reason]
            for name, verdict in self.verdicts.items()
        ]
        today = next((each for each in self.beside.values() if each.primary_monthly_usd is not None), None)
        if today is not None and today.primary_monthly_usd is not None:
            rows.append(["what is paid today", *[""] * 5, usd(today.primary_monthly_usd), "", ""])
        tables = [Table("Candidates side by side", columns, rows)]
        rows = [
            [of.first, of.second, of.metric, f"{_sum(of.days.trials):,.0f}", f"{_differ(of.days):,.0f}"]
            + [_share(found.view.estimate), _better(of, found) or "not told apart"]
            for of, found in self.pairs
            if of.days is not None
        ]
        heads = ("candidate", "against", "measure", "same requests", "differ", "won by the first", "better")
        return [*tables, Table("Candidate against candidate", heads, rows)] if rows else tables


def together(
    gate: Gate, endpoints: Mapping[str, Endpoint], verdicts: Mapping[str, Verdict], found: Sequence[Beside | Against]
) -> Together:
    """One verdict for all; `found` has the log's numbers for each candidate and for each two."""
    beside = {each.name: each for each in found if isinstance(each, Beside)}
    holds = [name for name, verdict in verdicts.items() if verdict.verdict == GO]
    best = min(holds, key=lambda name: _dear(beside[name]), default=None)
    word = GO if best is not None else INCONCLUSIVE
    if all(verdict.verdict == NO_GO for verdict in verdicts.values()):
        word = NO_GO
    advice = _advice(best, endpoints, verdicts, beside)
    return Together(word, best, advice, gate.alpha, verdicts, beside, _decided(gate, found))


def _dear(of: Beside) -> float:
    return float("inf") if of.monthly_usd is None else of.monthly_usd


def _advice(
    best: str | None, endpoints: Mapping[str, Endpoint], verdicts: Mapping[str, Verdict], beside: Mapping[str, Beside]
) -> str:
    if best is not None:
        own, today = beside[best].monthly_usd, beside[best].primary_monthly_usd
        what = "take the cheaper API" if endpoints[best].billing == TOKENS else "move"
        bill = f": USD {own:,.2f} a month for USD {today:,.2f}" if own is not None and today is not None else ""
        if own is not None and today is not None and own >= today:
            return f"stay: {best} holds and is not cheaper{bill}"
        return f"{what}: {best} holds{bill}"
    left = [name for name, verdict in verdicts.items() if verdict.verdict == INCONCLUSIVE]
    return f"stay for now: not decided on {', '.join(left)}" if left else "stay: no candidate holds"


def _decided(gate: Gate, found: Sequence[Beside | Against]) -> list[tuple[Against, CriterionDecision]]:
    """Compare each two by each measure in both directions, all together at the gate's alpha."""
    pairs = [each for each in found if isinstance(each, Against)]
    alpha = gate.alpha / max(1, 2 * len(pairs))
    alone = replace(gate, name="pairs", alpha=alpha, authorises=False, criteria={"pair": _PAIRED})
    rule = resolve(alone)["pair"]
    return [(each, decide(rule, each.days)) for each in pairs if each.days is not None]


def _sum(values: Floats | None) -> float:
    return 0.0 if values is None else float(values.sum())


def _differ(days: UserDays) -> float:
    """How many requests exactly one of the two did well."""
    return _sum(days.total) + _sum(days.baseline)


def _better(of: Against, found: CriterionDecision) -> str:
    return {PASS: of.first, FAIL: of.second}.get(found.decision, "")


def _share(value: float | None) -> str:
    return _NOTHING if value is None else f"{100 * value:.1f} %"


def _figures(of: Beside) -> list[str]:
    month = _NOTHING if of.monthly_usd is None else usd(of.monthly_usd)
    p95 = _NOTHING if of.p95_ms is None else f"{of.p95_ms:,.0f} ms"
    return [f"{of.requests:,}", _share(of.success), p95, _share(of.similar), month, _share(of.saved)]
