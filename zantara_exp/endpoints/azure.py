"""Azure's OpenAI: chat completions behind `/openai/v1`, or behind a deployment's own path where a version is named."""

from __future__ import annotations

from urllib.parse import quote

from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.endpoints.openai_compatible import OpenAICompatible


class Azure(OpenAICompatible):
    """Asks `{base_url}/openai/v1/chat/completions`; `model` is the deployment's name."""

    key_header, key_prefix = "api-key", ""

    def __init__(self, config: EndpointConfig, base_url: str, model: str) -> None:
        super().__init__(config, base_url.rstrip("/").removesuffix("/openai/v1").removesuffix("/openai"), model)
        self.path = "openai/v1/chat/completions"
        if config.api_version is not None:
            version = quote(config.api_version)
            self.path = f"openai/deployments/{quote(model, safe='')}/chat/completions?api-version={version}"
