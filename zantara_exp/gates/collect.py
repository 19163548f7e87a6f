"""Asks each area for the evidence that a gate needs; an area is imported only when a gate needs it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from difflib import get_close_matches
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

from zantara_exp.config.gate import Criterion, Gate
from zantara_exp.config.schema import Config
from zantara_exp.core import extensions
from zantara_exp.core.errors import ConfigError, MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.gates.evidence import (
    Against,
    Beside,
    Composition,
    Evidence,
    EvidenceRequest,
    Logged,
    Missing,
    Moving,
    Sampled,
)
from zantara_exp.gates.kinds import kind_named
from zantara_exp.gates.kinds.kind import Seen

LOG = "analysis"
"""The area that reads the comparison log."""
AREAS = (LOG, "evaluation", "dataset", "review")
_COUNTS = (
    "comparisons blocking_errors conversations language_share_deviation category_share_deviation generalization_gap "
    "critical_bugs wrongly_moved"
)
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(["success", "similar", "timeout", "quality", "judged_equivalent"], ("proportion",)),
    **dict.fromkeys(["answer_language", "answer_flawed"], ("proportion",)),
    **dict.fromkeys(["tickets", "completion", "return_rate"], ("proportion", "non_inferiority")),
    **dict.fromkeys(["eval_loss", "token_accuracy"], ("mean",)),
    **dict.fromkeys(_COUNTS.split(), ("count",)),
    "latency_ms": ("quantile", "mean"),
    "savings": ("ratio",),
    "judged_preference": ("paired",),
    "review_equivalent": ("review",),
}
"""Metric -> the kinds as which its evidence can be judged."""


SAMPLE = EvidenceRequest("sampled_users")
"""Asks the log for its users, together with the criteria's own requests."""
DAYS = EvidenceRequest("logged_days")
"""Asks the log for all its days of the candidate, whatever `as_of` is."""
COMPOSITION = EvidenceRequest("logged_parts")
"""Asks the log for the languages and categories of its comparisons."""


class Collected(NamedTuple):
    """The evidence of the areas for a gate."""

    seen: dict[str, Seen]
    """By criterion."""
    sampled: Sampled | None
    """The users of the log; None if no criterion needs the log, or if it is empty."""
    logged: Logged | None
    """The days of the log; None in the same cases."""
    composition: Composition | None
    """Languages and categories of the comparisons; None in the same cases."""


def to_check() -> str:
    """The command that checks gates, for a mistake in one."""
    return command("stage=check", note="once it is mended")


def metrics(asked: Iterable[str] = ()) -> dict[str, str]:
    """Every metric that is built in, and the area that measures it; where another is asked, installed packages' too."""
    known = {metric: area for area in AREAS for metric in _provider(area).METRICS}
    if all(metric in known for metric in asked):
        return known
    return {**dict.fromkeys(extensions.names(extensions.METRICS), LOG), **known}


def asked_by(gate: Gate) -> list[str]:
    """The metrics that a gate's criteria name."""
    return [criterion.metric for criterion in gate.criteria.values() if criterion.metric]


def misfit(criterion: Criterion) -> str:
    """Why a criterion's kind does not fit its metric; empty if it fits, or if the metric is unknown."""
    kinds = KINDS.get(criterion.metric, (criterion.kind,))
    if criterion.metric not in KINDS and criterion.metric in extensions.names(extensions.METRICS):
        kinds = (import_module(f"zantara_exp.{LOG}.own_metrics").kind_of(criterion.metric),)
    return "" if criterion.kind in kinds else f"{criterion.metric} is judged as kind={' or kind='.join(kinds)}"


def logged(config: Config, layout: Layout, epoch: str) -> Logged | None:
    """The log's days of one candidate; None if it has none."""
    found: Logged | None = _provider(LOG).logged(config, layout, epoch)
    return found


