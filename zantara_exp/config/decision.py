"""Schema of analysis and decision: engine, report, review, cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from zantara_exp.config.fields import setting
from zantara_exp.config.gateway import is_loopback


@dataclass
class Engine:
    """Config group `engine`: what extracts, prepares and computes the tables, and what counts as similar."""

    name: str = setting("duckdb", "duckdb: this machine alone, with DuckDB; or spark.", choices=["duckdb", "spark"])
    master: str = setting("local[2]", "spark: where it runs, such as local[2] or spark://host:7077.")
    similar_chrf: float = setting(
        50.0, "Two answers are similar from this chrF on (0 to 100, character n-grams of one to six).", gt=0, le=100
    )
    scored_per_file: int = setting(
        20_000, "Comparisons of one log file that get a chrF, drawn by hash of their id; the rest stay unscored.", ge=1
    )


@dataclass
class Report:
    """Config group `report`: the HTML page."""

    name: str = setting(
        "daily",
        "daily: all days of the candidate; weekly: the last seven, beside the seven before.",
        choices=["daily", "weekly"],
    )
    language: str = setting("en", "Language of the page and of the terminal's tables.", choices=["en", "it"])
    days: int = setting(14, "Days drawn and listed one by one, up to the last.", ge=1, le=400)
    since: str | None = setting(
        None, "First UTC day looked at, YYYY-MM-DD; default: the candidate's first, for weekly the last seven days."
    )
    pairs: int = setting(6, "Pairs of answers shown side by side.", ge=0, le=100)
    stats_only: bool = setting(False, "Print the tables, write no page.")
    export: str | None = setting(None, "A further file that the page is written to.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """A first day that is a day."""
        if self.since is not None and not _is_day(self.since):
            yield "since", f"'{self.since}' is not a day; write it as YYYY-MM-DD"


@dataclass
class Checks:
    """Hidden checks of who judges: pairs whose right answer is known, among every 50 pairs of a sample."""

    identical: int = setting(2, "Pairs with one answer on both sides, among every 50.", ge=0, le=20)
    worse: int = setting(
        4, "Pairs with one side that answers another question, or stops halfway, among every 50.", ge=0, le=20
    )
    most_wrong: float = setting(
        0.2, "Share of them that a reviewer may get wrong; who errs in more, and twice, is no evidence.", ge=0, lt=1
    )


@dataclass
class Review:
    """Config group `review`: the blind human review."""

    size: int = setting(200, "Pairs in the sample, at most one per user; looks see the first of them.", ge=1, le=1000)
    categories: list[str] = setting([], "Categories the sample is drawn from.")
    labels: str | None = setting(None, "A filled-in worksheet to read back; default: draw the sample.")
    reviewer: str = setting("reviewer", "Who filled in the worksheet.")
    reviewers: dict[str, list[str]] = setting(
        {}, "Who judges, by name, with the languages they read, such as {ayu: [id, en]}; empty: anybody, all."
    )
    labels_per_pair: int = setting(1, "How many judge each pair; with 2 it is measured how far they agree.", ge=1, le=9)
    adjudicator: str = setting("adjudicator", "Who settles the pairs that reviewers disagree on, and sees no others.")
    checks: Checks = setting(Checks(), "Hidden checks of who judges.")
    serve: bool = setting(False, "Serve the sample as a page until interrupted.")
    host: str = setting("127.0.0.1", "Address the page is served at; other machines need token_env.")
    port: int = setting(8765, "Port the page is served at; 0 takes a free one.", ge=0, le=65535)
    token_env: str | None = setting(
        None, "Environment variable with a token: the page opens at /?token=... only; null: none is asked for."
    )

    def rules(self) -> Iterator[tuple[str, str]]:
        """Something to draw from, and names."""
        if not self.categories:
            yield "categories", "is empty: name at least one of domain.categories"
        if not self.reviewer.strip():
            yield "reviewer", "is empty: name who filled in the worksheet"
        yield from self._strange_reviewers()
        if self.serve and self.labels is not None:
            yield "serve", "the page takes labels itself: leave out review.labels, or review.serve"
        if not is_loopback(self.host) and self.token_env is None:
            yield "host", "is reached by other machines: name a variable with a token, review.token_env=REVIEW_TOKEN"

    def _strange_reviewers(self) -> Iterator[tuple[str, str]]:
        """Names that are there, once, and enough of them."""
        if not self.adjudicator.strip():
            yield "adjudicator", "is empty: name who settles what others disagree on"
        if not self.reviewers:
            return
        known = ", ".join(self.reviewers)
        if self.adjudicator in self.reviewers:
            yield "adjudicator", f"{self.adjudicator} is among review.reviewers: who disagrees cannot settle it"
        if self.labels is not None and self.reviewer not in (*self.reviewers, self.adjudicator):
            yield "reviewer", f"{self.reviewer} is not among review.reviewers (valid: {known}, {self.adjudicator})"
        for language in sorted({each for languages in self.reviewers.values() for each in languages}):
            readers = [name for name, languages in self.reviewers.items() if language in languages]
            if len(readers) < self.labels_per_pair:
                read = f"{' and '.join(readers)} alone read{'s' if len(readers) == 1 else ''} {language}"
                yield "labels_per_pair", f"is {self.labels_per_pair}, and {read}"
        if len(self.reviewers) < self.labels_per_pair:
            yield "labels_per_pair", f"is {self.labels_per_pair}, and review.reviewers names {known} alone"


@dataclass
class Label:
    """Config group `label`: the page on which chats are labelled by hand."""

    size: int = setting(200, "Chats to label, one per user; some ten minutes.", ge=1, le=5000)
    host: str = setting("127.0.0.1", "Address the page is served at; other machines need token_env.")
    port: int = setting(8766, "Port the page is served at; 0 takes a free one.", ge=0, le=65535)
    token_env: str | None = setting(
        None, "Environment variable with a token: the page opens at /?token=... only; null: none is asked for."
    )

    def rules(self) -> Iterator[tuple[str, str]]:
        """Other machines need a token."""
        if not is_loopback(self.host) and self.token_env is None:
            yield "host", "is reached by other machines: name a variable with a token, label.token_env=LABEL_TOKEN"


@dataclass
class Watch:
    """Config group `watch`: the live page."""

    host: str = setting("127.0.0.1", "Address the page is served at; other machines need token_env.")
    port: int = setting(8767, "Port the page is served at; 0 takes a free one.", ge=0, le=65535)
    token_env: str | None = setting(
        None, "Environment variable with a token: the page opens at /?token=... only; null: none is asked for."
    )
    seconds: float = setting(5.0, "How often it is looked whether log or rollout have changed.", ge=0.2, le=3600)
    core_percent: float = setting(
        1.0, "Share of a core that measuring a growing log may take: more is newer numbers.", gt=0, le=100
    )

    def rules(self) -> Iterator[tuple[str, str]]:
        """Other machines need a token."""
        if not is_loopback(self.host) and self.token_env is None:
            yield "host", "is reached by other machines: name a variable with a token, watch.token_env=WATCH_TOKEN"


@dataclass
class Slices:
    """Config node `slices`: where stage=slices looks for what is worse."""

    alpha: float = setting(
        0.05, "Probability of confirming a slice that is no worse, over all searches of a log.", gt=0, le=0.25
    )
    carried: int = setting(3, "Slices that one search carries over to the other half, of each measure.", ge=1, le=20)
    min_users: int = setting(10, "Users that a slice, and the rest, must have in either half.", ge=5)
    lengths: list[int] = setting(
        [40, 160], "Characters of a message from which on it is medium, and long.", ge=1, le=1_000_000
    )
    hours: int = setting(
        6,
        "Length of a part of the day (UTC), such as 06-12; divides 24. 0: the time of day is no dimension.",
        ge=0,
        le=12,
    )
    topics: int = setting(6, "Topics into which the messages of each language are sorted; 0: none.", ge=0, le=50)
    pairs: int = setting(20, "Pairs of each confirmed slice that the next review's sample has more.", ge=0, le=200)

    def rules(self) -> Iterator[tuple[str, str]]:
        """Two lengths that grow, parts that make a day."""
        if len(self.lengths) != 2 or self.lengths[0] >= self.lengths[1]:
            yield "lengths", f"{self.lengths} must be two that grow, such as [40, 160]"
        if self.hours and 24 % self.hours:
            yield "hours", f"{self.hours} does not divide a day: 1, 2, 3, 4, 6, 8, 12, or 0 for none"


@dataclass
class Price:
    """What a provider takes for a million tokens, in US dollars."""

    input: float = setting(0.0, "US dollars for a million tokens read.", ge=0)
    output: float = setting(0.0, "US dollars for a million tokens written.", ge=0)
    cache_read: float | None = setting(None, "Read from a cache; null: as input.", ge=0)
    cache_write_5m: float | None = setting(None, "Written to a cache for five minutes; null: as input.", ge=0)
    cache_write_1h: float | None = setting(None, "Written to a cache for an hour; null: as for five minutes.", ge=0)


@dataclass
class Cost:
    """Config group `cost`: prices, in US dollars unless said."""

    prices: dict[str, Price] = setting(
        {}, "Own prices by a model's exact name; they win over the price lists of genai-prices."
    )
    aliases: dict[str, str] = setting(
        {}, "Names in the log that a price list knows otherwise, such as haiku: claude-haiku-4-5."
    )
    providers: list[str] = setting(
        ["anthropic", "openai", "google", "mistral", "x-ai", "deepseek"],
        "Whose lists in genai-prices are looked at, in this order; a model that another serves costs otherwise.",
    )
    candidate_monthly_eur: float = setting(3.78, "What the candidate's endpoint takes a month, flat, in euros.", ge=0)
    eur_usd: float = setting(1.08, "US dollars per euro.", gt=0)
    gpu_usd_hour: dict[str, float] = setting({}, "What an hour of a machine takes that serves, in US dollars, by name.")
    gpu_hour_eur: float = setting(0.79, "What an hour of a GPU takes that trains the candidate, in euros.", ge=0)
    monthly_requests: int = setting(
        30_000,
        "Requests a month of the moved segment; the log's own measurement decides where it contradicts this.",
        ge=1,
    )

    def rules(self) -> Iterator[tuple[str, str]]:
        """Prices that are none below nought."""
        for name, price in self.gpu_usd_hour.items():
            if not price >= 0:
                yield f"gpu_usd_hour.{name}", "must be at least 0"


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return len(text) == 10
