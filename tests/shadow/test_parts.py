"""Sampling, the tally, the switch and the epoch: small parts, each on its own."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zantara_exp.config.traffic import Endpoint, Server, Shadow
from zantara_exp.core.on_off import means_on
from zantara_exp.endpoints.candidate_id import epoch_of, weights_hash
from zantara_exp.shadow.record import Sampling, Side
from zantara_exp.shadow.safe_labels import fit_id
from zantara_exp.shadow.sampling import Sampler, user_percentile
from zantara_exp.shadow.switch import Switch
from zantara_exp.shadow.switch import main as turn
from zantara_exp.shadow.tally import Tally


def test_the_share_of_users_is_the_share_asked_for() -> None:
    places = [user_percentile(f"user-{number}") for number in range(100_000)]
    for percent in (1, 10, 50):
        assert abs(sum(place < percent for place in places) / 1000 - percent) < 1


@given(st.text(max_size=20), st.floats(0, 100), st.floats(0, 100))
def test_raising_the_percentage_loses_nobody(user: str, one: float, other: float) -> None:
    low, high = sorted([one, other])
    if Sampler(Shadow(traffic_percent=low)).choose(user, None):
        assert Sampler(Shadow(traffic_percent=high)).choose(user, None) == Sampling(high, "user_hash")
    assert Sampler(Shadow(traffic_percent=100)).choose(user, None)
    assert not Sampler(Shadow(traffic_percent=0)).choose(user, None)


@pytest.mark.parametrize(
    "said", ["c-12", "c-12:1", "42", "5f0c6a1b9d3e4f7788aa0c1d2e3f4a5b", "5f0c6a1b-9d3e-4f77-88aa-0c1d2e3f4a5b"]
)
def test_an_id_that_can_be_nobodys_stays(said: str) -> None:
    assert fit_id(said, "user-1", b"key") == said
    assert said not in (fit_id(said, said, b"key") or said)  # an app may name its chats as it names its users


@pytest.mark.parametrize("said", ["3331234567", "mario.rossi", "bob-1", "c-12\n", "c-12:user-1"])
def test_any_other_id_is_its_hash(said: str) -> None:
    found = fit_id(said, "user-1", b"key")
    assert found == fit_id(said, "user-2", b"key") != fit_id(said, "user-1", b"another")
    assert found is not None
    assert len(found) == 16
    assert fit_id("", "user-1", b"key") is fit_id(None, "user-1", b"key") is None


def test_categories_leave_out_what_they_do_not_name() -> None:
    sampler = Sampler(Shadow(traffic_percent=100, categories=["greeting", "casual"]))
    assert sampler.choose("u", "greeting")
    assert not sampler.choose("u", "business")
    assert sampler.choose("u", None)  # sorted later


@given(st.lists(st.floats(0, 1e5), min_size=1, max_size=50), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_is_the_smallest_latency_that_so_many_do_not_exceed(latencies: list[float], share: float) -> None:
    tally = Tally()
    for latency in latencies:
        tally.add(Side("x", latency_ms=latency))
    found = tally.latency_ms(share)
    assert found in latencies
    assert sum(latency <= found for latency in latencies) >= share * len(latencies)
    assert sum(latency < found for latency in latencies) < share * len(latencies)


def test_failures_count_against_success_and_not_into_latency() -> None:
    tally = Tally()
    assert tally.metrics() == {"shadow/comparisons": 0.0}
    tally.add(Side("x", latency_ms=100.0))
    tally.add(Side(error="timeout", latency_ms=10_000.0))
    assert tally.metrics()["shadow/success_rate"] == 0.5
    assert tally.metrics()["shadow/latency_p95_ms"] == 100.0
    assert tally.note() == "success 50.0%, p95 100 ms"


@pytest.mark.parametrize(
    ("variable", "file", "on"),
    [
        (None, None, True),
        ("true", "on\n", True),
        ("TRUE ", "", True),
        ("1", None, True),
        ("false", None, False),
        ("0", "on", False),
        ("", "off", False),
        (None, "of course not", False),
        ("maybe", None, False),
    ],
)
def test_either_switch_turns_it_off(
    variable: str | None, file: str | None, on: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("SHADOW_MODE_ENABLED", variable)
    if file is not None:
        (tmp_path / "shadow_mode").write_text(file)
    assert Switch(tmp_path).is_on() is on


@pytest.mark.usefixtures("workdir")
def test_the_switch_is_turned_by_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert [turn([word]) for word in ("show", "off", "show", "on")] == [0, 0, 0, 0]
    said = [line.split(" by ")[0].split()[-1] for line in capsys.readouterr().out.splitlines() if " by " in line]
    assert said == ["on", "off", "off", "on"]
    assert turn(["of"]) == 2
    assert "'of' is no word of this switch" in capsys.readouterr().out
    assert turn(["off", "log=postgres"]) == 1
    assert "LOG_DATABASE_URL, which is not set" in capsys.readouterr().out


def test_a_switch_that_cannot_be_read_is_off_and_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "shadow_mode").mkdir()
    switch = Switch(tmp_path)
    assert not any(switch.is_on() for _ in range(3))
    (warning,) = caplog.messages
    assert warning.startswith(f"{tmp_path / 'shadow_mode'} says neither on nor off")
    (tmp_path / "shadow_mode").rmdir()
    (tmp_path / "shadow_mode").write_text("off\n")
    assert not switch.is_on()
    assert len(caplog.messages) == 1


def test_every_switch_understands_the_same_words(caplog: pytest.LogCaptureFixture) -> None:
    where = "a switch of this test"
    assert all(means_on(word, where) for word in ("", "on", " YES\n", "1", "True", "enabled"))
    assert not any(means_on(word, where) for word in ("off", "0 ", "No", "false", "disabled"))
    assert not caplog.messages
    assert not any(means_on("soon", where) for _ in range(3))
    assert caplog.messages == ["a switch of this test says neither on nor off ('soon'), which is taken as off"]


def test_what_changes_answers_changes_the_epoch_and_what_does_not_does_not(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")
    (model / "tokenizer.json").write_text("{}")
    (model / "model.safetensors").write_bytes(b"weights")
    first = epoch_of(Endpoint(), "You are ZANTARA.", model)
    assert first == epoch_of(Endpoint(server=Server(port=8123), concurrency=2), "You are ZANTARA.", model)
    others = {
        epoch_of(Endpoint(), "You are somebody else.", model),
        epoch_of(Endpoint(max_tokens=9), "You are ZANTARA.", model),
        epoch_of(Endpoint(kind="openai", base_url="http://a/v1", model="m"), "You are ZANTARA.", model),
        epoch_of(Endpoint(kind="openai", base_url="http://b/v1", model="m"), "You are ZANTARA.", model),
    }
    (model / "model.safetensors").write_bytes(b"other weights")
    others.add(epoch_of(Endpoint(), "You are ZANTARA.", model))
    assert len(others | {first}) == 6


def test_the_hash_that_training_wrote_down_is_believed(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    of_files = weights_hash(tmp_path)
    (tmp_path / "train.json").write_text("not json")
    assert weights_hash(tmp_path) == of_files
    (tmp_path / "train.json").write_text('{"weights_sha256": "abc"}')
    assert weights_hash(tmp_path) == "abc"
