"""`stage=gate`: evidence in, verdict out, the look recorded.

    python -m zantara_exp stage=gate gate=go_no_go as_of=2025-11-03

Exit status: 0 GO, 3 NO_GO, 4 INCONCLUSIVE.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from zantara_exp.config.candidates import candidates
from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command, given, of_this_command
from zantara_exp.core.signature import VERDICT, Keys
from zantara_exp.core.stage import INCONCLUSIVE as INCONCLUSIVE_STATUS
from zantara_exp.core.stage import NO_GO as NO_GO_STATUS
from zantara_exp.core.stage import OK, Context, StageResult
from zantara_exp.core.webhook import Notifier
from zantara_exp.gates.collect import LOG, Collected, about_candidates, beside, collect, trained
from zantara_exp.gates.decision import GO, INCONCLUSIVE, MISSING, NO_GO
from zantara_exp.gates.evidence import UserDays
from zantara_exp.gates.junit import junit_xml
from zantara_exp.gates.kinds.kind import Seen
from zantara_exp.gates.record import FirstUse, Look, Looks
from zantara_exp.gates.sample_ratio import UNTESTED as SAMPLE_UNTESTED
from zantara_exp.gates.several_candidates import Together, together
from zantara_exp.gates.spent_looks import as_begun, looked, refusals
from zantara_exp.gates.standing import Around, standing
from zantara_exp.gates.table import (
    assumptions_table,
    bursts_table,
    criteria_table,
    markdown,
    note,
    sample_table,
    segments_table,
    sensitivity_table,
    standing_table,
    summary,
)
from zantara_exp.gates.undeclared_parts import shown
from zantara_exp.gates.verdict import Verdict, judge_gate
from zantara_exp.gates.verdict_record import look_of
from zantara_exp.io.whole_files import write_whole

STATUS = {GO: OK, NO_GO: NO_GO_STATUS, INCONCLUSIVE: INCONCLUSIVE_STATUS}


def gate(config: Config, context: Context) -> StageResult:
    """Judge `config.gate` up to `config.as_of`, write the verdict and record the look; of several candidates, each."""
    Keys(context.layout.signing_key).check()  # before a look is spent on what cannot be written
    several = candidates(config)
    if len(several) == 1 or not about_candidates(config.gate):
        verdict = _looked(config, context)
        _tell(config, context, verdict)
        return _result(config, context.layout, verdict)
    results, verdicts = {}, {}
    for name, each in several.items():
        with _named(each):
            verdicts[name] = _looked(each, Context(each, context.run, context.run_dir))
            results[name] = _result(each, Layout(each), verdicts[name])
    return _of_all(config, context, _together(config, verdicts), results)


@contextmanager
def _named(config: Config) -> Iterator[None]:
    """Within, commands to be copied name the candidate, where it is not the first."""
    now = given()
    named = (f"candidate={config.candidate}",) if config.candidate in config.endpoints else ()
    with of_this_command(replace(now, overrides=(*now.overrides, *named))):
        yield


def _looked(config: Config, context: Context) -> Verdict:
    until, looks = day_of(config.as_of), _looks(context.layout)
    with looks.one_at_a_time():
        found = _seen(config, context.layout, looks, until)
        lost = looks.lost(config.gate.name, verdict_file(context.layout, config.gate.name))
        looks.adopt(context.layout.reports)
        judged = _judged(config, looks, found, until, lost)
        verdict, look = _placed(config, context.layout, looks, judged, found)
        # Recorded before anything is shown: a look that was seen cannot be forgotten.
        looks.append(looked(config.gate, found.seen, verdict, context.run.run_id, lost, look))
    return verdict


def _result(config: Config, layout: Layout, verdict: Verdict) -> StageResult:
    files = write(verdict, layout)
    tables = [criteria_table(verdict), assumptions_table(verdict), bursts_table(verdict), segments_table(verdict)]
    tables += [sensitivity_table(verdict), sample_table(verdict), standing_table(verdict)]
    return StageResult(
        summary=summary(verdict),
        metrics=metrics_of(verdict),
        tags=tags_of(verdict),
        tables=[table for table in tables if table],
        artifacts=files,
        next_command=_next(verdict),
        status=STATUS[verdict.verdict],
        run_name=" ".join(filter(None, (verdict.gate, verdict.as_of, verdict.verdict))),
        note=note(verdict),
    )


def _tell(config: Config, context: Context, verdict: Verdict) -> None:
    facts = {"gate": verdict.gate, "verdict": verdict.verdict, "reason": verdict.reason, "epoch": verdict.epoch}
    text = f"gate={verdict.gate} as of {verdict.as_of}: {verdict.verdict}: {verdict.reason}"
    _notified(config, context, text, {**facts, "as_of": verdict.as_of})


def _notified(config: Config, context: Context, text: str, facts: Mapping[str, Any]) -> None:
    """Tell the webhook, and wait for the delivery; trouble is said and keeps no verdict back."""
    try:
        notifier = Notifier(config.rollout.notify, context.say)
    except ZantaraError as error:
        context.say(f"nobody is told of the verdict: {error.message}")
        return
    notifier.tell("verdict", text, datetime.now(UTC), facts)
    notifier.close()


def _together(config: Config, verdicts: Mapping[str, Verdict]) -> Together:
    endpoints = {name: each.endpoint for name, each in candidates(config).items()}
    return together(config.gate, endpoints, verdicts, beside(config, day_of(config.as_of)))


def beside_now(config: Config, until: date | None = None) -> Together | None:
    """Several candidates side by side, without recording a look; None where there is one alone."""
    several = candidates(config)
    if len(several) == 1:
        return None
    verdicts = {}
    for name, each in several.items():
        with _named(each):
            verdicts[name] = judge(each, Layout(each), until)[0]
    return _together(config, verdicts)


def _of_all(config: Config, context: Context, found: Together, results: Mapping[str, StageResult]) -> StageResult:
    """One result of all candidates, and the verdict of all beside theirs."""
    path = verdict_file(context.layout, config.gate.name)
    own = {name: verdict_file(Layout(each), config.gate.name) for name, each in candidates(config).items()}
    said = found.to_json({name: str(file.relative_to(path.parent)) for name, file in own.items()})
    write_whole(path, _signed(said, context.layout))
    named = f"{found.verdict} for {found.candidate}" if found.candidate else found.verdict
    told = f"## gate {config.gate.name}: {named}\n\n{found.advice}\n\n{markdown(found.tables()[0])}\n"
    write_whole(path.with_suffix(".md"), told.encode())
    _notified(config, context, f"gate={config.gate.name}: {named}: {found.advice}", said)
    first = next(iter(found.verdicts.values()))
    return StageResult(
        summary={
            "verdict": named,
            "why": found.advice,
            **{name: f"{verdict.verdict}: {verdict.reason}" for name, verdict in found.verdicts.items()},
            "gate": f"{config.gate.name}, alpha {found.alpha:g} over all: "
            + ", ".join(f"{name} {verdict.alpha:.3g}" for name, verdict in found.verdicts.items()),
        },
        metrics={f"{name}/{key}": value for name, of in found.beside.items() for key, value in of.numbers.items()},
        tags={"verdict": found.verdict, "gate": config.gate.name, "candidate": found.candidate or ""},
        tables=[
            *found.tables(),
            *(replace(of.tables[0], title=f"gate {config.gate.name}: {name}") for name, of in results.items()),
        ],
        artifacts=[path, path.with_suffix(".md"), *(file for result in results.values() for file in result.artifacts)],
        next_command=_next_of_all(found, results),
        status=STATUS[found.verdict],
        run_name=" ".join(filter(None, (config.gate.name, first.as_of, named))),
        note=markdown(found.tables()[0]),
        parts=results,
    )


def _next_of_all(found: Together, results: Mapping[str, StageResult]) -> str:
    if found.candidate is not None and found.verdicts[found.candidate].authorises:
        return command("stage=rollout", "rollout.action=start", f"rollout.candidate={found.candidate}")
    return next((result.next_command for result in results.values() if result.status != NO_GO_STATUS), "")


def judge(config: Config, layout: Layout, until: date | None = None) -> tuple[Verdict, dict[str, Seen]]:
    """The verdict of `config.gate` and its evidence up to `until`, without recording a look or writing a file.

    A one-look criterion is shown only where stage=gate has recorded the look.
    """
    looks = _looks(layout)
    found = _seen(config, layout, looks, until, recorded=True)
    lost = looks.lost(config.gate.name, verdict_file(layout, config.gate.name))
    return _placed(config, layout, looks, _judged(config, looks, found, until, lost), found)[0], found.seen


def _looks(layout: Layout) -> Looks:
    return Looks(layout.looks)


def _seen(config: Config, layout: Layout, looks: Looks, until: date | None, recorded: bool = False) -> Collected:
    found, known = collect(config, layout, until), looks.all()
    found = found._replace(seen=as_begun(known, config.gate, found.seen))
    refused = refusals(known, config.gate, found.seen, recorded)
    return found._replace(
        seen={name: replace(item, refused=refused.get(name, "")) for name, item in found.seen.items()}
    )


def _judged(config: Config, looks: Looks, found: Collected, until: date | None, lost: bool) -> Verdict:
    verdict = judge_gate(config.gate, found.seen, until, sampled=found.sampled, log=found.composition)
    if lost:
        why = f"{looks.file.name} was not there although this gate had been used: earlier looks cannot be known"
        return replace(verdict, first_use=None, reason=f"{verdict.reason.rstrip('.')}; {why}")
    first = looks.first_use(verdict.gate_hash, verdict.epoch)
    return replace(verdict, first_use=first or FirstUse(verdict.as_of, verdict.requests, verdict.users))


def _placed(config: Config, layout: Layout, looks: Looks, verdict: Verdict, found: Collected) -> tuple[Verdict, Look]:
    """The verdict with what it would open and what stands against it, and the look that is to be recorded for it.

    `as_of` is never later than the log's last day: a look at a day to come would always be the newest.
    """
    now = clock.now()
    of_log = any(item.source == LOG and isinstance(item.go, UserDays) for item in found.seen.values())
    log = found.logged if of_log else None
    if log is not None:
        verdict = replace(verdict, as_of=min(verdict.as_of, log.last.isoformat()))
    look = look_of(verdict, log, now)
    record = looks.known(layout.reports)
    stands = standing(look, len(record), Around(record, log, trained(layout), now, config.rollout))
    if verdict.sample is not None and not verdict.sample.alpha:
        stands = replace(stands, objections=[*stands.objections, f"{SAMPLE_UNTESTED}: gate.sample_ratio_alpha=0"])
    opens = verdict.authorises and not stands.refusals
    return replace(verdict, authorises=opens, standing=stands if verdict.epoch else None), look


def day_of(as_of: str | None) -> date | None:
    """`as_of` as a day. Raises ConfigError when it is none."""
    if as_of is None:
        return None
    try:
        return date.fromisoformat(as_of)
    except ValueError:
        raise ConfigError(f"as_of={as_of}: is not a day", "write it as as_of=2025-11-03") from None


def verdict_file(layout: Layout, name: str) -> Path:
    """Where a gate's verdict lies: verdict.json for go_no_go, the one that authorises; verdict-NAME.json for others."""
    return layout.verdict if name == "go_no_go" else layout.verdict.with_name(f"verdict-{name}.json")


