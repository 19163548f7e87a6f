"""The gate configs to check: all files of the config group `gate`, or the one a command line names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from zantara_exp.config import options
from zantara_exp.config.business import BUSINESS_METRICS
from zantara_exp.config.gate import Gate
from zantara_exp.config.gate_file import content_of, load_gate
from zantara_exp.config.schema import Config
from zantara_exp.config.yaml_files import shown
from zantara_exp.core.errors import ConfigError
from zantara_exp.gates.collect import asked_by, metrics, misfit, to_check

_PERIODS: dict[str, Sequence[str]] = {"arm": ("baseline", "candidate")}
"""What a business metric is split by."""


def gates_to_check(config: Config) -> list[Gate]:
    """The composed gate alone where the command line says anything about it, otherwise every file of the group.

    Raises ConfigError with all that is wrong in any of them: keys, types, ranges, contradicting thresholds, metrics
    that no area measures or that are of another kind, segments that no request has.
    """
    if _named_on_command_line():
        problems = list(_not_measured(config.gate, config, "the composed gate"))
        return _unless(problems, [config.gate])
    gates, problems = [], []
    for path in options("gate").values():
        gate, found = _checked(path, config)
        gates += [gate] if gate else []
        problems += found
    return _unless(problems, gates)


def gate_named(name: str, config: Config) -> Gate:
    """The gate of `gate/NAME.yaml`, checked like `gates_to_check`. Raises ConfigError with all that is wrong in it."""
    files = options("gate")
    if name not in files:
        raise ConfigError(f"gate={name}: no such gate in conf/ or --config-dir; {_meant(name, files)}", to_check())
    gate, problems = _checked(files[name], config)
    return _unless(problems, [gate] if gate else [])[0]


def _checked(path: Path, config: Config) -> tuple[Gate | None, list[str]]:
    where = shown(path)
    problems = list(_file_problems(path, where))
    if problems:
        return None, problems
    gate = load_gate(path, config)
    return gate, [*_broken_rules(gate, where), *_not_measured(gate, config, where)]


def _unless(problems: list[str], gates: list[Gate]) -> list[Gate]:
    if problems:
        count = "1 mistake" if len(problems) == 1 else f"{len(problems)} mistakes"
        raise ConfigError(
            "\n".join([f"the gate configs have {count}:", *(f"  {line}" for line in problems)]), to_check()
        )
    return gates


def _named_on_command_line() -> bool:
    from hydra.core.hydra_config import HydraConfig

    if not HydraConfig.initialized():
        return False
    keys = [override.lstrip("+~").split("=", 1)[0] for override in HydraConfig.get().overrides.task]
    return any(key == "gate" or key.startswith("gate.") for key in keys)


def _file_problems(path: Path, where: str) -> Iterator[str]:
    from zantara_exp.config.validation import problems_in

    try:
        content = content_of(path)
    except Exception as error:  # PyYAML's constructors raise whatever they meet
        yield f"{where}: cannot be read as YAML: {(str(error).splitlines() or [type(error).__name__])[0]}"
        return
    if not isinstance(content, Mapping):
        yield f"{where}: must hold keys and values"
        return
    plain = {str(key): value for key, value in content.items() if key != "defaults"}
    yield from map(str, problems_in(Gate, plain, "gate.", where))


def _broken_rules(gate: Gate, where: str) -> Iterator[str]:
    from dataclasses import replace

    from zantara_exp.config.validation import rule_problems

    for problem in rule_problems(gate, "gate."):
        yield str(replace(problem, where=where))


def _not_measured(gate: Gate, config: Config, where: str) -> Iterator[str]:
    yield from _unknown_metrics(gate, where)
    for name, criterion in gate.criteria.items():
        if problem := misfit(criterion):
            yield f"{where}: gate.criteria.{name}.kind={criterion.kind}: {problem}"
        known = _PERIODS if criterion.metric in BUSINESS_METRICS else _dimensions(config)
        yield from _unknown_segments(criterion.where, known, f"{where}: gate.criteria.{name}.where")
    yield from _unknown_segments(gate.segments.declared, _dimensions(config), f"{where}: gate.segments")


def _dimensions(config: Config) -> dict[str, Sequence[str]]:
    return {"category": list(config.domain.categories), "language": config.dataset.languages}


def _unknown_segments(
    asked: Mapping[str, Sequence[str]], known: Mapping[str, Sequence[str]], where: str
) -> Iterator[str]:
    """Dimensions and values that no request has: a criterion on them would wait for ever, a segment never fail."""
    for dimension, values in asked.items():
        if dimension not in known:
            yield f"{where}.{dimension}: no such dimension; {_meant(dimension, known)}"
            continue
        if not values:
            yield f"{where}.{dimension}: names no value; {_meant('', known[dimension])}"
        for value in values:
            if value not in known[dimension]:
                yield f"{where}.{dimension}: no request is {value}; {_meant(value, known[dimension])}"


def _meant(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word, known, n=1)
    return (f"did you mean {near[0]}? " if near else "") + f"(valid: {', '.join(sorted(known))})"


def _unknown_metrics(gate: Gate, where: str) -> Iterator[str]:
    known = metrics(asked_by(gate))
    for name, criterion in gate.criteria.items():
        if criterion.metric and criterion.metric not in known:
            ask = _meant(criterion.metric, known)
            yield f"{where}: gate.criteria.{name}.metric={criterion.metric}: no area measures it; {ask}"
