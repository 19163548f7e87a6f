#!/usr/bin/env python3
"""Extract the last days' conversations from PostgreSQL: redacted, users hashed, one JSON line each.

    export DATABASE_URL=postgresql://reader:...@host:5432/app ZANTARA_HASH_KEY=...
    scripts/extract_dataset_from_postgres.py --days 30 --stats-only
    scripts/extract_dataset_from_postgres.py --days 30 --limit 5000 --models haiku sonnet --output ./data

The same as `python -m zantara_exp stage=extract source=postgres`; `--source embedded` reads the demo instead, and an
experiment (ZANTARA_EXPERIMENT) names its own source. Anything after `--` is passed on, such as
`-- source.table=app.chats source.columns.model=ai_model_used`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence

from _project import parsed, quoted, run


def overrides(arguments: Sequence[str]) -> list[str]:
    """The command line as overrides of the config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, help="UTC days back from the newest conversation (default: 30)")
    parser.add_argument("--limit", type=int, help="at most this many conversations, the newest first (default: 5000)")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models whose name contains one of these")
    parser.add_argument("--output", metavar="DIR", help="folder of the dataset (default: data/llama_ft_dataset)")
    parser.add_argument(
        "--min-quality", type=float, metavar="RATING", help="leave out conversations rated lower, 1 to 5"
    )
    parser.add_argument("--stats-only", action="store_true", help="count and advise, write nothing")
    parser.add_argument("--source", help="config group option (default: the experiment's, or postgres without one)")
    given, further = parsed(parser, arguments)
    named = os.environ.get("ZANTARA_EXPERIMENT") or any(text.startswith("experiment=") for text in further)
    source = given.source or ("" if named else "postgres")
    made = ["stage=extract", *([f"source={source}"] if source else [])]
    made += [f"source.days={given.days}"] if given.days is not None else []
    made += [f"source.limit={given.limit}"] if given.limit is not None else []
    made += [f"source.models=[{','.join(map(quoted, given.models))}]"] if given.models else []
    made += [f"paths.dataset={quoted(given.output)}"] if given.output else []
    made += [f"source.min_rating={given.min_quality}"] if given.min_quality is not None else []
    made += ["source.stats_only=true"] if given.stats_only else []
    return [*made, *further]


if __name__ == "__main__":
    run(overrides)
