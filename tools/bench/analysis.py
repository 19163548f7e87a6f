"""`scripts/bench analysis`: the log's numbers beside a hand-written query and a Python loop, the first look, Spark.

The same log, thirty days of comparisons of about 1 KB, is read by processes of their own, one after the other:
json in a loop; facts and tables; a hand-written DuckDB query over the same facts; the tables by Spark.
All give the same counts and latency histograms, or the benchmark fails. Tables are compared in processor seconds, all
threads together, so that other work on the machine does not decide; the first look in the seconds somebody waits for
it, which two threads share: those want an idle machine. chrF is computed once for a drawn part of each day
(`engine.scored_per_file`), few here, since no loop or query computes it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

from tools.bench import analysis_log
from tools.bench.extract import megabytes
from tools.bench.report import Goal, Report
from zantara_exp.config import compose
from zantara_exp.config.schema import Config
from zantara_exp.core import terminal
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Table

ROWS = 1_000_000
_TURNS = 3
_SCORED = 100
"""Comparisons of a day that get a chrF here."""
_QUERY = """
select epoch, day, language, category, primary_model, candidate_model, candidate_provider, count(*) as requests,
    count(*) filter (where candidate_ok) as answered, count(*) filter (where candidate_timeout) as timeouts,
    count(*) filter (where primary_ok) as primary_answered, count(chrf) as scored,
    count(*) filter (where chrf >= 50) as similar, sum(chrf) as chrf,
    count(*) filter (where candidate_ok and candidate_latency_ms is null) as unmeasured,
    sum(primary_usage_input) as pi, sum(primary_usage_output) as po,
    sum(candidate_usage_input) as ci, sum(candidate_usage_output) as co,
    sum(case when primary_model like '%haiku%' then primary_usage_input * 1 + primary_usage_output * 5
        when primary_model like '%sonnet%' then primary_usage_input * 3 + primary_usage_output * 15 end) / 1e6 as usd
from {facts} where first and arm <> 'aa' group by all
"""
_BUCKETS = """
select epoch, day, language, category, primary_model, candidate_model, candidate_provider, {side}_bucket,
    count(*) as requests, sum({side}_latency_ms) as total
from {facts} where first and arm <> 'aa' and {side}_bucket is not null group by all
"""


class Time(NamedTuple):
    """What something took."""

    wall: float
    cpu: float
    """Processor seconds of all threads; Java's apart."""


@dataclass(frozen=True)
class Taken:
    """What one process took."""

    seconds: dict[str, Time]
    megabytes: float
    """Peak of resident memory, start-up included; Java's apart."""
    numbers: dict[str, Counter[Any]]
    """Counts by cell, for comparison."""
    sums: dict[Any, float]
    """Sums of latencies and dollars by cell."""
    again: int = 0
    """Days that were derived anew after one had grown."""


