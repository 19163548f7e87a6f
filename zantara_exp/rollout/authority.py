"""Checks that a rollout may serve the candidate: it needs a GO about the very model, prompt and endpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import orjson

from zantara_exp.config.rollout import part_name
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command, given
from zantara_exp.core.signature import VARIABLE, Keys, experiment_of
from zantara_exp.core.signature import VERDICT as SIGNED
from zantara_exp.gates.decision import GO, INCONCLUSIVE, MISSING, NO_GO, PASS
from zantara_exp.gates.identity import gate_hash
from zantara_exp.rollout.newest_evidence import NotNewestError, found_on_record, stands
from zantara_exp.routing.certificate import Certificate, load

Verdict = dict[str, Any]
"""The content of a verdict file."""


class NotAuthorisedError(ZantaraError):
    """There is no GO for what would serve."""


@dataclass(frozen=True)
class Authority:
    """A GO that is valid for the model, prompt and endpoint that would serve now."""

    epoch: str
    gate: str
    gate_hash: str
    as_of: str
    """The last UTC day of its evidence, YYYY-MM-DD."""
    covers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The parts that may be moved, by dimension (such as language). A dimension that is not listed is moved whole."""
    exclude: tuple[Mapping[str, str], ...] = ()
    """The parts that its evidence leaves out, and that are not moved."""
    monthly_requests: int = 0
    """The volume by which its savings were judged; 0: no criterion was about money."""
    objections: Sequence[str] = ()
    """Findings against it: a start then needs `rollout.reason`."""
    certificate: str = ""
    """Hash of the certificate whose score chooses requests; empty: all covered requests are moved."""


def serving_epoch(config: Config, layout: Layout) -> str:
    """The epoch of what would answer now. Raises MissingInputError if a local endpoint has no model."""
    from zantara_exp.endpoints.candidate_id import (
        epoch_of,  # imported late: a status without a GO needs no client of HTTP
    )

    return epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)


def authority(config: Config, layout: Layout, now: datetime, opening: bool = True) -> Authority:
    """The GO in `paths.reports/verdict.json`.

    With `rollout.route=learned` a certificate of the same candidate has to be there, and not too old. Then a verdict
    that misses GO only by the review's quality is enough, since the certificate bounds the quality of what is moved.

    The word GO alone is not believed: the criteria in the file and the look that stage=gate recorded have to agree, and
    no later look may disagree. A start or a wider rollout (`opening`) also needs the newest evidence.

    Raises MissingInputError without a verdict, NotAuthorisedError if it is no GO, is overtaken, or is about another
    gate, model, prompt or endpoint than is configured; ZantaraError if the record of looks cannot be read.
    """
    said = _verdict(layout)
    verdict, gate = said.get("verdict"), str(said.get("gate"))
    certificate = _certificate(config, layout, now)
    if verdict != GO and not (certificate and _quality_alone(config, said)):
        but = ", and not for its quality alone" if certificate else ""
        raise NotAuthorisedError(
            f"the verdict of gate={gate} is {verdict}, not GO{but}: {said.get('reason')}", _judge_again()
        )
    if not config.gate.authorises:
        raise NotAuthorisedError(f"gate={config.gate.name} only watches: it cannot open a rollout", _judge_again())
    _covers(config)
    _leaves_out(config, said)
    ours = gate_hash(config.gate)
    if said.get("gate_hash") != ours:
        raise NotAuthorisedError(
            f"the GO was given by gate={gate} with hash {said.get('gate_hash')}, but the configured gate, "
            f"{config.gate.name}, has {ours}: its criteria are others",
            _judge_again(config.gate.name, note="or the options the GO was given with"),
        )
    epoch = serving_epoch(config, layout)
    if said.get("epoch") != epoch:
        raise NotAuthorisedError(
            f"the GO is about candidate {said.get('epoch')}, but model={config.model.name} and endpoint="
            f"{config.endpoint.name} with the configured prompt are candidate {epoch}",
            f"serve what was judged, or judge this one: {command('stage=shadow')} && {command('stage=gate')}",
        )
    if verdict == GO:
        _follows(config, said)
    if certificate is not None and certificate.candidate != epoch:
        other = f"the certificate is about candidate {certificate.candidate}, and {epoch} would serve"
        raise NotAuthorisedError(other, command("stage=certify"))
    mine = found_on_record(config, layout, said)
    standing = stands(config, layout, mine, now, opening)
    if standing.refusals:
        raise NotNewestError(
            f"the GO of gate={gate} (as of {said.get('as_of')}) opens nothing: {'; '.join(standing.refusals)}",
            command("stage=gate", f"gate={gate}", "as_of=null", note="judges all there is, where the log lies"),
        )
    if said.get("authorises") is not True:
        why = f"gate={gate} only watches, or looked back: its GO does not open a rollout"
        raise NotAuthorisedError(why, _judge_again())
    stood = (said.get("standing") or {}).get("objections", [])
    objections = list(dict.fromkeys([*stood, *standing.objections]))
    covers = {dimension: tuple(values) for dimension, values in said.get("covers", {}).items()}
    exclude = tuple(config.rollout.exclude)
    of = epoch, gate, ours, str(said.get("as_of")), covers, exclude, _monthly_requests(said)
    return Authority(*of, objections, certificate.hash if certificate else "")


