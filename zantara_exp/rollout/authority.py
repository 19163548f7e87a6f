"""On what a rollout may serve the candidate: a GO about the very model, prompt and endpoint that would answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.endpoints.epoch import epoch_of
from zantara_exp.errors import MissingInputError, ZantaraError
from zantara_exp.gates.decision import GO, INCONCLUSIVE, MISSING, NO_GO, PASS
from zantara_exp.gates.record import Looks
from zantara_exp.gates.rules import gate_hash
from zantara_exp.hints import command
from zantara_exp.layout import Layout

_IDENTITY = ("gate_hash", "epoch", "as_of")
"""What a verdict and the look recorded for it have in common."""
Verdict = dict[str, Any]
"""A verdict as its file says it."""


class NotAuthorisedError(ZantaraError):
    """There is no GO for what would serve."""


@dataclass(frozen=True)
class Authority:
    """A GO that holds for what would serve now."""

    epoch: str
    gate: str
    gate_hash: str
    as_of: str
    """The last UTC day of its evidence, YYYY-MM-DD."""


def serving_epoch(config: Config, layout: Layout) -> str:
    """The epoch of what would answer now. Raises MissingInputError where a local endpoint has no model."""
    return epoch_of(config.endpoint, config.dataset.system_prompt, layout.model)


def authority(config: Config, layout: Layout) -> Authority:
    """The GO in `paths.reports/verdict.json`.

    The word alone is not believed: the criteria in the file and the look that stage=gate recorded have to say so too.
    Raises MissingInputError without a verdict, NotAuthorisedError when it is no GO, or about something else than the
    configured gate, model, prompt and endpoint; ZantaraError when the record of looks cannot be read.
    """
    said = _verdict(layout)
    verdict, gate = said.get("verdict"), str(said.get("gate"))
    if verdict != GO:
        raise NotAuthorisedError(
            f"the verdict of gate={gate} is {verdict}, not GO: {said.get('reason')}", _judge_again()
        )
    if said.get("authorises") is not True:
        raise NotAuthorisedError(f"gate={gate} only watches: its GO does not open a rollout", _judge_again())
    if not config.gate.authorises:
        raise NotAuthorisedError(f"gate={config.gate.name} only watches: it cannot open a rollout", _judge_again())
    _covers(config)
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
            f"the GO is about epoch {said.get('epoch')}, but model={config.model.name} and endpoint="
            f"{config.endpoint.name} with the configured prompt are epoch {epoch}",
            f"serve what was judged, or judge this one: {command('stage=shadow')} && {command('stage=gate')}",
        )
    _follows(config, said)
    _was_looked_at(config, layout, said)
    return Authority(epoch, gate, ours, str(said.get("as_of")))


def _follows(config: Config, said: Verdict) -> None:
    """Refuse a GO that its own criteria do not give."""
    rows = said.get("criteria")
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    decided = {str(row.get("name")): row.get("decision") for row in rows}
    against = [
        f"{name} is {decided.get(name, 'not in it')}"
        for name, criterion in config.gate.criteria.items()
        if decided.get(name) != PASS and (criterion.required or decided.get(name) != MISSING)
    ]
    if against:
        raise NotAuthorisedError(
            f"the verdict says GO, and its criteria do not: {', '.join(against)}", _judge_again(config.gate.name)
        )


def _was_looked_at(config: Config, layout: Layout, said: Verdict) -> None:
    """Refuse a GO that stage=gate did not give: the newest look at the same by the same gate has to be one."""
    record = Looks(layout.looks)
    same = [look for look in record.all() if all(look[key] == said.get(key) for key in _IDENTITY)]
    given = same[-1].get("verdict") if same else None
    if given != GO:
        what = ", ".join(f"{key} {said.get(key)}" for key in _IDENTITY)
        found = f"says {given}" if same else "has no such look"
        raise NotAuthorisedError(
            f"the verdict says GO for {what}, and the record of looks, {record.file.name} under paths.state, {found}",
            f"bring looks/{record.file.name} from the machine that gave the GO, or judge here: "
            + _judge_again(config.gate.name),
        )


def _judge_again(gate: str = "go_no_go", note: str = "") -> str:
    return command("stage=gate", f"gate={gate}", note=note)


def _covers(config: Config) -> None:
    """Refuse categories that the gate did not look at: its GO says nothing about them."""
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
    return said
