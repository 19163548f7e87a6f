from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.analysis import logs
from tests.analysis.test_volume import TRAFFIC
from tests.browsing import browser_page, hard_to_read
from zantara_exp.analysis import italian
from zantara_exp.analysis.report import report
from zantara_exp.config import Config, compose
from zantara_exp.config.decision import Price
from zantara_exp.core.errors import MissingInputError
from zantara_exp.core.layout import Layout
from zantara_exp.core.stage import Context, StageResult

SMALL = logs.Plan(days=2, per_day=40)


class Record:
    """A run that keeps its metrics; the rest of RunRecord is not used by this stage."""

    run_id = "run-1"

    def __init__(self) -> None:
        self.curves: dict[int, dict[str, float]] = {}

    def metrics(self, values: dict[str, float], step: int | None = None) -> None:
        if step is not None:
            self.curves[step] = dict(values)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def run(config: Config, record: Record | None = None) -> StageResult:
    return report(config, Context(config, record or Record(), Path.cwd()))  # type: ignore[arg-type]


def test_the_page_stands_alone(layout: Layout, config: Config) -> None:
    logs.both_versions(layout.logs)
    result = run(config)
    page = layout.report.read_text()
    assert result.artifacts == [layout.report]
    tags = Tags(page).found
    assert not {"link", "iframe", "img"} & {tag for tag, _ in tags}
    assert [attrs for tag, attrs in tags if tag == "script"] == [{"type": "application/json", "id": "plots"}, {}]
    assert not [attrs for _, attrs in tags if "style" in attrs]  # the page's policy would refuse them
    assert not [attrs for _, attrs in tags if {"src", "href"} & set(attrs)]
    assert not re.search(r"https?://|@import|url\(", page)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert "Copyright (c) 2022 Leon Sorokin" in page
    drawn = json.loads(page.partition('id="plots">')[2].partition("</script>")[0])
    kinds = Counter(plot["kind"] for plot in drawn)
    assert kinds == {"interval": 4, "evidence": 1, "days": 3, "spread": 1}
    assert [attrs["data-plot"] for _, attrs in tags if "data-plot" in attrs] == [str(n) for n in range(len(drawn))]


def test_plots_answer_in_a_browser(layout: Layout, config: Config) -> None:
    logs.both_versions(layout.logs)
    config.report.language = "it"
    run(config)
    with browser_page(layout.report.as_uri()) as page:
        refused: list[str] = []
        page.on("console", lambda said: refused.append(said.text))
        page.reload()
        day = page.locator(".plots figure").first
        day.scroll_into_view_if_needed()
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        assert day.locator(".u-value").all_text_contents() == ["–", "–"]
        day.locator(".u-over").hover()
        label, value = day.locator(".u-value").all_text_contents()
        assert re.fullmatch(r"\d\d ott", label)
        assert re.fullmatch(r"[\d,]+\s% \([\d,]+\s% – [\d,]+\s%\)", value)
        series = page.locator("figure.alone .u-series").nth(1)
        series.locator("th").click()
        assert "u-off" in str(series.get_attribute("class"))
        page.evaluate("dispatchEvent(new Event('beforeprint'))")  # drawn anew, for paper
        assert day.locator("canvas").count() == 1
        assert hard_to_read(page) == []
        assert refused == []


def test_what_a_pass_lacks_and_the_last_candidate_are_on_it(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(SMALL, epoch="e1"))
    logs.write(layout.logs, replace(SMALL, start=2, seed=5))
    run(config)
    page = layout.report.read_text().replace("\xa0", " ")
    assert re.search(r"\d+ of 149 users seen", page)
    beside = page[page.index("This candidate beside the last one") :]
    assert beside.index("<td>e2</td>") < beside.index("<td>e1</td>")
    assert page.count('class="of">all sampled requests') == 3


