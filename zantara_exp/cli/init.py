"""`zantara-exp init DIR`: a folder of one's own config groups to start from.

    zantara-exp init conf-ours                                       asks, where somebody sits at a terminal
    zantara-exp init conf-ours --languages de,fr --categories smalltalk,orders --moves smalltalk
    zantara-exp init conf-ours --from-database                       looks at DATABASE_URL first

Its files have the names of shipped ones and win over them with `--config-dir DIR`; `experiment=ours` chooses them.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from shlex import quote
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from zantara_exp.config import CONF, compose
from zantara_exp.config.data import COUNTRIES, Columns, Dataset
from zantara_exp.config.domain import CATEGORY, CATEGORY_SAID
from zantara_exp.config.fields import default_of, doc_of
from zantara_exp.config.languages import mistaken
from zantara_exp.core import terminal
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.next_command import command, start
from zantara_exp.core.stage import OK, Table
from zantara_exp.dataset.messages import USUAL_KEYS
from zantara_exp.dataset.personal.spoken_in import left_in
from zantara_exp.guess import Found, look

_COPIED = {
    "dataset/default.yaml": "what is filtered, how it is split",
    "model/llama8b.yaml": "what is fine-tuned, and the hub's name for it",
    "endpoint/runpod.yaml": "where the candidate is served",
    "cost/usage.yaml": "prices, the flat fee, requests a month",
    "gate/go_no_go.yaml": "what must be shown for GO",
}
_EXPERIMENT = """\
# @package _global_
# Your experiment: what stands for the shipped defaults. Secrets stay in the environment: DATABASE_URL,
# ZANTARA_HASH_KEY, RUNPOD_ENDPOINT, RUNPOD_API_KEY, and the key of the model that answers today.
#   {extract}
#   {check}
# yaml-language-server: $schema=../schemas/experiment.json
defaults:
  - override /domain: ours
  - override /source: postgres
  - override /model: llama8b
  - override /trainer: unsloth
  - override /primary: {primary}
  - override /endpoint: runpod
"""
_SHIPPED_HUB = "balizero/zantara-llama-3.1-8b-v2"
_SOURCE = """
# Which table, and where it keeps each fact: a column, a JSON path such as `metadata.model`, or "" for nothing.
table: {table}
columns:
{columns}
where: {where}   # a condition that leaves rows out, such as "deleted_at is null"
# The product's own names of who speaks, beside the usual ones (user, customer, assistant, bot, system ...).
roles:
  user: {user}
  assistant: {assistant}
  system: {system}
  key: {key}        # within a message: who speaks, where it is none of role, from, sender, author
  text_key: {text_key}   # and the text, where it is none of content, text, parts, value, message
# How many days back from the newest conversation, at most how many, answered by which models ([] keeps all).
days: 30
limit: 5000
models: []
"""
_DOMAIN = """\
# Your product: its languages, kinds of chats, what may move, what its answers are held to. docs/domain.md says more.
#   {analyze}
# yaml-language-server: $schema=../schemas/domain.json
name: {name}
system_prompt: {prompt}

# ISO 639-1 codes. `words`: some 30 frequent words of this language and of no other here; they decide short texts.
languages:
{languages}
neighbours: [{neighbours}]   # languages of nobody here that could be taken for one of these

# The lightest first: a chat counts as the weightiest of its messages. Regular expressions, matched from word boundary
# to word boundary, case ignored. What no pattern matches is `otherwise`, and stays with the primary. `other_words`: how
# many words a text has besides a pattern, at most, to be of that kind.
{words}categories:
{categories}
otherwise: {otherwise}
# NAME of domain/examples/NAME.jsonl, lines of {{"text": "...", "category": "..."}}, of what stays as well. Until there
# are some, only a text moves that patterns of `moves` cover word by word. stage=label makes examples.
examples: null
moves: [{moves}]   # what a rollout may move; all others stay with the primary, whatever it says

mix:   # shares of the chats that a model is to be trained on; {{}} asks for none
  language: {{}}
  category: {{}}

countries: [{countries}]   # whose identity, tax and bank numbers and addresses are redacted; all that there are
report_language: en   # or it: what the report is written in
openings: []           # words that open a chat, and may not stand in one answer three times
no_contacts: [{moves}]   # where no answer may push a telephone number or an address on a user
contact_patterns: ['whats ?app']   # your own; telephone numbers, addresses and links are known
error_patterns: ['an? (?:internal )?error (?:has )?occurred|internal (?:server )?error', 'rate limit exceeded']
leak_patterns: ['system prompt', '\\[(?:context|source|kb|document)[^\\]]{{0,40}}\\]']
rubric:
  natural: Reads as a native speaker of the question's language would write it.
  helpful: Answers what was asked, completely and without contradicting the chat.
