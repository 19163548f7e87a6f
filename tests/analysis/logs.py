"""A seeded comparison log of both versions, with what real logs hold: failures, dots, torn lines, doubles, drops."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

FIRST_DAY = datetime(2025, 10, 20, tzinfo=UTC)
LANGUAGES = {"it": 0.4, "en": 0.3, "id": 0.3}
CATEGORIES = {"greeting": 0.3, "casual": 0.2, "business": 0.5}
WORDS = {
    "it": [
        "ciao",
        "certo",
        "il",
        "visto",
        "costa",
        "circa",
        "dieci",
        "giorni",
        "grazie",
        "volentieri",
        "per",
        "favore",
        "documento",
        "passaporto",
        "bene",
    ],
    "en": [
        "hello",
        "sure",
        "the",
        "visa",
        "takes",
        "about",
        "ten",
        "days",
        "thanks",
        "gladly",
        "please",
        "document",
        "passport",
        "fine",
        "today",
    ],
    "id": [
        "halo",
        "tentu",
        "visa",
        "butuh",
        "sekitar",
        "sepuluh",
        "hari",
        "terima",
        "kasih",
        "silakan",
        "dokumen",
        "paspor",
        "baik",
        "sekarang",
    ],
}
MODELS = {"claude-haiku-4-5": 0.7, "claude-sonnet-4-5": 0.3}
BAD_LINES = (
    '{"schema_version": 2, "times',
    "[1, 2]",
    "not json",
    '{"schema_version": 9, "timestamp": "2025-10-21T00:00:00Z"}',
)


@dataclass(frozen=True)
class Plan:
    """What the log shall hold."""

    days: int = 4
    per_day: int = 100
    users: int = 120
    success: float = 0.99
    seed: int = 1
    version: int = 2
    epoch: str = "e2"
    model: str = "zantara-tiny"
    aa_percent: float = 0.0
    bad_lines: int = 0
    doubles: int = 0
    drops: int = 0
    start: int = 0
    latency_ms: float = 300.0
    alike: float = 0.7
    heavy: float = 0.5
    """Share of the requests that heavy users (Pareto) make; the others are everybody's alike."""
    failures: tuple[str, ...] = ("timeout", "breaker_open", "server_error", "", "...")
    extra: dict[str, Any] = field(default_factory=dict)


def write(folder: Path, plan: Plan) -> list[dict[str, Any]]:
    """Append the plan's comparisons to the daily files; returns the comparisons as written, without bad lines."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(plan.seed)
    made: list[dict[str, Any]] = []
    for day in range(plan.start, plan.start + plan.days):
        lines = [_comparison(rng, plan, day, number) for number in range(plan.per_day)]
        made += lines
        text = [json.dumps(line) for line in lines]
        text += [text[rng.randrange(len(text))] for _ in range(plan.doubles)]
        text += [BAD_LINES[number % len(BAD_LINES)] for number in range(plan.bad_lines)]
        moment = FIRST_DAY + timedelta(days=day)
        if plan.drops:
            drop = {"queue_full": plan.drops}
            text.append(
                json.dumps(
                    {
                        "schema_version": 2,
                        "record": "drops",
                        "epoch": plan.epoch,
                        "timestamp": _stamp(moment),
                        "dropped": drop,
                    }
                )
            )
        with (folder / f"shadow_comparison_{moment:%Y-%m-%d}.jsonl").open("a", encoding="utf-8") as out:
            out.write("\n".join(text) + "\n")
    return made


def both_versions(folder: Path) -> None:
    """Two days as production logs them today, then four of this project's, with some of everything that goes wrong."""
    write(folder, Plan(days=2, version=1, model="llama-v1", seed=2, success=0.9))
    write(folder, Plan(start=2, bad_lines=3, doubles=2, drops=1, aa_percent=10.0))


def _comparison(rng: random.Random, plan: Plan, day: int, number: int) -> dict[str, Any]:
    user = (
        min(int(rng.paretovariate(0.8)) - 1, plan.users - 1) if rng.random() < plan.heavy else rng.randrange(plan.users)
    )
    language = _pick(rng, LANGUAGES)
    category = _pick(rng, CATEGORIES)
    moment = FIRST_DAY + timedelta(days=day, seconds=number * 80_000 / plan.per_day)
    primary = " ".join(rng.choices(WORDS[language], k=rng.randint(6, 20)))
    candidate = " ".join(word if rng.random() < plan.alike else rng.choice(WORDS[language]) for word in primary.split())
    error = None
    if rng.random() > plan.success:
        kind = rng.choice(plan.failures)
        candidate, error = (kind, None) if kind in ("", "...") else ("", kind)
    took = (
        10_000.0
        if error == "timeout"
        else 0.0
        if error == "breaker_open"
        else rng.lognormvariate(0, 0.4) * plan.latency_ms
    )
    query = rng.choice(WORDS[language]) + "?"
    side = {"tokens_input": 60, "tokens_output": len(candidate.split()) * 2, "latency_ms": round(took, 3)}
    answered = {"response": candidate, "model": plan.model, **side, "error": error}
    model = _pick(rng, MODELS)
    tokens = {"tokens_input": 600, "tokens_output": len(primary.split()) * 2}
    if plan.version == 1:
        return {
            "timestamp": _stamp(moment)[:-1],
            "user_id": f"user-{user}",
            "query": query,
            "category": category,
            "query_length": len(query),
            "claude": {
                "response": primary,
                "model": model,
                "ai_used": "haiku",
                **tokens,
                "used_rag": False,
                "used_tools": False,
            },
            "llama": {**answered, "response_length": len(candidate)},
            "comparison": {"length_diff": 0, "length_ratio": 1.0, "llama_success": error is None},
            **plan.extra,
        }
    key = hashlib.sha256(f"{plan.seed}:{plan.epoch}:{day}:{number}".encode()).hexdigest()[:32]
    rest = {"ttft_ms": None, "finish_reason": None, "detail": None}
    paid = {
        "response": primary,
        "model": model,
        "provider": "replay",
        **tokens,
        "latency_ms": rng.lognormvariate(0, 0.3) * 900,
        "error": None,
    }
    return {
        "schema_version": 2,
        "record": "comparison",
        "comparison_id": key,
        "request_id": f"c-{day}-{number}",
        "conversation_id": f"c-{day}-{number}",
        "epoch": plan.epoch,
        "arm": "aa" if rng.random() * 100 < plan.aa_percent else "candidate",
        "timestamp": _stamp(moment),
        "messages": [{"role": "user", "content": query}],
        "user": f"u-{user:04d}",
        "query": query,
        "category": category,
        "language": language,
        "primary": {**rest, **paid},
        "candidate": {**rest, **answered, "provider": "local"},
        "sampling": {"percent": 100.0, "reason": "user_hash"},
        "dropped": {},
        **plan.extra,
    }


def _pick(rng: random.Random, shares: dict[str, float]) -> str:
    return rng.choices(list(shares), weights=list(shares.values()))[0]


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def one_day(plan: Plan, day: int) -> Plan:
    """The plan for a single day."""
    return replace(plan, days=1, start=day)
