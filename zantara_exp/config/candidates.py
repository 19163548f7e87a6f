"""Several candidates on one sample: `endpoint` and, by name, `endpoints`; each as a config of its own.

    endpoints:
      v3: openai                                          an option of conf/endpoint
      cheap: {use: anthropic, model: claude-haiku-4-5}    one with other values
      own: {kind: openai, base_url: http://..., model: m}

A name stands in the log (as the provider of the candidate's side), in tables and in the names of folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from zantara_exp.config.gate import Gate
from zantara_exp.config.rollout import SAFE
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.errors import ConfigError

if TYPE_CHECKING:
    from zantara_exp.config.schema import Config

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")
_PAID_BY_USE = ("tokens", "seconds")


def resolved(endpoints: Mapping[str, Any]) -> dict[str, Endpoint]:
    """What the mapping declares, each with its name. What `problems` finds in it must be mended first."""
    from omegaconf import OmegaConf

    made = {}
    for name, said in endpoints.items():
        if isinstance(said, Endpoint):
            made[name] = said
            continue
        layers = [OmegaConf.structured(Endpoint), *_option(said), {**_own(said), "name": name}]
        found = OmegaConf.to_object(OmegaConf.merge(*layers))
        assert isinstance(found, Endpoint)  # noqa: S101  for the type checker
        made[name] = found
    return made


def names_of(config: Config) -> list[str]:
    """The names of all candidates, the first one's first."""
    return [config.endpoint.name, *(name for name in config.endpoints if name != config.endpoint.name)]


def candidates(config: Config) -> dict[str, Config]:
    """The config of each candidate that a command is about, by name: of one alone, the config itself."""
    if not config.endpoints or config.candidate is not None:
        return {config.candidate or config.endpoint.name: config}
    return {name: of_candidate(config, name) for name in (config.endpoint.name, *config.endpoints)}


def one_of(config: Config, name: str | None = None) -> Config:
    """For what is about one candidate: the one that was chosen already, or that has this name, or the first."""
    if not config.endpoints or config.candidate is not None:
        return config
    return of_candidate(config, name or config.endpoint.name)


def moved_to(config: Config, stage: str) -> str | None:
    """The name that `rollout.candidate` gives, for a stage that is about the candidate which users are moved to."""
    rolls = stage in ("rollout", "certify", "serve") or (stage == "judge" and config.judge.of == "moved")
    return config.rollout.candidate if rolls else None


def of_candidate(config: Config, name: str) -> Config:
    """The config with this candidate as its `endpoint`, and its part of alpha and of the budget.

    Raises ConfigError for a name that none has.
    """
    first = config.endpoint.name
    several = {first: config.endpoint, **resolved(config.endpoints)}
    if name not in several:
        raise ConfigError(f"candidate={name}: is none", f"name one of {', '.join(several)}")
    most, paid = config.shadow.max_usd_per_day, [each for each in several.values() if each.billing in _PAID_BY_USE]
    return replace(
        config,
        candidate=name,
        endpoint=several[name],
        gate=shared(config.gate, name, len(several)),
        # The primary against itself is the same whoever else is asked.
        primary=config.primary if name == first else replace(config.primary, aa_percent=0.0),
        shadow=replace(config.shadow, max_usd_per_day=None if most is None else most / max(1, len(paid))),
    )


def shared(gate: Gate, name: str, count: int) -> Gate:
    """The gate with one candidate's part of alpha, so that all parts together are alpha (Bonferroni).

    P(some candidate has a false GO) <= the sum of their alphas, however alike their answers are (Dunn 1961, Multiple
    comparisons among means, JASA 56); the same of false NO_GO.
    """
    part = gate.alpha_shares.get(name, 0.0) if gate.alpha_shares else 1.0 / count
    criteria = {
        key: each if each.alpha is None else replace(each, alpha=each.alpha * part)
        for key, each in gate.criteria.items()
    }
    return replace(gate, alpha=gate.alpha * part, alpha_shares={}, criteria=criteria)


