"""An endpoint whose answers say what they cost, and on what assumption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zantara_exp import clock
from zantara_exp.config.decision import Cost
from zantara_exp.endpoints.base import Answer, Endpoint, Message
from zantara_exp.prices import charge_by_flat_fee, charge_by_tokens
from zantara_exp.usage import Billed


class Priced:
    """Adds the cost to each answer. A failure has none: what its tokens took is not known."""

    def __init__(self, endpoint: Endpoint, billing: str, cost: Cost) -> None:
        """`billing` is endpoint.billing: `flat` or `tokens`."""
        self.provider = endpoint.provider
        self.model = endpoint.model
        self._endpoint, self._billing, self._cost = endpoint, billing, cost

    async def chat(self, messages: Sequence[Message]) -> Answer:
        """The endpoint's answer, with its cost."""
        answer = await self._endpoint.chat(messages)
        if answer.error is not None:
            return answer
        if self._billing == "flat":
            charge: Billed | None = charge_by_flat_fee(self._cost)
        else:
            charge = charge_by_tokens(answer.model, answer.usage, self._cost, clock.now().date())
        return answer if charge is None else replace(answer, billed=charge)

    async def close(self) -> None:
        """Close the endpoint."""
        await self._endpoint.close()
