"""What tokens cost, in US dollars: own prices of `cost.prices` first, then the price lists that genai-prices brings.

A name is priced by the exact id that a list knows, with a version or date of the same model behind it, or by an alias
that `cost.aliases` declares: never by a part of it. A name that no list knows has no price, and what it costs is
unknown, which is not free.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from zantara_exp.config.decision import Cost, Price
from zantara_exp.cost.usage import Billed, Usage

if TYPE_CHECKING:
    from genai_prices.types import MatchLogic, ModelPrice

_VERSION = re.compile(r"([-@:]?(latest|20\d{6}|20\d{2}-\d{2}-\d{2}|v\d+(:\d+)?))*")
"""What may stand behind a model's id: the same model, released on a day."""
_NO_CHAT = re.compile(
    "image|imagen|audio|voice|voxtral|tts|speech|transcri|whisper|realtime|live|video|veo|embed|moderation|ocr|search|"
    "guard|research|robotics|computer-use|translate|vision|codex|code|devstral|davinci|instruct-0914|rosalind|cyber"
)
"""What stands in the names of models that are made for something else than an ordinary chat."""
_ENDED = re.compile(
    r'^(Retired|Deprecated|\(deprecated\)|Listed as "\(Shut down\)"|No longer listed)|should be retired|was deprecated|'
    r"is being deprecated"
)
"""How comments on a price list tell that the model itself is going, or gone."""
_DATE_BEGUN = re.compile(r"[-@](20\d*)?$")


class Rate(NamedTuple):
    """US dollars a million tokens, by how they are billed."""

    input: float
    cache_read: float
    cache_write_5m: float
    cache_write_1h: float
    output: float

    def usd(self, parts: Mapping[str, Any]) -> Any:
        """What so many tokens take, by the same names; numbers, or columns of numbers."""
        return sum(parts[name] * price for name, price in self._asdict().items()) / 1e6


class Standing(NamedTuple):
    """What the price lists know of a name."""

    known: bool
    said: str
    """Of a known model that it is on its way out, empty where nothing says so; of another the nearest known name."""


@dataclass(frozen=True)
class Listed:
    """A model's prices on one day."""

    model: str
    """As the list names it."""
    provider: str
    """Whose list it is on; `cost.prices` for an own price."""
    source: str
    tiers: tuple[tuple[int, Rate], ...]
    """From more than so many tokens read on, all tokens cost this; the first from nought on."""

    @property
    def basis(self) -> str:
        """The prices in words."""
        rate = self.tiers[0][1]
        cached = f"cached {rate.cache_read:g}, to cache {rate.cache_write_5m:g} or {rate.cache_write_1h:g} (1 h)"
        more = f"; more above {self.tiers[1][0]:,} tokens" if len(self.tiers) > 1 else ""
        return f"{self.model} by {self.source}: USD {rate.input:g} / {rate.output:g} a million tokens, {cached}{more}"

    def usd(self, usage: Usage) -> float | None:
        """What an answer's tokens take; None where they were not counted."""
        read = usage.read
        if read is None or usage.output is None:
            return None
        return float(self.rate(read).usd({name: getattr(usage, name) or 0 for name in Rate._fields}))

    def rate(self, read: int) -> Rate:
        """What holds for a request that read so many tokens."""
        return next(rate for start, rate in reversed(self.tiers) if read > start or not start)


def price_of(model: str | None, cost: Cost, day: date) -> Listed | None:
    """The prices that hold for a model on a day; None where no list knows its name."""
    name = cost.aliases.get(model or "", model or "")
    own = cost.prices.get(name)
    return _own(name, own) if own is not None else _listed(name.lower(), tuple(cost.providers), day)


def charge_by_tokens(model: str | None, usage: Usage, cost: Cost, day: date) -> Billed | None:
    """None where the tokens were not counted or the model has no price."""
    price = price_of(model, cost, day)
    usd = None if price is None else price.usd(usage)
    return None if price is None or usd is None else Billed(usd, price.basis, day.isoformat())


def load() -> None:
    """Read the lists now: it takes half a second, which nobody who waits for an answer should pay."""
    _providers()


def _own(name: str, price: Price) -> Listed:
    def cached(said: float | None) -> float:
        return price.input if said is None else said

    five = cached(price.cache_write_5m)
    hour = five if price.cache_write_1h is None else price.cache_write_1h
    return Listed(
        name,
        "cost.prices",
        "cost.prices",
        ((0, Rate(price.input, cached(price.cache_read), five, hour, price.output)),),
    )


@lru_cache(maxsize=4096)
def _listed(name: str, providers: tuple[str, ...], day: date) -> Listed | None:
    found = _found(name, providers)
    return None if found is None else _of(*found, datetime.combine(day, time(12), UTC))