def problems(config: Config) -> Iterator[tuple[str, str]]:
    """What is wrong with `endpoints`, and with what names one of them: keys, and why."""
    from zantara_exp.config.folders import options
    from zantara_exp.config.validation import problems_in, rule_problems, suggestion

    known, wrong = options("endpoint") if config.endpoints else {}, False
    for name, said in config.endpoints.items():
        key = f"endpoints.{name}"
        found = []
        if not _NAME.fullmatch(str(name)) or name == config.endpoint.name:
            found.append((key, f"a name of letters, digits, _ and -, other than endpoint.name={config.endpoint.name}"))
        if isinstance(said, Mapping) and (use := said.get("use", "")) not in ("", *known):
            found.append((f"{key}.use", f"no such option of conf/endpoint; {suggestion(str(use), [*known])}"))
        elif isinstance(said, str) and said not in known:
            found.append((key, f"no such option of conf/endpoint; {suggestion(said, [*known])}"))
        elif not isinstance(said, str | Mapping | Endpoint):
            found.append((key, "must be an option of conf/endpoint, or settings such as {use: anthropic, model: NAME}"))
        if isinstance(said, Mapping):
            found += [(p.key, p.what) for p in problems_in(Endpoint, _own(said), f"{key}.")]
        if not found:
            made = resolved({name: said})[name]
            found += [(p.key, p.what) for p in rule_problems(made, f"{key}.")]
            found += [(f"{key}.gpu", why) for why in _unpriced(made, config)]
        wrong = wrong or bool(found)
        yield from found
    if not wrong:
        yield from _strangers(config)


def _strangers(config: Config) -> Iterator[tuple[str, str]]:
    """Names that no candidate has, or that say two things."""
    from zantara_exp.config.validation import suggestion

    several = {config.endpoint.name: config.endpoint, **resolved(config.endpoints)}
    for key, name in (("candidate", config.candidate), ("rollout.candidate", config.rollout.candidate)):
        if name is not None and name not in several:
            yield key, f"is no candidate; {suggestion(name, [*several])}"
    for name in config.endpoints:
        if any(name in each.fallback for each in several.values()):
            yield f"endpoints.{name}", "is also the name of a fallback: the log could not tell the two apart"
    shares = config.gate.alpha_shares
    if shares and (set(shares) != set(several) or sum(shares.values()) > 1 + 1e-9 or min(shares.values()) <= 0):
        yield "gate.alpha_shares", f"must give each of {', '.join(several)} a part above 0, together at most 1"
    plan = config.rollout
    moves = config.stage.name == "rollout" and (plan.action not in SAFE or plan.watch)
    if moves and config.endpoints and plan.candidate is None and config.candidate is None:
        yield "rollout.candidate", f"is not given: name which of {', '.join(several)} is moved to, one with a GO"
    other = moved_to(config, config.stage.name)
    if config.candidate is not None and other not in (None, config.candidate):
        yield "candidate", f"is not rollout.candidate={other}, which users are moved to: leave one of them out"
    if config.candidate is not None and config.stage.name == "pipeline":
        yield "candidate", "stage=pipeline is about all of them: leave it out, or name a stage"


def _unpriced(endpoint: Endpoint, config: Config) -> Iterator[str]:
    if endpoint.billing in ("seconds", "hours") and endpoint.gpu not in config.cost.gpu_usd_hour:
        yield f"billing={endpoint.billing} needs a key of cost.gpu_usd_hour ({', '.join(config.cost.gpu_usd_hour)})"


def _own(said: Any) -> dict[str, Any]:
    return {key: value for key, value in said.items() if key != "use"} if isinstance(said, Mapping) else {}


def _option(said: Any) -> Iterator[Any]:
    """The option that is named, where one is."""
    from omegaconf import OmegaConf

    from zantara_exp.config.folders import options

    if name := said if isinstance(said, str) else said.get("use", ""):
        yield OmegaConf.load(options("endpoint")[name])
