"""The log that `scripts/bench analysis` measures on, and the plain Python loop it is compared with."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from zantara_exp.analysis.facts import BUCKET_RATIO
from zantara_exp.cost.usage import Usage
from zantara_exp.shadow.record import Comparison, Sampling, Side, to_line

DAYS = 30
_TEXTS = 500
_MARK = 424242.424242
"""A latency that no line has: it marks the place of one."""
_WORDS = [
    *("ciao", "certo", "il", "visto", "costa", "circa", "dieci", "giorni", "grazie", "volentieri", "documento", "bene"),
    *("hello", "sure", "the", "visa", "takes", "about", "ten", "days", "today", "gladly", "please", "passport"),
    *("halo", "tentu", "butuh", "sekitar", "hari", "terima", "kasih", "silakan", "dokumen", "paspor", "sekarang"),
]


def write(folder: Path, rows: int, seed: int) -> int:
    """Write about `rows` comparisons of about 1 KB over DAYS days; returns how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    per_day = max(1, rows // DAYS)
    for day in range(DAYS):
        start = datetime(2025, 10, 1, tzinfo=UTC) + timedelta(days=day)
        with (folder / f"shadow_comparison_{start:%Y-%m-%d}.jsonl").open("wb", buffering=1 << 20) as out:
            for line in _lines(start, per_day, random.Random(f"{seed}:{day}")):  # noqa: S311  reproducible on purpose
                out.write(line)
    return per_day * DAYS


def _lines(start: datetime, count: int, rng: random.Random) -> Iterator[bytes]:
    """Lines as the writer writes them: a few hundred of it, told apart by id, user, time and latencies."""
    models = [to_line(_comparison(rng)).replace(str(_MARK).encode(), b"@").split(b"@") for _ in range(_TEXTS)]
    step = timedelta(seconds=80_000 / count)
    for number in range(count):
        parts = models[int(rng.random() * _TEXTS)]
        moment = (start + number * step).strftime("%Y-%m-%dT%H:%M:%S.%fZ").encode()
        ours, theirs = (f"{rng.lognormvariate(0, 0.4) * mean:.3f}".encode() for mean in (900, 300))
        ids, user = f"{rng.getrandbits(128):032x}".encode(), f"u-{int(rng.random() ** 2 * 20_000):05d}".encode()
        head, middle, rest, last, end = parts
        line = b"".join([head, ids, middle, user, rest, ours, last, theirs, end])
        yield line.replace(b"2025-01-01T00:00:00.000001Z", moment, 1)


def _comparison(rng: random.Random) -> Comparison:
    """One comparison with an @ where lines differ."""
    failed = rng.random() > 0.985
    query, primary, candidate = (" ".join(rng.choices(_WORDS, k=count)) for count in (5, 10, 10))
    model = rng.choice(["claude-haiku-4-5", "claude-haiku-4-5", "claude-sonnet-4-5"])
    return Comparison(
        comparison_id="@",
        request_id="c-1042",
        conversation_id="c-1042",
        epoch="e2",
        arm="candidate",
        timestamp=datetime(2025, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        messages=[{"role": "system", "content": "You are ZANTARA."}, {"role": "user", "content": query}],
        user="@",
        query=query,
        category=rng.choice(["greeting", "casual", "business", "business"]),
        language=rng.choice(["it", "en", "id"]),
        primary=Side(primary, model, "replay", Usage(600, output=len(primary) // 4), _MARK),
        candidate=Side(
            "" if failed else candidate,
            "zantara",
            "local",
            Usage(60, output=len(candidate) // 4),
            _MARK,
            31.0,
            None if failed else "stop",
            "timeout" if failed else None,
        ),
        sampling=Sampling(100.0, "user_hash"),
    )


def loop(folder: Path) -> dict[str, Counter[Any]]:
    """Counts, token sums and latency buckets of every cell, by json and dictionaries, a line at a time."""
    found: dict[str, Counter[Any]] = {name: Counter() for name in ("requests", "answered", "tokens", "bucket")}
    for path in sorted(folder.glob("shadow_comparison_*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                primary, candidate = row["primary"], row["candidate"]
                key = (row["timestamp"][:10], row["language"], row["category"], primary["model"], candidate["model"])
                found["requests"][key] += 1
                found["tokens"][key] += primary["tokens_output"]
                if candidate["error"] or candidate["response"].strip() in ("", "...", "…"):
                    continue
                found["answered"][key] += 1
                taken = max(candidate["latency_ms"], 0.001)
                found["bucket"][(*key, math.floor(math.log(taken) / math.log(BUCKET_RATIO)))] += 1
    return found
