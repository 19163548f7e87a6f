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
from typing import Any

import orjson

from zantara_exp import clock
from zantara_exp.config.schema import Config
from zantara_exp.config.training import Judge
from zantara_exp.endpoints.base import Answer, Endpoint, Message, Reason
from zantara_exp.endpoints.build import build, check
from zantara_exp.errors import MissingRequirementError, ZantaraError
from zantara_exp.evaluation import rubric
from zantara_exp.evaluation.keyed import KeyedLines
from zantara_exp.evaluation.rubric import OVERALL, Pair
from zantara_exp.prices import price_of
from zantara_exp.stage import Context, Progress
from zantara_exp.usage import Usage

Opinion = dict[str, str]
"""Criterion -> candidate, primary or tie; and the `reason`."""

_GIVE_UP_AFTER = 10
"""Questions in a row that the endpoint failed to answer at all."""
_LONGEST_WAIT_SECONDS = 60.0


@dataclass
class Spent:
    """Tokens read and written by the judge in this run, as its server counted them."""

    questions: int = 0
    tokens_input: int = 0
    tokens_output: int = 0

    def add(self, answer: Answer) -> None:
        """Count one reply."""
        self.questions += 1
        self.tokens_input += answer.usage.read or 0
        self.tokens_output += answer.usage.output or 0


@dataclass
class Judged:
    """What the judge said. An order without a readable verdict is None."""

    pairs: list[tuple[Opinion | None, Opinion | None]] = field(default_factory=list)
    """Of candidate and primary: the candidate first, then second."""
    noise: list[tuple[Opinion | None, Opinion | None]] = field(default_factory=list)
    """Of the primary against itself."""
    spent: Spent = field(default_factory=Spent)


@dataclass(frozen=True)
class _Question:
    pair: Pair
    candidate_first: bool
    messages: list[Message]
    key: str


def check_judge(config: Config) -> None:
    """Raise before anything is scored what would keep the judge from working: a key or address that is not set."""
    if config.judge.name == "none":
        return
    try:
        check(config.judge.endpoint)
    except MissingRequirementError as error:
        raise MissingRequirementError(f"judge.{error.message}", error.hint) from error
    if not config.evaluation.generate_limit:
        raise ZantaraError(
            f"judge.name={config.judge.name} judges generated answers, and evaluation.generate_limit=0 generates none",
            "set evaluation.generate_limit to 100 or more, or judge=none",
        )


def judge_all(config: Config, context: Context, pairs: Sequence[Pair], noise: Sequence[Pair]) -> Judged:
    """Ask about every pair in both orders.

    Asks no more once the replies have cost `judge.max_usd`, those to repeated questions among them. Raises ZantaraError
    when the cost estimated before the first question exceeds it, or when the endpoint refuses the key.
    """
    store = KeyedLines(context.layout.state / "judge.jsonl")
    questions = [question for pair in [*pairs, *noise] for question in _both_orders(config.judge, pair)]
    open_ = list({q.key: q for q in questions if store.get(q.key) is None}.values())
    _tell_cost(config, context, len(pairs), len(noise), len(questions), open_)
    spent = Spent()
    if open_:
        with context.progress("judging", total=len(open_)) as progress:
            failure = asyncio.run(_ask_all(config, open_, store, spent, progress))
        if failure:
            context.say(
                f"judge: not every question was answered ({failure}); the same command again asks only what is missing"
            )
    said = [store.get(q.key) for q in questions]
    both = list(zip(said[::2], said[1::2], strict=True))
    return Judged(both[: len(pairs)], both[len(pairs) :], spent)


def _both_orders(judge: Judge, pair: Pair) -> list[_Question]:
    endpoint, found = judge.endpoint, []
    for candidate_first in (True, False):
        messages = rubric.question(pair, judge.criteria, candidate_first)
        asked: list[object] = [
            endpoint.kind,
            endpoint.base_url,
            endpoint.model,
            endpoint.max_tokens,
            endpoint.temperature,
        ]
        more = [endpoint.max_completion_tokens, endpoint.reasoning_effort, endpoint.thinking]
        asked += [more] if any(more) else []  # answers that were paid for are found again
        # The order is a part of the key: the primary against itself reads the same in both.
        content = orjson.dumps([*asked, candidate_first, messages])
        found.append(_Question(pair, candidate_first, messages, hashlib.sha256(content).hexdigest()))
    return found


def estimated_tokens(config: Config, questions: Sequence[Sequence[Message]]) -> tuple[int, int]:
    """Tokens that the judge will read, and may write at most, if each is asked once."""
    read = sum(len(m["content"]) for messages in questions for m in messages) / config.dataset.chars_per_token
    return round(read), len(questions) * config.judge.endpoint.longest_answer


def usd(config: Config, tokens_input: int, tokens_output: int) -> float | None:
    """What the judge's tokens cost today; None for a model that has no price."""
    price = price_of(config.judge.endpoint.model, config.cost, clock.now().date())
    return None if price is None else price.usd(Usage(tokens_input, output=tokens_output))


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
            f"lower judge.pairs={config.judge.pairs} or judge.noise_pairs, or raise judge.max_usd",
        )


async def _ask_all(
    config: Config, questions: Sequence[_Question], store: KeyedLines, spent: Spent, progress: Progress
) -> str:
    """Ask, until the endpoint fails too often in a row or the money is spent; returns why it stopped, or nothing."""
    judge = config.judge
    endpoint, room = build(judge.endpoint), asyncio.Semaphore(judge.endpoint.concurrency)
    unanswered, failed, over = 0, "", ""

    async def ask(question: _Question) -> None:
        nonlocal unanswered, failed, over
        async with room:
            if unanswered >= _GIVE_UP_AFTER:
                return
            if (usd(config, spent.tokens_input, spent.tokens_output) or 0.0) > judge.max_usd:
                over = f"judge.max_usd={judge.max_usd:g} is spent: raise it to ask on"
                return
            opinion, failure = await _opinion(judge, endpoint, question, spent)
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
        await endpoint.close()
    return over or failed


async def _opinion(judge: Judge, endpoint: Endpoint, question: _Question, spent: Spent) -> tuple[Opinion | None, str]:
    """A readable verdict or None, and why the endpoint did not answer at all; empty where it did."""
    talk, failure = list(question.messages), "no answer"
    for attempt in range(judge.attempts):
        answer = await endpoint.chat(talk)
        spent.add(answer)
        if answer.error is Reason.UNAUTHORIZED:
            raise ZantaraError(
                f"the judge's endpoint refuses every question: {answer.error}, {answer.detail}",
                "check the key that judge.endpoint.api_key_env names; or judge=none",
            )
        if answer.error is None:
            failure = ""
            opinion = rubric.read(answer.text, judge.criteria, question.candidate_first)
            if opinion is not None:
                return opinion, ""
            # Without sampling, the same question would get the same reply again.
            again = [Message(role="assistant", content=answer.text), Message(role="user", content=rubric.AGAIN)]
            talk = [*question.messages, *again]
            continue
        failure = failure and f"{answer.error}, {answer.detail}"
        if answer.error is Reason.BAD_REQUEST:
            break  # this question will not be taken, such as one that is too long for the model
        if attempt + 1 < judge.attempts:
            wait = answer.retry_after_s or judge.retry_seconds * 2**attempt
            await asyncio.sleep(min(wait, _LONGEST_WAIT_SECONDS))
    return None, failure


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
