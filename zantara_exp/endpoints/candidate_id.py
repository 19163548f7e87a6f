"""The epoch of evidence: everything about the candidate that, when it changes, starts the evidence anew."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.config.traffic import KINDS
from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.core import extensions
from zantara_exp.endpoints.local import checked_model
from zantara_exp.endpoints.serving import served_as


def weights_hash(model: Path) -> str:
    """SHA-256 of a model's weights: what `train` wrote down, or else of the files themselves."""
    summary = model / "train.json"
    if summary.is_file():
        try:
            noted = orjson.loads(summary.read_bytes()).get("weights_sha256")
        except (orjson.JSONDecodeError, AttributeError):
            noted = None
        if isinstance(noted, str) and noted:
            return noted
    hasher = hashlib.sha256()
    for path in sorted([model / "config.json", *model.glob("*.safetensors")]):
        with path.open("rb") as file:
            hasher.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return hasher.hexdigest()


def epoch_of(config: EndpointConfig, system_prompt: str, model: Path) -> str:
    """16 hexadecimal digits over the candidate's weights or name, its parameters, the system prompt and the address.

    A local server's port and a breaker's patience change no answer and do not count. Raises MissingInputError where a
    local endpoint has no model.
    """
    served = (
        weights_hash(checked_model(model))
        if config.kind == "local"
        else f"{config.base_url or _named(config)}#{config.model}"
    )
    facts: list[Any] = [
        config.kind,
        served,
        config.max_tokens,
        config.temperature,
        config.timeout_seconds,
        system_prompt,
    ]
    facts += config.fallback
    more = (config.max_completion_tokens, config.reasoning_effort, config.thinking, config.api_version)
    facts += [more] if any(each is not None for each in more) else []  # as it was for who sets none of them
    facts += served_as(config.server, model) if config.kind == "local" else []
    facts += [] if config.kind in KINDS else [extensions.version(extensions.ENDPOINTS, config.kind)]
    return hashlib.sha256(orjson.dumps(facts)).hexdigest()[:16]


def _named(config: EndpointConfig) -> str:
    return os.environ.get(config.base_url_env or "", "")
