"""Schema of shadow mode: the primary, the candidate's endpoint, the mirror and its log."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from zantara_exp.config.fields import ADDRESS, is_address, setting

KINDS = ("local", "openai", "huggingface", "azure", "anthropic", "bedrock", "runpod")
"""Each but `local` has its client in `zantara_exp.endpoints.build.CLIENTS`."""

_EFFORT, _THINKING = ("openai", "huggingface", "azure"), ("anthropic", "bedrock")
FAILURES = (
    "timeout", "refused", "overloaded", "rate_limited", "unauthorized", "bad_request", "server_error", "bad_answer",
    "cut", "empty_answer", "too_large", "other",
)  # fmt: skip
"""Why a call can fail; `zantara_exp.endpoints.base.Reason`, but for what the breaker itself refuses."""
ABOUT_REQUESTS = ("bad_request", "cut", "too_large")
"""Failures that may be of one request alone: too long for the model, filtered, or answered without an end."""


@dataclass
class Primary:
    """Config group `primary`: the model that answers today."""

    name: str = setting(
        "replay", "replay: the primary's recorded answers; live: it is asked anew.", choices=["replay", "live"]
    )
    endpoint: str | None = setting(None, "Option of conf/endpoint that reaches the primary; for live and aa_percent.")
    aa_percent: float = setting(
        0.0, "Share of the sample in which the primary is asked again in the candidate's place: the noise floor.",
        ge=0, le=100,
    )  # fmt: skip
    arrivals: str = setting(
        "at_once", "When requests start: at_once, as recorded, at constant gaps, or poisson.",
        choices=["at_once", "recorded", "constant", "poisson"],
    )  # fmt: skip
    speed: float = setting(1.0, "arrivals=recorded, and any with load_percent: so many times faster than it was.", gt=0)
    requests_per_second: float = setting(1.0, "arrivals=constant and poisson.", gt=0, le=10_000)
    load_percent: float | None = setting(
        None,
        "Of all traffic that a rollout would move, the share whose rate the candidate bears in the replay, such as "
        "100, times `speed`; null: that of what is replayed, or requests_per_second.",
        gt=0, le=100,
    )  # fmt: skip
    every_turn: bool = setting(
        False, "Replay every answer of a conversation; false: the last, whose tokens and latency the row records."
    )
    held_out_only: bool = setting(True, "Replay only users whose conversations the model was not trained on.")
    limit: int | None = setting(None, "Replay at most this many requests, the oldest first; null: all.", ge=1)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Who asks the primary must know where it is."""
        if self.load_percent is not None and self.arrivals == "at_once":
            yield "load_percent", "needs arrivals: primary.arrivals=recorded, poisson or constant"
        if self.endpoint is None and self.name == "live":
            yield "endpoint", "primary=live asks the primary: name an option of conf/endpoint, such as anthropic"
        if self.endpoint is None and self.aa_percent > 0:
            yield "endpoint", "primary.aa_percent asks the primary again: name an option of conf/endpoint"


@dataclass
class Breaker:
    """When an endpoint that keeps failing is left alone."""

    failures: int = setting(5, "Consecutive failures that open the breaker.", ge=1, le=1000)
    cooldown_seconds: float = setting(5.0, "How long it stays open before one call probes the endpoint.", gt=0, le=3600)
    counts: list[str] = setting(
        [each for each in FAILURES if each not in ABOUT_REQUESTS],
        "Failures that say something of the endpoint's health; the others, which one user's requests may cause, "
        "neither open nor close the breaker.",
    )

    def rules(self) -> Iterator[tuple[str, str]]:
        """Only failures that there are can count."""
        unknown = [each for each in self.counts if each not in FAILURES]
        if unknown or not self.counts:
            yield "counts", f"must be some of {', '.join(FAILURES)}, not {', '.join(unknown) or 'none'}"


