#!/usr/bin/env python
"""Extract the last days' conversations from PostgreSQL: redacted, users hashed, one JSON line each.

    export DATABASE_URL=postgresql://reader:...@host:5432/app ZANTARA_HASH_KEY=...
    scripts/extract_dataset_from_postgres.py --days 30 --stats-only
    scripts/extract_dataset_from_postgres.py --days 30 --limit 5000 --models haiku sonnet --output ./data

The same as `python -m zantara_exp stage=extract source=postgres`; `--source embedded` reads the demo instead. Anything
after `--` is passed on, such as `-- source.table=app.chats source.columns.model=ai_model_used`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def overrides(arguments: Sequence[str]) -> list[str]:
    """The command line as overrides of the config."""
    own, further = list(arguments), []
    if "--" in own:
        place = own.index("--")
        own, further = own[:place], own[place + 1 :]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, help="UTC days back from the newest conversation (default: 30)")
    parser.add_argument("--limit", type=int, help="at most this many conversations, the newest first (default: 5000)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models whose name contains one of these")
    parser.add_argument("--output", metavar="DIR", help="folder of the dataset (default: data/llama_ft_dataset)")
    parser.add_argument(
        "--min-quality", type=float, metavar="RATING", help="leave out conversations rated lower, 1 to 5"
    )
    parser.add_argument("--stats-only", action="store_true", help="count and advise, write nothing")
    parser.add_argument("--source", default="postgres", help="config group option: postgres, embedded, ...")
    given = parser.parse_args(own)
    made = ["stage=extract", f"source={given.source}"]
    made += [f"source.days={given.days}"] if given.days is not None else []
    made += [f"source.limit={given.limit}"] if given.limit is not None else []
    made += [f"source.models=[{','.join(map(_quoted, given.models))}]"] if given.models else []
    made += [f"paths.dataset={_quoted(given.output)}"] if given.output else []
    made += [f"source.min_rating={given.min_quality}"] if given.min_quality is not None else []
    made += ["source.stats_only=true"] if given.stats_only else []
    return [*made, *further]


def _quoted(text: str) -> str:
    """Any text as Hydra reads it back."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


if __name__ == "__main__":
    from zantara_exp.runner import run_overrides

    sys.exit(run_overrides(overrides(sys.argv[1:])))
