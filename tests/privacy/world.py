"""A team's folder with everything in it that holds chats, written by the code that writes it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.composing import composed
from tests.dataset.support import context_of
from tests.rollout.support import append_to
from zantara_exp.config import Config
from zantara_exp.core.layout import Layout
from zantara_exp.cost.usage import Usage
from zantara_exp.dataset.extract import extract
from zantara_exp.dataset.prepare import prepare
from zantara_exp.dataset.user_hash import hash_user
from zantara_exp.io.events import COMPARISONS, day_file
from zantara_exp.io.lines import append_lines
from zantara_exp.review.labels import Label, rewrite
from zantara_exp.review.sample import Sample, blinded, save
from zantara_exp.review.sheet import sheet
from zantara_exp.rollout.served import Served
from zantara_exp.shadow.record import Comparison, Sampling, Side, to_line
from zantara_exp.tracking import About, open_run
from zantara_exp.tracking._journal import Journal

KEY = "0123456789abcdef0123456789abcdef"
GONE = "product-user-07"
CANARY = "Canary: my grandmother's surname is Quetzalcoatlus and the shop stands in Ubud"
"""What only the user to be forgotten says; part of every text of his."""
USERS = [f"product-user-{number:02d}" for number in range(30)]
DAY = datetime(2025, 10, 20, 9, tzinfo=UTC)


def hashed(user: str, key: str = KEY) -> str:
    return hash_user(user, key.encode())


def settings(*overrides: str) -> Config:
    return composed("source=jsonl", "source.path=chats.jsonl", "source.models=[]", "dataset.balance=none", *overrides)


def said(user: str, turn: int) -> str:
    """A text of the user's own; no two are near duplicates."""
    own = CANARY if user == GONE else "I would like to open a restaurant"
    words = " ".join(hashed(f"{user}{turn}{place}") for place in range(20))
    return f"Hello, {own}; what about the visa, since {words}?"


def chats(path: Path) -> None:
    lines = []
    for user in USERS:
        for turn in range(3):
            moment = DAY + timedelta(days=turn, minutes=int(user[-2:]))
            answer = f"You need permit {turn} of class {hashed(user)[5:9]}; the office opens at nine in the morning."
            messages = [
                {"role": "user", "content": said(user, turn)},
                {"role": "assistant", "content": answer},
            ]
            facts = {"model": "claude-3-5-haiku", "language": "en"}
            lines.append(
                {
                    "id": f"conversation-{user[-2:]}-{turn}",
                    "user_id": user,
                    "session_id": f"session-{user}",
                    "created_at": moment.isoformat(),
                    "messages": messages,
                    "metadata": facts,
                }
            )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def comparison(user: str, turn: int, dropped: dict[str, int] | None = None) -> Comparison:
    text = said(user, turn)
    return Comparison(
        comparison_id=f"{user[-2:]}{turn}".rjust(32, "c"),
        request_id=f"r-{user[-2:]}-{turn}",
        conversation_id=f"conversation-{user[-2:]}-{turn}",
        epoch="e1",
        arm="candidate",
        timestamp=DAY + timedelta(days=turn),
        messages=[{"role": "system", "content": "You are ZANTARA."}, {"role": "user", "content": text}],
        user=hashed(user),
        query=text,
        category="casual",
        language="en",
        primary=Side(f"Yes: {text}", "haiku", "replay", Usage(10, output=3), 800.0),
        candidate=Side(f"Sure: {text}", "tiny", "local", Usage(9, output=4), 120.5),
        sampling=Sampling(100.0, "user_hash"),
        dropped=dropped or {},
    )


def served(user: str, turn: int) -> Served:
    moment = DAY + timedelta(days=turn)
    return Served(
        moment, f"r-{user[-2:]}-{turn}", hashed(user), "casual", "en", "e1", 10.0, "candidate", "candidate", None, None,
        120.0, 30.0, 120.0, "tiny", 9, 4, f"conversation-{user[-2:]}-{turn}",
    )  # fmt: skip


