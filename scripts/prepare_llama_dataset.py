#!/usr/bin/env python3
"""Turn extracted conversations into train.jsonl, val.jsonl and test.jsonl: 80/10/10 by user.

    scripts/prepare_llama_dataset.py
    scripts/prepare_llama_dataset.py --input ./data/llama_ft_dataset/raw_conversations.jsonl --max-train-rows 3000

The same as `python -m zantara_exp stage=prepare`; anything after `--` is passed on, such as `-- dataset.copies=2`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from _project import parsed, quoted, run

_DATASET = "data/llama_ft_dataset"


def _as_extracted(dataset: Path, further: Sequence[str]) -> list[str]:
    """What extract was given: the script has no word for a source, and prepares what lies there."""
    from zantara_exp.config import EXPERIMENT
    from zantara_exp.core.origin import noted

    there = noted(dataset / "extract.json")
    named = [text.partition("=")[0] for text in further]
    if there is None or os.environ.get(EXPERIMENT) or {"experiment", "source"} & {*named}:
        return []
    if there.config_dir and not Path(there.config_dir).is_dir():
        sys.exit(
            f"the config folder {os.path.relpath(there.config_dir)} that wrote {dataset} is not there any more\n"
            "  next: bring it back, or say what counts: -- --config-dir=DIR experiment=NAME"
        )
    folder = [f"--config-dir={there.config_dir}"] if there.config_dir else []
    return [*folder, *(text for text in there.overrides if text.partition("=")[0] not in named)]


def overrides(arguments: Sequence[str]) -> list[str]:
    """The command line as overrides of the config."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--input", metavar="PATH", help="folder of the dataset, or raw_conversations.jsonl in it")
    parser.add_argument("--max-train-rows", type=int, help="at most this many training examples")
    parser.add_argument("--no-balance", action="store_true", help="keep every clean example, whatever the mix")
    given, further = parsed(parser, arguments)
    made, dataset = ["stage=prepare"], Path(_DATASET)
    if given.input:
        folder = Path(given.input)
        dataset = folder.parent if folder.suffix == ".jsonl" else folder
        made.append(f"paths.dataset={quoted(str(dataset))}")
    made += _as_extracted(dataset, further)
    made += [f"dataset.max_train_rows={given.max_train_rows}"] if given.max_train_rows is not None else []
    made += ["dataset.balance=none"] if given.no_balance else []
    return [*made, *further]


if __name__ == "__main__":
    run(overrides)
