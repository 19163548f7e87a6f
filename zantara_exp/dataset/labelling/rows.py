"""The chats to label, drawn at random, and their labels: `labelled.jsonl` beside the raw conversations.

{"conversation_id": "...", "user": "...", "text": "...", "language": "en", "category": "...", "by": "ayu"}
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from zantara_exp.dataset.duplicates import draw
from zantara_exp.dataset.language import UNKNOWN
from zantara_exp.dataset.records import Record
from zantara_exp.io.whole_files import write_whole

UNSURE = "unsure"


@dataclass(frozen=True)
class Item:
    """One message of a user, with what came before it."""

    id: str
    """Of its conversation."""
    user: str
    text: str
    before: str
    language: str
    """As we would label it; `unknown` where we cannot tell."""


@dataclass(frozen=True)
class Label:
    """What somebody said of an item."""

    conversation_id: str
    user: str
    text: str
    language: str
    category: str
    by: str
    drawn: str = ""
    """UNSURE: it was asked because nothing told it well; any other word, or none: by chance."""


def drawn(conversations: Iterable[Record], size: int, seed: int) -> list[Item]:
    """The last question of `size` conversations at most, one per user, in an order that is chance.

    A simple random sample of users: what it shows of a share holds for all of them.
    """
    picked: dict[str, Record] = {}
    for record in sorted(conversations, key=lambda each: draw(seed, f"label:{each['conversation_id']}")):
        picked.setdefault(record["user"], record)
    found = sorted(picked.values(), key=lambda each: draw(seed, f"label user:{each['user']}"))
    return [item for record in found if (item := _item(record)) is not None][:size]


def _item(record: Record) -> Item | None:
    asked = [place for place, each in enumerate(record["messages"]) if each["role"] == "user"]
    if not asked:
        return None
    before = "\n".join(f"{each['role']}: {each['content']}" for each in record["messages"][: asked[-1]])
    text = record["messages"][asked[-1]]["content"]
    return Item(str(record["conversation_id"]), record["user"], text, before, record["metadata"]["language"])


def load(path: Path, empty: bool = False) -> dict[str, Label]:
    """What was said so far, by item; a line that is none is left out, and unless `empty` what nobody has filled in."""
    found = {}
    for line in path.read_bytes().splitlines() if path.is_file() else []:
        try:
            label = Label(**orjson.loads(line))
        except (ValueError, TypeError):
            continue
        if label.category or empty:
            found[label.conversation_id] = label
    return found


def keep(path: Path, labels: Mapping[str, Label]) -> None:
    """Write all of them; the file is whole at any time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(
        path, b"".join(orjson.dumps(asdict(each), option=orjson.OPT_APPEND_NEWLINE) for each in labels.values())
    )


def checked(
    body: object, items: Mapping[str, Item], categories: Sequence[str], languages: Sequence[str]
) -> Label | str:
    """An answer of the page as a label; the id of one that is taken back. Raises ValueError where it is neither."""
    if not isinstance(body, Mapping):
        raise ValueError("an answer is a JSON object")
    said = {name: body.get(name, "") for name in ("id", "language", "category", "by")}
    if not all(isinstance(each, str) for each in said.values()) or said["id"] not in items:
        raise ValueError("id, language, category and by are texts, and the id is one of the page's")
    if not said["category"]:
        return str(said["id"])
    if said["category"] not in categories:
        raise ValueError(f"category={said['category']!r}; valid are {', '.join(categories)}")
    if said["language"] not in (*languages, UNKNOWN):
        raise ValueError(f"language={said['language']!r}; valid are {', '.join(languages)}, {UNKNOWN}")
    item = items[said["id"]]
    return Label(item.id, item.user, item.text, said["language"], said["category"], said["by"].strip()[:40])
