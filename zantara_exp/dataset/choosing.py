"""Chooses the conversations that may become examples: filtered, without copies, in the wanted mix.

Steps go through them in the order of `Selection`: by time, then by name; random draws are made by name. So no step
depends on the order of rows in the source.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import numpy as np
import orjson

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import balance
from zantara_exp.dataset.conversation_facts import Facts, Texts, facts_of, texts_of
from zantara_exp.dataset.duplicates import Index, draw, surplus_in
from zantara_exp.dataset.findings import FEWEST_USERS
from zantara_exp.dataset.forgotten import forgotten_users
from zantara_exp.dataset.growing_rows import CONTINUED, continued
from zantara_exp.dataset.records import Record
from zantara_exp.dataset.same_answers import SAME_ANSWER, Same
from zantara_exp.dataset.same_answers import most_of as most_answers
from zantara_exp.dataset.same_answers import surplus as surplus_of_answers
from zantara_exp.dataset.selection import Before, Selection
from zantara_exp.dataset.summary import Dated
from zantara_exp.dataset.turns import turns_of, with_turns

DUPLICATE, MIX = "duplicate", "balance"
"""Reasons."""


class Chosen(NamedTuple):
    """What is left to be split, and what is to be said of the rest."""

    selection: Selection
    clean: Counter[Dated]
    """What passed all filters, before the mix."""
    passed: int
    """How many passed the filters, copies included."""
    note: str
    """What is to be said of the mix."""
    rejected: Iterable[bytes] = ()
    """Lines of what was rejected before the selection was made."""
    rejected_turns: Iterable[bytes] = ()


@contextmanager
def choose(config: Config, layout: Layout) -> Iterator[Chosen]:
    """Choose among the conversations that stage `extract` wrote; the lines it gives can be read within.

    Raises like `records.read_conversations`.
    """
    facts, refused = facts_of(layout.raw_conversations, config), forgotten_users(layout, None)
    with texts_of(layout.raw_conversations, facts.known) as texts:
        yield _Choosing(config, facts, texts, refused).chosen()


class _Gone(NamedTuple):
    """A conversation that was taken out."""

    chat: int
    """Its number."""
    said: Mapping[str, str]
    left: bool
    """Whether it is what the filters left of it."""
    over: frozenset[int]
    """Turns of that which had been taken out."""


class _Choosing:
    """One run over numbers of conversations; each step is a method that takes some out."""

    def __init__(self, config: Config, facts: Facts, texts: Texts, refused: Set[str]) -> None:
        self._config, self._facts, self._texts, self._known = config, facts, texts, facts.known
        asked = (chat for chat, known in enumerate(facts.known) if known.user not in refused)
        self._left = sorted(asked, key=lambda chat: (facts.known[chat].time, facts.known[chat].name))
        self._gone: list[_Gone] = []
        self._sifted: list[int] = []
        self._over: dict[int, frozenset[int]] = {}
        """Of a conversation that is left, the turns over the cap of one answer."""

    def chosen(self) -> Chosen:
        users = frozenset(islice(dict.fromkeys(self._known[chat].user for chat in self._left), FEWEST_USERS))
        self._leave_continued()
        self._leave_refused()
        self._leave_copies()
        self._cap_same_answers()
        clean = Counter((self._known[chat].time[:10], self._known[chat].cell) for chat in self._left)
        over, note = over_the_mix([self._named(chat) for chat in self._left], self._config, most_of(self._config))
        gone = set(over)
        self._reject(dict.fromkeys((chat for chat in self._left if self._known[chat].name in gone), {"reason": MIX}))
        selection = Selection(map(self._record, self._left), self._before(users))
        return Chosen(selection, clean, len(self._sifted), note, self._rejected(), self._rejected_turns())

    def _named(self, chat: int) -> tuple[str, balance.Cell]:
        return self._known[chat].name, self._known[chat].cell

    def _reject(self, reasons: Mapping[int, Mapping[str, str]], left: bool = True) -> None:
        for chat in self._left:
            if chat in reasons:
                self._gone.append(_Gone(chat, reasons[chat], left, self._over.get(chat, frozenset())))
        self._left = [chat for chat in self._left if chat not in reasons]

    def _leave_continued(self) -> None:
        users: dict[str, list[int]] = defaultdict(list)
        for chat in self._left:
            users[self._known[chat].user].append(chat)
        goes_on: dict[int, Mapping[str, str]] = {}
        for chats in users.values():
            if len(chats) > 1 and (of := continued(self._known[chat].row() for chat in chats)):
                names = {self._known[chat].name: chat for chat in chats}
                goes_on |= {names[name]: {"reason": CONTINUED, "of": other} for name, other in of.items()}
        self._reject(goes_on, left=False)

    def _leave_refused(self) -> None:
        refused = {chat: {"reason": why} for chat in self._left if (why := self._known[chat].reason)}
        self._reject(refused, left=False)
        self._sifted = self._left

    def _leave_copies(self) -> None:
        dataset, known = self._config.dataset, self._known
        index = Index(
            dataset.near_duplicate_jaccard, self._facts.marks, self._texts.words, lambda chat: known[chat].name
        )
        copies = surplus_in(index, self._left, dataset.copies)
        self._reject({chat: {"reason": DUPLICATE, "of": known[of].name} for chat, of in copies.items()})

    def _cap_same_answers(self) -> None:
        """Of an answer to very many different questions some turns stay."""
        most = most_answers(sum(self._known[chat].left for chat in self._left), self._config.dataset)
        numbers = {self._known[chat].name: chat for chat in self._left}
        same = [Same("", [(self._known[chat].name, place) for chat, place in places]) for places in self._common(most)]
        over = {
            numbers[name]: frozenset(places)
            for name, places in surplus_of_answers(same, most, self._config.seed).items()
        }
        emptied = {chat for chat, places in over.items() if len(places) == self._known[chat].left}
        self._reject(dict.fromkeys(emptied, {"reason": SAME_ANSWER}))
        self._over = {chat: places for chat, places in over.items() if chat not in emptied}

    def _common(self, most: int) -> Iterator[list[tuple[int, int]]]:
        """Of each answer under more different questions than may be, the first turn with each of them, in order."""
        rank = np.full(len(self._known), -1)
        rank[self._left] = np.arange(len(self._left))
        chat, place, (answer, question) = (
            self._facts.answered.chat,
            self._facts.answered.place,
            self._facts.answered.keys.T,
        )
        asked = np.flatnonzero(rank[chat] >= 0)
        asked = asked[np.lexsort((place[asked], rank[chat[asked]], question[asked], answer[asked]))]
        answer, question = answer[asked], question[asked]
        fresh = np.ones(len(asked), dtype=bool)
        fresh[1:] = (answer[1:] != answer[:-1]) | (question[1:] != question[:-1])
        asked, answer = asked[fresh], answer[fresh]
        begins = np.flatnonzero(np.r_[True, answer[1:] != answer[:-1]]) if len(asked) else np.array([], dtype=int)
        for begin, end in zip(begins, [*begins[1:], len(asked)], strict=True):
            if end - begin > most:
                turns = sorted(asked[begin:end], key=lambda turn: (rank[chat[turn]], place[turn]))
                yield [(int(chat[turn]), int(place[turn])) for turn in turns]

    def _before(self, users: frozenset[str]) -> Before:
        of_rejected = (
            self._known[gone.chat].left - len(gone.over) if gone.left else self._known[gone.chat].turns
            for gone in self._gone
        )
        turns = Counter(why for chat in self._sifted for _, why in self._known[chat].dropped)
        if over := sum(map(len, self._over.values())):
            turns[SAME_ANSWER] += over
        return Before(Counter(gone.said["reason"] for gone in self._gone), sum(of_rejected), turns, users)

    def _record(self, chat: int) -> Record:
        """A conversation as it is left."""
        return _without(self._texts.left(chat), self._over.get(chat, frozenset()))

    def _rejected(self) -> Iterator[bytes]:
        for gone in self._gone:
            read = self._texts.left if gone.left else self._texts.whole
            yield orjson.dumps({**gone.said, **_without(read(gone.chat), gone.over)})

    def _rejected_turns(self) -> Iterator[bytes]:
        for chat in self._sifted:
            if dropped := self._known[chat].dropped:
                yield from turns_out_of(self._texts.whole(chat), dict(dropped))
        for chat in self._sifted:
            if over := self._over.get(chat):
                yield from turns_out_of(self._texts.left(chat), dict.fromkeys(over, SAME_ANSWER))


def _without(record: Record, places: Set[int]) -> Record:
    if not places:
        return record
    return with_turns(record, [turn for at, turn in enumerate(turns_of(record["messages"])) if at not in places])


def turns_out_of(record: Record, places: Mapping[int, str]) -> Iterator[bytes]:
    """The lines of turns that were taken out of a conversation, each with its reason."""
    turns = turns_of(record["messages"])
    about = {name: record[name] for name in ("conversation_id", "user", "timestamp")}
    for place in sorted(places):
        yield orjson.dumps({"reason": places[place], **about, "messages": list(turns[place].messages)})


def most_of(config: Config) -> int:
    """How many conversations can become examples."""
    return round(config.dataset.max_train_rows / config.dataset.splits.train)


def over_the_mix(examples: Sequence[tuple[str, balance.Cell]], config: Config, most: int) -> tuple[list[str], str]:
    """Of examples by name and cell, the names of those beyond the quota of their cell, drawn by a fixed shuffle, and
    what to say about the mix."""
    quotas, note = quotas_of(balance.cells([cell for _, cell in examples]), config, most)
    shuffled = sorted(examples, key=lambda each: draw(config.seed, each[0]))
    if quotas is None:
        return [name for name, _ in shuffled[most:]], note
    left, over = Counter(quotas), []
    for name, cell in shuffled:
        left[cell] -= 1
        if left[cell] < 0:
            over.append(name)
    return over, note


def quotas_of(
    counts: Mapping[balance.Cell, int], config: Config, most: int
) -> tuple[Mapping[balance.Cell, int] | None, str]:
    """How many of each cell stay, or None where `most` of all do; and what to say about the mix."""
    quotas, note = _mix(counts, config, most)
    others = {"none": "not asked for (dataset.balance=none)", "weights": "rare kinds are repeated in train"}
    return quotas, others.get(config.dataset.balance, note)


def _mix(
    counts: Mapping[balance.Cell, int], config: Config, most: int
) -> tuple[Mapping[balance.Cell, int] | None, str]:
    dataset, total = config.dataset, sum(counts.values())
    if not (dataset.targets.language and dataset.targets.category):
        return None, "dataset.targets asks for no mix"
    if dataset.balance == "subset":
        quotas = balance.quotas(counts, dataset.targets, most)
        kept = sum(quotas.values())
        if kept >= dataset.balance_min_share * min(total, most):
            return quotas, f"kept {kept} of {total} for the mix of dataset.targets"
    return None, f"no mix near the targets is possible without losing most of {total} examples: all kept"
