"""Schema of the gateway that `stage=serve` runs between a product and its primary."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from zantara_exp.config.fields import ADDRESS, is_address, setting

LIVE = "live"


@dataclass
class Gateway:
    """Config node `gateway`: where it listens, whom it forwards to, what it mirrors."""

    host: str = setting("127.0.0.1", "Address it listens at; the default is reached from this machine only.")
    port: int = setting(8800, "Port it listens at; 0 takes a free one.", ge=0, le=65535)
    anthropic_url: str = setting("https://api.anthropic.com", "The primary behind /v1/messages, without /v1.")
    openai_url: str = setting("https://api.openai.com", "The primary behind the rest of /v1, without /v1.")
    azure_url: str | None = setting(
        None, "Azure's, behind /openai and /anthropic, such as https://NAME.openai.azure.com; null: refused."
    )
    bedrock_url: str | None = setting(
        None, "Bedrock's, behind /model, such as https://bedrock-runtime.us-east-1.amazonaws.com; null: refused."
    )
    vertex_url: str | None = setting(
        None, "Vertex AI's, behind /v1/projects, such as https://us-east5-aiplatform.googleapis.com; null: refused."
    )
    other_url: str | None = setting(
        None, "Where paths go, with their keys, that belong to no API known here; null: they are refused."
    )
    hosts: list[str] = setting(
        [], "Names that the gateway may be called by, beside this machine's; empty: all but other providers'."
    )
    foreign_keys: bool = setting(
        False, "Pass on a key that is another provider's than the path; for a proxy of your own that takes it."
    )
    token_env: str | None = setting(
        None, "Environment variable with a token that callers send as X-Zantara-Token; null: none is asked for."
    )
    without_token: bool = setting(
        False, "Let other machines in without a token; only where something before the gateway asks who they are."
    )
    candidate_seconds: float = setting(
        3.0,
        "While a rollout runs: how long a moved user waits for the candidate and its fallbacks before the primary is "
        "asked. A client that says how long it waits gives it half of that at most.",
        gt=0, le=60,
    )  # fmt: skip
    stream: str = setting(
        "whole",
        "A moved user's stream: whole, it goes out when the candidate's answer is whole, and the primary answers where "
        "that fails; live, it goes out as it comes, and only until its first words can the primary take over.",
        choices=["whole", LIVE],
    )  # fmt: skip
    late_seconds: float = setting(
        0.5,
        "A candidate that is given up after so long a silence, by us or by a client that hangs up, has failed: for its "
        "breaker, the guardrails and the log. Sooner says nothing of it.",
        gt=0, le=60,
    )  # fmt: skip
    move_stored: bool = setting(
        False,
        "Move requests of the Responses API whose answer its provider would keep (no `store: false`) as well: only "
        "where the app never goes on from one by `previous_response_id`, which finds no answer of the candidate's.",
    )
    connect_seconds: float = setting(10.0, "How long a connection to the primary may take.", gt=0, le=600)
    timeout_seconds: float = setting(600.0, "The longest silence of a primary that is answering.", gt=0, le=3600)
    ca_file: str | None = setting(
        None, "Certificates in PEM that primaries may be signed by, beside those that this machine trusts."
    )
    keep_alive_seconds: int = setting(
        75, "How long a client's idle connection is kept; longer than a balancer before the gateway keeps it.",
        ge=1, le=3600,
    )  # fmt: skip
    max_body_bytes: int = setting(33_554_432, "A larger request goes to the primary as it comes, unseen.", ge=1000)
    mirrored_bytes: int = setting(2_000_000, "A larger answer is forwarded but not mirrored.", ge=1000)
    access_log: bool = setting(True, "One JSON line per request on standard output, without content.")
    lame_duck_seconds: float = setting(
        3.0,
        "After SIGTERM: how long /readyz says 503 while requests are still taken, for balancers to notice.",
        ge=0, le=600,
    )  # fmt: skip
    drain_seconds: float = setting(30.0, "How long stopping waits for answers under way.", gt=0, le=3600)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Addresses are addresses, and end before the API's version; other machines need a token."""
        for name in ("anthropic_url", "openai_url", "azure_url", "bedrock_url", "vertex_url", "other_url"):
            url = getattr(self, name)
            if url is None:
                continue
            if not is_address(url):
                yield name, ADDRESS
            elif url.rstrip("/").endswith("/v1") and name != "other_url":
                yield name, "must end before /v1, which the app's request brings"
        if not is_loopback(self.host) and self.token_env is None and not self.without_token:
            hint = "(or gateway.without_token=true where something before it asks who they are)"
            yield (
                "host",
                ("is reached by other machines: name a variable with a token, gateway.token_env=GATEWAY_TOKEN " + hint),
            )


@lru_cache(maxsize=1000)
def is_loopback(host: str) -> bool:
    """Whether an address is reached from this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
