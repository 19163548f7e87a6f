"""stage=publish: a trained model that passed its gate becomes the candidate.

    python -m zantara_exp stage=publish
    python -m zantara_exp stage=publish publish=huggingface publish.dry_run=true
    python -m zantara_exp stage=publish publish=runpod
    python -m zantara_exp stage=publish publish.gguf=q8_0                (one file for llama.cpp as well)
    python -m zantara_exp stage=publish publish.even_without_go=true     (recorded)

Every way registers the model in MLflow under `publish.registered_name`, points the alias `candidate` at it, and writes
publish.json and conf/endpoint/candidate.yaml beside the weights, so that `endpoint=candidate` reaches it. The model
itself stays under paths.models (local), goes to the model hub (huggingface), or is loaded from there by a serverless
endpoint (runpod, after huggingface).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from zantara_exp.config import folders
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.gates.files import gate_named
from zantara_exp.gates.identity import gate_hash
from zantara_exp.training import candidate, gguf, hub, runpod
from zantara_exp.training.card import write_card
from zantara_exp.training.export import weights_hash
from zantara_exp.training.files import read_json, write_json
from zantara_exp.training.notes import notes_of

ALIAS = "candidate"


@dataclass(frozen=True)
class _Allowed:
    """Why the model may be published: what its training gate said, and what stood against it."""

    verdict: str
    objection: str

    @property
    def forced(self) -> bool:
        return bool(self.objection)

    def __str__(self) -> str:
        if not self.forced:
            return self.verdict
        return f"{self.verdict}, overridden by publish.even_without_go, which is recorded: {self.objection}"


def publish(config: Config, context: Context) -> StageResult:
    """Publish the model as `config.publish` says, and register it as the candidate.

    Raises MissingInputError without a model, MissingRequirementError without a token or a name on the hub, and
    ZantaraError when the training gate did not say GO about this very model and `publish.even_without_go` is false.
    """
    at = context.layout
    trained = _trained(at)
    epoch = str(trained["epoch"])
    allowed = _allowed(config, at, epoch)
    if not config.publish.dry_run:
        write_card(at, config.model.licence)  # with the verdict
    lines = {**_gguf(config, context), **_WAYS[config.publish.name](config, context)}
    if config.publish.dry_run:
        return StageResult({"dry run": "nothing was changed", **lines, "training gate": str(allowed)})
    tags = {
        "epoch": epoch[:12],
        "verdict": allowed.verdict,
        "forced": str(allowed.forced).lower(),
        "model": str(trained["model"]),
        "published": config.publish.name,
    }
    if config.model.hub_name:
        tags["hub_name"] = config.model.hub_name
    name = config.publish.registered_name
    context.run.register(at.model, name, ALIAS, tags, notes_of(at))
    endpoint = candidate.write(config, at.model)
    about = {"name": name, "alias": ALIAS, "published_at": time.time(), "why": allowed.objection}
    write_json(at.model / "publish.json", tags | about)
    return StageResult(
        summary={
            "published": f"{at.model.name}, epoch {epoch[:12]}, as {name}@{ALIAS} in MLflow",
            "training gate": str(allowed),
            **lines,
            "endpoint": str(endpoint),
        },
        metrics={"publish/forced": float(allowed.forced)},
        tags=tags,
        artifacts=[at.model / "publish.json", endpoint],
        next_command=_next(endpoint),
    )


def _next(endpoint: Path) -> str:
    """The candidate beside the primary. A command takes one --config-dir: a folder of one's own gets the file."""
    *own, _ = folders()
    if own:
        there = own[0] / "endpoint"
        copied = f"mkdir -p {quote(str(there))} && cp {quote(str(endpoint))} {quote(str(there))}"
        return f"{copied} && {command('stage=shadow', 'endpoint=candidate')}"
    return candidate.after(endpoint.parents[1])


def _gguf(config: Config, context: Context) -> Mapping[str, str]:
    """Before the model goes anywhere: the file goes with it."""
    kind, model = config.publish.gguf, context.layout.model
    if kind == "none":
        return {}
    if config.publish.dry_run:
        gguf.find_converter()
        return {"would write": str(gguf.gguf_file(model, kind))}
    context.say(f"publish: writing {gguf.gguf_file(model, kind)}")
    return {"gguf": f"{gguf.write_gguf(model, kind)} (endpoint=llamacpp serves it)"}


def _local(config: Config, context: Context) -> Mapping[str, str]:
    serve = f"transformers serve {context.layout.model} --device cpu --dtype float32"
    return {"serve it": f"{serve}   (endpoint=candidate does so)"}


_WAYS: dict[str, Callable[[Config, Context], Mapping[str, str]]] = {
    "local": _local,
    "huggingface": hub.upload,
    "runpod": runpod.describe,
}
"""`publish.name` -> what it does, and its lines of the summary."""


def _trained(at: Layout) -> dict[str, Any]:
    found = read_json(at.train_summary)
    if found is None:
        raise MissingInputError(f"{at.train_summary} is not there", command("stage=train"))
    if weights_hash(at.model) != found.get("epoch"):
        again = command("stage=train", "force=true")
        raise ZantaraError(f"the weights in {at.model} are not those that were trained", again)
    return found


def _allowed(config: Config, at: Layout, epoch: str) -> _Allowed:
    found = _Allowed(*_verdict(config, at.reports / f"verdict-{config.publish.gate}.json", epoch))
    if found.forced and not config.publish.even_without_go:
        raise ZantaraError(
            f"{at.model.name} is not published: {found.objection}",
            command(
                "stage=gate", f"gate={config.publish.gate}", note="or publish.even_without_go=true, which is recorded"
            ),
        )
    return found


def _verdict(config: Config, path: Path, epoch: str) -> tuple[str, str]:
    """What the training gate said, and what stands against publishing; an empty objection is none."""
    gate, found = gate_named(config.publish.gate, config), read_json(path)
    if found is None:
        return "none", "the training gate has not looked at it"
    verdict = str(found.get("verdict"))
    about = str(found.get("epoch") or "")
    if not epoch.startswith(about or "?") and (about or verdict == "GO"):
        return verdict, f"the training gate's verdict ({verdict}) is about another model"
    if verdict != "GO":  # without evidence it names no model
        return verdict, f"the training gate said {verdict}: {found.get('reason', '')}".rstrip(": ")
    if found.get("gate_hash") != gate_hash(gate):
        return verdict, f"the GO was given by a training gate with other criteria than gate/{gate.name}.yaml has now"
    return verdict, ""
