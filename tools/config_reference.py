"""The config reference, `docs/config.md`, from the schema: run `scripts/reference` after changing a field."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

from zantara_exp.config import CONF
from zantara_exp.config.fields import default_of, doc_of, limits_of
from zantara_exp.config.schema import Config
from zantara_exp.config.validation import type_name, unwrapped

_HEAD = """\
# Config reference

Every key there is, from the schema (`scripts/reference` writes this page). Set one on the command line
(`trainer.learning_rate=1e-4`), or in a file of `--config-dir`. "Default" is what the schema holds; the options of a
config group in `conf/` say what differs from it, and `python -m zantara_exp --cfg job` shows what a command composes.
"""


def reference() -> str:
    """The page, as Markdown."""
    hints = get_type_hints(Config)
    own = [field for field in fields(Config) if not is_dataclass(hints[field.name])]
    lines = [_HEAD, "## Keys of no group", "", *_table(Config, {field.name for field in own})]
    for field in fields(Config):
        node = hints[field.name]
        if is_dataclass(node):
            options = sorted(path.stem for path in (CONF / field.name).glob("*.yaml"))
            lines += ["", f"## {field.name}", "", doc_of(field)]
            lines += [f"Options: {', '.join(f'`{field.name}={option}`' for option in options)}."] if options else []
            lines += ["", *_table(node)]
    return "\n".join(lines) + "\n"


def _table(node: Any, only: set[str] | None = None) -> list[str]:
    rows = [row for row in _rows(node, "") if only is None or row[0].strip("`") in only]
    return ["| key | default | valid | what it is |", "|---|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows)]


def _rows(node: Any, prefix: str) -> Iterator[tuple[str, str, str, str]]:
    hints = get_type_hints(node)
    for field in fields(node):
        key, plain = f"{prefix}{field.name}", unwrapped(hints[field.name])
        value = (get_args(plain) or (None, None))[-1]
        if is_dataclass(plain):
            yield from _rows(plain, f"{key}.")
        elif is_dataclass(value):
            yield f"`{key}.NAME`", "", "a group of keys", _cell(doc_of(field))
            yield from _rows(value, f"{key}.NAME.")
        else:
            valid = str(limits_of(field)) or type_name(hints[field.name])
            yield f"`{key}`", _default(default_of(field)), _cell(valid), _cell(doc_of(field))


def _default(value: object) -> str:
    if value is None or value == "":
        return ""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{_cell(text)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
