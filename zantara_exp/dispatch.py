"""Runs one stage, or a pipeline of them: reuse, record, provenance, table, exit status."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp import ranks, terminal
from zantara_exp.config import Config
from zantara_exp.config.validation import suggestion
from zantara_exp.errors import ConfigError, ZantaraError
from zantara_exp.hints import command, given, remember
from zantara_exp.layout import Layout
from zantara_exp.origin import to_note
from zantara_exp.others import refuse_others
from zantara_exp.provenance import provenance
from zantara_exp.reuse import Fingerprint, Records, relative
from zantara_exp.stage import OK, Context, StageResult, Table
from zantara_exp.stages import STAGES, StageSpec
from zantara_exp.tracking import JournaledRun, open_run, send_waiting

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass(frozen=True)
class _Job:
    """One Hydra run: the config twice (typed, and unresolved for the record) and its folder."""

    config: Config
    composed: DictConfig
    folder: Path

    @property
    def as_written(self) -> dict[str, Any]:
        """The config as plain values; what it takes from the environment is not filled in."""
        from omegaconf import OmegaConf

        content = OmegaConf.to_container(self.composed, resolve=False)
        assert isinstance(content, dict)  # noqa: S101  for the type checker
        return {str(key): value for key, value in content.items()}


@dataclass(frozen=True)
class _Outcome:
    result: StageResult
    seconds: float
    reused: bool
    run_id: str


def run_stage(config: Config, composed: DictConfig, hydra: Any, overrides: Sequence[str]) -> int:
    """Run what `config.stage` names; returns the exit status.

    `hydra` is Hydra's own config, `overrides` what the user gave on the command line, unresolved.
    """
    from hydra.types import RunMode

    folder = Path(hydra.runtime.output_dir)
    overrides = list(overrides)
    if hydra.mode == RunMode.MULTIRUN:
        # Runs of a sweep stand side by side: each writes its model and its verdict into its own folder.
        if config.stage.name == "train":
            config.paths.models = str(folder / "models")
            overrides.append(f"paths.models={relative(folder / 'models')}")
        elif config.stage.name in ("gate", "report", "power"):
            config.paths.reports = str(folder / "reports")
            overrides.append(f"paths.reports={relative(folder / 'reports')}")
    remember(replace(given(), overrides=tuple(overrides), choices=_choices(hydra)))
    _check_paths(config)
    job = _Job(config, composed, folder)
    if ranks.processes() > 1 and config.stage.name != "train":
        raise ConfigError(
            f"stage.name={config.stage.name}: several processes (accelerate launch) run stage=train only",
            command(f"stage={config.stage.name}"),
        )
    if config.stage.name == "pipeline":
        return _pipeline(job)
    if config.stage.name not in STAGES:
        raise ConfigError(
            f"stage.name={config.stage.name}: no such stage; {suggestion(config.stage.name, [*STAGES])}",
            command("--help", alone=True),
        )
    outcome = _helped(job, config.stage.name) if ranks.helping() else _one(job, config.stage.name, None)
    return outcome.result.status


def _choices(hydra: Any) -> dict[str, str]:
    """Config group -> option of this run."""
    return {str(group): str(option) for group, option in hydra.runtime.choices.items() if option is not None}


def _check_paths(config: Config) -> None:
    """Raises ZantaraError where a folder that stages write to is a file, or lies in one."""
    for name, folder in vars(config.paths).items():
        path = Path(folder).absolute()
        there = next(each for each in (path, *path.parents) if each.exists())
        if not there.is_dir():
            where = "is a file" if there == path else f"lies in {relative(there)}, which is a file"
            raise ZantaraError(f"paths.{name}={folder}: {where}; name a folder", f"paths.{name}=another/folder")


def _pipeline(job: _Job) -> int:
    """Run the steps in order; the last one is a gate, whose verdict the summary repeats."""
    steps = [(step, _for_step(job, step)) for step in job.config.stage.steps]  # wrong ones are refused before the first
    if not steps:
        raise ConfigError("stage.steps=[]: names no stage", "'stage.steps=[extract,prepare]', or leave the key out")
    began = time.monotonic()
    rows: list[list[str]] = []
    layout = Layout(job.config)
    with open_run(job.config.tracking, layout, "pipeline", _tags("pipeline"), None) as parent:
        parent.params(_flat(job.as_written))
        for number, (step, its_job) in enumerate(steps, 1):
            terminal.say(f"\n[{number}/{len(steps)}] {step}")
            outcome = _one(its_job, _stage_of(step), parent)
            how = "reused" if outcome.reused else f"{outcome.seconds:.1f} s"
            rows.append([step, how, outcome.run_id[:8], _in_short(outcome.result, step)])
            parent.metrics({**outcome.result.metrics, f"seconds/{step.replace('=', '-')}": outcome.seconds})
            if outcome.reused:
                parent.tags({f"reused.{step}": outcome.run_id})
            if "verdict" in outcome.result.tags:
                verdict = outcome.result.tags["verdict"]
                parent.tags({f"verdict.{step.replace('=', '.')}": verdict, "verdict": verdict})
    terminal.show(Table("pipeline", ["step", "time", "run", "result"], rows))
    terminal.say(f"in all {time.monotonic() - began:.1f} s; run {parent.run_id[:8]}")
    _say_next(outcome.result.next_command)
    return OK


def _tags(stage: str) -> dict[str, str]:
    """What MLflow's UI shows beside a run: who ran what."""
    who = os.environ.get("USER") or os.environ.get("LOGNAME") or str(os.getuid())
    return {"stage": stage, "mlflow.source.name": f"zantara-exp stage={stage}", "mlflow.user": who}


