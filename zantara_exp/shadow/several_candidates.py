"""Several candidates on one sample: checks before the start, the shared primary, and one result of all."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core import clock
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import StageResult, Table
from zantara_exp.cost.billing import TOKENS
from zantara_exp.cost.prices import price_of
from zantara_exp.endpoints.base import Answer, Endpoint, Message
from zantara_exp.endpoints.build import check
from zantara_exp.endpoints.candidate_id import epoch_of
from zantara_exp.endpoints.streaming import Hearer


def check_each(several: Mapping[str, Config]) -> None:
    """Raise ConfigError or MissingRequirementError if one of them cannot be asked, cannot be told apart from another,
    or has a cost that cannot be limited."""
    versions: dict[str, str] = {}
    for name, config in several.items():
        endpoint = config.endpoint
        check(endpoint)
        bounded = config.shadow.max_usd_per_day is not None and endpoint.billing == TOKENS and endpoint.kind != "local"
        if bounded and price_of(endpoint.model, config.cost, clock.now().date()) is None:
            raise ConfigError(
                f"shadow.max_usd_per_day: no price is known for {endpoint.model} of candidate {name}",
                "declare it in cost.prices, or the name's own in cost.aliases",
            )
        if len(several) > 1:
            version = epoch_of(endpoint, config.dataset.system_prompt, Layout(config).model)
            if version in versions:
                raise ConfigError(
                    f"endpoints: {versions[version]} and {name} are the same model, address and settings",
                    f"take ~endpoints.{name} out, or give it another model",
                )
            versions[version] = name


class AskedOnce:
    """A primary that is asked anew, but only once for each request: all candidates are compared with that one answer.

    Several requests may have the same words: a candidate's first such request gets the first answer, and so on.
    """

    def __init__(self, endpoint: Endpoint, answers: dict[bytes, list[Answer]]) -> None:
        self.provider, self.model = endpoint.provider, endpoint.model
        self._endpoint, self._answers = endpoint, answers
        self._asked: Counter[bytes] = Counter()

    async def chat(self, messages: Sequence[Message], hearer: Hearer | None = None) -> Answer:
        """The answer given before, or a new one."""
        key = hashlib.sha256(orjson.dumps(messages)).digest()
        place, known = self._asked[key], self._answers.setdefault(key, [])
        self._asked[key] += 1
        if place < len(known):
            return known[place]
        answer = await self._endpoint.chat(messages, hearer)
        known.append(answer)
        return answer

    async def close(self) -> None:
        """Close the endpoint."""
        await self._endpoint.close()


def together(found: Mapping[str, StageResult]) -> StageResult:
    """The result of the first candidate, with the others' results added."""
    first = next(iter(found.values()))
    columns = ("candidate", *("comparisons", "success rate", "candidate latency", "not asked", "candidate id"))
    rows = [[name, *(result.summary.get(column, "") for column in columns[1:])] for name, result in found.items()]
    metrics = {f"{name}/{key.split('/')[1]}": value for name, of in found.items() for key, value in of.metrics.items()}
    return replace(
        first,
        metrics={**first.metrics, **metrics},
        tables=[Table("Candidates", columns, rows), *(table for each in found.values() for table in each.tables)],
    )
