"""A kind of endpoint, a source and metrics of an installed package: `examples/extension`, as pip would leave it."""

from __future__ import annotations

import asyncio
import json
import linecache
import shutil
import sys
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.analysis import logs
from tests.endpoints.asking import asked
from zantara_exp.analysis import own_metrics
from zantara_exp.analysis.evidence import evidence
from zantara_exp.cli.main import run_overrides
from zantara_exp.config import Config, compose
from zantara_exp.config.gate import Criterion, Threshold
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core import extensions
from zantara_exp.core.errors import ConfigError, ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset.sources import open_source
from zantara_exp.endpoints.base import Reason
from zantara_exp.endpoints.build import build, client_of
from zantara_exp.endpoints.candidate_id import epoch_of
from zantara_exp.endpoints.http import HttpEndpoint
from zantara_exp.endpoints.openai_compatible import OpenAICompatible
from zantara_exp.gates.collect import asked_by, metrics, misfit
from zantara_exp.gates.evidence import EvidenceRequest, Missing, UserDays

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/extension"


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of an installed package: its module, and what its pyproject.toml says of it."""
    site = tmp_path / "site"
    about = site / "our_extension-1.0.dist-info"
    about.mkdir(parents=True)
    shutil.copy(EXAMPLE / "our_extension.py", site)
    declared = tomllib.loads((EXAMPLE / "pyproject.toml").read_text())["project"]
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: our-extension\nVersion: 1.0\n")
    groups = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in declared["entry-points"].items()
    ]
    about.joinpath("entry_points.txt").write_text("\n".join(groups))
    monkeypatch.syspath_prepend(str(site))
    extensions._installed.cache_clear()
    yield site
    extensions._installed.cache_clear()
    sys.modules.pop("our_extension", None)


def test_an_endpoint_of_a_package_is_asked_and_is_a_candidate_of_its_own(installed: Path) -> None:
    composed = compose(
        ["endpoint=openai", "endpoint.kind=ollama", "endpoint.base_url=http://127.0.0.1:1", "endpoint.model=m"]
    )
    assert composed.endpoint.kind == "ollama"
    config = Endpoint(name="ours", kind="ollama", model="llama3.1", stream=False)
    reply = {"message": {"content": "Ciao!"}, "done_reason": "stop", "prompt_eval_count": 9, "eval_count": 3}
    answer, sent = asked(config, reply, path="")
    assert (answer.text, answer.error, answer.usage.input, answer.usage.output) == ("Ciao!", None, 9, 3)
    assert sent.line == "POST /api/chat HTTP/1.1"
    before = epoch_of(config, "", Path())
    module = installed / "our_extension.py"
    module.write_text(module.read_text() + "\n# answers otherwise\n")
    sys.modules.pop("our_extension")
    linecache.clearcache()
    assert epoch_of(config, "", Path()) != before


def test_a_source_of_a_package_is_extracted_and_what_it_cannot_tell_is_quarantined(
    installed: Path, workdir: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    ticket = {"customer": "u1", "opened": "2025-10-20T10:00:00Z", "answered_by": "claude-haiku-4-5"}
    said = {"question": "Where is my parcel, please?", "answer": "It will be with you on Monday, I promise."}
    tickets = [ticket | said | {"number": str(number), "customer": f"u{number}"} for number in range(6)]
    tickets.append(ticket | {"number": "x", "question": 5, "answer": None})
    (workdir / "tickets.jsonl").write_text("".join(f"{json.dumps(each)}\n" for each in tickets))
    wanted = ["stage=extract", "source=files", "source.kind=tickets", "source.path=tickets.jsonl"]
    assert run_overrides(wanted) == 0, capsys.readouterr()
    raw = Layout(compose(wanted)).raw_conversations.read_text().splitlines()
    assert len(raw) == 6, capsys.readouterr().out
    assert {json.loads(line)["messages"][1]["content"] for line in raw} == {said["answer"]}
    assert "u1" not in {json.loads(line)["user"] for line in raw}


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("ZANTARA_HASH_KEY", "a key for tests of at least 32 characters")
    return compose(["model=tiny"])


@pytest.fixture
def log(installed: Path, config: Config, workdir: Path) -> Layout:
    """A log in which every third primary answer has a link, and of these every second candidate's."""
    layout = Layout(config)
    logs.write(layout.logs, logs.Plan(success=0.9))
    for file in sorted(layout.logs.glob("*.jsonl")):
        lines = [
            json.loads(line) for line in file.read_text().splitlines() if line.startswith("{") and line.endswith("}")
        ]
        for number, line in enumerate(line for line in lines if line.get("primary")):
            if number % 3 == 0:
                line["primary"]["response"] += " https://a.example"
            if number % 6 == 0 and line["candidate"]["response"].strip(". "):
                line["candidate"]["response"] += " https://b.example"
        file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return layout