critical: a promise that the product does not keep
"""
_NEIGHBOURS = {
    "da": "no sv nl de", "de": "nl lb da", "en": "de nl fr", "es": "pt gl ca it", "fr": "it es ca oc", "id": "ms jv tl",
    "it": "es pt fr ca oc ro", "ms": "id jv tl", "nl": "de af da", "no": "da sv", "pl": "cs sk", "pt": "es gl it",
    "ro": "it es fr", "ru": "uk bg be", "sv": "no da", "uk": "ru be",
}  # fmt: skip
"""What is often taken for a language."""
_LISTS = ("languages", "categories", "moves")
_ROLES = ("user", "assistant", "system")
_YAML_WORDS = frozenset(["yes", "no", "on", "off", "y", "n", "true", "false", "null"])
"""What YAML takes for a boolean, a null or a number."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ZantaraError(f"init: {message}", hint=f"{start()} --help")


def init(arguments: Sequence[str]) -> int:
    """Write the folder that `arguments` name. Raises ZantaraError rather than replace a file."""
    said = _parsed(arguments)
    folder = Path(said.folder)
    found = look(said.table) if said.from_database else None
    if found is not None:
        _show(found)
    _ask(said, found)
    texts = _texts(said, found, folder)
    there = [name for name in texts if (folder / name).exists()]
    if there:
        raise ZantaraError(
            f"{folder} holds {', '.join(there)} already, and init replaces nothing", hint=f"ls {quote(str(folder))}"
        )
    _require_that_it_loads(texts, said)
    _write(texts, folder)
    about = {"domain/ours.yaml": "your product: languages, categories, what may move, the prompt"}
    about |= {"source/postgres.yaml": "your database", **_COPIED, "experiment/ours.yaml": "which of these are chosen"}
    about |= {"schemas/": "for editors with the YAML language server: keys are completed, mistakes marked"}
    terminal.show(Table(f"wrote {folder}", [], [[name, about[name]] for name in about]))
    terminal.say(
        "Without domain.examples only a text moves that patterns of what moves cover word by word; "
        "stage=label makes examples (docs/domain.md)."
    )
    if left := left_in(Dataset(languages=said.languages, countries=sorted(COUNTRIES))):
        terminal.say(f"Personal data: {left}.")
    terminal.say(f"next: {_ours(folder, 'stage=doctor')}")
    return OK


def _write(texts: Mapping[str, str], folder: Path) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _require_that_it_loads(texts: Mapping[str, str], said: argparse.Namespace) -> None:
    """Raises ZantaraError where the folder would not load, or would hold something else than what was said."""
    with TemporaryDirectory() as tried:
        _write(texts, Path(tried))
        try:
            config = compose(["experiment=ours"], tried)
        except ZantaraError as error:
            raise ZantaraError(
                f"init: what would be written does not load, so nothing is: {error}", f"{start()} --help"
            ) from None
    read = {
        "--prompt": config.dataset.system_prompt == said.prompt,
        "--languages": config.dataset.languages == said.languages,
        "--categories": list(config.domain.categories) == said.categories,
        "--moves": config.domain.moves == said.moves,
    }
    if other := [name for name, same in read.items() if not same]:
        raise ZantaraError(
            f"init: YAML would read {', '.join(other)} as something else, so nothing is written",
            "say it more plainly, and write the rest into domain/ours.yaml by hand",
        )


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="zantara-exp init", description="Write a folder of your own config, and replace nothing.")
    parser.add_argument("folder", help="the folder to write, such as conf-ours")
    parser.add_argument("--languages", help="ISO 639-1 codes, such as de,fr")
    parser.add_argument("--categories", help="kinds of chats, the lightest first, such as smalltalk,orders")
    parser.add_argument("--moves", help="those of them that a rollout may move")
    parser.add_argument("--primary", help=f"the model that answers today: {', '.join(_primaries())}")
    parser.add_argument("--prompt", help="the product's system prompt")
    parser.add_argument("--from-database", action="store_true", help="look at the database of DATABASE_URL first")
    parser.add_argument("--table", default="", help="with --from-database: the table that holds the chats")
    return parser.parse_args(list(arguments))