def logs(layout: Layout) -> None:
    for turn in range(3):
        day = (DAY + timedelta(days=turn)).date().isoformat()
        lost = {"queue_full": 4} if turn == 1 else {}
        lines = [to_line(comparison(user, turn, lost if user == GONE else None)) for user in USERS]
        append_lines(day_file(layout.logs, COMPARISONS, day), lines)
        complaint = {"timestamp": f"{day}T10:00:00Z", "user_id": GONE}
        append_lines(layout.logs / f"complaints_{day}.jsonl", [json.dumps(complaint).encode() + b"\n"])
    old = {"timestamp": "2025-10-20T08:00:00", "user_id": GONE, "query": CANARY, "claude": {}, "llama": {}}
    torn = json.dumps(old).encode()[:-20] + b"\n"
    append_lines(day_file(layout.logs, COMPARISONS, "2025-10-20"), [json.dumps(old).encode() + b"\n", torn])
    append_to(layout.logs, [served(user, 0) for user in USERS])


def review(layout: Layout) -> Sample:
    rows = [
        {
            "comparison_id": found.comparison_id,
            "language": "en",
            "category": "casual",
            "messages": json.dumps([*found.messages]),
            "query": found.query,
            "primary_response": found.primary.response,
            "candidate_response": found.candidate.response,
        }
        for found in (comparison(user, 0) for user in USERS[:10])
    ]
    sample = Sample("e1", "2025-10-22", 7, 10, blinded(rows, 7))
    save(sample, layout.review_sample)
    layout.reports.mkdir(parents=True, exist_ok=True)
    layout.review_sheet.write_text(sheet(sample, ["natural"]), encoding="utf-8-sig", newline="")
    comment = {8: f"he says {CANARY}"}
    marks = [
        Label(sample.hash, i.number, i.comparison_id, "ayu", "worse", i.number == 8, {}, comment.get(i.number, ""))
        for i in sample.items
    ]
    rewrite(layout.review_labels, marks)
    judged = {"judge": "j1", "epoch": "e1", "verdict": "worse"}
    calls = [
        {**judged, "comparison_id": row["comparison_id"], "user": hashed(user)}
        for row, user in zip(rows, USERS, strict=False)
    ]
    layout.judged.write_text("".join(json.dumps(call) + "\n" for call in calls))
    return sample


def pages(config: Config, layout: Layout) -> str:
    """Pages with the user in them, on disk and in MLflow; the id of the run."""
    page = layout.reports / "report.html"
    page.write_text(f"<html><p>{CANARY.replace(chr(39), '&#39;')}</p></html>")
    other = layout.reports / "week.html"
    other.write_text("<html><p>nobody</p></html>")
    layout.incidents.write_text(
        json.dumps({"day": "2025-10-21", "kind": "blocking_error", "note": f"{GONE} saw an error"}) + "\n"
    )
    with open_run(config.tracking, layout, About("report", {"stage": "report"})) as run:
        for path in (page, other, layout.review_sheet, layout.review_labels, layout.splits):
            run.artifact(path)
    journal = Journal.new(layout.state / "pending")  # of a run that MLflow did not take
    journal.append({"op": "start", "name": "review", "time": 0, "tags": {}, "parent": None, "parent_run": None})
    journal.append({"op": "traces", "group": "review:x", "traces": [{"key": "1", "inputs": {"question": CANARY}}]})
    journal.append({"op": "artifact", "path": str(journal.keep(page)), "folder": ""})
    journal.close(delete=False)
    return run.run_id


def dataset(config: Config) -> None:
    """The dataset alone."""
    chats(Path("chats.jsonl"))
    extract(config, context_of(config))
    prepare(config, context_of(config))


def build(config: Config) -> tuple[Sample, str]:
    """All of it, in the working directory; the sample, and the run whose artifacts hold chats."""
    dataset(config)
    layout = Layout(config)
    logs(layout)
    sample = review(layout)
    return sample, pages(config, layout)


def traces(folder: Path, *words: str) -> list[str]:
    """Files that hold one of the words, wherever they are; the source itself and the list of refused users apart."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and path.name not in ("chats.jsonl", "ids.txt", "forgotten.json"):
            content = path.read_bytes()
            found += [f"{path.relative_to(folder)}: {word}" for word in words if word.encode() in content]
    return sorted(found)