def of_metric(metric: str, config: Config, layout: Layout, bound: float | None = None) -> UserDays | Missing:
    found = evidence([EvidenceRequest(metric, bound=bound)], None, config, layout)[0]
    assert isinstance(found, UserDays | Missing)
    return found


def test_metrics_of_a_package_are_evidence_and_a_log_is_scored_once(
    config: Config, log: Layout, installed: Path
) -> None:
    found = of_metric("keeps_link", config, log)
    assert isinstance(found, UserDays)
    applies, kept = found.trials.sum(), found.total.sum()
    assert 0.3 * applies < kept < 0.6 * applies
    longer = of_metric("words_more", config, log, bound=5.0)
    assert isinstance(longer, UserDays)
    assert longer.trials.sum() > applies > 0
    module = installed / "our_extension.py"  # what is not asked again cannot fail
    import our_extension  # type: ignore[import-not-found]

    our_extension.link_was = our_extension.re
    our_extension.re = None
    again = of_metric("keeps_link", config, log)
    assert isinstance(again, UserDays)
    assert again.total.sum() == kept
    assert module.is_file()


def test_a_metric_that_fails_is_missing_evidence(config: Config, log: Layout, installed: Path) -> None:
    import our_extension

    our_extension.re = None
    found = of_metric("keeps_link", config, log)
    assert isinstance(found, Missing)
    assert "the metric keeps_link of an installed package failed: AttributeError at our_extension.py" in found.reason


def test_a_metric_is_judged_as_its_kind(installed: Path) -> None:
    above = Threshold(above=0.9)
    assert misfit(Criterion(metric="keeps_link", go=above)) == ""
    assert misfit(Criterion(metric="words_more", go=above)) == "words_more is judged as kind=mean"


def test_a_name_that_nobody_adds_is_told_with_what_there_is(installed: Path) -> None:
    with pytest.raises(ConfigError, match="must be one of local, openai, .*, runpod, ollama"):
        compose(["endpoint=openai", "endpoint.kind=olama", "endpoint.base_url=http://127.0.0.1:1", "endpoint.model=m"])


def test_a_package_that_cannot_be_imported_is_named(installed: Path) -> None:
    (installed / "our_extension.py").write_text("import not_there\n")
    with pytest.raises(
        ConfigError, match=r"ollama of our-extension .* ModuleNotFoundError: No module named 'not_there'"
    ):
        extensions.load(extensions.ENDPOINTS, "ollama")


def test_nothing_is_looked_up_for_what_is_built_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "entry_points", lambda **_: pytest.fail("installed packages were looked through"))
    extensions._installed.cache_clear()
    config = compose(["endpoint=openai", "source=files"])
    assert "success" in metrics(asked_by(config.gate))


