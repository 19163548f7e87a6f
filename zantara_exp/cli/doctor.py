"""`stage=doctor`: what this machine has, what the configured stages lack, and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from zantara_exp.config import EXPERIMENT
from zantara_exp.config.candidates import candidates
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command, given
from zantara_exp.core.origin import difference, noted
from zantara_exp.core.ownership import refuse_others
from zantara_exp.core.stage import FAILED, OK, Context, StageResult, Table

_LEAST_FREE_GB = 2.0
_PATIENCE_SECONDS = 3.0
_ON_SPARK = ("extract", "prepare", "report", "review", "gate")
"""Stages that `engine=spark` is for."""


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `stage` names the stage that cannot run without it; empty for what only warns."""

    what: str
    good: bool
    detail: str
    stage: str = ""


def doctor(config: Config, context: Context) -> StageResult:
    """Look at the machine; fails when one of `stage.steps` cannot run as configured."""
    findings = [finding for look in _LOOKS for finding in look(config, context)]
    blocked = sorted({f.stage for f in findings if not f.good and f.stage in config.stage.steps})
    rows = [[f.what, "ok" if f.good else ("cannot run" if f.stage else "warning"), f.detail] for f in findings]
    return StageResult(
        {"looked at": str(len(findings)), "stages that cannot run": ", ".join(blocked) or "none"},
        tables=[Table("what was found", ["what", "", "detail"], rows)],
        next_command="" if blocked else command(),
        status=FAILED if blocked else OK,
    )


def _machine(_: Config, context: Context) -> Iterator[Finding]:
    yield Finding("Python", True, platform.python_version())
    free = shutil.disk_usage(context.layout.state.parent).free / 1e9
    detail = f"{free:.1f} GB free; {_LEAST_FREE_GB:.0f} GB are needed"
    yield Finding("disk", free >= _LEAST_FREE_GB, detail, "train")
    for name, folder in vars(context.layout).items():
        if name in ("dataset", "models", "logs", "reports", "state", "mlruns"):
            yield Finding(f"paths.{name}", _writable(folder), f"{folder}", "extract" if name == "state" else "train")


def _writable(folder: Path) -> bool:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    return existing.is_dir() and os.access(existing, os.W_OK)


def _experiment(config: Config, context: Context) -> Iterator[Finding]:
    """Which experiment all this is of, and whose data lie where it would read and write."""
    named = given().experiment
    by = f" (by {EXPERIMENT})" if named and os.environ.get(EXPERIMENT, "").strip() == named else ""
    none = f"none; experiment=NAME or {EXPERIMENT}=NAME names one"
    yield Finding("experiment", True, f"{named}{by}" if named else none)
    layout, there = context.layout, noted(context.layout.extract_summary)
    try:
        refuse_others("extract", [], config, layout)
        if there is None:
            return
        other = difference(layout.extract_summary, config, layout)
        yield Finding("extracted data", not other, f"of another {other}: {there}" if other else f"of {there}")
    except ZantaraError as error:
        yield Finding("extracted data", False, str(error), "extract")


def _source(config: Config, _: Context) -> Iterator[Finding]:
    from zantara_exp.dataset.sources import fingerprint

    try:
        fingerprint(config)
        yield Finding(f"source={config.source.kind}", True, "answers")
    except ZantaraError as error:
        yield Finding(f"source={config.source.kind}", False, str(error), "extract")


def _users(config: Config, _: Context) -> Iterator[Finding]:
    from zantara_exp.shadow.identity import only_here

    trouble = only_here(config)
    yield Finding("users of mirror and gateway", not trouble, trouble or "hashed with ZANTARA_HASH_KEY")


def _signing(config: Config, context: Context) -> Iterator[Finding]:
    from zantara_exp.core.signature import Keys, signed_by

    key, file = signed_by(), context.layout.signing_key
    try:
        Keys(file).check()
        alone = not key and config.rollout.state == "postgres"
        what = f"with {key}" if key else f"with the key that lies, or is made, in {file}"
        more = "; other machines need the same: export ZANTARA_SIGNING_KEY there and here" if alone else ""
        yield Finding("verdicts and rollout are signed", not alone, what + more)
    except ZantaraError as error:
        yield Finding("verdicts and rollout are signed", False, str(error), "gate")