@dataclass
class Server:
    """The HTTP server that `endpoint.kind=local` starts and stops."""

    start_seconds: float = setting(120.0, "How long it may take until it answers.", gt=0, le=3600)
    port: int = setting(0, "Loopback port; 0 picks a free one.", ge=0, le=65535)
    threads: int = setting(1, "OMP threads; one is fastest for a small model beside other work.", ge=1, le=256)
    device: str = setting("cpu", "Device the model runs on, as transformers names it.")
    dtype: str = setting("float32", "Number format of the weights.", choices=["float32", "bfloat16", "float16", "auto"])
    cache_blocks: int = setting(64, "Blocks of the key-value cache; unbounded it takes all memory.", ge=1)
    batch_tokens: int = setting(512, "Tokens per batch at most.", ge=16)
    command: list[str] = setting(
        [],
        "Words of another server's command, such as llama-server's; {port}, {threads} and {model} (the folder) or "
        "{gguf} (the file in it) are filled in, and it answers GET /health. Empty: transformers serve.",
    )

    def rules(self) -> Iterator[tuple[str, str]]:
        """A server is told where to listen and what to serve."""
        said = " ".join(self.command)
        if self.command and ("{port}" not in said or ("{model}" not in said and "{gguf}" not in said)):
            yield "command", "must have {port} and {model} or {gguf} among its words, which are filled in"


@dataclass
class Endpoint:
    """Config group `endpoint`: the candidate, something that answers a chat over HTTP."""

    name: str = setting("local", "Short name, used in the log, in tables and as provider.")
    kind: str = setting(
        "local", "Protocol; local: the trained model, served on loopback.", choices=KINDS, added_by="endpoints"
    )
    base_url: str | None = setting(None, "Address up to and without the last part, such as https://host/v1.")
    model: str | None = setting(None, "Model name sent to the server; null: the trained model's folder.")
    base_url_env: str | None = setting(None, "Environment variable with the address (runpod: or the endpoint's id).")
    api_key_env: str | None = setting(None, "Environment variable that holds the key; null: no key is sent.")
    timeout_seconds: float = setting(10.0, "A call that takes longer has failed.", gt=0, le=600)
    api_version: str | None = setting(None, "azure: such as 2024-10-21; null: its /openai/v1, which has none.")
    max_tokens: int | None = setting(256, "Tokens an answer may have; null: it is not sent.", ge=1, le=131072)
    max_completion_tokens: int | None = setting(
        None, "The same by its newer name, for OpenAI's reasoning models, whose thoughts it counts as well.",
        ge=1, le=131072,
    )  # fmt: skip
    temperature: float | None = setting(
        0.0, "0 answers the same each time; null: it is not sent, as today's Claude and reasoning models want it.",
        ge=0, le=2,
    )  # fmt: skip
    reasoning_effort: str | None = setting(
        None, "openai, azure, huggingface: none, minimal, low ... as the model has it; null: it is not sent."
    )
    thinking: Any = setting(
        None, "anthropic, bedrock: such as {type: disabled}, as the model has it; null: it is not sent."
    )
    stream: bool = setting(True, "Ask for the answer token by token, which gives the time to the first one.")
    concurrency: int = setting(8, "Calls in flight at once.", ge=1, le=1024)
    max_answer_bytes: int = setting(1_000_000, "A longer HTTP answer is cut off and has failed.", ge=1000)
    poll_seconds: float = setting(0.5, "runpod: how often a queued job is asked about.", gt=0, le=10)
    billing: str = setting(
        "flat",
        "flat: cost.candidate_monthly_eur; tokens: by the model's price; seconds: of a worker, as RunPod's jobs report "
        "them; hours: of machines, all month.",
        choices=["flat", "tokens", "seconds", "hours"],
    )
    gpu: str | None = setting(None, "billing=seconds and hours: the machine, a key of cost.gpu_usd_hour.")
    minimum_workers: int = setting(0, "billing=seconds: workers that are paid for all month.", ge=0, le=1000)
    machines: int = setting(1, "billing=hours: machines that are rented.", ge=1, le=1000)
    fallback: list[str] = setting([], "Options of conf/endpoint to ask, in this order, when this one fails.")
    breaker: Breaker = setting(Breaker(), "When an endpoint that keeps failing is left alone.")
    server: Server = setting(Server(), "The server that kind=local starts.")

    @property
    def longest_answer(self) -> int:
        """Tokens that an answer may have, by whichever name; 0 where nothing says so."""
        return self.max_completion_tokens or self.max_tokens or 0

    def rules(self) -> Iterator[tuple[str, str]]:
        """A server elsewhere needs an address and a model name; Anthropic's API wants a limit."""
        if self.kind == "anthropic" and self.max_tokens is None:
            yield "max_tokens", "endpoint.kind=anthropic must say it: the API refuses a request without"
        if self.max_tokens is not None and self.max_completion_tokens is not None:
            yield "max_completion_tokens", "is max_tokens by another name, and servers refuse both: set one to null"
        if self.kind not in _EFFORT and self.reasoning_effort is not None:
            yield "reasoning_effort", f"is sent by endpoint.kind={', '.join(_EFFORT)}, not by {self.kind}"
        if self.kind not in _THINKING and self.thinking is not None:
            yield "thinking", f"is sent by endpoint.kind={', '.join(_THINKING)}, not by {self.kind}"
        if self.thinking is not None and not isinstance(self.thinking, dict):
            yield "thinking", "must be as the API has it, such as {type: disabled} or {type: adaptive}"
        if self.kind != "local" and not (self.base_url or self.base_url_env):
            yield "base_url", f"endpoint.kind={self.kind} needs an address, such as http://127.0.0.1:8000/v1"
        if self.kind != "local" and not self.model:
            yield "model", f"endpoint.kind={self.kind} needs the model's name as the server knows it"
        if self.base_url and not is_address(self.base_url):
            yield "base_url", ADDRESS
        if self.fallback and self.kind == "local":
            yield "fallback", "a fallback needs an endpoint that stands elsewhere, not endpoint.kind=local"