def _exits(_: object) -> Any:
    raise SystemExit(0)


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        (lambda answered: [True], "gave 1 values for"),
        (lambda answered: iter(lambda: True, False), "gave more values for"),
        (lambda answered: [float("nan")] * len(answered), "gave nan, and kind=proportion takes 0 or 1"),
        (lambda answered: ["1"] * len(answered), "str is no value"),
        (lambda answered: {True, False}, "gave a set, and no list"),
        (lambda answered: answered.sort(), "'tuple' object has no attribute 'sort'"),
        (lambda answered: __import__("not_there"), "No module named 'not_there'"),
        (_exits, "failed: SystemExit"),
        (5, "'int' object is not callable"),
    ],
)
def test_what_a_metric_gives_wrongly_is_missing_evidence(
    metric: object, told: str, config: Config, log: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    import our_extension

    monkeypatch.setattr(our_extension, "keeps_link", metric)
    found = of_metric("keeps_link", config, log)
    assert isinstance(found, Missing)
    assert told in found.reason


def test_a_metric_is_a_proportion_or_a_mean(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import our_extension

    monkeypatch.setattr(our_extension.words_more, "kind", "quantile")
    with pytest.raises(ConfigError, match="has kind = 'quantile', and not 'proportion' or 'mean'"):
        own_metrics.kind_of("words_more")


def _added(kind: str, give: Callable[[Config], Any], monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    import our_extension

    monkeypatch.setattr(our_extension, "tickets", give)
    config = compose(["source=files", f"source.kind={kind}", "source.path=x"])
    with open_source(config, Layout(config)) as source:
        return list(source.rows())


@pytest.mark.parametrize(
    ("give", "told"),
    [
        (lambda config: None, "gave NoneType, which is no list of records"),
        (lambda config: [int("a user's words")], r"failed: ValueError at test_extensions.py, line \d+\n"),
        (_exits, "failed: SystemExit at"),
        (lambda config: [], "holds no conversation"),
    ],
)
def test_a_source_that_fails_is_told_without_its_words(
    give: Callable[[Config], Any], told: str, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ZantaraError, match=told) as refused:
        _added("tickets", give, monkeypatch)
    assert "a user's words" not in str(refused.value)


def test_records_of_a_source_are_what_a_line_of_json_would_be(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime(2025, 10, 20, 10, tzinfo=UTC)
    said = ({"role": "user", "content": "Where is it?"}, {"role": "assistant", "content": "On its way."})
    good = {"id": 1, "user_id": Decimal(7), "created_at": at, "messages": said}
    circle: dict[str, Any] = dict(good)
    circle["more"] = circle
    rows = _added("tickets", lambda config: [good, circle, good | {"more": object()}, b"x"], monkeypatch)
    assert [row["messages"] is not None and "On its way." in str(row["messages"]) for row in rows].count(True) == 1
    assert len(rows) == 4


def _asked_for(given: object) -> Any:
    async def _ask(self: object, messages: object, pieces: object) -> object:
        if isinstance(given, BaseException):
            raise given
        return given

    return _ask


@pytest.mark.parametrize("given", [KeyError("message"), SystemExit(0), "no Reply", None])
def test_an_endpoint_that_fails_otherwise_is_a_failed_answer(
    given: object, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("our_extension.Ollama._ask", _asked_for(given))
    endpoint = build(Endpoint(name="ours", kind="ollama", model="m", base_url="http://127.0.0.1:1", stream=False))
    answer = asyncio.run(endpoint.chat([{"role": "user", "content": "ciao"}]))
    assert answer.error is Reason.BAD_ANSWER


def _no(*_: object) -> None:
    raise RuntimeError("no")


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("Ollama", 5, "5 is no subclass of HttpEndpoint"),
        ("Ollama", HttpEndpoint, "is no subclass of HttpEndpoint with a method _ask"),
        ("Ollama.__init__", _no, "its class cannot be made: RuntimeError at"),
    ],
)
def test_a_class_that_is_none_is_refused(
    name: str, value: object, told: str, installed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"our_extension.{name}", value)
    with pytest.raises(ConfigError, match=told):
        build(Endpoint(name="ours", kind="ollama", model="m", base_url="http://127.0.0.1:1"))


def test_an_import_that_exits_is_named(installed: Path) -> None:
    (installed / "our_extension.py").write_text("raise SystemExit(0)\n")
    with pytest.raises(ConfigError, match="cannot be imported: SystemExit: 0"):
        extensions.load(extensions.METRICS, "keeps_link")


def test_a_name_of_two_packages_is_refused_and_one_that_is_built_in_stays_ours(installed: Path) -> None:
    about = installed / "other-1.0.dist-info"
    about.mkdir()
    about.joinpath("METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    points = "[zantara_exp.metrics]\nkeeps_link = json:loads\nsuccess = json:loads\nof_c = math:sqrt\n"
    about.joinpath("entry_points.txt").write_text(points + "[zantara_exp.endpoints]\nopenai = json:loads\n")
    extensions._installed.cache_clear()
    with pytest.raises(ConfigError, match="keeps_link is added by 2 installed packages: other, our-extension"):
        extensions.load(extensions.METRICS, "keeps_link")
    assert metrics()["success"] == "analysis"
    assert misfit(Criterion(metric="success", kind="quantile", go=Threshold(above=0.9)))
    assert client_of("openai") is OpenAICompatible
    assert extensions.version(extensions.METRICS, "of_c")  # which has no text