def test_verdict_numbers_and_reasons_are_on_it(layout: Layout, config: Config) -> None:
    logs.both_versions(layout.logs)
    result = run(config)
    page = layout.report.read_text()
    assert page.index("INCONCLUSIVE</strong>") < page.index("What the verdict stands on")
    for said in ("no review: run", "queue_full", "not JSON", "unversioned", "Noise floor", "Savings", "run-1"):
        assert said in page
    assert result.metrics["shadow/success_rate"] > 0.9
    assert {"shadow/latency_p95_ms", "shadow/latency_mean_ms", "shadow/similar_share", "shadow/savings"} <= set(
        result.metrics
    )
    assert result.tags == {"epoch": "e2", "candidate": "zantara-tiny at local", "report": "daily"}
    requests = result.metrics["shadow/requests"]
    assert result.metrics["shadow/coverage"] == pytest.approx(requests / (requests + 4 + 12))
    assert result.summary["not measured"] == "4 dropped, 12 lines unreadable"


def test_markup_in_a_chat_changes_nothing(layout: Layout, config: Config) -> None:
    shown = {
        "<script>alert(1)</script>": "&lt;script&gt;alert(1)&lt;/script&gt;",
        '"><img src=x onerror=alert(1)>': "&gt;&lt;img src=x onerror=alert(1)&gt;",
        "</style></p></body>": "&lt;/style&gt;&lt;/p&gt;&lt;/body&gt;",
        "{{ 7 * 7 }}{% raw %}": "{{ 7 * 7 }}{% raw %}",
        "\u202e right to left \x00 and a bell \x07": "right to left",
    }
    for day, text in enumerate(shown):
        side = {"response": text, "model": text, "provider": "p", "tokens_input": 1, "tokens_output": 1}
        extra = {"query": text, "language": text, "candidate": side | {"latency_ms": 5.0, "error": None}}
        logs.write(layout.logs, replace(SMALL, days=1, per_day=20, start=day, seed=day, extra=extra))
    config.report.pairs = 100
    run(config)
    page = layout.report.read_text()
    for text in shown.values():
        assert page.replace("\xa0", " ").count(text) >= 2 * 20, text  # language and question; answers are marked
    tags = [tag for tag, _ in Tags(page).found]
    assert "img" not in tags
    assert tags.count("script") == 2
    assert tags.count("style") == 1
    assert tags.count("body") == 1
    assert page.rstrip().endswith("</html>")
    assert not {"\x00", "\x07", "\u202e"} & set(page)


def test_a_megabyte_of_answer_is_not_a_megabyte_of_page(layout: Layout, config: Config) -> None:
    side = {"response": "bla " * 250_000, "model": "m", "tokens_input": 1, "tokens_output": 1, "latency_ms": 5.0}
    logs.write(layout.logs, logs.Plan(days=1, per_day=3, extra={"candidate": side | {"error": None}}))
    run(config)
    assert layout.report.stat().st_size < 250_000
    assert "more characters" in layout.report.read_text()


def test_version_1_is_shown_without_personal_data(layout: Layout, config: Config) -> None:
    extra = {"query": "Scrivimi a anna.rossi@example.org, grazie"}
    logs.write(layout.logs, replace(SMALL, version=1, extra=extra))
    run(config)
    assert "anna.rossi" not in layout.report.read_text()
    assert "[EMAIL_1]" in layout.report.read_text()


def test_stats_only_writes_no_page(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, SMALL)
    config.report.stats_only = True
    result = run(config)
    assert (result.artifacts, layout.report.exists()) == ([], False)
    assert {"By language", "By category", "Last days"} <= {table.title for table in result.tables}


def test_days_asked_for(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(SMALL, days=4))
    config.report.since, config.as_of = "2025-10-21", "2025-10-22"
    config.report.export = "sent/week 1.html"
    record = Record()
    result = run(config, record)
    assert result.metrics["shadow/requests"] == 80
    assert [path.name for path in result.artifacts] == ["report_2025-10-21_2025-10-22.html", "week 1.html"]
    assert Path("sent/week 1.html").read_text() == result.artifacts[0].read_text()
    assert not layout.report.exists()  # it is always about all days
    assert sorted(record.curves) == [0, 1]
    config.as_of = "2025-10-20"
    with pytest.raises(MissingInputError, match="from 2025-10-21 to 2025-10-20") as caught:
        run(config)
    assert "all of its days" in (caught.value.hint or "")


