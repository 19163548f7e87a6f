"""A model compares the candidate's answers with the primary's recorded ones, and the primary's with themselves.

Every pair is asked about in both orders. A preference counts where it holds in both; where the order decided, it is a
tie. What cannot be read after all attempts is missing evidence, never a tie. Verdicts are kept under `paths.state` by
what was asked of which model, so that a repeated or killed run pays only for what is new.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import orjson

from zantara_exp.config.schema import Config
from zantara_exp.config.training import Judge
from zantara_exp.core.errors import MissingRequirementError, ZantaraError
from zantara_exp.core.stage import Context, Progress
from zantara_exp.endpoints.base import Answer, Message, Reason
from zantara_exp.endpoints.build import build, check
from zantara_exp.evaluation import rubric
from zantara_exp.evaluation.judge_budget import Purse, Spent, estimated_tokens, usd
from zantara_exp.evaluation.result_cache import KeyedLines
from zantara_exp.evaluation.rubric import OVERALL, Pair

Opinion = dict[str, str]
"""Criterion -> candidate, primary or tie; and the `reason`."""

_GIVE_UP_AFTER = 10
"""Questions in a row that the endpoint failed to answer at all."""
_LONGEST_WAIT_SECONDS = 60.0


@dataclass
class Judged:
    """What the judge said. An order without a readable verdict is None."""

    pairs: list[tuple[Opinion | None, Opinion | None]] = field(default_factory=list)
    """Of candidate and primary: the candidate first, then second."""
    asked: list[bool] = field(default_factory=list)
    """Of each of these pairs whether both orders were put to the judge to the end; money or server may end before."""
    noise: list[tuple[Opinion | None, Opinion | None]] = field(default_factory=list)
    """Of the primary against itself."""
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True)
class _Question:
    pair: Pair
    candidate_first: bool
    messages: list[Message]
    key: str


def check_endpoint(config: Config) -> None:
    """Raise MissingRequirementError for a key or address of the judge that is not set."""
    try:
        check(config.judge.endpoint)
    except MissingRequirementError as error:
        raise MissingRequirementError(f"judge.{error.message}", error.hint) from error


def check_judge(config: Config) -> None:
    """Raise before anything is scored what would keep the judge from judging generated answers."""
    if config.judge.name == "none":
        return
    check_endpoint(config)
    if not config.evaluation.generate_limit:
        raise ZantaraError(
            f"judge.name={config.judge.name} judges generated answers, and evaluation.generate_limit=0 generates none",
            "set evaluation.generate_limit to 100 or more, or judge=none",
        )


def judge_all(config: Config, context: Context, pairs: Sequence[Pair], noise: Sequence[Pair]) -> Judged:
    """Ask about every pair in both orders.

    Asks no more once the replies have cost `judge.max_usd`, those to repeated questions among them, or those of all
    runs of the day `judge.max_usd_per_day`. Raises ZantaraError when the cost estimated before the first question
    exceeds the former, or when the endpoint refuses the key.
    """
    purse = Purse(config, context.layout.state / "judge_spent.jsonl")
    store = KeyedLines(context.layout.state / "judge.jsonl", [*config.judge.criteria, OVERALL, "reason"])
    questions = [question for pair in [*pairs, *noise] for question in _both_orders(config.judge, pair)]
    open_ = list({q.key: q for q in questions if store.get(q.key) is None}.values())
    _tell_cost(config, context, len(pairs), len(noise), len(questions), open_)
    spent, unread = purse.spent, set[str]()
    if open_:
        with context.progress("judging", total=len(open_)) as progress:
            failure = asyncio.run(_ask_all(config, open_, store, purse, progress, unread))
        if failure:
            context.say(
                f"judge: not every question was answered ({failure}); the same command again asks only what is missing"
            )
    said = [store.get(q.key) for q in questions]
    both = list(zip(said[::2], said[1::2], strict=True))
    put = [store.get(q.key) is not None or q.key in unread for q in questions[: 2 * len(pairs)]]
    asked = [one and other for one, other in zip(put[::2], put[1::2], strict=True)]
    return Judged(both[: len(pairs)], asked, both[len(pairs) :], spent)


def judge_id(judge: Judge) -> str:
    """16 hexadecimal digits over the judging model, its settings, and how it is asked."""
    example = rubric.question(Pair((), "a", "b"), judge.criteria, candidate_first=True)
    return hashlib.sha256(orjson.dumps([_model(judge), example])).hexdigest()[:16]


def _model(judge: Judge) -> list[object]:
    """What a judge's answers depend on, beside the question; answers that were paid for long ago are found by it."""
    at = judge.endpoint
    more = [at.max_completion_tokens, at.reasoning_effort, at.thinking]
    return [at.kind, at.base_url, at.model, at.max_tokens, at.temperature, *([more] if any(more) else [])]


