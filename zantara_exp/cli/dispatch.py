"""Runs one stage, or a pipeline of them: reuse, record, provenance, table, exit status."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import orjson

from zantara_exp.config import Config, options
from zantara_exp.config.candidates import moved_to, one_of, problems
from zantara_exp.config.validation import suggestion
from zantara_exp.core import distributed, terminal
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command, given, key_of, remember
from zantara_exp.core.origin import to_note
from zantara_exp.core.ownership import refuse_others
from zantara_exp.core.provenance import provenance
from zantara_exp.core.recorded_command import unnamed
from zantara_exp.core.reuse import Fingerprint, Records, relative
from zantara_exp.core.stage import NO_GO, OK, SWEPT, Context, RunRecord, StageResult, Table
from zantara_exp.core.stage_table import STAGES, StageSpec
from zantara_exp.tracking import (
    AFTERWARDS,
    BEHIND,
    MEANWHILE,
    NOTE,
    PARENT,
    About,
    JournaledRun,
    Sweep,
    of_run,
    open_run,
    send_waiting,
)

if TYPE_CHECKING:
    from omegaconf import DictConfig


_TOLD = {
    "train": ("model", "trainer.learning_rate", "trainer.lora.rank"),
    "evaluate": ("model",),
    "publish": ("model",),
    "gate": ("gate",),
}
"""What a run's name says already."""
_ALSO_COLUMNS = ("/estimate", "cost/eur", "cost/gpu_hours")
"""Ends of metrics that are columns though they have several parts; all others are in the run's `metrics.json`."""


@dataclass(frozen=True)
class _Job:
    """One Hydra run: the config twice (typed, and unresolved for the record) and its folder."""

    config: Config
    composed: DictConfig
    folder: Path
    sweep: Sweep | None = None
    """That it is a run of."""

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
    sweep = None
    if hydra.mode == RunMode.MULTIRUN:
        sweep = of_run(folder, config.stage.name, swept_in(hydra.overrides.task))
    job = _Job(config, unnamed(composed, config.privacy.users, folder), folder, sweep)
    if distributed.processes() > 1 and config.stage.name != "train":
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
    if distributed.helping():
        return _helped(job, config.stage.name).result.status
    if STAGES[config.stage.name].at_once(config):
        return _at_once(job, config.stage.name)
    return _one(job, config.stage.name, None).result.status


def swept_in(overrides: Sequence[str]) -> dict[str, str]:
    """Of the overrides of one run those whose keys the sweep changes; whom `stage=forget` is asked for stays out."""
    keys = [key for key in os.environ.get(SWEPT, "").split() if not key.startswith("privacy.")]
    parts = (text.split("=", 1) for text in overrides if "=" in text)
    return {key_of(key): value for key, value in parts if key_of(key) in keys}


def looked_at(composed: DictConfig) -> Sequence[str] | None:
    """The nodes whose ranges and rules are looked at before the stage runs; None: all of them.

    A mistake in a domain's patterns is no reason to refuse a rollback.
    """
    spec = STAGES.get(composed.stage.name)
    return [*spec.groups, "paths", "tracking"] if spec is not None and spec.at_once(cast(Config, composed)) else None


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
    """Run the steps in order; the last one is a gate, whose verdict the summary repeats.

    A gate of `stage.stop_at` that says NO_GO ends it before the next step: status NO_GO.
    """
    _check_stops(job.config)
    steps = [(step, _for_step(job, step)) for step in job.config.stage.steps]  # wrong ones are refused before the first
    if not steps:
        raise ConfigError("stage.steps=[]: names no stage", "'stage.steps=[extract,prepare]', or leave the key out")
    began = time.monotonic()
    rows: list[list[str]] = []
    stopped = ""
    layout = Layout(job.config)
    about = About("pipeline", _tags("pipeline"), sweep=job.sweep)
    with open_run(job.config.tracking, layout, about) as parent:
        parent.params(_given(job))
        for number, (step, its_job) in enumerate(steps, 1):
            terminal.say(f"\n[{number}/{len(steps)}] {step}")
            outcome = _one(its_job, _stage_of(step), parent)
            how = "reused" if outcome.reused else f"{outcome.seconds:.1f} s"
            rows.append([step, how, outcome.run_id[:8], _in_short(outcome.result, step)])
            parent.metrics({**_columns(outcome.result.metrics), f"seconds/{step.replace('=', '-')}": outcome.seconds})
            if outcome.reused:
                parent.tags({f"reused.{step}": outcome.run_id})
            if "verdict" in outcome.result.tags:
                verdict = outcome.result.tags["verdict"]
                parent.tags({f"verdict.{step.replace('=', '.')}": verdict, "verdict": verdict})
                stops = verdict == "NO_GO" and outcome.result.tags["gate"] in job.config.stage.stop_at
                left = [name for name, _ in steps[number:]]
                if stops and left:
                    stopped = f"stopped before {left[0]}: gate={outcome.result.tags['gate']} says NO_GO"
                    parent.tags({"stopped": stopped})
                    rows += [[name, "", "", "not run"] for name in left]
                    break
    terminal.show(Table("pipeline", ["step", "time", "run", "result"], rows))
    terminal.say(f"in all {time.monotonic() - began:.1f} s; run {parent.run_id[:8]}")
    if stopped:
        terminal.say(f"{stopped}: {outcome.result.summary['why']}")
        _say_next(command("stage=pipeline", "stage.stop_at=[]", note="goes on all the same"))
        return NO_GO
    _say_next(outcome.result.next_command)
    return OK