def _spans(_: Config, __: Context) -> Iterator[Finding]:
    from zantara_exp import spans

    off = "off; OTEL_EXPORTER_OTLP_ENDPOINT=http://HOST:4318 turns them on"
    trouble = spans.trouble()
    yield Finding("spans", not trouble, trouble or (f"sent to {spans.collector()}" if spans.wanted() else off))


def _training(config: Config, _: Context) -> Iterator[Finding]:
    from zantara_exp.training.requirements import check_requirements, gpu_present

    yield Finding("GPU", True, "present" if gpu_present() else "none")
    what = f"model={config.model.name} trainer={config.trainer.name}"
    try:
        check_requirements(config)
        yield Finding(what, True, "can be trained here")
    except ZantaraError as error:
        yield Finding(what, False, str(error), "train")


def _endpoints(config: Config, _: Context) -> Iterator[Finding]:
    for each in candidates(config).values():
        yield from _endpoint(each)


def _endpoint(config: Config) -> Iterator[Finding]:
    from zantara_exp.endpoints.build import base_url_of, check
    from zantara_exp.endpoints.serving import program

    what = f"endpoint={config.endpoint.name}"
    if config.endpoint.kind == "local":
        there, lacks = find_spec("openai") is not None, "pip install openai"
        if command := config.endpoint.server.command:
            there, lacks = program(command[0]) is not None, f"{command[0]} is not installed here"
        yield Finding(what, there, "served on loopback" if there else lacks, "shadow")
        return
    try:
        check(config.endpoint)
    except ZantaraError as error:
        yield Finding(what, False, str(error), "shadow")
        return
    trouble = _unreachable(base_url_of(config.endpoint))
    yield Finding(what, not trouble, trouble or "its key is set, and its address answers", "shadow")


def _primary(config: Config, _: Context) -> Iterator[Finding]:
    """The model that answers today, where it is asked anew or a second time."""
    from zantara_exp.endpoints.build import base_url_of, check_primary, option

    primary, asked = config.primary, config.primary.endpoint
    what = f"primary={primary.name}"
    if primary.name != "live" and primary.aa_percent == 0:
        yield Finding(what, True, "its recorded answers are taken: nobody is asked")
        return
    try:
        check_primary(asked or "")
    except ZantaraError as error:
        yield Finding(what, False, str(error), "shadow")
        return
    trouble = _unreachable(base_url_of(option(asked or "")))
    yield Finding(what, not trouble, trouble or f"{asked}: its key is set, and its address answers", "shadow")


def _personal(config: Config, _: Context) -> Iterator[Finding]:
    from zantara_exp.dataset.personal.spoken_in import left_in

    left = left_in(config.dataset)
    packs = ", ".join(config.dataset.countries) or "no country"
    yield Finding("personal data", not left, left or f"packs of {packs}, and what is no country's own")


def _models(config: Config, _: Context) -> Iterator[Finding]:
    """Models that are asked or priced by name: whether the price lists know them, and call them deprecated."""
    from zantara_exp.cost.prices import standing_of

    for key, name, priced in dict.fromkeys(_named(config)):
        known, said = standing_of(name, config.cost)
        if not known and not priced:
            yield Finding(key, True, f"{name}: on no price list, and not billed by tokens")
        elif not known:
            near = f"did you mean {said}? else " if said else ""
            yield Finding(key, False, f"no price list knows {name}: {near}give it a price in cost.prices")
        else:
            unsaid = "on the price list, which does not say that it is deprecated"
            yield Finding(key, not said, f"{name}: {said or unsaid}")