def test_a_weekly_report_compares_two_weeks(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(SMALL, days=10, per_day=20))
    run(config)
    whole = layout.report.read_text()
    config.report = compose(["report=weekly"]).report
    result = run(config)
    assert layout.report.read_text() == whole
    weeks = next(table for table in result.tables if table.title == "This week beside the week before")
    assert [row[:2] for row in weeks.rows] == [["this week", "140"], ["the week before", "60"]]
    assert result.artifacts[0].name == "report_2025-10-23_2025-10-29.html"
    assert "Weekly shadow report" in result.artifacts[0].read_text()


def test_the_page_is_italian_where_asked(layout: Layout, config: Config) -> None:
    logs.both_versions(layout.logs)
    logs.write(layout.logs, logs.Plan(days=1, start=5, per_day=4, seed=3, extra={"query": "Similar answers"}))
    config.report = compose(["report=weekly", "report.language=it", "report.pairs=100"]).report
    result = run(config)
    page = result.artifacts[0].read_text()
    assert '<html lang="it">' in page
    for said in ("NON CONCLUSIVO", "Giorno per giorno", "Per lingua", "nessuna revisione", "22 ott", "98,", "coppie"):
        assert said in page
    shown = re.sub(r"<(style|script|article).*?</\1>", "", page, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", shown).replace("\xa0", " ")
    left = [phrase for phrase in italian.PHRASES if " " in phrase and phrase in text]
    assert left == []
    english = r"\b(requests|answers?|users?|days?|lost|shown|needed|with|which|the|of|from|is|are)\b"
    assert re.findall(english, text) == []
    assert "<b>Similar answers</b>" in page  # what people wrote stays as it is
    assert result.summary["confronti"].endswith("dal 2025-10-22 al 2025-10-25")
    assert "Per categoria" in {table.title for table in result.tables}


@pytest.mark.parametrize(
    ("overrides", "plan", "said"),
    [
        ([], TRAFFIC, "il verdetto e tutto ciò che qui riguarda il mese contano"),
        pytest.param(
            ["cost.monthly_requests=1850"], TRAFFIC, "Le 1.850 dichiarate concordano.", marks=pytest.mark.slow
        ),
        pytest.param(["endpoint=huggingface"], TRAFFIC, "Conviene davvero", marks=pytest.mark.slow),
        ([], replace(TRAFFIC, days=3), "1 dei 7 giorni della settimana"),
        ([], replace(TRAFFIC, version=1, extra={}), "non dicono quale quota degli utenti è campionata"),
        pytest.param(
            ["cost.candidate_monthly_eur=0", "cost.providers=[anthropic]"],
            TRAFFIC,
            "Nessun modello a listino di anthropic",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_money_is_italian_too(layout: Layout, config: Config, overrides: list[str], plan: logs.Plan, said: str) -> None:
    logs.write(layout.logs, plan)
    composed = compose([*overrides, "report.language=it"])
    if said == "Conviene davvero":
        composed.cost.prices = {"zantara-tiny": Price(9, 9)}
    run(composed)
    page = layout.report.read_text().replace("\xa0", " ")
    assert said in page
    money = page[page.index("<h2>Costi") if "<h2>Costi" in page else page.index("Il segmento spostato") :]
    money = re.sub(r"<[^>]*>|by genai-prices[^<]*", " ", money[: money.index("<h2>", 10)])
    assert (
        re.findall(r"\b(requests?|users?|days?|the|month|measured|declared|candidate|which|cheaper|twice)\b", money)
        == []
    )


def test_a_day_without_traffic_is_shown_as_one(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, replace(SMALL, days=1))
    logs.write(layout.logs, replace(SMALL, days=1, start=2, seed=5))
    result = run(config)
    days = next(table for table in result.tables if table.title == "Last days")
    assert [row[:3] for row in days.rows][1] == ["2025-10-21", "0", "–"]


def test_the_same_log_gives_the_same_pairs(layout: Layout, config: Config) -> None:
    logs.write(layout.logs, SMALL)
    run(config)
    first = layout.report.read_text()
    run(config)
    assert layout.report.read_text() == first
