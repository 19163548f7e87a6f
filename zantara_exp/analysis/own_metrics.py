"""Metrics of one's own: a function of an installed package that looks at both answers to a request (`core.extensions`).

    def cites_source(answered: Sequence[Answered]) -> list[bool | None]: ...

It gives True or False, which `kind=proportion` judges, or numbers with an attribute `kind = "mean"` on the function;
None where the metric does not apply to a request. What the candidate failed counts as False, and has no number. Scores
are kept beside the facts, so that a log that has grown is scored where it is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from zantara_exp.analysis.engine import fetched
from zantara_exp.analysis.kept_scores import keep, kept
from zantara_exp.analysis.texts import comparisons_at
from zantara_exp.core import extensions
from zantara_exp.core.errors import ConfigError, MissingInputError
from zantara_exp.core.next_command import command
from zantara_exp.io.event_log import Part

if TYPE_CHECKING:
    import ibis.expr.types as ir

PROPORTION, MEAN = "proportion", "mean"
_AT_ONCE = 1_000
"""Requests that the function is given at once."""


@dataclass(frozen=True)
class Answered:
    """A request that primary and candidate answered, its personal data redacted."""

    query: str
    messages: Sequence[Mapping[str, str]]
    """What the models were given: role and content."""
    primary: str
    candidate: str
    language: str
    category: str


Function = Callable[[Sequence[Answered]], Sequence[bool | float | None]]


def kind_of(metric: str) -> str:
    """How a metric is judged. Raises ConfigError where its package cannot be imported, or says another kind."""
    kind = getattr(extensions.load(extensions.METRICS, metric), "kind", PROPORTION)
    if kind not in (PROPORTION, MEAN):
        raise ConfigError(
            f"the metric {metric} of an installed package has kind = {kind!r}, and not {PROPORTION!r} or {MEAN!r}",
            "mend its package",
        )
    return str(kind)


def with_own(facts: ir.Table, metric: str, parts: Sequence[Part], state: Path) -> ir.Table:
    """The facts that the metric applies to, with its value in the column `own`; `state` is `paths.state`.

    Raises MissingInputError where the function fails, or gives what its kind cannot judge.
    """
    target = state / "facts" / "own" / f"{metric}-{extensions.version(extensions.METRICS, metric)}.parquet"
    wanted = facts.filter(facts.primary_ok)
    keys = ("comparison_id", "part", "place", "candidate_ok", "language", "category")
    _score(fetched(wanted.select(*keys)).to_pylist(), metric, parts, target)
    scores = facts.get_backend().read_parquet(str(target), table_name=f"own_{metric}")
    joined = wanted.left_join(scores, "comparison_id").drop("comparison_id_right")
    return joined.filter(joined.own.notnull())


def _score(rows: Sequence[Mapping[str, Any]], metric: str, parts: Sequence[Part], target: Path) -> None:
    """Bring the file of scores up to date."""
    known = kept(target, "own")
    kind, new = kind_of(metric), [row for row in rows if row["comparison_id"] not in known]
    if target.is_file() and not new:
        return
    failed = [row for row in new if not row["candidate_ok"]]
    known |= {row["comparison_id"]: 0.0 if kind == PROPORTION else None for row in failed}
    answered = [row for row in new if row["candidate_ok"]]
    for start in range(0, len(answered), _AT_ONCE):
        some = answered[start : start + _AT_ONCE]
        known |= dict(zip((row["comparison_id"] for row in some), _values(some, metric, kind, parts), strict=True))
    keep(target, "own", known)


def _values(rows: Sequence[Mapping[str, Any]], metric: str, kind: str, parts: Sequence[Part]) -> Sequence[float | None]:
    found = dict(comparisons_at(parts, [(row["part"], row["place"]) for row in rows]))
    asked = []
    for row in rows:
        item = found[row["part"], row["place"]]
        answers = item.primary.response, item.candidate.response
        asked.append(Answered(item.query, item.messages, *answers, row["language"], row["category"]))
    try:
        given = cast(Function, extensions.load(extensions.METRICS, metric))(tuple(asked))
        if isinstance(given, str | bytes | Set | Mapping):
            raise _refused(metric, f"gave a {type(given).__name__}, and no list of values in the order of the requests")
        values = [None if each is None else _number(each) for each in islice(given, len(asked) + 1)]
    except MissingInputError:
        raise
    except extensions.FAILURES as error:
        raise _refused(metric, f"failed: {extensions.place(error)}: {_short(error)}") from error
    if len(values) != len(asked):
        count = "more" if len(values) > len(asked) else f"{len(values)}"
        raise _refused(metric, f"gave {count} values for {len(asked)} requests")
    odd = next((each for each in values if each is not None and not _judged(each, kind)), None)
    if odd is not None:
        raise _refused(metric, f"gave {odd:g}, and kind={kind} takes {'0 or 1' if kind == PROPORTION else '0 or more'}")
    return values


def _number(value: object) -> float:
    if isinstance(value, str | bytes):
        raise TypeError(f"{type(value).__name__} is no value")
    return float(cast(float, value))


def _short(error: BaseException) -> str:
    """Its words in one line; the texts that they may quote are redacted."""
    return " ".join(str(error).split())[:200]


def _judged(value: float, kind: str) -> bool:
    return value in (0.0, 1.0) if kind == PROPORTION else 0.0 <= value < float("inf")


def _refused(metric: str, why: str) -> MissingInputError:
    return MissingInputError(f"the metric {metric} of an installed package {why}", command("stage=gate"))