def _both_orders(judge: Judge, pair: Pair) -> list[_Question]:
    found = []
    for candidate_first in (True, False):
        messages = rubric.question(pair, judge.criteria, candidate_first)
        # The order is a part of the key: the primary against itself reads the same in both.
        content = orjson.dumps([*_model(judge), candidate_first, messages])
        found.append(_Question(pair, candidate_first, messages, hashlib.sha256(content).hexdigest()))
    return found


def _tell_cost(
    config: Config, context: Context, pairs: int, noise: int, asked: int, open_: Sequence[_Question]
) -> None:
    tokens = estimated_tokens(config, [q.messages for q in open_])
    most, model = usd(config, *tokens), config.judge.endpoint.model
    known = f"; {asked - len(open_)} are known from an earlier run or alike" if len(open_) < asked else ""
    price = (
        "no price is known for it (cost.prices)"
        if most is None
        else f"USD {most:.2f} at most, if no question is repeated"
    )
    context.say(
        f"judge: {len(open_)} questions to {model} about {pairs} pairs, and {noise} of the primary against itself, in "
        f"both orders{known}: about {tokens[0]:,} tokens to read, {tokens[1]:,} to write at most; {price}"
    )
    if most is not None and most > config.judge.max_usd:
        raise ZantaraError(
            f"the judge may cost USD {most:.2f}, more than judge.max_usd={config.judge.max_usd:g}",
            f"lower {_pairs_key(config)} or judge.noise_pairs, or raise judge.max_usd",
        )


def _pairs_key(config: Config) -> str:
    """The key that says how many pairs this stage asks about, with its value."""
    if config.stage.name == "judge":
        return f"judge.log_pairs={config.judge.log_pairs}{'' if config.judge.log_pairs else ' (all)'}"
    return f"judge.pairs={config.judge.pairs}"


async def _ask_all(
    config: Config,
    questions: Sequence[_Question],
    store: KeyedLines,
    purse: Purse,
    progress: Progress,
    unread: set[str],
) -> str:
    """Ask, until the endpoint fails too often in a row or the money is spent; returns why it stopped, or nothing.

    Adds to `unread` the keys of questions that were put to the end and have no readable verdict.
    """
    judge = config.judge
    asked, room = _Asked(judge, purse), asyncio.Semaphore(judge.endpoint.concurrency)
    unanswered, failed, over = 0, "", ""

    async def ask(question: _Question) -> None:
        nonlocal unanswered, failed, over
        async with room:
            if unanswered >= _GIVE_UP_AFTER:
                return
            if over := purse.empty():
                return
            opinion, failure, is_final = await _opinion(judge, asked, question)
        if opinion is None and is_final:
            unread.add(question.key)
        unanswered, failed = (unanswered + 1, f"last: {failure}; see judge.endpoint") if failure else (0, failed)
        if opinion is not None:
            store.put({question.key: opinion})
        progress.advance(1)

    try:
        async with asyncio.TaskGroup() as group:
            for question in questions:
                group.create_task(ask(question))
    except* ZantaraError as refused:
        raise refused.exceptions[0] from None
    finally:
        await asked.close()
    return over or failed


class _Asked:
    """The judge's endpoint, paid from the purse; a server that refuses the verdict's schema is asked without it."""

    def __init__(self, judge: Judge, purse: Purse) -> None:
        schema = rubric.schema(judge.criteria) if judge.structured else None
        self._purse = purse
        self._ways = [build(judge.endpoint, answer_schema=schema), *([build(judge.endpoint)] if schema else [])]
        self._kept_to_schema = False

    async def chat(self, talk: Sequence[Message]) -> Answer:
        for way in list(self._ways):
            answer = await way.chat(talk)
            self._purse.pay(answer)
            if answer.error is None and way is self._ways[0]:
                self._kept_to_schema = True
            if answer.error is not Reason.BAD_REQUEST or self._kept_to_schema:
                break
        return answer

    async def close(self) -> None:
        for way in self._ways:
            await way.close()