def _found(name: str, providers: Sequence[str]) -> tuple[Any, str] | None:
    """The model of that name, and the first provider on whose list it is."""
    listed = ((model, provider) for provider in providers for model in _providers().get(provider, ()))
    return next((each for each in listed if _is(each[0], name)), None)


def _of(model: Any, provider: str, moment: datetime) -> Listed | None:
    tiers = _tiers(model.get_prices(moment))
    return Listed(model.id, provider, f"genai-prices {_release()}", tiers) if tiers else None


def priced_models(cost: Cost, day: date) -> list[Listed]:
    """The models that a chat could be given to, with their prices on a day: own ones, then those of `cost.providers`.

    Of a model that several providers sell stays the first one's; what is deprecated, free, or made for something else
    than text is left out.
    """
    moment = datetime.combine(day, time(12), UTC)
    found = {name: _own(name, price) for name, price in cost.prices.items()}
    for provider in cost.providers:
        for model in _providers().get(provider, ()):
            if model.id in found or model.deprecated or _NO_CHAT.search(model.id):
                continue
            price = _of(model, provider, moment)
            if price is not None and price.tiers[0][1].output > 0:
                found[model.id] = price
    return list(found.values())


@lru_cache(maxsize=1)
def _providers() -> dict[str, list[Any]]:
    from genai_prices.data_snapshot import get_snapshot

    return {provider.id: provider.models for provider in get_snapshot().providers}


@lru_cache(maxsize=1)
def _release() -> str:
    import genai_prices

    return genai_prices.__version__


def standing_of(model: str, cost: Cost) -> Standing:
    """What the price lists say of a model's life: they name no days of their own, and do not flag every retirement."""
    name = cost.aliases.get(model, model)
    if name in cost.prices:
        return Standing(True, "")
    listed = _found(name.lower(), cost.providers)
    if listed is None:
        return Standing(False, _near(name, cost))
    found, _ = listed
    said = next((text for text in (found.price_comments, found.description) if text and _ENDED.search(text)), "")
    if not (found.deprecated or said):
        return Standing(True, "")
    sentence = re.split(r"(?<=[.;]) |, last | \(https?:", said)[0].rstrip(".;")
    return Standing(True, f"deprecated, says genai-prices {_release()}" + (f": {sentence}" if sentence else ""))


def _near(name: str, cost: Cost) -> str:
    """The nearest name that has a price, or one that holds all of this one."""
    known = [*cost.prices, *(each.id for provider in cost.providers for each in _providers().get(provider, ()))]
    parts = [each for each in known if name.lower() in each]
    near = get_close_matches(name.lower(), known, n=1) or sorted(parts, reverse=True)
    return near[0] if near else ""


def known_providers() -> list[str]:
    """Whose lists there are."""
    return sorted(_providers())


def _is(model: Any, name: str) -> bool:
    """Whether a name is a model's id, or one that it is known by."""
    return name == model.id.lower() or _names(model.match, name)


def _names(logic: MatchLogic, name: str) -> bool:
    """Whether a name is a model's own: genai-prices also takes names that only begin like it."""
    said: dict[str, Any] = vars(logic)
    ((kind, value),) = said.items()
    if kind in ("or_", "and_"):
        each: Callable[[Iterator[bool]], bool] = any if kind == "or_" else all
        return each(_names(part, name) for part in value)
    if kind == "regex":
        found = re.search(value, name)
        return found is not None and found[0] == name
    value = value.lower()
    if kind == "equals":
        return bool(name == value)
    base = _DATE_BEGUN.sub("", value)
    return kind == "starts_with" and name.startswith(value) and _VERSION.fullmatch(name[len(base) :]) is not None


def _tiers(price: ModelPrice) -> tuple[tuple[int, Rate], ...]:
    """Empty where the list does not say what reading and writing cost."""
    from genai_prices.types import TieredPrices

    said = {
        "input": price.input_mtok,
        "output": price.output_mtok,
        "cache_read": price.cache_read_mtok,
        "cache_write_5m": price.cache_write_mtok,
        "cache_write_1h": price.cache_write_1h_mtok,
    }
    if said["input"] is None or said["output"] is None:
        return ()
    for name, other in (("cache_read", "input"), ("cache_write_5m", "input"), ("cache_write_1h", "cache_write_5m")):
        said[name] = said[other] if said[name] is None else said[name]
    tiered = [value for value in said.values() if isinstance(value, TieredPrices)]
    starts = sorted({0, *(tier.start for value in tiered for tier in value.tiers)})

    def at(value: Any, start: int) -> float:
        if not isinstance(value, TieredPrices):
            return float(value)
        return float(next((tier.price for tier in reversed(value.tiers) if tier.start <= start), value.base))

    return tuple((start, Rate(**{name: at(value, start) for name, value in said.items()})) for start in starts)
