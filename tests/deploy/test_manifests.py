"""The files of deploy/ are what their tools take, and name nothing that the product does not have.

Tools that are no part of the project are asked where they are installed; elsewhere the test skips.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.composing import composed
from tests.deploy.support import (
    DEPLOY,
    KUBERNETES,
    ROOT,
    UNITS,
    Started,
    compose_file,
    containers,
    documents,
    image_environment,
    started,
)  # fmt: skip
from zantara_exp.config.gateway import Gateway
from zantara_exp.config.traffic import Shadow
from zantara_exp.core.layout import Layout
from zantara_exp.gateway.metrics import Metrics, Page

COMMANDS = list(started())
YAML = sorted(path for path in DEPLOY.rglob("*") if path.suffix in (".yaml", ".yml"))
FROM_PYPI = {"kubernetes-validate", "check-jsonschema", "hadolint", "zizmor"}


def tool(name: str) -> str:
    """Where a tool is; without it the test skips."""
    found = shutil.which(name)
    if found is None:
        how = f"uv tool install {name}" if name in FROM_PYPI else "your system's package"
        pytest.skip(f"{name} is not installed; next: {how}")
    return found


def run(*words: str | Path) -> str:
    ended = subprocess.run([str(word) for word in words], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


@pytest.mark.parametrize("file", YAML, ids=lambda file: file.name)
def test_every_file_is_yaml_and_holds_no_secret(file: Path) -> None:
    assert documents(file)
    named = r"(?i)(password|token|key|secret)\w*[\"']?\s*[:=]\s*[\"']?(?!\$\{)[\w-]{12,}"
    found = [line for line in file.read_text().splitlines() if re.search(named, line)]
    assert [line for line in found if "GATEWAY_TOKEN" not in line] == []


@pytest.mark.parametrize("file", sorted(DEPLOY.rglob("*.example")), ids=lambda file: file.name)
def test_an_example_has_empty_secrets_and_what_is_made_of_it_stays_out_of_git(file: Path) -> None:
    values = dict(re.findall(r"^([A-Z_]+)=(.*)$", file.read_text(), re.MULTILINE))
    assert {name for name, value in values.items() if value} <= {
        "ZANTARA_CONF",
        "ZANTARA_CONFIG_DIR",
        "ZANTARA_EXPERIMENT",
    }
    made = file.with_suffix("")
    assert subprocess.run(["git", "check-ignore", "-q", str(made)], cwd=ROOT).returncode == 0, (
        f"{made} would be committed"
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.where)
def test_every_command_composes(command: Started) -> None:
    config = composed(*[word.replace("'", "") for word in command.words])
    needed = {
        config.gateway.token_env: config.stage.name == "serve",
        config.log.url_env: config.log.kind == "postgres",
        config.rollout.state_url_env: config.rollout.state == "postgres",
        "MLFLOW_TRACKING_URI": config.tracking.name == "server",
        config.judge.endpoint.api_key_env: config.stage.name == "judge",
    }
    if not command.where.startswith("Dockerfile"):
        assert {name for name, due in needed.items() if due and name} <= command.variables


def test_what_shares_a_rollout_is_configured_alike() -> None:
    """A gate that read another log than the gateways write, or a controller of another state, would see nothing."""
    for place in ("compose", "kubernetes", "systemd"):
        of = [composed(*each.words) for each in COMMANDS if each.where.startswith(place) and len(each.words) > 1]
        assert len({(each.log.kind, each.rollout.state, each.tracking.name) for each in of}) == 1
    assert [each.where for each in COMMANDS if "rollout.watch=true" in each.words] == [
        each.where for each in COMMANDS if "rollout.alone=true" in each.words
    ]


def test_every_variable_is_one_that_the_product_reads() -> None:
    sources = [*(ROOT / "zantara_exp").rglob("*.py"), *(ROOT / "conf").rglob("*.yaml")]
    text = "\n".join(path.read_text() for path in sources)
    named = {name for each in COMMANDS for name in each.variables}
    named -= {"GATEWAY_TOKEN", "ROLLOUT_WEBHOOK"}  # named by gateway.token_env, rollout.notify.url_env
    assert {name for name in named if name not in text} == set()
    assert any("gateway.token_env=GATEWAY_TOKEN" in each.words for each in COMMANDS)


def test_only_declared_places_are_written_to() -> None:
    """The image's volumes are what compose and Kubernetes mount; its caches lie in them."""
    volumes = json.loads(re.findall(r"^VOLUME (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)[0])
    assert volumes == ["/var/lib/zantara", "/tmp"]
    for name in ("HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"):
        assert image_environment()[name].startswith(tuple(volumes))
    for _, pod, container in containers():
        assert sorted(each["mountPath"] for each in container["volumeMounts"]) == sorted(volumes)
        assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert pod["securityContext"]["runAsNonRoot"]
    for service in compose_file()["services"].values():
        if str(service.get("image", "")).startswith("zantara-exp-"):
            assert service["read_only"]
            assert any(each.endswith(":/var/lib/zantara") for each in service["volumes"])
    for unit in UNITS:
        assert "ReadWritePaths=/var/lib/zantara\nProtectSystem=strict" in unit.read_text()


def test_who_stops_a_gateway_waits_until_it_has_ended() -> None:
    """Lame duck, answers, comparisons, and some 15 s for its record in MLflow."""
    waits = {"compose gateway": int(compose_file()["services"]["gateway"]["stop_grace_period"].rstrip("s"))}
    waits |= {f"kubernetes {each['metadata']['name']}": pod.get("terminationGracePeriodSeconds", 30)
              for each, pod, _ in containers() if each["kind"] == "Deployment"}  # fmt: skip
    unit = (DEPLOY / "systemd" / "zantara-gateway@.service").read_text()
    waits["systemd zantara-gateway@"] = int(re.findall(r"TimeoutStopSec=(\d+)", unit)[0])
    serving = [each for each in COMMANDS if "stage=serve" in each.words and each.where in waits]
    assert len(serving) == 3
    for each in serving:
        config = composed(*each.words)
        due = config.gateway.lame_duck_seconds + config.gateway.drain_seconds + config.shadow.drain_seconds + 15
        assert waits[each.where] >= due
    # A balancer has noticed before the gateway takes no more.
    (gateway,) = (container for each, _, container in containers() if each["metadata"]["name"] == "gateway")
    probe = gateway["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] < 10
    assert Gateway().keep_alive_seconds > 60
    assert "timeout http-keep-alive 60s" in (DEPLOY / "compose" / "haproxy.cfg").read_text()
    assert Shadow().drain_seconds == 10


def test_probes_ask_for_what_there_is() -> None:
    paths = set(re.findall(r"path: (/\w+)", (DEPLOY / "kubernetes" / "gateway.yaml").read_text()))
    assert paths == {"/healthz", "/readyz", "/metrics"}
    source = (ROOT / "zantara_exp" / "gateway" / "app.py").read_text()
    assert all(f'Route("{path}"' in source for path in paths)
    alive = Layout(composed("stage=rollout")).controller.relative_to(Path.cwd())
    for file in (DEPLOY / "kubernetes" / "controller.yaml", DEPLOY / "compose" / "compose.yaml"):
        assert str(alive) in file.read_text()


def families() -> set[str]:
    """The names on /metrics, as Prometheus has them."""

    class Anything:
        def __getattr__(self, name: str) -> object:
            return {} if name in ("others", "dropped", "set_aside") else 0

    mirror = Anything()
    mirror.stats = Anything()  # type: ignore[attr-defined]
    page = Page(Metrics(600.0), mirror, Anything(), None)  # type: ignore[arg-type]
    return {sample.name for family in page.registry().collect() for sample in family.samples}


def test_dashboard_and_alerts_ask_for_metrics_that_there_are() -> None:
    board = json.loads((DEPLOY / "monitoring" / "dashboard.json").read_text())
    asked = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    rules = yaml.safe_load((DEPLOY / "monitoring" / "rules.yml").read_text())["groups"]
    asked += [rule["expr"] for group in rules for rule in group["rules"]]
    named = {name for text in asked for name in re.findall(r"zantara_\w+", text)}
    assert len(named) > 15
    assert named <= families()
    places = [tuple(panel["gridPos"].values()) for panel in board["panels"]]
    assert len(set(places)) == len(places)
    assert [panel["id"] for panel in board["panels"]] == list(range(1, len(places) + 1))


def test_everything_that_is_mounted_or_copied_is_there() -> None:
    for service in compose_file()["services"].values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / "compose" / source).exists(), volume
    for line in re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE):
        kept = [each[1:] for each in (ROOT / ".dockerignore").read_text().splitlines() if each.startswith("!")]
        for name in line.split():
            assert (ROOT / name).exists(), name
            assert name.split("/")[0] in kept, f"{name} is left out by .dockerignore"
    assert (ROOT / ".dockerignore").read_text() == (DEPLOY / "Dockerfile.dockerignore").read_text()
    resources = documents(DEPLOY / "kubernetes" / "kustomization.yaml")[0]["resources"]
    assert sorted(["kustomization.yaml", *resources]) == [file.name for file in KUBERNETES]


@pytest.mark.parametrize(
    "file", [file for file in KUBERNETES if file.name != "kustomization.yaml"], ids=lambda file: file.name
)
def test_kubernetes_takes_it(file: Path) -> None:
    run(tool("kubernetes-validate"), "--strict", "-k", "1.31", file)


def test_compose_takes_it() -> None:
    run(tool("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", DEPLOY / "compose" / "compose.yaml")


def test_hadolint_finds_nothing() -> None:
    run(tool("hadolint"), DEPLOY / "Dockerfile")


def test_promtool_takes_rules_and_config(tmp_path: Path) -> None:
    promtool = tool("promtool")
    run(promtool, "check", "rules", DEPLOY / "monitoring" / "rules.yml")
    text = (DEPLOY / "compose" / "prometheus.yml").read_text()
    (tmp_path / "prometheus.yml").write_text(text.replace("/etc/prometheus", str(DEPLOY / "monitoring")))
    run(promtool, "check", "config", tmp_path / "prometheus.yml")


def test_haproxy_takes_it() -> None:
    run(tool("haproxy"), "-c", "-f", DEPLOY / "compose" / "haproxy.cfg")


def test_systemd_takes_its_units(tmp_path: Path) -> None:
    analyze = tool("systemd-analyze")
    for file in (DEPLOY / "systemd").glob("*.[st]*"):
        instance = file.name.replace("@.", "@8800.")
        (tmp_path / instance).write_text(file.read_text().replace("/opt/zantara/bin/zantara-exp", "/bin/true"))
    assert run(analyze, "verify", *sorted(tmp_path.iterdir())) == ""