def _in_short(result: StageResult, step: str) -> str:
    if "verdict" in result.tags:
        return result.tags["verdict"]
    shown = STAGES[_stage_of(step)].headline or tuple(result.summary)[:2]
    return "; ".join(f"{what} {result.summary[what]}" for what in shown if what in result.summary)


def _stage_of(step: str) -> str:
    return step.split("=", 1)[0]


def _for_step(job: _Job, step: str) -> _Job:
    """The job of one step; `gate=NAME` is the gate stage with another gate. Raises ConfigError for any other word."""
    name = _stage_of(step)
    if name not in STAGES or step not in (name, f"gate={step.partition('=')[2]}"):
        raise ConfigError(
            f"stage.steps: {step}: no such step; {suggestion(step, [*STAGES, 'gate=NAME'])}",
            command("--help", alone=True),
        )
    if step == name:
        return job
    from omegaconf import DictConfig, OmegaConf

    from zantara_exp.gates.files import gate_named

    gate = gate_named(step.partition("=")[2], job.config)
    composed = job.composed.copy()
    composed["gate"] = OmegaConf.structured(gate)
    assert isinstance(composed, DictConfig)  # noqa: S101  for the type checker
    return replace(job, config=replace(job.config, gate=gate), composed=composed)


def _one(job: _Job, name: str, parent: JournaledRun | None) -> _Outcome:
    spec, layout = STAGES[name], Layout(job.config)
    for line in refuse_others(name, spec.inputs(layout), job.config, layout):
        terminal.say(line)
    fingerprint = Fingerprint.of(spec, job.config, layout)
    records = Records(name, spec, layout)
    with records.only_one():
        record = None if job.config.force else records.matching(fingerprint)
        if record is not None:
            send_waiting(job.config.tracking, layout)
            return _reused(name, fingerprint, record)
        records.forget()
        began = time.monotonic()
        with open_run(job.config.tracking, layout, name, _tags(name), parent, later=spec.shown_first) as run:
            _record_origin(job, name, spec, fingerprint, run)
            origin = to_note(name, job.config, layout)
            result = spec.load()(job.config, Context(job.config, run, job.folder, origin))
            if spec.shown_first:
                _print(f"{name} ({time.monotonic() - began:.1f} s)", result, parent)
            _record_result(result, run)
        if not result.not_reusable:
            records.write(fingerprint, run.run_id, result)
    seconds = time.monotonic() - began
    if not spec.shown_first:
        _print(f"{name} ({seconds:.1f} s, run {run.run_id[:8]})", result, parent)
    return _Outcome(result, seconds, False, run.run_id)


def _helped(job: _Job, name: str) -> _Outcome:
    """A process beside the first one: the same decision whether to run, and nothing recorded or written."""
    spec, layout = STAGES[name], Layout(job.config)
    refuse_others(name, spec.inputs(layout), job.config, layout)
    if not job.config.force and Records(name, spec, layout).matching(Fingerprint.of(spec, job.config, layout)):
        return _Outcome(StageResult({}), 0.0, True, "")
    context = Context(job.config, ranks.unrecorded(), job.folder)
    return _Outcome(spec.load()(job.config, context), 0.0, False, "")


def _reused(name: str, fingerprint: Fingerprint, record: Mapping[str, Any]) -> _Outcome:
    run_id = str(record["run_id"])
    same = f"same data {fingerprint.data[:4]}, same config, same code"
    terminal.say(f"{name}: reused run {run_id[:4]}, {same} (force=true runs it anew)")
    return _Outcome(StageResult(summary=record["summary"], metrics=record["metrics"]), 0.0, True, run_id)


def _record_origin(job: _Job, name: str, spec: StageSpec, fingerprint: Fingerprint, run: JournaledRun) -> None:
    """Write down and record what the stage is run with."""
    from omegaconf import OmegaConf

    job.folder.mkdir(parents=True, exist_ok=True)
    config_file = job.folder / f"{name}-config.yaml"
    # Unresolved, so that what comes from the environment stays there.
    config_file.write_text(OmegaConf.to_yaml(job.composed, resolve=False), encoding="utf-8")
    made_by = provenance(fingerprint.config, fingerprint.inputs, fingerprint.code, job.config.seed)
    origin_file = job.folder / f"{name}-provenance.json"
    origin_file.write_bytes(orjson.dumps(made_by, option=orjson.OPT_INDENT_2))
    run.params(_flat({group: job.as_written[group] for group in spec.groups}))
    run.tags({"data": fingerprint.data, "config": fingerprint.config, "code": fingerprint.code})
    run.artifact(config_file, "config")
    run.artifact(origin_file, "config")


def _record_result(result: StageResult, run: JournaledRun) -> None:
    run.metrics(result.metrics)
    run.tags(result.tags)
    for path in result.artifacts:
        run.artifact(path)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """Nested values with dotted keys; lists as they are written in a config."""
    flat: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        elif value is not None:
            flat[prefix + key] = value
    return flat


def _say_next(command_line: str) -> None:
    if command_line:
        terminal.say(f"next: {command_line}")


def _print(title: str, result: StageResult, parent: JournaledRun | None) -> None:
    """Show what a stage found; what to run next is the pipeline's to say, where there is one."""
    terminal.show(Table(title, [], list(result.summary.items())))
    for table in result.tables:
        terminal.show(table)
    for path in result.artifacts:
        if path.suffix == ".html":
            terminal.say(f"wrote {relative(path)}")
    if parent is None:
        _say_next(result.next_command)
