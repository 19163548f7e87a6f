"""An endpoint whose answers say what they cost, and on what assumption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zantara_exp.config.decision import Cost
from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.core import clock
from zantara_exp.cost.billing import SECONDS, bill, usd_per_hour
from zantara_exp.endpoints.base import Answer, Endpoint, Message
from zantara_exp.endpoints.streaming import Hearer


class Priced:
    """Adds the cost to each answer, and to a failure where its seconds are billed."""

    def __init__(self, endpoint: Endpoint, config: EndpointConfig, cost: Cost) -> None:
        """Raises ConfigError where its machine has no price."""
        if config.billing == SECONDS:
            usd_per_hour(config, cost)
        self.provider = endpoint.provider
        self.model = endpoint.model
        self._endpoint, self._config, self._cost = endpoint, config, cost

    async def chat(self, messages: Sequence[Message], hearer: Hearer | None = None) -> Answer:
        """The endpoint's answer, with its cost."""
        answer = await self._endpoint.chat(messages, hearer)
        charge = bill(
            self._config, self._cost, answer.model, answer.usage, answer.billed.seconds, clock.now().date(),
            answer.error is None or answer.usage.known,
        )  # fmt: skip
        return replace(answer, billed=charge)

    async def close(self) -> None:
        """Close the endpoint."""
        await self._endpoint.close()
