"""On what a rollout may serve the candidate: a GO about the very model, prompt and endpoint that would answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.endpoints.epoch import epoch_of
from zantara_exp.errors import MissingInputError, ZantaraError
from zantara_exp.gates.rules import gate_hash
from zantara_exp.layout import Layout

_GATE = "python -m zantara_exp stage=gate gate=go_no_go"


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

    Raises MissingInputError without a verdict, NotAuthorisedError when it is no GO, or about something else than the
    configured gate, model, prompt and endpoint.
    """
    said = _verdict(layout)
    verdict, gate = said.get("verdict"), str(said.get("gate"))
    if verdict != "GO":
        raise NotAuthorisedError(f"the verdict of gate={gate} is {verdict}, not GO: {said.get('reason')}", _GATE)
    if said.get("authorises") is not True:
        raise NotAuthorisedError(f"gate={gate} only watches: its GO does not open a rollout", _GATE)
    if not config.gate.authorises:
        raise NotAuthorisedError(f"gate={config.gate.name} only watches: it cannot open a rollout", _GATE)
    _covers(config)
    ours = gate_hash(config.gate)
    if said.get("gate_hash") != ours:
        raise NotAuthorisedError(
            f"the GO was given by gate={gate} with hash {said.get('gate_hash')}, but the configured gate, "
            f"{config.gate.name}, has {ours}: its criteria are others",
            f"python -m zantara_exp stage=gate gate={config.gate.name}   (or the options the GO was given with)",
        )
    epoch = serving_epoch(config, layout)
    if said.get("epoch") != epoch:
        raise NotAuthorisedError(
            f"the GO is about epoch {said.get('epoch')}, but model={config.model.name} and endpoint="
            f"{config.endpoint.name} with the configured prompt are epoch {epoch}",
            "serve what was judged, or judge this one: python -m zantara_exp stage=shadow, then stage=gate",
        )
    return Authority(epoch, gate, ours, str(said.get("as_of")))


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


def _verdict(layout: Layout) -> dict[str, Any]:
    try:
        said = orjson.loads(layout.verdict.read_bytes())
    except FileNotFoundError:
        raise MissingInputError(
            f"there is no {layout.verdict.name} under paths.reports: no GO, no rollout", _GATE
        ) from None
    except (orjson.JSONDecodeError, OSError) as error:
        raise NotAuthorisedError(f"{layout.verdict.name} cannot be read: {error}", _GATE) from None
    if not isinstance(said, dict):
        raise NotAuthorisedError(f"{layout.verdict.name} holds no verdict", _GATE)
    return said