def run(rows: int | None = None, seed: int = 7) -> Report:
    """Write the log and read it in each way; about three minutes for a million comparisons."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="zantara-bench-") as folder:
        begun = time.monotonic()
        count = analysis_log.write(Path(folder) / "logs", rows or ROWS, seed)
        size = sum(path.stat().st_size for path in (Path(folder) / "logs").iterdir())
        terminal.say(f"{count} comparisons, {size / 1e9:.2f} GB, written in {time.monotonic() - begun:.0f} s")
        found = {name: _alone(measure, folder) for name, measure in _MEASURES.items() if not _lacks(name)}
    ours, load = found["ours"], os.getloadavg()[2]
    for name in ("loop", "query"):
        for what, numbers in found[name].numbers.items():
            if numbers != ours.numbers[what]:
                raise RuntimeError(f"{name} and ours differ in {what}")
    tables = [_table(found, count, size)]
    goals = _goals(found, count)
    return Report(
        "analysis",
        f"scripts/bench analysis --rows {rows or ROWS} --seed {seed}",
        f"{count} comparisons, {size / count:.0f} bytes each, over {analysis_log.DAYS} days; every way of reading them "
        f"in a process of its own, queries {_TURNS} times, the fastest shown; {_SCORED} comparisons a day get a chrF. "
        f"Load average meanwhile {load:.1f} on {os.cpu_count()} cores. Again by:",
        tables,
        goals,
        time.monotonic() - started,
    )


def _lacks(name: str) -> str:
    from zantara_exp.spark import spark_lacks

    lacking = spark_lacks() if name == "spark" else ""
    if lacking:
        terminal.say(f"Spark is not measured: this machine lacks {lacking}")
    return lacking


def _table(found: dict[str, Taken], count: int, size: int) -> Table:
    rows = [
        [name, what, f"{took.wall:.2f}", f"{took.cpu:.2f}", f"{count / took.wall:,.0f}", f"{taken.megabytes:.0f}"]
        for name, taken in found.items()
        for what, took in taken.seconds.items()
    ]
    columns = ["process", "what", "seconds", "processor s", "rows/s", "peak MB"]
    return Table(f"{count} comparisons, {size / 1e9:.2f} GB", columns, rows)


def _goals(found: dict[str, Taken], count: int) -> list[Goal]:
    ours, loop, query = found["ours"].seconds, found["loop"].seconds["loop"], found["query"].seconds["query"]
    first = ours["facts"].wall + ours["tables"].wall
    goals = [
        Goal("tables, in times of a hand-written query", ratio(ours["tables"].cpu, query.cpu), None, 1.5),
        Goal("tables, in times of a Python loop", ratio(ours["tables"].cpu, loop.cpu), None, 0.05),
        Goal("first look at JSON lines, in times of the loop (seconds waited)", ratio(first, loop.wall), None, 0.2),
        Goal("facts, microseconds of processor time a line", round(ours["facts"].cpu / count * 1e6, 2), None, 3),
        Goal("days read again when one has grown", found["ours"].again, None, 1),
        Goal("memory, MB", round(found["ours"].megabytes), None, 600),
    ]
    if "spark" in found:
        spark = found["spark"]
        off = sum(numbers != found["ours"].numbers[name] for name, numbers in spark.numbers.items())
        worst = max(abs(spark.sums[key] / value - 1) for key, value in found["ours"].sums.items() if value)
        goals.append(Goal("Spark: counts and histograms that differ", off, None, 0))
        goals.append(Goal("Spark: largest relative difference of a sum", float(f"{worst:.1e}"), None, 1e-9))
    return goals


def ratio(seconds: float, other: float) -> float:
    """One time in units of another, as a table shows it."""
    return float(f"{seconds / other:.3g}")


def _alone(measure: Callable[[str], Taken], folder: str) -> Taken:
    with get_context("spawn").Pool(1) as pool:
        taken = pool.apply(measure, (folder,))
    terminal.say(", ".join(f"{what} {took.wall:.2f} s ({took.cpu:.2f})" for what, took in taken.seconds.items()))
    return taken


def _config(folder: str, *overrides: str) -> Config:
    paths = [f"paths.logs={folder}/logs", f"paths.state={folder}"]
    return compose([*paths, f"engine.scored_per_file={_SCORED}", *overrides])


def _timed(call: Callable[[], Any]) -> tuple[Any, Time]:
    begun, before = time.monotonic(), time.process_time()
    found = call()
    return found, Time(time.monotonic() - begun, time.process_time() - before)


def _fastest(call: Callable[[], Any]) -> tuple[Any, Time]:
    turns = [_timed(call) for _ in range(_TURNS)]
    return turns[-1][0], Time(*(min(part) for part in zip(*(took for _, took in turns), strict=True)))


def _looped(folder: str) -> Taken:
    numbers, took = _timed(lambda: analysis_log.loop(Path(folder) / "logs"))
    return Taken({"loop": took}, megabytes("VmHWM"), numbers, {})


def _ours(folder: str) -> Taken:
    from zantara_exp.analysis.log import open_log
    from zantara_exp.analysis.tables import cells

    config = _config(folder)
    layout, seconds = Layout(config), {}
    with ExitStack() as opened:
        log, seconds["facts"] = _timed(lambda: opened.enter_context(open_log(config, layout)))
        found, seconds["tables"] = _fastest(lambda: cells(log.facts, config))
    return Taken(seconds, megabytes("VmHWM"), *_of_cells(found), _grown(config, layout))


def _grown(config: Config, layout: Layout) -> int:
    """Look again after the last day has grown by its own last line; returns how many days were derived anew."""

    def files() -> dict[Path, int]:
        with open_log(config, layout):
            return {path: path.stat().st_ino for path in (layout.state / "facts").rglob("*.parquet")}

    from zantara_exp.analysis.log import open_log

    before = files()
    newest = max(layout.logs.glob("shadow_comparison_*.jsonl"))
    content = newest.read_bytes()
    with newest.open("ab") as log:
        log.write(content[content.rfind(b"\n", 0, -1) + 1 :])
    return sum(inode != before[path] for path, inode in files().items())


def _of_cells(found: list[Any]) -> tuple[dict[str, Counter[Any]], dict[Any, float]]:
    numbers: dict[str, Counter[Any]] = {name: Counter() for name in ("requests", "answered", "tokens", "bucket")}
    sums: dict[Any, float] = {}
    for cell in found:
        key = (cell.day.isoformat(), cell.language, cell.category, cell.primary_model, cell.candidate_model)
        numbers["requests"][key] += cell.counts.requests
        numbers["answered"][key] += cell.counts.answered
        numbers["tokens"][key] += int(cell.counts.primary_tokens_output)
        for bucket, count in cell.counts.latency.buckets.items():
            numbers["bucket"][(*key, bucket)] += count
        sums |= {(*key, "ms"): cell.counts.latency.total, (*key, "usd"): cell.counts.primary_usd}
    return numbers, sums


def _queried(folder: str) -> Taken:
    import duckdb

    source = f"read_parquet('{folder}/facts/*/*.parquet')"
    histograms = [_BUCKETS.format(facts=source, side=side) for side in ("candidate", "primary")]
    statements = [_QUERY.format(facts=source), *histograms]
    with duckdb.connect() as connection:
        (cells, buckets, _), seconds = _fastest(lambda: [connection.execute(each).fetchall() for each in statements])
    numbers: dict[str, Counter[Any]] = {name: Counter() for name in ("requests", "answered", "tokens", "bucket")}
    for row in cells:
        key = (row[1].isoformat(), *row[2:6])
        numbers["requests"][key] += row[7]
        numbers["answered"][key] += row[8]
        numbers["tokens"][key] += int(row[16])
    for row in buckets:
        numbers["bucket"][(row[1].isoformat(), *row[2:6], row[7])] += row[8]
    return Taken({"query": seconds}, megabytes("VmHWM"), numbers, {})


def _sparked(folder: str) -> Taken:
    from zantara_exp.analysis.log import open_log
    from zantara_exp.analysis.tables import cells

    config = _config(folder, "engine=spark")
    with open_log(config, Layout(config)) as log:
        found, seconds = _fastest(lambda: cells(log.facts, config))
    return Taken({"tables by Spark": seconds}, megabytes("VmHWM"), *_of_cells(found))


_MEASURES: dict[str, Callable[[str], Taken]] = {"loop": _looped, "ours": _ours, "query": _queried, "spark": _sparked}