def would_move(config: Config, layout: Layout) -> Moving | None:
    """The part of the logged traffic that a rollout would move; None without a log."""
    found: Moving | None = _provider(LOG).would_move(config, layout)
    return found


def beside(config: Config, until: date | None) -> list[Beside | Against]:
    """The log's numbers for several candidates, and for each two on the same requests."""
    found: list[Beside | Against] = import_module(f"zantara_exp.{LOG}.several_candidates").beside(config, until)
    return found


def about_candidates(gate: Gate) -> bool:
    """Whether a gate uses the log or its review, so that it says something about each candidate."""
    known = metrics(asked_by(gate))
    return any(known.get(criterion.metric) in (LOG, "review") for criterion in gate.criteria.values())


def trained(layout: Layout) -> str:
    """The trained model's epoch in evidence; empty if none was trained here."""
    return str(_provider("evaluation").trained(layout))


def _provider(area: str) -> ModuleType:
    return import_module(f"zantara_exp.{area}.evidence")


def collect(config: Config, layout: Layout, until: date | None) -> Collected:
    """The evidence of each criterion of `config.gate`, up to the UTC day `until`, inclusive.

    An input that is not there makes a criterion's evidence Missing. Raises ConfigError when a criterion names a metric
    that no area measures, or judges one as a kind that it is not.
    """
    known = metrics(asked_by(config.gate))
    areas: dict[str, str] = {}
    wanted: dict[str, dict[EvidenceRequest, None]] = {}  # by area, which looks once for all it is asked for
    for name, criterion in config.gate.criteria.items():
        if problem := misfit(criterion):
            raise ConfigError(f"gate.criteria.{name}.kind={criterion.kind}: {problem}", to_check())
        areas[name] = _area(name, criterion, known)
        wanted.setdefault(areas[name], {}).update(dict.fromkeys(filter(None, _requests(criterion))))
    if LOG in wanted:
        wanted[LOG].update({SAMPLE: None, DAYS: None, COMPOSITION: None})
    found = {area: _asked(area, list(requests), until, config, layout) for area, requests in wanted.items()}
    seen = {}
    for name, criterion in config.gate.criteria.items():
        go, no_go = _requests(criterion)
        of = found[areas[name]]
        seen[name] = Seen(of[go], None if no_go is None else of[no_go], source=areas[name])
    of_log = found.get(LOG, {})
    sampled, days, parts = of_log.get(SAMPLE), of_log.get(DAYS), of_log.get(COMPOSITION)
    return Collected(
        seen,
        sampled if isinstance(sampled, Sampled) else None,
        days if isinstance(days, Logged) else None,
        parts if isinstance(parts, Composition) else None,
    )


def _asked(
    area: str, requests: list[EvidenceRequest], until: date | None, config: Config, layout: Layout
) -> dict[EvidenceRequest, Evidence]:
    try:
        return dict(zip(requests, _provider(area).evidence(requests, until, config, layout), strict=True))
    except MissingInputError as error:
        return dict.fromkeys(requests, Missing(f"{error.message}: {error.hint}"))


def _requests(criterion: Criterion) -> tuple[EvidenceRequest, EvidenceRequest | None]:
    """The evidence for a criterion's GO, and for its NO-GO if that has another limit."""
    limit, no_go_limit = kind_named(criterion.kind).limits(criterion)
    other = None if no_go_limit in (None, limit) else EvidenceRequest(criterion.metric, no_go_limit)
    return EvidenceRequest(criterion.metric, limit, criterion.bound), other


def _area(name: str, criterion: Criterion, known: dict[str, str]) -> str:
    if criterion.metric in known:
        return known[criterion.metric]
    near = get_close_matches(criterion.metric, known, n=1)
    raise ConfigError(
        f"gate.criteria.{name}.metric={criterion.metric}: no area measures it; "
        + (f"did you mean {near[0]}? " if near else "")
        + f"(valid: {', '.join(sorted(known))})",
        to_check(),
    )