def _ask(said: argparse.Namespace, found: Found | None) -> None:
    """Fill in what was not given: by asking, where somebody sits at a terminal, or by what is likely; and check it.

    What is answered wrongly is asked again; raises ZantaraError with all that was given wrongly.
    """
    likely = {
        "languages": ",".join(found.languages) if found and found.languages else "en",
        "categories": "smalltalk,other",
        "moves": "smalltalk",
        "primary": "anthropic",
        "prompt": "You are a helpful assistant.",
    }
    given = [name for name in likely if getattr(said, name) is not None]
    asks = not given and sys.stdin.isatty() and sys.stdout.isatty()
    problems: list[str] = []
    for name, default in likely.items():
        if name == "moves" and said.categories:
            default = said.categories[0]
        while True:
            told = (
                getattr(said, name) if name in given else (_answer(f"{name} [{default}]: ") if asks else "") or default
            )
            value = _list(told) if name in _LISTS else _lines(told)
            wrong = list(_CHECKS[name](value, said))
            if not wrong or not asks:
                break
            terminal.say("; ".join(wrong))
        setattr(said, name, value)
        problems += wrong
    if problems:
        raise ZantaraError("init: " + "; ".join(problems), hint=f"{start()} --help")


def _answer(question: str) -> str:
    try:
        return input(question).strip()
    except EOFError:
        raise ZantaraError("init: the answers ended, and nothing is written", hint=f"{start()} --help") from None


def _wrong_languages(languages: Sequence[str], _: argparse.Namespace) -> Iterator[str]:
    if not languages:
        yield "--languages: name one at least, such as de,fr"
    for each in languages:
        if what := mistaken(each):
            yield f"--languages={each}: {what}"


def _wrong_categories(categories: Sequence[str], _: argparse.Namespace) -> Iterator[str]:
    if len(categories) < 2:
        yield "--categories: name two at least: what may move, and what stays with the primary"
    for each in categories:
        if not CATEGORY.fullmatch(each):
            yield f"--categories={each}: {CATEGORY_SAID}"
        elif each in _YAML_WORDS:
            yield f"--categories={each}: YAML reads this as no word; take another name, such as {each}_chats"


def _wrong_moves(moves: Sequence[str], said: argparse.Namespace) -> Iterator[str]:
    if not moves:
        yield f"--moves: name one at least (valid: {', '.join(said.categories)})"
    for each in moves:
        if each not in said.categories:
            yield f"--moves={each}: not among --categories ({', '.join(said.categories)})"
    if moves and set(moves) >= set(said.categories):
        yield "--moves: names all categories; one at least has to stay with the primary, for what is not sure"


def _wrong_primary(primary: str, _: argparse.Namespace) -> Iterator[str]:
    if primary not in _primaries():
        yield f"--primary={primary}: no such primary (valid: {', '.join(_primaries())})"


def _wrong_prompt(prompt: str, _: argparse.Namespace) -> Iterator[str]:
    if not prompt:
        yield "--prompt: say something, such as 'You are a helpful assistant.'"


_CHECKS: Mapping[str, Callable[[Any, argparse.Namespace], Iterator[str]]] = {
    "languages": _wrong_languages,
    "categories": _wrong_categories,
    "moves": _wrong_moves,
    "primary": _wrong_primary,
    "prompt": _wrong_prompt,
}


def _primaries() -> list[str]:
    """Those that are shipped: the folder that is to be written has none."""
    return sorted(path.stem for path in (CONF / "primary").glob("*.yaml"))


def _lines(text: str) -> str:
    """The same text without white space around it and at the ends of its lines, which YAML would not keep."""
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _list(text: str) -> list[str]:
    return list(dict.fromkeys(each.strip() for each in text.split(",") if each.strip()))


def _show(found: Found) -> None:
    by_message = ("role", "content", "position")
    left = ("messages",) if found.by_message else by_message
    rows = [[name, column or '""   (none found)'] for name, column in found.columns.items() if name not in left]
    speech = found.speech
    keys = [f"by {speech.keys.role}, what they say by {speech.keys.text}"] if speech.keys.role else []
    said = "; ".join([*(f"{name} is the {role}" for name, role in speech.roles.items()), *keys])
    rows += [["roles", said]] if said else []
    rows += [["where", found.where]] if found.where else []
    are = f"{found.chats} of the newest {found.rows} rows are chats"
    if found.by_message:
        are = f"one row per message, {found.chats} chats in the newest {found.rows} rows"
    terminal.show(Table(f"table {found.table}: {are}; guessed, so read it", [], rows))
    terminal.say(f"columns not used: {', '.join(found.unused) or 'none'}")
    shares = ", ".join(f"{name} {share:.0%}" for name, share in found.languages.items()) or "too short to tell"
    terminal.say(f"languages: {shares}")
    none = "none that five users share"
    if not found.columns["user"]:
        none = (
            "not shown: no column was found that names the users; map source.columns.user, or make a view that joins it"
        )
    terminal.say(f"words of many users, for patterns: {', '.join(found.words) or none}")


