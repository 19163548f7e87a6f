"""Stage `prepare`: conversations to examples. Filter, deduplicate, balance, split by user; nothing is dropped silently.

Whatever does not become an example is in `rejected.jsonl` with its reason, and the counts must add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zantara_exp.config.data import Dataset
from zantara_exp.config.schema import Config
from zantara_exp.dataset import balance, card, output, page, records, splits
from zantara_exp.dataset.duplicates import Index, draw, surplus, words_of
from zantara_exp.dataset.enlarge import enlarged
from zantara_exp.dataset.filters import Filters
from zantara_exp.dataset.forgotten import forgotten_users
from zantara_exp.dataset.leakage import leakage
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.selection import Selection, cell_of, name_of
from zantara_exp.dataset.summary import facts_of, result
from zantara_exp.errors import ZantaraError
from zantara_exp.layout import Layout
from zantara_exp.stage import Context, StageResult


def prepare(config: Config, context: Context) -> StageResult:
    """Turn raw conversations into train, validation and test examples.

    Raises MissingInputError before stage `extract` has run, ZantaraError where no example is left.
    """
    layout, dataset = context.layout, config.dataset
    refused = forgotten_users(layout, None)
    read = (each for each in records.read_conversations(layout.raw_conversations) if each["user"] not in refused)
    selection = Selection(_unique(read))
    ask = Filters(dataset)
    selection.reject({name_of(each): {"reason": reason} for each in selection.kept if (reason := ask.refusal(each))})
    passed = len(selection.kept)
    copies = surplus(selection.kept, dataset.near_duplicate_jaccard, dataset.copies)
    selection.reject({name: {"reason": "duplicate", "of": of} for name, of in copies.items()})
    clean = list(selection.kept)
    note = _balance(selection, config, "balance", round(dataset.max_train_rows / dataset.splits.train))
    placed = splits.place(selection.kept, splits.known_users(layout), dataset.splits, config.seed)
    _cap_training(selection, placed, config)
    _reject_near_train(selection, placed, dataset)
    parts = {name: [each for each in selection.kept if placed[each["user"]] == name] for name in splits.NAMES}
    if empty := [name for name, rows in parts.items() if not rows]:
        raise ZantaraError(*_too_few(empty, selection))
    parts["train"] = enlarged(parts["train"], dataset, config.seed)
    layout.prepare_summary.unlink(missing_ok=True)  # no summary of older splits beside the new ones
    written = _written(layout, parts, selection, dataset)
    splits.save(layout, placed)
    facts = facts_of(selection, parts, clean, passed, note, dataset) | written
    facts["origin"] = context.origin
    facts["raw_sha256"] = records.digest(layout.raw_conversations)
    records.write_json(layout.prepare_summary, facts)
    if layout.analysis.exists():
        page.write(layout)
    about = _write_card(layout, facts, dataset)
    for name, purpose in (("train", "training"), ("val", "validation"), ("test", "test")):
        context.run.dataset(layout.dataset / f"{name}.jsonl", name, purpose)
    return result(facts, layout, about)


def _unique(conversations: Iterable[Record]) -> Iterable[Record]:
    """Conversations with names of their own; the database's key may not be one."""
    seen: Counter[str] = Counter()
    for record in conversations:
        name = name_of(record)
        seen[name] += 1
        yield record if seen[name] == 1 else {**record, "conversation_id": f"{name}#{seen[name]}"}


def _balance(selection: Selection, config: Config, reason: str, most: int) -> str:
    """Reject what is over the mix; return what to say about it."""
    over, note = _over(selection.kept, config, most)
    selection.reject({name: {"reason": reason} for name in over})
    others = {"none": "not asked for (dataset.balance=none)", "weights": "rare kinds are repeated in train"}
    return others.get(config.dataset.balance, note)


def _over(examples: list[Record], config: Config, most: int) -> tuple[list[str], str]:
    """Names of the examples beyond the quota of their cell, drawn by a fixed shuffle."""
    dataset, counts = config.dataset, balance.cells([cell_of(each) for each in examples])
    shuffled = sorted(examples, key=lambda each: draw(config.seed, name_of(each)))
    if dataset.balance == "subset":
        quotas = balance.quotas(counts, dataset.targets, most)
        if sum(quotas.values()) >= dataset.balance_min_share * min(len(examples), most):
            left, over = Counter(quotas), []
            for each in shuffled:
                left[cell_of(each)] -= 1
                if left[cell_of(each)] < 0:
                    over.append(name_of(each))
            return over, f"kept {len(examples) - len(over)} of {len(examples)} for the mix of dataset.targets"
    note = f"no mix near the targets is possible without losing most of {len(examples)} examples: all kept"
    return [name_of(each) for each in shuffled[most:]], note


def _cap_training(selection: Selection, placed: Mapping[str, str], config: Config) -> None:
    train = [each for each in selection.kept if placed[each["user"]] == "train"]
    if len(train) > config.dataset.max_train_rows:
        over, _ = _over(train, config, config.dataset.max_train_rows)
        selection.reject({name: {"reason": "train_cap"} for name in over})


def _reject_near_train(selection: Selection, placed: Mapping[str, str], dataset: Dataset) -> None:
    """Held-out examples that training has nearly seen measure memory, not learning."""
    index = Index(dataset.near_duplicate_jaccard)
    for each in selection.kept:
        if placed[each["user"]] == "train":
            index.add(name_of(each), words_of(output.example(each, dataset)))
    found = {}
    for each in selection.kept:
        if placed[each["user"]] != "train" and (near := index.near(words_of(output.example(each, dataset)))):
            found[name_of(each)] = {"reason": "near_duplicate_of_train", "of": near[0]}
    selection.reject(found)


def _too_few(empty: list[str], selection: Selection) -> tuple[str, str]:
    reasons = ", ".join(f"{reason} {count}" for reason, count in selection.reasons().most_common(5))
    return (
        f"no example is left for {' and '.join(empty)}: {selection.total} conversations in, rejected {reasons or '0'}",
        "raise source.days, or see rejected.jsonl of an earlier run and loosen dataset.filters",
    )


def _written(
    layout: Layout, parts: Mapping[str, list[Record]], selection: Selection, dataset: Dataset
) -> dict[str, dict[str, int]]:
    """Write the splits and what was rejected; look at the files once more for what stands on both sides."""
    shortened = output.write(layout.dataset, parts, dataset)
    with records.writer(layout.rejected) as out:
        for record in selection.rejected:
            out.write(record)
    return {"shortened": shortened, "leakage": leakage(layout.dataset, dataset.near_duplicate_jaccard)}


def _write_card(layout: Layout, facts: Mapping[str, Any], dataset: Dataset) -> Path:
    extracted = records.read_json(layout.extract_summary, "extract") if layout.extract_summary.exists() else {}
    splits_and_rest = [layout.train, layout.val, layout.test, layout.rejected, layout.raw_conversations]
    text = card.card(facts, extracted, dataset, card.hashes(splits_and_rest))
    path = layout.dataset / card.NAME
    records.write_text(path, text)
    return path
