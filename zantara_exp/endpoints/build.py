"""From the config to an endpoint behind its breaker."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from inspect import isabstract
from pathlib import Path
from typing import Any

import aiohttp

from zantara_exp.config.decision import Cost
from zantara_exp.config.traffic import Endpoint as EndpointConfig
from zantara_exp.core import extensions
from zantara_exp.core.errors import ConfigError, MissingRequirementError, ZantaraError
from zantara_exp.core.next_command import command
from zantara_exp.endpoints.anthropic import Anthropic
from zantara_exp.endpoints.azure import Azure
from zantara_exp.endpoints.base import Endpoint, EndpointError, Message, Reason, Reply
from zantara_exp.endpoints.bedrock import Bedrock, check_signing
from zantara_exp.endpoints.breaker import Breaker, Guarded
from zantara_exp.endpoints.fallback import Fallback
from zantara_exp.endpoints.http import HttpEndpoint, key_from_environment
from zantara_exp.endpoints.local import LocalServer, local_server
from zantara_exp.endpoints.openai_compatible import OpenAICompatible
from zantara_exp.endpoints.priced import Priced
from zantara_exp.endpoints.runpod import RunPod
from zantara_exp.endpoints.streaming import Pieces

Client = Callable[[EndpointConfig, str, str], HttpEndpoint]
CLIENTS: Mapping[str, Client] = {
    "openai": OpenAICompatible,
    "huggingface": OpenAICompatible,
    "azure": Azure,
    "anthropic": Anthropic,
    "bedrock": Bedrock,
    "runpod": RunPod,
}
"""By `endpoint.kind`, what is built in; installed packages add to it (`core.extensions`)."""


def build(
    config: EndpointConfig,
    server: LocalServer | None = None,
    shown_as: str | None = None,
    cost: Cost | None = None,
    answer_schema: Mapping[str, Any] | None = None,
) -> Endpoint:
    """The endpoint that `config` names, without breaker or fallback; `shown_as` is a local model's name in the log.

    Its answers say what they cost where `cost` is given, and keep to `answer_schema` where its API has that. Raises
    ConfigError for a local endpoint without its server, MissingRequirementError for a variable that is not set.
    """
    client = _client(config, server, shown_as)
    client.answer_schema = answer_schema
    return client if cost is None else Priced(client, config, cost)


def _client(config: EndpointConfig, server: LocalServer | None, shown_as: str | None) -> HttpEndpoint:
    if config.kind == "local":
        if server is None:
            raise ConfigError(
                "endpoint.kind=local works only where a stage has started the server",
                "endpoint=openai endpoint.base_url=... for a server that runs already",
            )
        return OpenAICompatible(config, server.base_url, server.model, shown_as)
    return client_of(config.kind)(config, base_url_of(config), config.model or "")


def client_of(kind: str) -> Client:
    """The class of a kind, ours or an installed package's. Raises ConfigError where that cannot be used."""
    if kind in CLIENTS:
        return CLIENTS[kind]
    found = extensions.load(extensions.ENDPOINTS, kind)
    if not (isinstance(found, type) and issubclass(found, HttpEndpoint)) or isabstract(found):
        why = f"endpoint.kind={kind}: {found!r} is no subclass of HttpEndpoint with a method _ask"
        raise ConfigError(why, "mend its package")
    return _careful(kind, found)


def _careful(kind: str, found: type[HttpEndpoint]) -> Client:
    """An installed package's class, whose mistakes are a config's error or a failed answer."""

    class Careful(found):  # type: ignore[valid-type, misc]
        async def _ask(self, messages: Sequence[Message], pieces: Pieces) -> Reply:
            try:
                reply = await super()._ask(messages, pieces)
            except (EndpointError, aiohttp.ClientError, OSError):
                raise
            except extensions.FAILURES as error:
                raise EndpointError(Reason.BAD_ANSWER, extensions.place(error)) from error
            if not (isinstance(reply, Reply) and isinstance(reply.text, str)):
                raise EndpointError(Reason.BAD_ANSWER, f"endpoint.kind={kind} gave no Reply with a text")
            return reply

    def client(config: EndpointConfig, base_url: str, model: str) -> HttpEndpoint:
        try:
            made: HttpEndpoint = Careful(config, base_url, model)
        except ZantaraError:
            raise
        except extensions.FAILURES as error:
            why = f"endpoint.kind={kind}: its class cannot be made: {extensions.place(error)}"
            raise ConfigError(why, "mend its package") from error
        return made

    return client


