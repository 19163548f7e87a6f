"""Endpoints asked one after the other: the first that answers, answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from zantara_exp.cost.billing import together
from zantara_exp.endpoints.base import Answer, Message
from zantara_exp.endpoints.breaker import Breaker, Guarded
from zantara_exp.endpoints.streaming import Hearer, Listening


class Fallback:
    """Asks the first endpoint, and the next one where it fails.

    Latency and cost are those of all attempts together: a user waits for each, and each is paid. Where all fail, the
    first one's reason is reported: it is the endpoint under test.
    """

    def __init__(self, endpoints: Sequence[Guarded]) -> None:
        self._endpoints = endpoints
        self.provider = endpoints[0].provider
        self.model = endpoints[0].model

    @property
    def breaker(self) -> Breaker:
        """The first endpoint's."""
        return self._endpoints[0].breaker

    @property
    def breakers(self) -> dict[str, str]:
        """State by endpoint."""
        return {name: state for endpoint in self._endpoints for name, state in endpoint.breakers.items()}

    async def chat(self, messages: Sequence[Message], hearer: Hearer | None = None) -> Answer:
        """The first answer, or the first failure; or that of an endpoint which broke off what was heard already."""
        first: Answer | None = None
        spent_ms, bills, listening = 0.0, [], Listening(hearer)
        for endpoint in self._endpoints:
            answer = await endpoint.chat(messages, listening.hearer)
            ttft = None if answer.ttft_ms is None else answer.ttft_ms + spent_ms
            spent_ms += answer.latency_ms
            bills.append(answer.billed)
            if answer.error is None or listening.begun:
                return replace(answer, latency_ms=spent_ms, ttft_ms=ttft, billed=together(bills))
            first = first or answer
        if first is None:
            raise ValueError("no endpoint to ask")
        return replace(first, latency_ms=spent_ms, billed=together(bills))

    async def close(self) -> None:
        """Close all."""
        for endpoint in self._endpoints:
            await endpoint.close()
