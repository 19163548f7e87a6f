"""The whole experiment as one typed config; `conf/config.yaml` lists where each part comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from zantara_exp.config.data import Dataset, Demo, Source
from zantara_exp.config.decision import Cost, Engine, Report, Review
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
    source: Source = setting(Source(), "Where conversations come from.")
    demo: Demo = setting(Demo(), "The product that source=embedded pretends to be.")
    dataset: Dataset = setting(Dataset(), "Filters, targets and splits.")
    model: Model = setting(Model(), "What is trained.")
    trainer: Trainer = setting(Trainer(), "How it is trained.")
    evaluation: Evaluation = setting(Evaluation(), "How the trained model is scored.")
    judge: Judge = setting(Judge(), "A model that compares answers.")
    publish: Publish = setting(Publish(), "Where the trained model goes.")
    primary: Primary = setting(Primary(), "The model that answers today.")
    endpoint: Endpoint = setting(Endpoint(), "The candidate.")
    shadow: Shadow = setting(Shadow(), "Which requests the candidate answers too.")
    log: Log = setting(Log(), "The comparison log.")
    gateway: Gateway = setting(Gateway(), "What stage=serve runs in front of the primary.")
    engine: Engine = setting(Engine(), "What computes the tables.")
    report: Report = setting(Report(), "The HTML page.")
    review: Review = setting(Review(), "The blind human review.")
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
        """A day must be one, and a machine needs a price."""
        try:
            date.fromisoformat(self.as_of or "2025-01-01")
        except ValueError:
            yield "as_of", "is not a day, such as 2025-11-03"
        if self.endpoint.billing in ("seconds", "hours") and self.endpoint.gpu not in self.cost.gpu_usd_hour:
            known = ", ".join(sorted(self.cost.gpu_usd_hour)) or "none"
            yield "endpoint.gpu", f"endpoint.billing={self.endpoint.billing} needs a key of cost.gpu_usd_hour ({known})"
