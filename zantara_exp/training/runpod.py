"""publish=runpod: the template and endpoint of a serverless worker that loads the model from the hub, written down.

Nothing is created on RunPod, since that costs money: runpod.json holds the two request bodies of its REST API
(https://docs.runpod.io/api-reference, POST /v1/templates, then POST /v1/endpoints with the template's id) and the
environment to set here. Where that environment is set already, the endpoint is asked one question.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from zantara_exp.config.schema import Config
from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.stage import Context
from zantara_exp.endpoints.base import Answer, Message
from zantara_exp.endpoints.build import build
from zantara_exp.training.candidate import endpoint_values
from zantara_exp.training.files import write_json
from zantara_exp.training.hub import hub_name

_QUESTION: list[Message] = [{"role": "user", "content": "1 + 1?"}]
_COLD_START_SECONDS = 300.0
"""The first request may have to wait for a worker that downloads the weights."""


def describe(config: Config, context: Context) -> Mapping[str, str]:
    """Write runpod.json beside the weights and try the endpoint where its key is here; lines for the summary.

    Raises ConfigError without a name on the hub, ZantaraError when the endpoint is there but does not answer.
    """
    name, path = hub_name(config), context.layout.model / "runpod.json"
    declared = _declared(config, name)
    if config.publish.dry_run:
        return {"would write": f"{path}: a template and an endpoint for {name}"}
    write_json(path, declared)
    return {
        "template and endpoint": f"{path}; create both in RunPod's console or by its REST API",
        "in the template": "HF_TOKEN as a secret of RunPod, if the model on the hub is private",
        "environment here": ", ".join(declared["environment"]),
        "tried": _tried(config, context),
    }


def _declared(config: Config, name: str) -> dict[str, Any]:
    worker = config.publish.runpod
    label = name.rpartition("/")[2]
    return {
        "template": {
            "name": label,
            "imageName": worker.image,
            "isServerless": True,
            "containerDiskInGb": worker.disk_gb,
            "env": {
                "MODEL_NAME": name,
                "MAX_MODEL_LEN": str(worker.max_model_len),
                "HF_TOKEN": "{{ RUNPOD_SECRET_HF_TOKEN }}",  # RunPod's notation for a secret kept there
            },
        },
        "endpoint": {
            "name": label,
            "templateId": "the id that creating the template returns",
            "gpuTypeIds": worker.gpus,
            "workersMin": worker.workers_min,
            "workersMax": worker.workers_max,
            "idleTimeout": worker.idle_timeout_seconds,
        },
        "environment": {
            "RUNPOD_ENDPOINT": "the endpoint's id, or its address",
            "RUNPOD_API_KEY": "a key that may call the endpoint",
        },
    }


def _tried(config: Config, context: Context) -> str:
    missing = [name for name in ("RUNPOD_ENDPOINT", "RUNPOD_API_KEY") if not os.environ.get(name, "").strip()]
    if missing:
        return f"not yet: {' and '.join(missing)} not set; the same command tries it when they are"
    context.say(f"publish: asking the endpoint one question, up to {_COLD_START_SECONDS:.0f} s if it has to start")
    answer = asyncio.run(_asked(config))
    if answer.error is not None:
        raise ZantaraError(
            f"the endpoint that RUNPOD_ENDPOINT names does not answer: {answer.error}, {answer.detail}",
            "see its log in RunPod's console; the model must be on the hub before (publish=huggingface)",
        )
    return f"answers in {answer.latency_ms / 1000:.1f} s, {answer.usage.output or 'unknown'} tokens"


async def _asked(config: Config) -> Answer:
    endpoint = build(EndpointConfig(**endpoint_values(config) | {"timeout_seconds": _COLD_START_SECONDS}))
    try:
        return await endpoint.chat(_QUESTION)
    finally:
        await endpoint.close()