def _texts(said: argparse.Namespace, found: Found | None, folder: Path) -> dict[str, str]:
    texts = {name: (CONF / name).read_text(encoding="utf-8") for name in _COPIED}
    texts |= {f"schemas/{path.name}": path.read_text(encoding="utf-8") for path in (CONF / "schemas").glob("*.json")}
    hub = f"your-org/{re.sub(r'[^a-z0-9]+', '-', _product(folder).lower()).strip('-') or 'ours'}-llama-3.1-8b"
    for name in ("model/llama8b.yaml", "endpoint/runpod.yaml"):
        texts[name] = texts[name].replace(_SHIPPED_HUB, hub)
    texts["source/postgres.yaml"] = (CONF / "source/postgres.yaml").read_text(encoding="utf-8") + _source(found)
    texts["domain/ours.yaml"] = _domain(said, found, folder)
    texts["experiment/ours.yaml"] = _EXPERIMENT.format(
        extract=_ours(folder, "stage=extract", "source.stats_only=true"),
        check=_ours(folder, "stage=check"),
        primary=said.primary,
    )
    return texts


def _product(folder: Path) -> str:
    return folder.name.removeprefix("conf-") or "ours"


def _domain(said: argparse.Namespace, found: Found | None, folder: Path) -> str:
    near = (each for code in said.languages for each in _NEIGHBOURS.get(code, "").split())
    stay = [each for each in said.categories if each not in said.moves]
    words = f"# Words of many users: {', '.join(found.words)}\n" if found and found.words else ""
    return _DOMAIN.format(
        analyze=_ours(folder, "stage=analyze"),
        name=json.dumps(_product(folder), ensure_ascii=False),
        prompt=_block(said.prompt),
        languages="\n".join(f'  "{code}": {{name: "", words: []}}' for code in said.languages),
        neighbours=", ".join(f'"{each}"' for each in dict.fromkeys(near) if each not in said.languages),
        words=words,
        categories="\n".join(_category(name, name in said.moves) for name in said.categories),
        countries=", ".join(sorted(COUNTRIES)),
        otherwise=stay[-1],
        moves=", ".join(said.moves),
    )


def _category(name: str, moves: bool) -> str:
    return f"  {name}:\n" + "    other_words: 6\n" * moves + "    patterns: []"


def _written(name: str, found: Found | None, default: str) -> str:
    """A column as guessed; where none was found, nothing, or the usual name of what cannot be left out."""
    needed = {"id", "user", "created_at"} | (set() if found and found.by_message else {"messages"})
    guessed = default if found is None else found.columns[name] or (default if name in needed else "")
    return _scalar(guessed)


def _block(prompt: str) -> str:
    """A text as a block of YAML that keeps its lines; what OmegaConf would take for a reference is written out."""
    plain = re.sub(r"(\\*)\$\{", lambda found: found[1] * 2 + r"\${", prompt)
    return "|-\n" + "\n".join(f"  {line}".rstrip() for line in plain.split("\n"))


def _scalar(text: str) -> str:
    """A text as YAML reads it back: bare where that is safe, else in double quotes."""
    return text if re.fullmatch(r"[A-Za-z_][\w.]*", text) and text.lower() not in _YAML_WORDS else json.dumps(text)


def _ours(folder: Path, *overrides: str) -> str:
    return command("experiment=ours", *overrides, config_dir=folder)


def _source(found: Found | None) -> str:
    declared = [
        (field.name, _written(field.name, found, f"{default_of(field)}"), doc_of(field)) for field in fields(Columns)
    ]
    width = max(len(f"{name}: {value}") for name, value, _ in declared)
    lines = [f"  {f'{name}: {value}':<{width}}  # {doc}" for name, value, doc in declared]
    roles = {} if found is None else found.speech.roles
    keys = USUAL_KEYS if found is None else found.speech.keys
    by_role = {role: [name for name, of in roles.items() if of == role] for role in _ROLES}
    return _SOURCE.format(
        table=_scalar(found.table if found else "conversations"),
        columns="\n".join(lines),
        where=_scalar(found.where if found else ""),
        key=_scalar(keys.role),
        text_key=_scalar(keys.text),
        **{role: json.dumps(names, ensure_ascii=False) for role, names in by_role.items()},
    )