def guarded(
    config: EndpointConfig,
    server: LocalServer | None = None,
    shown_as: str | None = None,
    cost: Cost | None = None,
) -> Guarded | Fallback:
    """The endpoint behind its breaker, and before the endpoints that stand in for it. Raises like `build`."""
    chain = [Guarded(build(config, server, shown_as, cost), Breaker(config.breaker))]
    for name in config.fallback:
        other = option(name)
        chain.append(Guarded(build(other, cost=cost), Breaker(other.breaker)))
    return chain[0] if len(chain) == 1 else Fallback(chain)


def check(config: EndpointConfig) -> None:
    """Raise ConfigError or MissingRequirementError for what would keep `guarded` from building, without building."""
    for each in (config, *map(option, config.fallback)):
        if each.kind != "local":
            url = base_url_of(each)
            if key_from_environment(each.api_key_env) is None and each.kind == "bedrock":
                check_signing(url)


def check_primary(name: str) -> None:
    """Raise as `check`, and ConfigError, for what keeps the primary of `primary.endpoint` from being asked anew."""
    try:
        check(option(name))
    except MissingRequirementError as error:
        raise MissingRequirementError(
            f"the primary (primary.endpoint={name}) cannot be asked: {error.message}",
            f"{error.hint}, or take its recorded answers: {command('primary=replay')}",
        ) from None


def option(name: str) -> EndpointConfig:
    """What endpoint/NAME.yaml declares. Raises ConfigError where it does not exist or starts a server."""
    from omegaconf import OmegaConf

    from zantara_exp.config import options

    known = options("endpoint")
    if name not in known:
        raise ConfigError(
            f"endpoint.fallback or primary.endpoint: no such option {name!r} (valid: {', '.join(sorted(known))})",
            f"name another, or {_own_option(name)}",
        )
    found = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(EndpointConfig), OmegaConf.load(known[name])))
    assert isinstance(found, EndpointConfig)  # noqa: S101
    if found.kind == "local":
        raise ConfigError(
            f"endpoint.fallback: {name} starts a server of its own; name one that stands elsewhere",
            "'endpoint.fallback=[anthropic]', or an option of your own in endpoint/ of --config-dir",
        )
    return found


def _own_option(name: str) -> str:
    """How an option of one's own is found by its name: the folder that was only given to `compose` is forgotten."""
    from zantara_exp.config import OWN_FOLDER, own_folder

    if own := own_folder():
        return f"write {Path(own) / 'endpoint' / f'{name}.yaml'}"
    return f"export {OWN_FOLDER}=DIR, the folder with endpoint/{name}.yaml"


def base_url_of(config: EndpointConfig) -> str:
    """The address: `base_url`, or what its variable holds. Raises MissingRequirementError where that is not set."""
    if config.base_url:
        return config.base_url
    variable = config.base_url_env or ""
    found = os.environ.get(variable, "").strip()
    if not found:
        raise MissingRequirementError(
            f"endpoint.base_url_env={variable}: this environment variable is not set", hint=f"export {variable}=..."
        )
    return found


@contextmanager
def serving(config: EndpointConfig, model: Path, run_dir: Path) -> Iterator[LocalServer | None]:
    """The server that `config` needs while the block runs; None for an endpoint that stands elsewhere."""
    if config.kind != "local":
        yield None
        return
    with local_server(config, model, run_dir) as server:
        yield server