def _check_stops(config: Config) -> None:
    """Raises ConfigError for a name in `stage.stop_at` that no gate has: it would stop nothing, without a word."""
    known = options("gate")
    for name in config.stage.stop_at:
        if name not in known:
            raise ConfigError(
                f"stage.stop_at: {name}: no such gate; {suggestion(name, [*known])}", command("stage=pipeline")
            )


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
    job = _of_one_candidate(job, name)
    spec, layout = STAGES[name], Layout(job.config)
    for line in refuse_others(name, spec.inputs(layout), job.config, layout):
        terminal.say(line)
    fingerprint = Fingerprint.of(spec, job.config, layout)
    records = Records(name, spec, layout)
    with records.only_one(wait=job.sweep is not None):
        record = None if job.config.force else records.matching(fingerprint)
        if record is not None:
            send_waiting(job.config.tracking, layout)
            return _reused(name, fingerprint, record)
        records.forget()
        began, sent = time.monotonic(), AFTERWARDS if spec.shown_first else MEANWHILE
        with _record(job, name, spec, parent, sent) as run:
            _record_origin(job, name, spec, fingerprint, run)
            origin = to_note(name, job.config, layout)
            result = spec.load()(job.config, Context(job.config, run, job.folder, origin))
            if spec.shown_first:
                _print(f"{name} ({time.monotonic() - began:.1f} s)", result, parent)
            _record_result(job, name, result, run)
        for candidate, part in result.parts.items():
            _record_part(job, spec, candidate, part, run, sent)
        if not result.not_reusable:
            records.write(fingerprint, run.run_id, result)
    seconds = time.monotonic() - began
    if not spec.shown_first:
        recorded = "" if run.run_id == distributed.UNRECORDED else f", run {run.run_id[:8]}"
        _print(f"{name} ({seconds:.1f} s{recorded})", result, parent)
    return _Outcome(result, seconds, False, run.run_id)


def _of_one_candidate(job: _Job, name: str) -> _Job:
    """Of several candidates the one that a stage is about, where it takes one: the one that is named, or the first."""
    if STAGES[name].every_candidate:
        return job
    return replace(job, config=one_of(job.config, moved_to(job.config, name)))


@contextmanager
def _record(job: _Job, name: str, spec: StageSpec, parent: JournaledRun | None, sent: str) -> Iterator[RunRecord]:
    """The run's record; one that keeps nothing for a stage that only looks, unless config asks for it."""
    if spec.only_looks and not job.config.tracking.every_stage:
        yield distributed.unrecorded()
        return
    called = _called(job, name, spec.run_name(job.config) if spec.run_name else name)
    about = About(called, _tags(name), spec.purpose, job.sweep if parent is None else None)
    with open_run(job.config.tracking, Layout(job.config), about, parent, sent=sent) as run:
        yield run


def _called(job: _Job, name: str, words: str) -> str:
    """A run's name, with what the sweep changes where that is not said yet."""
    swept = {} if job.sweep is None else job.sweep["swept"]
    more = [f"{key.rpartition('.')[2]}={value}" for key, value in swept.items() if key not in _TOLD.get(name, ())]
    return " ".join([words, *more])


def _at_once(job: _Job, name: str) -> int:
    """Act, show it, and only then record it: what makes users safe waits for no disk and no server."""
    config = job.config
    if config.rollout.action == "status" and config.endpoints and not any(problems(config)):
        # What acts at once looks at few keys: `candidate` is a name that nobody has resolved yet.
        named = config.candidate or config.rollout.candidate
        job = replace(job, config=one_of(replace(config, candidate=None), named))
    spec, began = STAGES[name], time.monotonic()
    result = spec.load()(job.config, Context(job.config, distributed.unrecorded(), job.folder))
    _print(f"{name} ({time.monotonic() - began:.1f} s)", result, None)
    try:
        with _record(job, name, spec, None, BEHIND) as run:
            _record_config(job, name, spec, run)
            _record_result(job, name, result, run)
    except OSError as error:
        terminal.say(f"this is not recorded in MLflow ({error.strerror or error}); what was done stands")
    return result.status