def write(verdict: Verdict, layout: Layout) -> list[Path]:
    """Write the verdict as JSON, and as JUnit and Markdown beside it; returns the files."""
    path = verdict_file(layout, verdict.gate)
    texts = {
        path: _signed(verdict.to_json(), layout),
        path.with_suffix(".junit.xml"): junit_xml(verdict).encode(),
        path.with_suffix(".md"): f"## gate {verdict.gate}: {verdict.verdict}\n\n{note(verdict)}\n".encode(),
    }
    for file, text in texts.items():
        write_whole(file, text)
    return list(texts)


def _signed(said: Mapping[str, Any], layout: Layout) -> bytes:
    """A verdict as its file holds it."""
    plain = json.loads(json.dumps(said, allow_nan=False))
    signed = Keys(layout.signing_key).sign(VERDICT, plain, given().experiment)
    return (json.dumps(signed, indent=2, allow_nan=False, ensure_ascii=False) + "\n").encode()


def metrics_of(verdict: Verdict) -> dict[str, float]:
    """Numbers for MLflow: per criterion estimate, bounds, users and evidence, where they exist."""
    found: dict[str, float | None] = {"gate/requests": verdict.requests, "gate/users": float(verdict.users)}
    for d in verdict.criteria:
        for name in ("estimate", "lower", "upper", "log_go", "log_no_go"):
            found[f"gate/{d.name}/{name}"] = getattr(d.view, name)
        found[f"gate/{d.name}/users"] = float(d.view.users)
        found[f"gate/{d.name}/labels_worth"] = None if d.helped is None else d.helped.worth
    finite = {name: value for name, value in found.items() if value is not None and abs(value) < float("inf")}
    return {name: value for name, value in finite.items() if value == value}


