#!/usr/bin/env python3
"""Measure the comparison log: one day, some days or all of it, on the terminal and as one HTML page.

    scripts/analyze_shadow_mode_logs.py --date 2025-11-03
    scripts/analyze_shadow_mode_logs.py --date-range 2025-10-27 2025-11-02 --export-report ./reports/week1_analysis.html
    scripts/analyze_shadow_mode_logs.py --log-dir ./logs/shadow_mode --stats-only

The same as `python -m zantara_exp stage=report`. What stands after `--` is passed on:
    ... -- cost.monthly_requests=20000
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import date

from _project import parsed, quoted, run


def overrides(arguments: Sequence[str]) -> list[str]:
    """The command line as overrides of the config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    days = parser.add_mutually_exclusive_group()
    days.add_argument("--date", type=_day, metavar="DAY", help="one UTC day, YYYY-MM-DD")
    days.add_argument("--date-range", type=_day, nargs=2, metavar=("FIRST", "LAST"), help="UTC days, both inclusive")
    parser.add_argument("--log-dir", metavar="DIR", help="the folder of the log (default: logs/shadow_mode)")
    parser.add_argument("--stats-only", action="store_true", help="print the tables, write no page")
    parser.add_argument("--export-report", metavar="FILE", help="write the page to this file as well")
    given, further = parsed(parser, arguments)
    first, last = given.date_range or (given.date, given.date)
    if first and first > last:
        parser.error(f"--date-range: {first} lies after {last}")
    if given.stats_only and given.export_report:
        parser.error("--stats-only writes no page: leave out --export-report, or --stats-only")
    made = ["stage=report"]
    made += [f"report.since='{first}'", f"as_of='{last}'"] if first else []
    made += [f"paths.logs={quoted(given.log_dir)}"] if given.log_dir else []
    made += ["report.stats_only=true"] if given.stats_only else []
    made += [f"report.export={quoted(given.export_report)}"] if given.export_report else []
    return [*made, *further]


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a day; write it as YYYY-MM-DD") from None


if __name__ == "__main__":
    run(overrides)
