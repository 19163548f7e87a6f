"""Stage `report`: the comparison log measured, on the terminal, in MLflow and as one HTML page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zantara_exp.analysis import money, opinions, pairs, views
from zantara_exp.analysis.log import ComparisonLog, open_log
from zantara_exp.analysis.metrics import flat
from zantara_exp.analysis.page import page
from zantara_exp.analysis.summary import Summary, first_day, summary
from zantara_exp.analysis.translation import Words
from zantara_exp.analysis.verdict import evidence_path, shown_verdict
from zantara_exp.config.candidates import one_of
from zantara_exp.config.schema import Config
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.io.whole_files import write_whole
from zantara_exp.review.opinions import opinions as opinions_of
from zantara_exp.text.wording import counted
from zantara_exp.traffic import certified_routing
from zantara_exp.traffic.confirmed_slices import load as load_slices
from zantara_exp.traffic.confirmed_slices import shown

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from zantara_exp.gates.several_candidates import Together

_DAYS_PRINTED = 7


def report(config: Config, context: Context) -> StageResult:
    """Measure the log up to `as_of`, print the tables, and write the page to `paths.reports`.

    Raises MissingInputError when the log holds no comparison in the days asked for.
    """
    until = date.fromisoformat(config.as_of) if config.as_of else None
    several, config = config, one_of(config)
    if config is not several:
        context = Context(config, context.run, context.run_dir, context.origin)
    with open_log(config, context.layout, until) as log:
        found = summary(log, config)
        facts = log.facts.filter((log.facts.epoch == found.epoch) & (log.facts.day >= found.first))
        said = opinions_of(config, context.layout, context.say)
        slices = shown(load_slices(context.layout.slices))
        routing = certified_routing.load(context.layout.routing, found.epoch)
        quality = opinions.table(facts, said)
        beside = _beside(several, log.until)
        tables = [] if beside is None else beside.tables()
        more = [*filter(None, (quality, slices)), *([certified_routing.shown(routing)] if routing else [])]
        worse = quality, slices, said
        seen = log, found, facts, worse, tables, routing
        written = [] if config.report.stats_only else _written(*seen, config, context)
    measured = {**flat(found.whole, found.spending.savings), "shadow/coverage": found.coverage}
    context.run.metrics(measured)
    for number, (_, counts) in enumerate(found.days.items()):
        if counts.requests:
            context.run.metrics(
                {f"daily/{name.split('/')[1]}": value for name, value in flat(counts, None).items()}, number
            )
    words = Words(config.report.language)
    return StageResult(
        summary={words(name): words(value) for name, value in _in_short(found, written).items()},
        metrics=measured,
        tags={"epoch": found.epoch, "candidate": ", ".join(found.candidates), "report": config.report.name},
        tables=[words.table(table) for table in [*tables, *_tables(found, config), *more]],
        artifacts=written,
        next_command=command("stage=gate"),
        parts={} if beside is None else {name: _part(name, beside) for name in beside.verdicts},
    )


def _beside(config: Config, until: date) -> Together | None:
    from zantara_exp.gates.stage import beside_now

    return beside_now(config, until)


def _part(name: str, beside: Together) -> StageResult:
    """One of several candidates, as MLflow compares them."""
    numbers = {f"shadow/{key}": value for key, value in beside.beside[name].numbers.items()}
    verdict = beside.verdicts[name]
    return StageResult({}, numbers, {"verdict": verdict.verdict, "epoch": verdict.epoch}, run_name="report")


def _in_short(found: Summary, written: list[Path]) -> dict[str, str]:
    whole, taken = found.whole, found.whole.latency
    lines = {
        "comparisons": f"{whole.requests:,} of {counted(found.users, 'user')}, {found.first} to {found.last}",
        "epoch": found.epoch,
        "success": f"{views.percent(whole.success, 2)} ({counted(whole.requests - whole.answered, 'failure')})",
        "latency": ", ".join(
            f"{name} {views.milliseconds(value)}"
            for name, value in [
                ("mean", taken.mean),
                *((f"p{share:.0%}"[:-1], taken.quantile(share)) for share in (0.5, 0.95, 0.99)),
            ]
        ),
        "similar": f"{views.percent(whole.similar_share)} of {whole.scored:,} compared",
        "savings": views.percent(found.spending.savings),
        "would move": str(found.moving),
        "volume": money.volume_note(found.spending.volume),
    }
    if gaps := money.cost_gaps(found):
        lines["cost"] = " ".join(gaps)
    if found.unmeasured:
        lines["not measured"] = f"{sum(found.drops.values()):,} dropped, {counted(len(found.bad), 'line')} unreadable"
        lines["coverage"] = f"{views.percent(found.coverage, 2)} of the sampled requests"
    if written:
        lines["page"] = ", ".join(_shown(path) for path in written)
    return lines


def _tables(found: Summary, config: Config) -> list[Table]:
    last = dict(list(found.days.items())[-_DAYS_PRINTED:])
    smell, moves = views.smell(found), views.moves(found)
    tables = [
        *([smell] if smell else []),
        *([moves] if moves else []),
        *views.segments(found),
        *([views.weeks(found)] if found.before.requests else []),
        views.table("Last days", "day", last),
        *views.troubles(found),
    ]
    return [*tables, *money.tables(found, config)]


def _written(
    log: ComparisonLog,
    found: Summary,
    facts: ir.Table,
    worse: tuple[Table | None, Table | None, opinions.Opinions],
    beside: Sequence[Table],
    routing: Mapping[str, Any] | None,
    config: Config,
    context: Context,
) -> list[Path]:
    """The page under `paths.reports`, and where `report.export` wants it as well.

    A page about part of the days has a name of its own: report.html is always about all of them.
    """
    from zantara_exp.dataset.redact import redactor_of
    from zantara_exp.gates.record import Looks
    from zantara_exp.gates.stage import judge

    redactor = redactor_of(config.dataset)
    drawn = pairs.draw(log, facts, config.report.pairs, config.seed, redactor)
    quality, slices, said = worse
    worst = opinions.worst(log, facts, said, config.report.pairs, redactor)
    verdict, seen = judge(config, context.layout, log.until)
    shown = shown_verdict(verdict, config.gate, Looks(context.layout.looks).all())
    path = evidence_path(config.gate, seen, list(found.days), Words(config.report.language).day)
    provenance = _provenance(log, found, config, context)
    text = page(found, shown, path, drawn, (quality, slices, worst), provenance, config, beside, routing)
    whole = first_day(config, log.until) == date.min
    own = context.layout.report if whole else context.layout.reports / f"report_{found.first}_{found.last}.html"
    targets = [own, *([Path(config.report.export).absolute()] if config.report.export else [])]
    for target in targets:
        write_whole(target, text.encode())
    return targets


def _provenance(log: ComparisonLog, found: Summary, config: Config, context: Context) -> dict[str, str]:
    from importlib.metadata import version

    next_day, scored = found.last + timedelta(days=1), counted(found.whole.scored, "comparison")
    return {
        "log": f"{_shown(context.layout.logs)}, {counted(len(log.parts), 'file')}, read to {next_day} 00:00 UTC",
        "candidate id": f"{found.epoch}, since {found.first}",
        "gate": f"{config.gate.name}",
        "similar": f"chrF at or above {config.engine.similar_chrf:g}; {scored} scored",
        **_embedding(found, config),
        "pairs": f"drawn at random with seed {config.seed}",
        "run": context.run.run_id,
        "version": f"zantara-exp {version('zantara-exp')}",
    }


def _embedding(found: Summary, config: Config) -> dict[str, str]:
    if config.evaluation.embedding is None:
        return {}
    name = Path(config.evaluation.embedding).name
    return {"embedding": f"mean cosine by {name}; {counted(found.whole.embedded, 'comparison')} scored"}


def _shown(path: Path) -> str:
    """Relative to the working directory where it lies below it."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
