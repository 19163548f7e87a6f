"""Schema of the dataset: where conversations come from, what is kept, how it is split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches

from zantara_exp.config.business import Business
from zantara_exp.config.fields import setting

FILES, DATABASES, SHADOW_LOG = ("files", "jsonl"), ("embedded", "postgres"), "shadow_log"
"""Kinds of source that read files; the second is the name of old."""
COUNTRIES = {
    "DE": "Germany",
    "ES": "Spain",
    "FR": "France",
    "GB": "United Kingdom",
    "ID": "Indonesia",
    "IT": "Italy",
    "NL": "Netherlands",
    "PL": "Poland",
    "US": "United States",
}
"""Those with a pack of personal data (`dataset.personal`), by ISO 3166 code."""
FILTERS = (
    "roles",
    "empty",
    "too_short",
    "too_long",
    "error_text",
    "repeated_opening",
    "pushed_contact",
    "tool_call",
    "leaked_prompt",
    "leaked_knowledge",
    "degenerate",
    "cut_off",
    "language_unknown",
    "language_mismatch",
    "low_rating",
)


@dataclass
class Columns:
    """Where production keeps what we read: a column, a JSON path such as `metadata.model`, or nothing ("")."""

    id: str = setting("id", "Identifies the conversation.")
    user: str = setting("user_id", "Identifies the user; leaves the database only as a keyed hash.")
    session: str = setting("session_id", "Identifies the session.")
    messages: str = setting("messages", "The chat: a JSON list of {role, content}.")
    created_at: str = setting("created_at", "When the conversation took place (timestamptz).")
    model: str = setting("metadata.model", "The model that answered.")
    rating: str = setting("metadata.rating", "The user's rating, 1 to 5.")
    language: str = setting("metadata.language", "The language the product noted, where it did.")
    tokens_input: str = setting("metadata.tokens_input", "Tokens the model read.")
    tokens_output: str = setting("metadata.tokens_output", "Tokens the model wrote.")
    latency_ms: str = setting("metadata.latency_ms", "Milliseconds until the answer was whole.")
    role: str = setting("", "One row per message: who wrote it; `session` then says which conversation it is of.")
    content: str = setting("", "One row per message: its text, or its parts as JSON.")
    position: str = setting("", "One row per message: column that orders them; created_at and id where it is empty.")

    @property
    def by_message(self) -> bool:
        """Whether a row holds one message, rather than a whole conversation."""
        return bool(self.role or self.content)

    def rules(self) -> Iterator[tuple[str, str]]:
        """What cannot be left out."""
        chat = ("role", "content", "session") if self.by_message else ("messages",)
        for name in ("id", "user", *chat, "created_at"):
            if not getattr(self, name):
                yield name, 'cannot be empty: name a column, or a JSON path such as "metadata.x"'
        if self.position and not self.by_message:
            yield "position", "orders messages of rows that hold one each: map role and content as well"


@dataclass
class Roles:
    """What the product calls who speaks, case ignored; the names of the common libraries are known."""

    user: list[str] = setting([], "Names of the user, such as `prospect`.")
    assistant: list[str] = setting([], "Names of the assistant, such as `agent` or `Zantara`.")
    system: list[str] = setting([], "Names of what is left out as a prompt.")
    tool: list[str] = setting([], "Names of what is left out as a step of a tool.")
    key: str = setting("", "What a message calls who speaks, where it is none of role, from, sender, author, speaker.")
    text_key: str = setting("", "And its text, where it is none of content, text, parts, value, message.")

    @property
    def meant(self) -> dict[str, str]:
        """Name, in small letters -> role."""
        roles = {"user": self.user, "assistant": self.assistant, "system": self.system, "tool": self.tool}
        return {name.casefold(): role for role, names in roles.items() for name in names}


@dataclass
class Source:
    """Config group `source`: the database that conversations are read from."""

    kind: str = setting(
        "embedded",
        "embedded: a real PostgreSQL under paths.state; postgres: the database of url_env; files (or jsonl): path; "
        "shadow_log: what the candidate failed or lost, with the primary's answer.",
        choices=[*DATABASES, *FILES, SHADOW_LOG],
        added_by="sources",
    )
    path: str | None = setting(
        None, "files: exported chats, a file, a folder or a glob of JSON lines, JSON, CSV or Parquet, packed or not."
    )
    encoding: str = setting(
        "", "files: how texts are written, such as `cp1250`; empty: UTF-8, or UTF-16 where a file begins so."
    )
    database: str = setting("demo", "embedded: database to read; `demo` is filled by the demo product.")
    url_env: str = setting("DATABASE_URL", "postgres: environment variable that holds the database's URL.")
    table: str = setting("conversations", "Table to read, `schema.table` where it is not in the search path.")
    columns: Columns = setting(Columns(), "Where the table keeps each fact.")
    where: str = setting("", "SQL condition on the table's rows, such as `deleted_at is null`; others are not read.")
    roles: Roles = setting(Roles(), "The product's own names of roles, beside the usual ones.")
    days: int = setting(30, "How many UTC days back from the newest conversation (or `as_of`).", ge=1, le=36500)
    limit: int = setting(5000, "At most this many conversations, the newest first.", ge=1)
    models: list[str] = setting(
        ["haiku", "sonnet"], "Keep conversations answered by a model whose name contains one of these; [] keeps all."
    )
    min_rating: float | None = setting(
        None, "Read no conversation rated below this; unrated ones are read.", ge=1, le=5
    )
    connect_timeout_seconds: int = setting(10, "How long to try to reach the database.", ge=1, le=300)
    statement_timeout_seconds: int = setting(
        600, "A query that takes longer is stopped; where it gave rows, another goes on behind them.", ge=1, le=86400
    )
    reconnect_attempts: int = setting(
        6, "How often a lost connection is opened again before giving up; reading goes on where it stopped.", ge=0
    )
    stats_only: bool = setting(False, "Count and advise, write no dataset.")
    business: Business = setting(Business(), "Support tickets, completion and return rate, from the same database.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """Names that end up in a command line or an identifier."""
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,40}", self.database):
            yield "database", "must be a plain name: small letters, digits and underscores"
        if not self.table or self.table.count(".") > 1:
            yield "table", "must be `table` or `schema.table`"
        if ";" in self.where:
            yield "where", "must be one condition, without `;`"
        if self.encoding and not _is_encoding(self.encoding):
            yield "encoding", "no such encoding; name one that Python knows, such as cp1250, iso-8859-2 or utf-16"
        if self.where and self.kind not in DATABASES:
            yield "where", f"is asked of a database; source.kind={self.kind} has none"


def _is_encoding(name: str) -> bool:
    try:
        return " ".encode(name).decode(name) == " "
    except (LookupError, ValueError):
        return False


@dataclass
class Targets:
    """The mix the plan asks for; shares of conversations, 0 to 1."""

    language: dict[str, float] = setting({}, "Share of each language; none: any.")
    category: dict[str, float] = setting({}, "Share of each category; none: any.")
    quality: float = setting(0.8, "Share that should pass the filters.", ge=0, le=1)
    tolerance: float = setting(0.02, "How far a share may lie from its target.", ge=0, le=0.5)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Shares are shares."""
        for name, shares in (("language", self.language), ("category", self.category)):
            if shares and (any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6):
                yield name, f"shares must be 0 or more and add up to 1, not {sum(shares.values()):g}"