class _Said(NamedTuple):
    opinion: Opinion | None
    failure: str
    """Why the endpoint did not answer at all; empty where it did."""
    is_final: bool
    """Whether the same question would get no other answer: it was answered, or will not be taken."""


async def _opinion(judge: Judge, asked: _Asked, question: _Question) -> _Said:
    talk, failure = list(question.messages), "no answer"
    for attempt in range(judge.attempts):
        answer = await asked.chat(talk)
        if answer.error is Reason.UNAUTHORIZED:
            raise ZantaraError(
                f"the judge's endpoint refuses every question: {answer.error}, {answer.detail}",
                "check the key that judge.endpoint.api_key_env names; or judge=none",
            )
        if answer.error is None:
            failure = ""
            opinion = rubric.read(answer.text, judge.criteria, question.candidate_first)
            if opinion is not None:
                return _Said(opinion, "", is_final=True)
            # Without sampling, the same question would get the same reply again.
            again = [Message(role="assistant", content=answer.text), Message(role="user", content=rubric.AGAIN)]
            talk = [*question.messages, *again]
            continue
        failure = failure and f"{answer.error}, {answer.detail}"
        if answer.error is Reason.BAD_REQUEST:
            return _Said(None, failure, is_final=True)  # it will not be taken, such as one that is too long
        if attempt + 1 < judge.attempts:
            wait = answer.retry_after_s or judge.retry_seconds * 2**attempt
            await asyncio.sleep(min(wait, _LONGEST_WAIT_SECONDS))
    return _Said(None, failure, is_final=not failure)


def combined(orders: tuple[Opinion | None, Opinion | None]) -> Opinion | None:
    """Per criterion what holds in both orders, with both reasons; None where an order has no verdict."""
    one, other = orders
    if one is None or other is None:
        return None
    found = {name: rubric.agreed(one[name], other[name]) for name in one if name != "reason"}
    return found | {"reason": f"{one['reason']} | {other['reason']}"}


def row_of(orders: tuple[Opinion | None, Opinion | None]) -> dict[str, Any]:
    """What evaluation.jsonl keeps of a judged pair; without a verdict no measure, so that none is counted."""
    opinion = combined(orders)
    if opinion is None:
        return {"judge": None}
    at_least, won = opinion[OVERALL] != rubric.PRIMARY, opinion[OVERALL] == rubric.CANDIDATE
    return {"judge": opinion, "judged_equivalent": at_least, "judged_better": won}


def summary_of(config: Config, judged: Judged) -> dict[str, Any]:
    """The judge's part of evaluation.json."""
    opinions = [combined(orders) for orders in judged.pairs]
    noise = [combined(orders) for orders in judged.noise]
    return {
        "model": config.judge.endpoint.model,
        "pairs": len(opinions),
        "missing": sum(opinion is None for opinion in opinions),
        "by_criterion": {name: _counts(opinions, name) for name in [*config.judge.criteria, OVERALL]},
        "order_decided": _order_decided(judged.pairs),
        "noise_floor": {
            "pairs": len(noise),
            "missing": sum(opinion is None for opinion in noise),
            "not_a_tie": sum(opinion is not None and opinion[OVERALL] != rubric.TIE for opinion in noise),
            "order_decided": _order_decided(judged.noise),
            "single_preferences": sum(said[OVERALL] != rubric.TIE for both in judged.noise for said in both if said),
        },
        **asdict(judged.spent),
        "usd": usd(config, judged.spent.tokens_input, judged.spent.tokens_output),
    }


def _counts(opinions: Sequence[Mapping[str, str] | None], name: str) -> dict[str, int]:
    said = [opinion[name] for opinion in opinions if opinion is not None]
    return {side: said.count(side) for side in (rubric.CANDIDATE, rubric.TIE, rubric.PRIMARY)}


def _order_decided(pairs: Sequence[tuple[Opinion | None, Opinion | None]]) -> int:
    """Pairs whose overall preference changed with the order."""
    return sum(one is not None and other is not None and one[OVERALL] != other[OVERALL] for one, other in pairs)
