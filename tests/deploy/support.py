"""What the files of deploy/ say: their commands, environments and metrics."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
KUBERNETES = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


class Started(NamedTuple):
    """A command of ours that a file starts."""

    where: str
    words: list[str]
    variables: set[str]


def documents(file: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(file.read_text()) if each]


def compose_file() -> dict[str, Any]:
    return documents(DEPLOY / "compose" / "compose.yaml")[0]


def image_words(target: str) -> list[str]:
    """What an image of ours starts by itself."""
    part = re.split(r"^FROM .* AS (\w+)$", (DEPLOY / "Dockerfile").read_text(), flags=re.MULTILINE)
    return list(yaml.safe_load(re.findall(r"^CMD (\[.*\])$", part[part.index(target) + 1], re.MULTILINE)[-1]))


def image_environment() -> dict[str, str]:
    text = re.sub(r"\\\n *", "", (DEPLOY / "Dockerfile").read_text())
    return dict(word.split("=", 1) for line in re.findall(r"^ENV (.*)$", text, re.MULTILINE) for word in line.split())


def variables_of(file: Path) -> set[str]:
    return set(re.findall(r"^([A-Z_]+)=", file.read_text(), re.MULTILINE))


def containers() -> Iterator[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    """Each workload of Kubernetes with the spec of its pods and its container."""
    for file in KUBERNETES:
        for each in documents(file):
            spec = (
                each["spec"]
                if each["kind"] == "Deployment"
                else each.get("spec", {}).get("jobTemplate", {}).get("spec")
            )
            if spec:
                pod = spec["template"]["spec"]
                yield each, pod, pod["containers"][0]


def started() -> Iterator[Started]:
    """All commands of ours, wherever they stand, with the environment that they get."""
    for target in ("gateway", "batch"):
        yield Started(f"Dockerfile {target}", image_words(target), set())
    for name, service in compose_file()["services"].items():
        if str(service.get("image", "")).startswith("zantara-exp-") and "entrypoint" not in service:
            secrets = variables_of(DEPLOY / "compose" / "secrets.env.example")
            yield Started(
                f"compose {name}", service.get("command", ["stage=rollout"]), {*service["environment"], *secrets}
            )
    settings = documents(DEPLOY / "kubernetes" / "kustomization.yaml")[0]["configMapGenerator"][0]["literals"]
    shared = {each.partition("=")[0] for each in settings} | variables_of(DEPLOY / "kubernetes" / "secrets.env.example")
    for workload, _, container in containers():
        yield Started(f"kubernetes {workload['metadata']['name']}", container["args"], shared)
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=\S+/zantara-exp (.*)$", unit.read_text(), re.MULTILINE):
            words = shlex.split(line.replace("%i", "8800"))
            yield Started(f"systemd {unit.stem}", words, variables_of(DEPLOY / "systemd" / "environment.example"))
