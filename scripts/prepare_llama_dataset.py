#!/usr/bin/env python3
"""Turn extracted conversations into train.jsonl, val.jsonl and test.jsonl: 80/10/10 by user.

    scripts/prepare_llama_dataset.py
    scripts/prepare_llama_dataset.py --input ./data/llama_ft_dataset/raw_conversations.jsonl --max-train-rows 3000

The same as `python -m zantara_exp stage=prepare`; anything after `--` is passed on, such as `-- dataset.copies=2`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from _project import parsed, quoted, run


def overrides(arguments: Sequence[str]) -> list[str]:
    """The command line as overrides of the config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", metavar="PATH", help="folder of the dataset, or raw_conversations.jsonl in it")
    parser.add_argument("--max-train-rows", type=int, help="at most this many training examples")
    parser.add_argument("--no-balance", action="store_true", help="keep every clean example, whatever the mix")
    given, further = parsed(parser, arguments)
    made = ["stage=prepare"]
    if given.input:
        folder = Path(given.input)
        made.append(f"paths.dataset={quoted(str(folder.parent if folder.suffix == '.jsonl' else folder))}")
    made += [f"dataset.max_train_rows={given.max_train_rows}"] if given.max_train_rows is not None else []
    made += ["dataset.balance=none"] if given.no_balance else []
    return [*made, *further]


if __name__ == "__main__":
    run(overrides)