def _helped(job: _Job, name: str) -> _Outcome:
    """A process beside the first one: the same decision whether to run, and nothing recorded or written."""
    spec, layout = STAGES[name], Layout(job.config)
    refuse_others(name, spec.inputs(layout), job.config, layout)
    if not job.config.force and Records(name, spec, layout).matching(Fingerprint.of(spec, job.config, layout)):
        return _Outcome(StageResult({}), 0.0, True, "")
    context = Context(job.config, distributed.unrecorded(), job.folder)
    return _Outcome(spec.load()(job.config, context), 0.0, False, "")


def _reused(name: str, fingerprint: Fingerprint, record: Mapping[str, Any]) -> _Outcome:
    run_id = str(record["run_id"])
    same = f"same data {fingerprint.data[:4]}, same config, same code"
    terminal.say(f"{name}: reused run {run_id[:4]}, {same} (force=true runs it anew)")
    return _Outcome(StageResult(summary=record["summary"], metrics=record["metrics"]), 0.0, True, run_id)


def _record_origin(job: _Job, name: str, spec: StageSpec, fingerprint: Fingerprint, run: RunRecord) -> None:
    """Write down and record what the stage is run with."""
    _record_config(job, name, spec, run)
    made_by = provenance(fingerprint.config, fingerprint.inputs, fingerprint.code, job.config.seed)
    origin_file = job.folder / f"{name}-provenance.json"
    origin_file.write_bytes(orjson.dumps(made_by, option=orjson.OPT_INDENT_2))
    run.tags({"data": fingerprint.data, "config": fingerprint.config, "code": fingerprint.code})
    run.artifact(origin_file, "config")


def _record_config(job: _Job, name: str, spec: StageSpec, run: RunRecord) -> None:
    from omegaconf import OmegaConf

    job.folder.mkdir(parents=True, exist_ok=True)
    config_file = job.folder / f"{name}-config.yaml"
    # Unresolved, so that what comes from the environment stays there.
    config_file.write_text(OmegaConf.to_yaml(job.composed, resolve=False), encoding="utf-8")
    flat = _flat(job.as_written)
    given_here = {key: value for key, value in _given(job).items() if key.partition(".")[0] in spec.groups}
    run.params({key: flat[key] for key in spec.compared if key in flat} | given_here)
    run.artifact(config_file, "config")


def _given(job: _Job) -> dict[str, object]:
    """What the command line changed: groups, and keys as they are recorded, without what comes from the environment."""
    known, choices = _flat(job.as_written), given().choices
    keys = [key_of(text) for text in given().overrides]
    return {key: known.get(key, choices.get(key)) for key in keys if key in known or key in choices}


def _record_result(job: _Job, name: str, result: StageResult, run: RunRecord) -> None:
    run.metrics(_columns(result.metrics))
    if len(result.metrics) > len(_columns(result.metrics)):
        every = job.folder / f"{name}-metrics.json"
        every.write_bytes(orjson.dumps(dict(result.metrics), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
        run.artifact(every)
    run.tags({**result.tags, **({NOTE: result.note} if result.note else {})})
    if result.run_name:
        run.name(_called(job, name, result.run_name))
    for path in result.artifacts:
        run.artifact(path)


def _record_part(job: _Job, spec: StageSpec, candidate: str, part: StageResult, run: RunRecord, sent: str) -> None:
    """A run of its own below the stage's, so that MLflow compares candidates side by side."""
    called = f"{candidate} {part.run_name}".strip()
    about = About(called, {**_tags(job.config.stage.name), PARENT: run.run_id}, spec.purpose)
    with open_run(job.config.tracking, Layout(job.config), about, sent=sent) as child:
        child.params({"candidate": candidate})
        child.metrics(_columns(part.metrics))
        child.tags({**part.tags, "candidate": candidate, **({NOTE: part.note} if part.note else {})})


def _columns(metrics: Mapping[str, float]) -> dict[str, float]:
    """The numbers that are compared: `test/loss`, not that of a language; of a criterion its estimate."""
    return {name: value for name, value in metrics.items() if name.count("/") < 2 or name.endswith(_ALSO_COLUMNS)}


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