def _certificate(config: Config, layout: Layout, now: datetime) -> Certificate | None:
    """The certificate, if requests are moved by their score."""
    if config.rollout.route != "learned":
        return None
    found = load(layout.certificate)
    most = config.rollout.certify.max_age_days
    if now - found.made > timedelta(days=most):
        old = f"the certificate is of {found.made:%Y-%m-%d}: rollout.certify.max_age_days={most:g}"
        raise NotAuthorisedError(old, command("stage=certify"))
    return found


def _quality_alone(config: Config, said: Verdict) -> bool:
    """Whether the review's quality is the only criterion that keeps a verdict from being a GO."""
    against = _against(config, said)
    covers, withheld = said.get("covers") or {}, (said.get("sample") or {}).get("mismatch")
    withheld = withheld or (config.gate.segments.thin == "wait" and said.get("not_covered"))
    quality = all(config.gate.criteria[name].metric == "review_equivalent" for name in against)
    return bool(against) and quality and not withheld and all(covers.values())


def _follows(config: Config, said: Verdict) -> None:
    """Refuse a GO that its own criteria contradict."""
    if against := _against(config, said):
        told = ", ".join(f"{name} is {decision}" for name, decision in against.items())
        raise NotAuthorisedError(
            f"the verdict says GO, and its criteria do not: {told}", _judge_again(config.gate.name)
        )


def _against(config: Config, said: Verdict) -> dict[str, str]:
    """The required criteria that do not pass."""
    rows = said.get("criteria")
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    decided = {str(row.get("name")): row.get("decision") for row in rows}
    return {
        name: str(decided.get(name, "not in it"))
        for name, criterion in config.gate.criteria.items()
        if decided.get(name) != PASS and (criterion.required or decided.get(name) != MISSING)
    }


def _monthly_requests(said: Verdict) -> int:
    known = [row.get("monthly_requests") for row in said["criteria"]]
    return min((each for each in known if isinstance(each, int) and each > 0), default=0)


def _judge_again(gate: str = "go_no_go", note: str = "") -> str:
    return command("stage=gate", f"gate={gate}", note=note)


def _leaves_out(config: Config, said: Verdict) -> None:
    """Refuse a GO about more or less of the traffic than `rollout.exclude` leaves."""
    ours, theirs = sorted(map(part_name, config.rollout.exclude)), sorted(said.get("exclude", []))
    if ours != theirs:
        shown, given = ("; ".join(parts) or "nothing" for parts in (ours, theirs))
        raise NotAuthorisedError(
            f"rollout.exclude leaves out {shown}, and the GO was given without {given}", _judge_again(config.gate.name)
        )


def _covers(config: Config) -> None:
    """Refuse categories that the gate did not judge."""
    for name, criterion in config.gate.criteria.items():
        judged = criterion.where.get("category", config.rollout.categories)
        beyond = [each for each in config.rollout.categories if each not in judged]
        if beyond:
            only = ", ".join(judged)
            raise NotAuthorisedError(
                f"rollout.categories names {', '.join(beyond)}, but gate.criteria.{name} looks at {only} only",
                f"'rollout.categories=[{only}]', or a gate that judges the others too",
            )


def _verdict(layout: Layout) -> Verdict:
    try:
        said = orjson.loads(layout.verdict.read_bytes())
    except FileNotFoundError:
        raise MissingInputError(
            f"there is no {layout.verdict.name} under paths.reports: no GO, no rollout", _judge_again()
        ) from None
    except (orjson.JSONDecodeError, OSError) as error:
        raise NotAuthorisedError(f"{layout.verdict.name} cannot be read: {error}", _judge_again()) from None
    if not isinstance(said, dict) or said.get("verdict") not in (GO, NO_GO, INCONCLUSIVE):
        raise NotAuthorisedError(f"{layout.verdict.name} holds no verdict", _judge_again())
    _believed(layout, said)
    return said


def _believed(layout: Layout, said: Verdict) -> None:
    """Refuse a verdict that somebody else than stage=gate has written, or of another experiment."""
    name, why = layout.verdict.name, Keys(layout.signing_key).trouble(SIGNED, said)
    if why:
        raise NotAuthorisedError(
            f"{name} opens nothing: {why}; valid is what stage=gate wrote, signed with the key of here: {VARIABLE}, "
            "else the one derived from ZANTARA_HASH_KEY, else signing_key under paths.state",
            _judge_again(note="with the same key in the environment"),
        )
    theirs, ours = experiment_of(said), given().experiment
    if theirs != ours:
        shown = [f"experiment={each}" if each else "no experiment" for each in (theirs, ours)]
        raise NotAuthorisedError(f"{name} opens nothing: it is of {shown[0]}, and this is {shown[1]}", _judge_again())
