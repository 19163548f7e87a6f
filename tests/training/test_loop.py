"""The loop closes: what a judge found worse in the log trains the next model, which is evaluated and says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from tests.evaluation.judging import judge as judge_server
from tests.evaluation.judging import verdict
from tests.training.chats import write_splits
from tests.training.support import context_for, tiny_config
from zantara_exp.config import compose
from zantara_exp.core.layout import Layout
from zantara_exp.evaluation.judge_log import judge
from zantara_exp.evaluation.stage import evaluate
from zantara_exp.review.next_candidate import following
from zantara_exp.training.data import read_split
from zantara_exp.training.stage import train

LAZY = "Non lo so."


def compared(at: Layout, users: int) -> list[dict[str, Any]]:
    """Comparisons in which the candidate says nothing, of users of whom every sixth is in test."""
    lines = logs.write(at.logs / "drawn", logs.Plan(days=1, per_day=400, users=users, success=1.0, heavy=0.0))
    firsts = list({line["user"]: line for line in lines if line["category"] in ("greeting", "casual")}.values())
    chats = read_split(at.train)
    for number, line in enumerate(firsts):
        chat = chats[number % len(chats)]
        line |= {"messages": [dict(turn) for turn in chat.prompt], "query": chat.question, "language": chat.language}
        line["primary"]["response"], line["candidate"]["response"] = chat.answer, LAZY
    for path in (at.logs / "drawn").iterdir():
        (at.logs / path.name).write_text("".join(json.dumps(line) + "\n" for line in firsts))
    placed = {line["user"]: "test" if n % 6 == 0 else "train" for n, line in enumerate(firsts)}
    at.splits.write_text(json.dumps({"version": 1, "users": placed}))
    return firsts


@pytest.mark.slow
def test_from_a_judges_word_to_the_next_model(workdir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    write_splits(workdir / "data", 96, 24)
    first = tiny_config(workdir)
    train(first, context_for(first, workdir)[0])
    config, made = compose(["judge.log_pairs=0", "gate.traffic.simulations=200"]), tiny_config(workdir)
    config.paths, config.model, config.trainer = made.paths, made.model, made.trainer
    config.paths.logs, config.evaluation.generate_limit = str(workdir / "logs"), 8
    at = Layout(config)
    firsts = compared(at, 120)
    with judge_server(config, lambda seen, _: verdict("tie" if seen["A"] == seen["B"] else _better(seen))):
        judge(config, context_for(config, workdir)[0])
    found = following(config, context_for(config, workdir)[0])
    assert "trainer=dpo" in found.next_command

    config.model.kind, config.model.base, config.model.chat_template = "pretrained", str(at.model), "own"
    config.model.output, config.trainer.method, config.trainer.learning_rate = "zantara-tiny-v2", "dpo", 1e-3
    context, record = context_for(config, workdir)
    result = train(config, context)
    margins = record.curve("eval/rewards/margins")
    assert margins[-1][1] > 0
    evaluate(config, context)
    card = (Layout(config).model / "README.md").read_text()
    taught = {line["user"] for n, line in enumerate(firsts) if n % 6}
    assert f"{len(taught)} pairs of {len(taught)} users" in card
    assert "| found worse by | judge |" in card
    assert "| all | 24 |" in card
    assert json.loads(at.train_summary.read_text())["epoch"][:12] in card
    assert result.summary["preferences"]


def _better(seen: dict[str, Any]) -> str:
    return "B" if seen["A"] == LAZY else "A"
