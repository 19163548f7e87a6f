import asyncio
from pathlib import Path

import pytest

from tests.endpoints.test_breaker import Scripted
from zantara_exp.config import CONF, OWN_FOLDER, compose
from zantara_exp.config.traffic import Breaker as BreakerConfig
from zantara_exp.config.traffic import Endpoint
from zantara_exp.core.errors import ConfigError
from zantara_exp.endpoints.base import Answer, Reason
from zantara_exp.endpoints.breaker import Breaker, Guarded
from zantara_exp.endpoints.build import check, guarded, option
from zantara_exp.endpoints.fallback import Fallback


def ask(*endpoints: Scripted) -> Answer:
    chain = Fallback([Guarded(endpoint, Breaker(BreakerConfig())) for endpoint in endpoints])
    return asyncio.run(chain.chat([]))


def test_the_next_one_answers_where_the_first_fails_and_the_wait_adds_up() -> None:
    first, second = Scripted(), Scripted()
    first.working = False
    second.provider = "second"
    answer = ask(first, second)
    assert (answer.text, answer.error, answer.latency_ms) == ("ok", None, 2.0)
    assert ask(second).latency_ms == 1.0


def test_the_next_one_is_not_asked_without_need() -> None:
    first, second = Scripted(), Scripted()
    ask(first, second)
    assert (first.calls, second.calls) == (1, 0)


def test_where_all_fail_the_first_ones_reason_counts() -> None:
    first, second = Scripted(), Scripted()
    first.working = second.working = False
    assert ask(first, second).error is Reason.OVERLOADED


def test_an_unknown_fallback_is_named() -> None:
    config = Endpoint(kind="openai", base_url="http://127.0.0.1:1", model="m", fallback=["hugingface"])
    with pytest.raises(ConfigError, match="no such option 'hugingface'.*huggingface"):
        guarded(config)
    with pytest.raises(ConfigError, match="starts a server"):
        option("local")


def test_a_fallback_of_ones_own_folder_is_found_where_the_environment_names_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(OWN_FOLDER, raising=False)
    (tmp_path / "endpoint").mkdir()
    (tmp_path / "endpoint" / "ours.yaml").write_text(
        "name: ours\nkind: openai\nbase_url: http://127.0.0.1:1\nmodel: m\n"
    )
    settings = [
        "endpoint=openai",
        "endpoint.base_url=http://127.0.0.1:1",
        "endpoint.model=m",
        "endpoint.fallback=[ours]",
    ]
    config = compose(settings, config_dir=str(tmp_path))
    with pytest.raises(ConfigError, match="no such option 'ours'") as refused:
        check(config.endpoint)
    assert "export ZANTARA_CONFIG_DIR=DIR, the folder with endpoint/ours.yaml" in refused.value.hint
    monkeypatch.setenv(OWN_FOLDER, str(tmp_path))
    check(config.endpoint)
    monkeypatch.setenv(OWN_FOLDER, str(tmp_path / "endpoint"))
    with pytest.raises(ConfigError) as refused:
        check(config.endpoint)
    assert f"write {tmp_path / 'endpoint' / 'endpoint' / 'ours.yaml'}" in refused.value.hint


@pytest.mark.parametrize("path", sorted((CONF / "endpoint").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_endpoint_of_conf_is_one(path: Path) -> None:
    assert compose([f"endpoint={path.stem}"]).endpoint.name == path.stem
