"""Schema of the dataset: where conversations come from, what is kept, how it is split."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from zantara_exp.config.business import Business
from zantara_exp.config.fields import setting

CATEGORIES = ("greeting", "casual", "business")
FILTERS = (
    "roles",
    "empty",
    "too_short",
    "too_long",
    "error_text",
    "repeated_greeting",
    "contact_in_greeting",
    "degenerate",
    "leaked_prompt",
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

    def rules(self) -> Iterator[tuple[str, str]]:
        """What cannot be left out."""
        for name in ("id", "user", "messages", "created_at"):
            if not getattr(self, name):
                yield name, 'cannot be empty: name a column, or a JSON path such as "metadata.x"'


@dataclass
class Source:
    """Config group `source`: the database that conversations are read from."""

    kind: str = setting(
        "embedded",
        "embedded: a real PostgreSQL under paths.state; postgres: the database of url_env; jsonl: the file of path; "
        "shadow_log: what the candidate failed or lost, with the primary's answer.",
        choices=["embedded", "postgres", "jsonl", "shadow_log"],
    )
    path: str | None = setting(None, "jsonl: exported chats, JSON lines with `messages`, plain or .gz.")
    database: str = setting("demo", "embedded: database to read; `demo` is filled by the demo product.")
    url_env: str = setting("DATABASE_URL", "postgres: environment variable that holds the database's URL.")
    table: str = setting("conversations", "Table to read, `schema.table` where it is not in the search path.")
    columns: Columns = setting(Columns(), "Where the table keeps each fact.")
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


@dataclass
class Targets:
    """The mix the plan asks for; shares of conversations, 0 to 1."""

    language: dict[str, float] = setting({"it": 0.4, "en": 0.3, "id": 0.3}, "Share of each language.")
    category: dict[str, float] = setting({"greeting": 0.3, "casual": 0.2, "business": 0.5}, "Share of each category.")
    quality: float = setting(0.8, "Share that should pass the filters.", ge=0, le=1)
    tolerance: float = setting(0.02, "How far a share may lie from its target.", ge=0, le=0.5)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Shares are shares."""
        for name, shares in (("language", self.language), ("category", self.category)):
            if any(share < 0 for share in shares.values()) or abs(sum(shares.values()) - 1) > 1e-6:
                yield name, f"shares must be 0 or more and add up to 1, not {sum(shares.values()):g}"
        if unknown := set(self.category) - set(CATEGORIES):
            yield "category", f"no such category: {', '.join(sorted(unknown))} (valid: {', '.join(CATEGORIES)})"


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

    languages: list[str] = setting(["it", "en", "id"], "Languages of the product, ISO 639-1.")
    language_min_confidence: float = setting(0.6, "Below this a text's language is `unknown`.", ge=0, le=1)
    language_words: dict[str, list[str]] = setting({}, "Whole words that decide a text too short to judge otherwise.")
    system_prompt: str = setting("You are ZANTARA.", "First message of every example.")
    max_history_tokens: int = setting(
        700, "Tokens that the turns before the last may take; older ones are left out, in whole turns.", ge=0
    )
    chars_per_token: float = setting(
        3.3, "Characters a token stands for, to estimate tokens before there is a tokenizer.", gt=0
    )
    license: str = setting("private, not for publication", "The licence line of the dataset card.")
    dataset_dict: bool = setting(True, "Write the splits as a datasets.DatasetDict as well.")
    patterns: dict[str, list[str]] = setting(
        {}, "Regular expressions by category, matched from word boundary to word boundary, case ignored."
    )
    greeting_max_words: int = setting(14, "A greeting has at most this many words besides its greeting words.", ge=0)
    labelled: str | None = setting(
        None, "JSON lines {text, language, category} labelled by hand; stage=analyze measures our labels on them."
    )
    filters: list[str] = setting(list(FILTERS), "Filters in the order they are asked; the first refusal counts.")
    min_answer_chars: int = setting(12, "Shortest answer kept.", ge=1)
    max_answer_chars: int = setting(2000, "Longest answer kept.", ge=1)
    max_question_chars: int = setting(4000, "Longest question kept.", ge=1)
    min_rating: float = setting(2.0, "Lowest rating kept; unrated conversations are kept.", ge=1, le=5)
    error_patterns: list[str] = setting([], "Regular expressions of error texts in answers, case ignored.")
    leak_patterns: list[str] = setting([], "Regular expressions of prompt or knowledge-base text in answers.")
    contact_patterns: list[str] = setting([], "Regular expressions of contact details pushed on a user.")
    greeting_words: list[str] = setting([], "Greeting words that may not stand in one answer three times.")
    near_duplicate_jaccard: float = setting(
        0.9, "Two dialogues whose sets of words overlap this much (Jaccard) are near-duplicates.", gt=0, le=1
    )
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
        """Names must be known, patterns must compile, bounds must leave room."""
        if not self.languages:
            yield "languages", "name at least one language"
        if unknown := set(self.targets.language) - set(self.languages):
            yield "targets.language", f"not among dataset.languages: {', '.join(sorted(unknown))}"
        if unknown := set(self.filters) - set(FILTERS):
            yield "filters", f"no such filter: {', '.join(sorted(unknown))} (valid: {', '.join(FILTERS)})"
        if unknown := set(self.patterns) - set(CATEGORIES):
            yield "patterns", f"no such category: {', '.join(sorted(unknown))} (valid: {', '.join(CATEGORIES)})"
        if self.min_answer_chars >= self.max_answer_chars:
            yield "min_answer_chars", f"must be below max_answer_chars ({self.max_answer_chars})"
        groups = {f"patterns.{name}": patterns for name, patterns in self.patterns.items()}
        for name in ("error_patterns", "leak_patterns", "contact_patterns"):
            groups[name] = getattr(self, name)
        for name, patterns in groups.items():
            for pattern in patterns:
                try:
                    re.compile(pattern)
                except re.error as broken:
                    yield name, f"{pattern!r} is no regular expression: {broken}"


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
