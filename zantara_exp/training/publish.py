"""stage=publish: a trained model that passed its gate becomes the candidate.

    python -m zantara_exp stage=publish
    python -m zantara_exp stage=publish publish.even_without_go=true     (recorded)

publish=local registers the model in MLflow under `publish.registered_name`, points the alias `candidate` at it and
writes publish.json beside it; the model itself stays under paths.models, where `endpoint=local` serves it.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.errors import MissingInputError, ZantaraError
from zantara_exp.layout import Layout
from zantara_exp.stage import Context, StageResult
from zantara_exp.training.export import weights_hash, write_json

ALIAS = "candidate"
_GATE = "python -m zantara_exp stage=gate gate=training"


def publish(config: Config, context: Context) -> StageResult:
    """Register the model as the candidate.

    Raises MissingInputError without a model, ZantaraError when the training gate did not say GO about this very model
    and `publish.even_without_go` is false.
    """
    at = context.layout
    trained = _trained(at)
    epoch = str(trained["epoch"])
    verdict, objection = _verdict(at.reports / "verdict-training.json", epoch)
    forced = bool(objection)
    if objection and not config.publish.even_without_go:
        raise ZantaraError(
            f"{at.model.name} is not published: {objection}",
            f"{_GATE}; or publish.even_without_go=true, which is recorded",
        )
    tags = {"epoch": epoch[:12], "verdict": verdict, "forced": str(forced).lower(), "model": str(trained["model"])}
    if config.model.hub_name:
        tags["hub_name"] = config.model.hub_name
    name = config.publish.registered_name
    context.run.register(at.model, name, ALIAS, tags)
    write_json(
        at.model / "publish.json", tags | {"name": name, "alias": ALIAS, "published_at": time.time(), "why": objection}
    )
    return StageResult(
        summary={
            "published": f"{at.model.name}, epoch {epoch[:12]}, as {name}@{ALIAS} in MLflow",
            "training gate": f"{verdict}; published all the same, and that is recorded: {objection}"
            if forced
            else verdict,
            "serve it": f"transformers serve {at.model} --device cpu --dtype float32   (endpoint=local does so)",
        },
        metrics={"publish/forced": float(forced)},
        tags=tags,
        artifacts=[at.model / "publish.json"],
        next_command="python -m zantara_exp stage=shadow endpoint=local",
    )


def _trained(at: Layout) -> dict[str, Any]:
    found = _read(at.train_summary)
    if found is None:
        raise MissingInputError(f"{at.train_summary} is not there", "python -m zantara_exp stage=train")
    if weights_hash(at.model) != found.get("epoch"):
        again = "python -m zantara_exp stage=train force=true"
        raise ZantaraError(f"the weights in {at.model} are not those that were trained", again)
    return found


def _verdict(path: Path, epoch: str) -> tuple[str, str]:
    """What the training gate said, and what stands against publishing; an empty objection is none."""
    found = _read(path)
    if found is None:
        return "none", "the training gate has not looked at it"
    verdict = str(found.get("verdict"))
    if not epoch.startswith(str(found.get("epoch") or "?")):
        return verdict, f"the training gate's verdict ({verdict}) is about another model"
    if verdict != "GO":
        return verdict, f"the training gate said {verdict}: {found.get('reason', '')}".rstrip(": ")
    return verdict, ""


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return found if isinstance(found, dict) else None
