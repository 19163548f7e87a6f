"""Stage `prepare`: conversations to examples. Filter, deduplicate, balance, split by user; nothing is dropped silently.

Conversations that do not become examples are in `rejected.jsonl` with their reasons, turns that were removed from
examples are in `rejected_turns.jsonl`, and the counts must add up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from zantara_exp.config.data import Dataset
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult
from zantara_exp.dataset import card, output, page, records, splits
from zantara_exp.dataset.choosing import Chosen, choose, over_the_mix
from zantara_exp.dataset.duplicates import Trained
from zantara_exp.dataset.findings import FEWEST_USERS, few_users
from zantara_exp.dataset.leakage import leakage
from zantara_exp.dataset.oversampling import enlarged
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.selection import Said, Selection, cell_of, name_of
from zantara_exp.dataset.summary import facts_of, result
from zantara_exp.dataset.turns import turns_of

_MAP_USERS = "map the column that tells users apart: source.columns.user=COLUMN, then stage=extract"
_NEAR_TRAIN = "near_duplicate_of_train"


def prepare(config: Config, context: Context) -> StageResult:
    """Turn raw conversations into train, validation and test examples.

    Raises MissingInputError before stage `extract` has run, ZantaraError where no example is left.
    """
    layout, dataset = context.layout, config.dataset
    with _chosen(config, layout) as chosen:
        selection = chosen.selection
        known, reviewed = splits.known_users(layout), splits.reviewed_users(layout)
        placed = splits.place(selection.kept, known, dataset.splits, config.seed, never_test=reviewed)
        _cap_training(selection, placed, config)
        _reject_near_train(selection, placed, dataset)
        parts = {name: [each for each in selection.kept if placed[each["user"]] == name] for name in splits.NAMES}
        if empty := [name for name, rows in parts.items() if not rows]:
            raise ZantaraError(*_too_few(empty, selection))
        parts["train"] = enlarged(parts["train"], dataset, config.seed)
        layout.prepare_summary.unlink(missing_ok=True)  # no summary of older splits beside the new ones
        written = _written(layout, parts, chosen, dataset)
    splits.save(layout, placed)
    facts = facts_of(selection, parts, chosen.clean, chosen.passed, chosen.note, config) | written
    facts["origin"] = context.origin
    facts["raw_sha256"] = records.digest(layout.raw_conversations)
    records.write_json(layout.prepare_summary, facts)
    if layout.analysis.exists():
        page.write(layout)
    about = _write_card(layout, facts, dataset)
    for name, purpose in (("train", "training"), ("val", "validation"), ("test", "test")):
        context.run.dataset(layout.dataset / f"{name}.jsonl", name, purpose)
    return result(facts, layout, about)


def _chosen(config: Config, layout: Layout) -> AbstractContextManager[Chosen]:
    if config.engine.name == "spark":
        from zantara_exp.dataset.on_spark.choosing import chosen

        return chosen(config, layout)
    return choose(config, layout)


def _cap_training(selection: Selection, placed: Mapping[str, str], config: Config) -> None:
    train = [each for each in selection.kept if placed[each["user"]] == "train"]
    if len(train) > config.dataset.max_train_rows:
        over, _ = over_the_mix(
            [(name_of(each), cell_of(each)) for each in train], config, config.dataset.max_train_rows
        )
        selection.reject({name: {"reason": "train_cap"} for name in over})


def _reject_near_train(selection: Selection, placed: Mapping[str, str], dataset: Dataset) -> None:
    """What is held out and training has nearly seen measures memory, not learning: such a turn or dialogue goes."""
    train, held_out = (
        [each for each in selection.kept if (placed[each["user"]] == "train") is trained] for trained in (True, False)
    )
    trained = Trained(
        ((name_of(each), output.example(each, dataset)) for each in train), dataset.near_duplicate_jaccard
    )
    turns = [(name_of(each), place, turn) for each in held_out for place, turn in enumerate(turns_of(each["messages"]))]
    seen: dict[str, dict[int, Said]] = defaultdict(dict)
    for (name, place, _), of in zip(turns, trained.turns([turn for *_, turn in turns]), strict=True):
        if of:
            seen[name][place] = {"reason": _NEAR_TRAIN, "of": of}
    selection.trim(seen)
    held_out = [each for each in selection.kept if placed[each["user"]] != "train"]
    near = trained.dialogues([output.example(each, dataset) for each in held_out])
    selection.reject(
        {name_of(each): {"reason": _NEAR_TRAIN, "of": of} for each, of in zip(held_out, near, strict=True) if of}
    )


def _too_few(empty: list[str], selection: Selection) -> tuple[str, str]:
    users = selection.users()
    if len(users) < FEWEST_USERS:
        return few_users(len(users), selection.total), _MAP_USERS
    reasons = ", ".join(f"{reason} {count}" for reason, count in selection.reasons().most_common(5))
    return (
        f"no example is left for {' and '.join(empty)}: {selection.total} conversations in, rejected {reasons or '0'}",
        "raise source.days, or see rejected.jsonl of an earlier run and loosen dataset.filters",
    )


def _written(
    layout: Layout, parts: Mapping[str, list[Record]], chosen: Chosen, dataset: Dataset
) -> dict[str, dict[str, int]]:
    """Write the splits and what was rejected; look at the files once more for what stands on both sides."""
    shortened = output.write(layout.dataset, parts, dataset)
    rejected = (layout.rejected, chosen.rejected, chosen.selection.rejected)
    rejected_turns = (layout.rejected_turns, chosen.rejected_turns, chosen.selection.rejected_turns)
    for path, lines, rows in (rejected, rejected_turns):
        with records.writer(path) as out:
            for line in lines:
                out.write_line(line)
            for row in rows:
                out.write(row)
    return {"shortened": shortened, "leakage": leakage(layout.dataset, dataset.near_duplicate_jaccard)}


def _write_card(layout: Layout, facts: Mapping[str, Any], dataset: Dataset) -> Path:
    extracted = records.read_json(layout.extract_summary, "extract") if layout.extract_summary.exists() else {}
    splits_and_rest = [layout.train, layout.val, layout.test, layout.rejected, layout.raw_conversations]
    text = card.card(facts, extracted, dataset, card.hashes(splits_and_rest))
    path = layout.dataset / card.NAME
    records.write_text(path, text)
    return path