@dataclass
class Shadow:
    """Config group `shadow`: which requests the candidate answers too."""

    traffic_percent: float = setting(10.0, "Share of users whose requests are mirrored, in percent.", ge=0, le=100)
    categories: list[str] = setting([], "Mirror only these categories; empty: all.")
    out_of_scope: bool = setting(
        False, "Whether requests that the rollout would not move are mirrored too, for looking at; never evidence."
    )
    queue_requests: int = setting(1000, "Mirror: requests that may wait; more are dropped and counted.", ge=1)
    queue_bytes: int = setting(64_000_000, "Mirror: text that may wait, in characters.", ge=10_000)
    drain_seconds: float = setting(10.0, "Mirror: how long closing waits for calls in flight.", ge=0, le=600)
    max_usd_per_day: float | None = setting(
        None,
        "What the candidates' answers may cost on a UTC day, over all processes that write to paths.logs; each "
        "candidate that is paid by tokens or seconds has an even part. What is not asked for it is dropped: `budget`.",
        gt=0,
    )


@dataclass
class Log:
    """Config group `log`: the comparison log."""

    kind: str = setting(
        "jsonl", "jsonl: daily files under paths.logs; postgres: a table, for replicas on several machines.",
        choices=["jsonl", "postgres"],
    )  # fmt: skip
    flush_seconds: float = setting(1.0, "fsync this often: the most that a power cut loses.", gt=0, le=60)
    rotate_mb: int = setting(256, "jsonl: a day's file goes on in a further part beyond this size.", ge=1)
    url_env: str = setting("LOG_DATABASE_URL", "postgres: environment variable with the database's URL.")
    spool_mb: int = setting(
        1000, "postgres: what one process may keep on its disk while the database is away; more is dropped.", ge=1
    )