@dataclass
class Splits:
    """How examples are shared out, by user."""

    train: float = setting(0.8, "Share of examples to learn from.", gt=0, lt=1)
    val: float = setting(0.1, "Share to watch while learning.", gt=0, lt=1)
    test: float = setting(0.1, "Share to measure on, never seen.", gt=0, lt=1)

    def rules(self) -> Iterator[tuple[str, str]]:
        """The three make a whole."""
        total = self.train + self.val + self.test
        if abs(total - 1) > 1e-6:
            yield "train", f"train, val and test must add up to 1, not {total:g}"


@dataclass
class Dataset:
    """Config group `dataset`: filters, targets and splits."""

    languages: list[str] = setting([], "Languages whose chats are kept, ISO 639-1: those of the domain.")
    language_min_confidence: float = setting(0.6, "Below this a text's language is `unknown`.", ge=0, le=1)
    system_prompt: str = setting("", "First message of every example: that of the domain.")
    join_turns: bool = setting(
        True, "Make one message of several in a row by the same speaker; otherwise such turns are refused as `roles`."
    )
    countries: list[str] = setting(
        [], "Countries whose identity, tax and bank numbers and addresses are redacted (ISO 3166): those of the domain."
    )
    names: list[str] = setting(
        [], "spaCy models (installed, or folders) that find names of people to redact; needs the extra `names`."
    )
    max_history_tokens: int = setting(
        700, "Tokens that the turns before the last may take; older ones are left out, in whole turns.", ge=0
    )
    chars_per_token: float = setting(
        3.3, "Characters a token stands for, to estimate tokens before there is a tokenizer.", gt=0
    )
    license: str = setting("private, not for publication", "The licence line of the dataset card.")
    dataset_dict: bool = setting(True, "Write the splits as a datasets.DatasetDict as well.")
    labelled: str | None = setting(
        None,
        "JSON lines {text, language, category} labelled by hand, which stage=analyze measures our labels on; null: "
        "what stage=label kept.",
    )
    filters: list[str] = setting(
        list(FILTERS), "Filters in the order they are asked; the first refusal counts. A bad turn goes, not its chat."
    )
    min_answer_chars: int = setting(12, "Shortest answer kept.", ge=1)
    max_answer_chars: int = setting(2000, "Longest answer kept.", ge=1)
    max_question_chars: int = setting(4000, "Longest question kept.", ge=1)
    min_rating: float = setting(2.0, "Lowest rating kept; unrated conversations are kept.", ge=1, le=5)
    near_duplicate_jaccard: float = setting(
        0.9, "Two dialogues whose sets of words overlap this much (Jaccard) are near-duplicates.", gt=0, le=1
    )
    same_answer_share: float = setting(
        0.02, "One answer may stand under different questions in this share of the turns; more are refused.", gt=0, le=1
    )
    same_answer_least: int = setting(5, "So many turns may have the same answer, however few turns there are.", ge=1)
    copies: int = setting(1, "How many of a group of near-duplicates are kept.", ge=1)
    balance: str = setting(
        "subset",
        "subset: the largest part that meets the targets; weights: repeat rare kinds in train; none: keep all.",
        choices=["subset", "weights", "none"],
    )
    balance_max_weight: float = setting(4.0, "weights: an example stands in train at most this often.", ge=1)
    augment: list[str] = setting(
        [], "Variants of questions added to train only.", choices=["lowercase", "no_punctuation"]
    )
    augment_share: float = setting(0.3, "Share of the training examples that get each variant.", ge=0, le=1)
    balance_min_share: float = setting(
        0.25, "If balancing would keep less than this share, keep all and report the shares as off.", ge=0, le=1
    )
    max_train_rows: int = setting(50_000, "At most this many training examples.", ge=1)
    targets: Targets = setting(Targets(), "The mix the plan asks for.")
    splits: Splits = setting(Splits(), "Shares of train, val and test.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """Names must be known, bounds must leave room."""
        if not self.languages:
            yield "languages", "name at least one language"
        if unknown := set(self.filters) - set(FILTERS):
            yield "filters", f"no such filter: {', '.join(sorted(unknown))} (valid: {', '.join(FILTERS)})"
        for country in self.countries:
            if country not in COUNTRIES:
                yield "countries", f"no pack of personal data for {country}; {_country(country)}"
        if self.min_answer_chars >= self.max_answer_chars:
            yield "min_answer_chars", f"must be below max_answer_chars ({self.max_answer_chars})"


def _country(said: str) -> str:
    """The code that was meant, and those that there are."""
    names = {name.casefold(): code for code, name in COUNTRIES.items()} | {code.casefold(): code for code in COUNTRIES}
    names |= {"uk": "GB", "england": "GB", "usa": "US", "italia": "IT", "deutschland": "DE", "españa": "ES"}
    near = get_close_matches(said.casefold(), names, n=1, cutoff=0.7)
    ask = f"did you mean {names[near[0]]}? " if near else ""
    return f"{ask}(valid: {', '.join(f'{code} {name}' for code, name in COUNTRIES.items())})"


@dataclass
class Demo:
    """The product that `source=embedded` pretends to be."""

    conversations: int = setting(4000, "Conversations to generate.", ge=0, le=1_000_000)
    users: int = setting(420, "Users they are spread over, heavy-tailed.", ge=5)
    days: int = setting(45, "Days they are spread over.", ge=2)
    last_day: str = setting("2025-11-03", "UTC date of the newest conversation.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """The day must be one."""
        from datetime import date

        try:
            date.fromisoformat(self.last_day)
        except ValueError:
            yield "last_day", f"{self.last_day!r} is no date; write YYYY-MM-DD"