def tags_of(verdict: Verdict) -> dict[str, str]:
    """Labels for MLflow: verdict, gate, its hash, epoch, the day looked at, what each criterion said, and what of the
    log the gate does not declare."""
    tags = {
        "verdict": verdict.verdict,
        "gate": verdict.gate,
        "gate_hash": verdict.gate_hash,
        "epoch": verdict.epoch,
        "as_of": verdict.as_of,
    }
    tags |= {f"decision.{d.name}": d.decision for d in verdict.criteria}
    tags |= {"not_declared": " ".join(shown(verdict.not_declared))} if verdict.not_declared else {}
    return tags | {f"evidence.{d.name}": d.evidence_hash for d in verdict.criteria if d.evidence_hash}


def _next(verdict: Verdict) -> str:
    """The command that brings a decision nearer; after a NO_GO, the one that says what to mend."""
    if verdict.standing and verdict.standing.looks_back:
        return command("stage=gate", f"gate={verdict.gate}", "as_of=null")
    if verdict.verdict == NO_GO:
        return _after_no_go(verdict)
    if verdict.verdict == GO and verdict.standing and verdict.standing.refusals:
        return command("stage=report")
    if verdict.verdict == GO:
        stage, more = ("rollout", []) if verdict.authorises else ("gate", ["gate=go_no_go"])
    elif any(d.decision == MISSING and d.criterion.metric == "review_equivalent" for d in verdict.criteria):
        stage, more = ("review" if verdict.epoch else "shadow"), []  # without a comparison there is nothing to review
    else:
        stage, more = "power", [f"gate={verdict.gate}"]
    unclear = stage == "power" and verdict.missing
    return "" if unclear else command(f"stage={stage}", *more)


def _after_no_go(verdict: Verdict) -> str:
    if verdict.gate == "dataset":
        return command("stage=analyze")
    if verdict.gate.startswith("training"):
        return command("stage=train", note="with other data or settings: docs/training.md")
    return command("stage=next")
