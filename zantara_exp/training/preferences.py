"""Pairs of answers to learn from by DPO (`trainer.method=dpo`): read, checked, parted by user, and counted.

preferences.jsonl holds them, as review, judge and stage=next leave them: prompt, chosen, rejected, metadata. Pairs of
users in the test split are left out whatever the file says: their chats measure the model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.config.training import Trainer
from zantara_exp.core.errors import MissingInputError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.training.encode import Encoded, EncodedSplit, rendered, without_special_tokens
from zantara_exp.training.files import read_json

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

OF_TEST, ALIKE, NO_CHAT, TOO_LONG = "users in test", "answers alike", "no chat before it", "too long"
"""Why a pair is left out."""

Turns = tuple[Mapping[str, str], ...]


@dataclass(frozen=True)
class Pair:
    """One chat, the answer to prefer, and the one that was found worse."""

    prompt: Turns
    chosen: str
    rejected: str
    user: str
    about: Mapping[str, Any]
    """Which comparison it is, of which candidate, and who found it worse."""

    def with_answer(self, answer: str) -> Turns:
        """The chat with that answer."""
        return (*self.prompt, {"role": "assistant", "content": answer})


@dataclass
class Pairs:
    """What a file holds for training."""

    train: list[Pair]
    val: list[Pair]
    left_out: Counter[str]
    sha256: str
    of_val: int = 0
    """Users of the validation split among those who teach."""

    def lineage(self) -> dict[str, Any]:
        """For train.json: how many pairs of what, from whom, and which file; no chat and no user."""
        used = [*self.train, *self.val]
        by: Counter[str] = Counter(source for pair in used for source in pair.about.get("worse_by", {}))
        runs: dict[str, Counter[str]] = {}
        for pair in used:
            for source, run in pair.about.get("runs", {}).items():
                runs.setdefault(str(source), Counter())[str(run)] += 1
        return {
            "pairs": len(used),
            "train": len(self.train),
            "val": len(self.val),
            "users": len({pair.user for pair in used}),
            "teaching_val_users": self.of_val,
            "by": dict(by.most_common()),
            "runs": {source: dict(found.most_common()) for source, found in runs.items()},
            "candidates": dict(Counter(str(pair.about.get("candidate_id")) for pair in used).most_common()),
            "languages": dict(Counter(str(pair.about.get("language")) for pair in used).most_common()),
            "left_out": dict(self.left_out.most_common()),
            "sha256": self.sha256,
        }


def read_pairs(config: Config, layout: Layout) -> Pairs:
    """The pairs of `paths.dataset`, without those of test users; each user stands on one side.

    Raises MissingInputError where there are none, or fewer than `trainer.dpo.min_pairs`, ZantaraError at a line that
    holds no pair.
    """
    path = layout.preferences
    content = path.read_bytes() if path.is_file() else b""
    lines = [(number, line) for number, line in enumerate(content.splitlines(), 1) if line.strip()]
    if not lines:
        raise MissingInputError(
            f"trainer.method=dpo learns from pairs, and {path} {'holds none' if path.is_file() else 'is not there'}: "
            "review, judge and stage=next write what was found worse",
            command("stage=judge", "judge=anthropic", note="or stage=review"),
        )
    placed: dict[str, str] = (read_json(layout.splits) or {}).get("users") or {}
    left_out: Counter[str] = Counter()
    kept = []
    for number, line in lines:
        pair = _pair(line, path, number)
        why = _useless(pair, placed)
        left_out.update([why] if why else [])
        kept += [] if why else [pair]
    _refuse_few(config, kept, left_out, path)
    train, val = _parted(kept, placed, config)
    of_val = len({pair.user for pair in train if placed.get(pair.user) == "val"})
    return Pairs(train, val, left_out, hashlib.sha256(content).hexdigest(), of_val)


def _pair(line: bytes, path: Path, number: int) -> Pair:
    try:
        row = orjson.loads(line)
        prompt = tuple({"role": str(turn["role"]), "content": str(turn["content"])} for turn in row["prompt"])
        answers = [row[side][-1]["content"] for side in ("chosen", "rejected")]
        about = dict(row["metadata"])
        if not all(isinstance(answer, str) for answer in answers):
            raise TypeError("an answer is no text")
        return Pair(prompt, answers[0], answers[1], str(about["user"]), about)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise ZantaraError(
            f"{path}, line {number}: is no pair to learn from ({type(error).__name__}: {error}); it needs prompt, "
            "chosen, rejected and metadata with user",
            command("stage=next", note="once that file is removed: it is written anew"),
        ) from error


def _useless(pair: Pair, placed: Mapping[str, str]) -> str:
    if placed.get(pair.user) == "test":
        return OF_TEST
    if not any(turn["role"] == "user" for turn in pair.prompt):
        return NO_CHAT
    return ALIKE if pair.chosen.split() == pair.rejected.split() else ""


def _refuse_few(config: Config, kept: Sequence[Pair], left_out: Mapping[str, int], path: Path) -> None:
    users, least = len({pair.user for pair in kept}), config.trainer.dpo.min_pairs
    without = f", {', '.join(f'{count} left out: {why}' for why, count in left_out.items())}" if left_out else ""
    if len(kept) < least:
        raise MissingInputError(
            f"{path} holds {len(kept)} pairs to learn from, of {users} users, fewer than trainer.dpo.min_pairs={least}"
            f"{without}",
            command("stage=judge", "judge=anthropic", "judge.log_pairs=0", note="judges all that would move"),
        )
    if users < 2:
        raise MissingInputError(
            f"{path} holds pairs of one user, who cannot both teach and validate{without}",
            command("stage=judge", "judge=anthropic", "judge.log_pairs=0", note="judges all that would move"),
        )


def _parted(pairs: Sequence[Pair], placed: Mapping[str, str], config: Config) -> tuple[list[Pair], list[Pair]]:
    """Train and validation: users of the validation split, and some of the others by lot; somebody on either side.

    Where most users are of the validation split, as where held-out users were replayed, it is by lot alone.
    """
    drawn = {user: _lot(user, config.seed) for user in {pair.user for pair in pairs}}
    val = {user for user, lot in drawn.items() if lot < config.trainer.dpo.val_share}
    of_val = {user for user in drawn if placed.get(user) == "val"}
    if 2 * len(of_val) <= len(drawn):
        val |= of_val
    in_order = sorted(drawn, key=lambda user: drawn[user])
    if not val:
        val = {in_order[0]}
    elif val == set(drawn):
        val.remove(in_order[-1])
    return [p for p in pairs if p.user not in val], [p for p in pairs if p.user in val]


def _lot(user: str, seed: int) -> float:
    return int.from_bytes(hashlib.sha256(f"dpo:{seed}:{user}".encode()).digest()[:8], "big") / 2**64


@dataclass
class PairSplit:
    """Pairs that fit under `trainer.max_length`."""

    examples: list[Pair] = field(default_factory=list)
    sequences: EncodedSplit = field(default_factory=EncodedSplit)
    """Both chats of each pair as token ids, with what was cut and dropped."""

    @property
    def tokens(self) -> int:
        """Of both chats of all pairs."""
        return self.sequences.tokens

    def report(self) -> dict[str, int]:
        """Counts for the summary; `examples` are pairs."""
        return self.sequences.report() | {"examples": len(self.examples)}


def encode_pairs(tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair], limits: Trainer, name: str) -> PairSplit:
    """Pairs under `max_length`, the spelling of control tokens taken out. Raises ZantaraError when none is left."""
    split = PairSplit()
    for pair in (_cleaned(tokenizer, pair) for pair in pairs):
        start = len(rendered(tokenizer, pair.prompt, add_generation_prompt=True)["input_ids"])
        both = [list(rendered(tokenizer, pair.with_answer(a))["input_ids"]) for a in (pair.chosen, pair.rejected)]
        length = max(map(len, both))
        split.sequences.longest = max(split.sequences.longest, length)
        cut = [ids[: limits.max_length] for ids in both]
        if length > limits.max_length:
            if limits.too_long == "refuse":
                raise ZantaraError(
                    f"a pair of the {name} pairs has {length} tokens, more than trainer.max_length={limits.max_length}",
                    f"raise trainer.max_length to {length}, or set trainer.too_long=cut or drop",
                )
            if limits.too_long == "drop" or start >= limits.max_length or cut[0] == cut[1]:
                split.sequences.dropped += 1
                continue
            split.sequences.cut += 1
        split.examples.append(pair)
        split.sequences.examples += [Encoded(ids, [-100] * start + ids[start:]) for ids in cut]
    if not split.examples:
        raise ZantaraError(
            f"nothing of the {name} pairs is left: all {len(pairs)} are longer than trainer.max_length="
            f"{limits.max_length} (the longest has {split.sequences.longest} tokens)",
            f"raise trainer.max_length to {split.sequences.longest}",
        )
    return split


def _cleaned(tokenizer: PreTrainedTokenizerBase, pair: Pair) -> Pair:
    def clean(text: str) -> str:
        return without_special_tokens(tokenizer, text)

    prompt = tuple({"role": turn["role"], "content": clean(turn["content"])} for turn in pair.prompt)
    return Pair(prompt, clean(pair.chosen), clean(pair.rejected), pair.user, pair.about)
