"""Comparisons and log lines to test with."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zantara_exp.cost.usage import Billed, Usage
from zantara_exp.io.event_log import EventLog
from zantara_exp.io.events import COMPARISONS
from zantara_exp.shadow.reader import HashUser, read_log
from zantara_exp.shadow.record import Comparison, Drops, Sampling, Scope, Side, comparison_id

START = datetime(2025, 10, 21, 8, 14, 5, 120000, tzinfo=UTC)


def comparison(number: int = 0, **changes: Any) -> Comparison:
    request = f"c-{number}:0"
    fields: dict[str, Any] = {
        "comparison_id": comparison_id(request, "e1", "candidate"),
        "request_id": request,
        "conversation_id": f"c-{number}",
        "epoch": "e1",
        "arm": "candidate",
        "timestamp": START + timedelta(seconds=number),
        "messages": [{"role": "system", "content": "You are ZANTARA."}, {"role": "user", "content": "Ciao"}],
        "user": f"u-{number % 7}",
        "query": "Ciao",
        "category": "greeting",
        "language": "it",
        "primary": Side("Ciao!", "haiku", "replay", Usage(10, output=3), 800.0),
        "candidate": Side(
            "Ciao a te!",
            "tiny",
            "local",
            Usage(9, output=4),
            120.5,
            30.25,
            "stop",
            billed=Billed(0.0001, "EUR 3 a month"),
        ),
        "sampling": Sampling(100.0, "user_hash"),
        "scope": Scope(True),
    }
    return Comparison(**fields | changes)


def version_1(**changes: Any) -> dict[str, Any]:
    line: dict[str, Any] = {
        "timestamp": "2025-10-21T08:14:05.120000",
        "user_id": "user-77",
        "query": "Ciao, come stai?",
        "category": "greeting",
        "query_length": 16,
        "claude": {
            "response": "Ciao! Tutto bene.", "model": "claude-3-5-haiku", "ai_used": "haiku", "tokens_input": 41,
            "tokens_output": 9, "used_rag": False, "used_tools": False, "response_length": 17,
        },
        "llama": {
            "response": "Ciao! Bene, e tu?", "model": "zantara", "tokens_input": 38, "tokens_output": 8,
            "latency_ms": 143.2, "error": None, "response_length": 17,
        },
        "comparison": {"length_diff": 0, "length_ratio": 1.0, "llama_success": True},
    }  # fmt: skip
    return line | changes


def read_folder(folder: Path, hash_user: HashUser = str) -> list[Comparison | Drops]:
    """The readable records of the comparison log in a folder."""
    return list(read_log(EventLog(COMPARISONS, folder), hash_user))