def _named(config: Config) -> Iterator[tuple[str, str, bool]]:
    """Keys, the models they name, and whether their price matters: own models have none."""
    from zantara_exp.endpoints.build import option

    asked = {"endpoint.model": config.endpoint}
    asked |= {f"endpoints.{name}.model": each for name, each in config.endpoints.items()}
    if config.judge.name == "endpoint":
        asked["judge.endpoint.model"] = config.judge.endpoint
    options = [("endpoint.fallback", name) for name in config.endpoint.fallback]
    options += [("primary.endpoint", config.primary.endpoint)] if config.primary.endpoint is not None else []
    for key, name in options:
        with suppress(ZantaraError):  # there is none of that name: whoever needs it says so
            asked[f"{key}={name}"] = option(name)
    for key, endpoint in asked.items():
        if endpoint.kind != "local" and endpoint.model:
            yield key, endpoint.model, endpoint.kind == "anthropic" or endpoint.billing == "tokens"
    for alias, model in config.cost.aliases.items():
        yield f"cost.aliases.{alias}", model, True


def _unreachable(url: str) -> str:
    """Why nothing listens at an address; empty where something does. No request is made: that might cost."""
    parts = urlsplit(url)
    where = parts.hostname or url, parts.port or (80 if parts.scheme == "http" else 443)
    try:
        socket.create_connection(where, timeout=_PATIENCE_SECONDS).close()
    except OSError as error:
        return f"{where[0]}:{where[1]} does not answer: {error.strerror or error}"
    return ""


def _sample(config: Config, context: Context) -> Iterator[Finding]:
    """What keeps the mirror's sample empty, and what the gateways of this machine have seen."""
    from zantara_exp.shadow.switch import Switch
    from zantara_exp.traffic.not_mirrored import noted

    if not Switch(context.layout.state).is_on():
        off = f"SHADOW_MODE_ENABLED or {Switch(context.layout.state).file} switches it off: nothing is mirrored"
        yield Finding("shadow mode", False, off)
    if config.shadow.traffic_percent == 0:
        yield Finding("shadow.traffic_percent", False, "0: nobody's requests are mirrored")
    moved = set(config.rollout.categories)
    if config.shadow.categories and not moved & set(config.shadow.categories):
        said = f"{', '.join(config.shadow.categories)}: none of rollout.categories, so that nothing is compared"
        yield Finding("shadow.categories", False, said)
    try:
        found = noted(context.layout.gateway)
    except ZantaraError as error:
        yield Finding("gateway", False, str(error))
        return
    for port, seen in found.items():
        detail = f"{seen.sampled} of {seen.requests} requests sampled until {seen.at:%Y-%m-%d %H:%M} UTC"
        good = seen.sampled > 0 or seen.requests == 0
        yield Finding(f"gateway.port={port}", good, f"{detail}; {seen.why}" if seen.why else detail)


def _engine(config: Config, _: Context) -> Iterator[Finding]:
    if config.engine.name == "spark":
        needed = {"pyspark": find_spec("pyspark"), "Java": shutil.which("java")}
        lacks = " and ".join(what for what, there in needed.items() if not there)
        detail = f"lacks {lacks}; pip install pyspark, and Java 17" if lacks else "pyspark and Java are there"
        asking = next((step for step in config.stage.steps if step in _ON_SPARK), "report")
        yield Finding("engine=spark", not lacks, detail, asking)


def _tracking(config: Config, context: Context) -> Iterator[Finding]:
    from zantara_exp.tracking import reachable, waiting

    error = reachable(config.tracking, context.layout)
    left = len(list(waiting(config.tracking, context.layout).glob("*-*"))) - 1  # this run's own journal
    detail = error or "reachable" + (f"; {left} earlier run(s) wait to be sent" if left > 0 else "")
    yield Finding(f"MLflow, tracking={config.tracking.name}", not error, detail)


_LOOKS: tuple[Callable[[Config, Context], Iterator[Finding]], ...] = (
    _machine,
    _experiment,
    _source,
    _users,
    _signing,
    _spans,
    _training,
    _endpoints,
    _primary,
    _personal,
    _sample,
    _models,
    _engine,
    _tracking,
)
