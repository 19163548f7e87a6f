"""The whole experiment as one typed config; `conf/config.yaml` lists where each part comes from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

from zantara_exp.config.candidates import problems
from zantara_exp.config.data import Dataset, Demo, Source
from zantara_exp.config.decision import Cost, Engine, Label, Report, Review, Slices, Watch
from zantara_exp.config.domain import Domain
from zantara_exp.config.fields import setting
from zantara_exp.config.gate import Gate
from zantara_exp.config.gateway import Gateway
from zantara_exp.config.privacy import Privacy
from zantara_exp.config.project import Paths, Stage, Tracking
from zantara_exp.config.rehearsal import Rehearsal
from zantara_exp.config.rollout import Rollout
from zantara_exp.config.traffic import Endpoint, Log, Primary, Shadow
from zantara_exp.config.training import Evaluation, Judge, Model, Publish, Trainer


@dataclass
class Config:
    """The experiment. Field order is the order data flows in."""

    stage: Stage = setting(Stage(), "Which step runs.")
    domain: Domain = setting(Domain(), "The product: its languages, categories, and what may move.")
    source: Source = setting(Source(), "Where conversations come from.")
    demo: Demo = setting(Demo(), "The product that source=embedded pretends to be.")
    dataset: Dataset = setting(Dataset(), "Filters, targets and splits.")
    label: Label = setting(Label(), "The page on which chats are labelled by hand.")
    model: Model = setting(Model(), "What is trained.")
    trainer: Trainer = setting(Trainer(), "How it is trained.")
    evaluation: Evaluation = setting(Evaluation(), "How the trained model is scored.")
    judge: Judge = setting(Judge(), "A model that compares answers.")
    publish: Publish = setting(Publish(), "Where the trained model goes.")
    primary: Primary = setting(Primary(), "The model that answers today.")
    endpoint: Endpoint = setting(Endpoint(), "The candidate.")
    endpoints: dict[str, Any] = setting(
        {},
        "Further candidates on the same sample, by name: an option of conf/endpoint, or settings such as "
        "{use: anthropic, model: claude-haiku-4-5}.",
    )
    candidate: str | None = setting(
        None,
        "Of several candidates, the one that a command is about; null: all, or `endpoint` where a stage takes one.",
    )
    shadow: Shadow = setting(Shadow(), "Which requests the candidate answers too.")
    log: Log = setting(Log(), "The comparison log.")
    gateway: Gateway = setting(Gateway(), "What stage=serve runs in front of the primary.")
    engine: Engine = setting(Engine(), "What extracts, prepares and computes the tables: this machine, or Spark.")
    report: Report = setting(Report(), "The HTML page.")
    watch: Watch = setting(Watch(), "The live page.")
    review: Review = setting(Review(), "The blind human review.")
    slices: Slices = setting(Slices(), "Where it is looked for what is worse.")
    cost: Cost = setting(Cost(), "Prices.")
    gate: Gate = setting(Gate(), "The criteria of the verdict.")
    rollout: Rollout = setting(Rollout(), "The gradual rollout.")
    rehearsal: Rehearsal = setting(Rehearsal(), "The plan's weeks in minutes, on simulated users.")
    privacy: Privacy = setting(Privacy(), "Deletion, retention and the hash key.")
    tracking: Tracking = setting(Tracking(), "Where runs are recorded.")
    paths: Paths = setting(Paths(), "Where things lie.")
    as_of: str | None = setting(None, "Last day looked at, YYYY-MM-DD, inclusive, UTC; default: the newest.")
    seed: int = setting(7, "Seed of everything random.", ge=0)
    force: bool = setting(False, "Run the stage even if nothing it depends on has changed.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """A day must be one, a machine needs a price, and what names a category or a language names one there is."""
        try:
            date.fromisoformat(self.as_of or "2025-01-01")
        except ValueError:
            yield "as_of", "is not a day, such as 2025-11-03"
        if self.endpoint.billing in ("seconds", "hours") and self.endpoint.gpu not in self.cost.gpu_usd_hour:
            known = ", ".join(sorted(self.cost.gpu_usd_hour)) or "none"
            yield "endpoint.gpu", f"endpoint.billing={self.endpoint.billing} needs a key of cost.gpu_usd_hour ({known})"
        yield from problems(self)
        yield from self._strangers()
        if self.rollout.reverse_percent and self.primary.endpoint is None:
            how = "name an option of conf/endpoint, such as primary=anthropic or primary.endpoint=anthropic"
            yield (
                "primary.endpoint",
                f"rollout.reverse_percent={self.rollout.reverse_percent:g} asks the primary: {how}",
            )
        if self.gate.exclude != self.rollout.exclude:
            yield "gate.exclude", "is what rollout.exclude says; change that"
        kept = [each for each in self.rollout.categories if each in self.domain.categories]
        if stay := [each for each in kept if each not in self.domain.moves]:
            only = ", ".join(self.domain.moves) or "none"
            yield "rollout.categories", f"{', '.join(stay)} stays with the primary (domain.moves: {only}); remove it"

    def _strangers(self) -> Iterator[tuple[str, str]]:
        """Categories and languages that are named somewhere and declared nowhere."""
        categories, languages = list(self.domain.categories), list(self.dataset.languages)
        named: list[tuple[str, Iterable[str], list[str], str]] = [
            ("dataset.targets.category", self.dataset.targets.category, categories, "domain.categories"),
            ("dataset.targets.language", self.dataset.targets.language, languages, "dataset.languages"),
            ("rollout.categories", self.rollout.categories, categories, "domain.categories"),
            ("rollout.languages", self.rollout.languages, languages, "dataset.languages"),
            *(
                (f"rollout.exclude.{name}", [part[name] for part in self.rollout.exclude if name in part], known, where)
                for name, known, where in (
                    ("category", categories, "domain.categories"),
                    ("language", languages, "dataset.languages"),
                )
            ),
            ("review.categories", self.review.categories, categories, "domain.categories"),
            *(
                (f"review.reviewers.{name}", given, languages, "dataset.languages")
                for name, given in self.review.reviewers.items()
            ),
            ("shadow.categories", self.shadow.categories, categories, "domain.categories"),
        ]
        for key, names, known, where in named:
            if unknown := [name for name in names if name not in known]:
                near = get_close_matches(unknown[0], known, n=1)
                ask = f"did you mean {near[0]}? " if near else ""
                yield key, f"not among {where}: {', '.join(unknown)}; {ask}(valid: {', '.join(known)})"
