"""Measured requests of providers as a comparison log, so that they are analysed by the same definitions.

A line names the provider, the error if there was one, the seconds until the whole answer, and tokens, as the runs of
public leaderboards do: `provider_model`, `error_code`, `error_msg`, `e2e_s`, `ttft_s`, `in_tok`, `out_tok`. Each
becomes a comparison whose candidate is the provider; nobody answered beside it: there is no primary, no similarity.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.cost.usage import Usage
from zantara_exp.shadow.record import Comparison, Sampling, Side, comparison_id, to_line

NEXT = "scripts/import_requests.py FILE --log-dir logs/requests"
EPOCH = "requests"
_ANSWERED = "[the answer was not recorded]"
_REASONS = {401: "unauthorized", 403: "unauthorized", 408: "timeout", 429: "rate_limited", 503: "overloaded"}


def import_requests(source: Path, folder: Path, day: date) -> int:
    """Write the requests of a file (.jsonl, plain or .gz) as the log of `day` under `folder`; returns how many.

    They were not measured at any known time: a second is put between two of them. Raises MissingInputError without
    the file, ZantaraError where a line is no such request, with its number.
    """
    if not source.is_file():
        raise MissingInputError(f"{source} is not there", NEXT)
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    lines = [to_line(_comparison(row, number, start)) for number, row in enumerate(_rows(source))]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"shadow_comparison_{day}.jsonl"
    target.write_bytes(b"".join(lines))
    return len(lines)


def _rows(source: Path) -> Iterator[Mapping[str, Any]]:
    with gzip.open(source) if source.suffix == ".gz" else source.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = orjson.loads(line)
                row["provider_model"], row["e2e_s"]
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise ZantaraError(
                    f"{source.name}, line {number}: no request with provider_model and e2e_s",
                    "repair or remove the line; each is one JSON object such as "
                    '{"provider_model": "a/b", "e2e_s": 1.2}',
                ) from error
            yield row


def _comparison(row: Mapping[str, Any], number: int, start: datetime) -> Comparison:
    name = f"{row['provider_model']}:{number}"
    query = "[the question was not recorded]"
    return Comparison(
        comparison_id=comparison_id(name, EPOCH, "candidate"),
        request_id=name,
        conversation_id=None,
        epoch=EPOCH,
        arm="candidate",
        timestamp=start + timedelta(seconds=number % 86_000),
        messages=[{"role": "user", "content": query}],
        user=name,
        query=query,
        category=None,
        language="en",
        primary=Side(error="other", detail="nobody answered beside the candidate"),
        candidate=_side(row),
        sampling=Sampling(100.0, "imported"),
    )


def _side(row: Mapping[str, Any]) -> Side:
    code, said = row.get("error_code"), str(row.get("error_msg") or "")
    failed = bool(code or said)
    return Side(
        response="" if failed else _ANSWERED,
        model=str(row["provider_model"]),
        provider=None,
        usage=Usage(row.get("in_tok"), output=None if failed else row.get("out_tok")),
        latency_ms=float(row["e2e_s"] or 0.0) * 1000,
        ttft_ms=None if failed else float(row.get("ttft_s") or 0.0) * 1000,
        error=_REASONS.get(code if isinstance(code, int) else 0, "other") if failed else None,
        detail=said[:200] or None,
    )
