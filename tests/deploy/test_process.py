"""What a container would start, without one: an empty environment, an account without rights, a root that is read-only.

`unshare` gives a process mounts of its own: everything is read-only but /var/lib/zantara, the volume that the image
declares. The commands and variables are those of compose.yaml and the Dockerfile.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.dataset.conftest import open_folder
from tests.deploy.support import ROOT, compose_file, image_environment
from tests.endpoints.servers import raw_server
from tests.listening import hears
from tests.shadow.primary import Primary, primary_at
from tests.shadow.recorded import Candidate
from zantara_exp.dataset import embedded

pytestmark = [pytest.mark.slow, pytest.mark.interpreter]

OURS = """\
# @package _global_
# yaml-language-server: $schema=../schemas/experiment.json
defaults:
  - override /endpoint: openai
endpoint: {{model: m, stream: false, max_tokens: 9, base_url: "{candidate}"}}
gateway: {{port: 0, anthropic_url: "{primary}"}}
shadow: {{traffic_percent: 100}}
"""
ACCOUNT = 10001


def closed_above(path: Path) -> Path | None:
    """The first folder above that other accounts cannot walk through."""
    return next((each for each in [*reversed(path.parents), path] if not each.stat().st_mode & 0o001), None)


def mounts(volume: Path, conf: Path) -> list[str]:
    """Shell lines that make the container's view: its volume and config in place, all else read-only."""
    opened = []
    if closed := closed_above(Path(sys.base_prefix)):  # such as the home of root, where a Python may lie
        opened = [
            f"mount --bind {sys.base_prefix} /mnt", f"mount -t tmpfs -o mode=0755 closed {closed}",
            f"mkdir -p {sys.base_prefix}", f"mount --bind /mnt {sys.base_prefix}",
        ]  # fmt: skip
    return [
        "set -e",
        *opened,
        "mount -t tmpfs -o mode=0755 lib /var/lib",
        "mkdir -p /var/lib/zantara /var/lib/conf /var/lib/tmp",
        "chmod 1777 /var/lib/tmp",
        f"mount --bind {volume} /var/lib/zantara",
        f"mount --bind {conf} /var/lib/conf",
        "mount -t tmpfs -o mode=1777 tmp /var/lib/tmp",
        "mount -o remount,ro,bind /var/lib/conf",
        "mount -o remount,ro /var/lib",
        "mount -o remount,ro,bind /",
        "cd /var/lib/zantara",
    ]


class Container:
    """Services of compose.yaml, each a process tree in a view of its own, on one volume each."""

    def __init__(self, folder: Path, primary: str, candidate: str, database: str) -> None:
        self._folder, self._conf = folder, folder / "conf"
        (self._conf / "experiment").mkdir(parents=True)
        (self._conf / "experiment" / "ours.yaml").write_text(OURS.format(primary=primary, candidate=candidate))
        self._database = database

    @contextmanager
    def started(self, name: str, *more: str) -> Iterator[subprocess.Popen[str]]:
        service = compose_file()["services"][name]
        volume = self._folder / next(each.split(":")[0] for each in service["volumes"] if each.endswith("/zantara"))
        volume.mkdir(exist_ok=True)
        os.chown(volume, ACCOUNT, ACCOUNT)
        told = {key: value.replace("/tmp", "/var/lib/tmp") for key, value in image_environment().items()}
        told |= {
            **dict.fromkeys(service["environment"], ""),
            "ZANTARA_CONFIG_DIR": "/var/lib/conf", "ZANTARA_EXPERIMENT": "ours", "MLFLOW_TRACKING_URI": "http://127.0.0.1:9",
            "LOG_DATABASE_URL": self._database, "ROLLOUT_DATABASE_URL": self._database,
            "GATEWAY_TOKEN": "a-token", "ZANTARA_HASH_KEY": "a key for tests of at least 32 characters",
            "PATH": f"{sys.prefix}/bin:/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TMPDIR": "/var/lib/tmp",
        }  # fmt: skip
        drop = ["setpriv", f"--reuid={ACCOUNT}", f"--regid={ACCOUNT}", "--clear-groups", "--no-new-privs"]
        drop += ["--bounding-set=-all", "--inh-caps=-all"]
        words = [*drop, "env", "-i", *(f"{key}={value}" for key, value in told.items())]
        words += [f"{sys.prefix}/bin/python", "-m", "zantara_exp", *service["command"], *more]
        script = "\n".join([*mounts(volume, self._conf), "exec " + shlex.join(words)])
        with subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def asked(address: str, token: str = "a-token") -> int:
    """The status of a chat that goes through."""
    headers = {
        "x-api-key": "sk-ant-x",
        "anthropic-version": "2023-06-01",
        "x-zantara-user": "u-1",
        "x-zantara-token": token,
    }
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Ciao"}]}
    return httpx.post(f"{address}/v1/messages", headers=headers, json=body, timeout=60).status_code


@pytest.fixture
def container() -> Iterator[Container]:
    if os.geteuid() or not shutil.which("setpriv") or subprocess.run(["unshare", "--mount", "true"]).returncode:
        pytest.skip(
            "mounts of one's own need root and unshare; next: sudo -E .venv/bin/python -m pytest -m slow tests/deploy"
        )
    if closed := closed_above(Path(sys.prefix).resolve()):
        pytest.skip(f"{closed} is closed to other accounts, and the environment lies there; next: chmod o+x {closed}")
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        place = stack.enter_context(open_folder())
        server = stack.enter_context(embedded.server(place))
        server.create_database("zantara")
        for each in [server.socket, *server.socket.parents]:  # trust is asked for nothing but to come in
            if each.is_relative_to(place):
                each.chmod(0o755)
        primary = stack.enter_context(primary_at(Primary()))
        candidate = stack.enter_context(raw_server(Candidate()))
        yield Container(folder, primary, candidate, server.conninfo("zantara"))


def test_a_gateway_serves_and_drains_with_nothing_but_its_volume(container: Container) -> None:
    with container.started("gateway") as gateway:
        address = hears(gateway, "gateway on ").split()[2].rstrip(":").replace("0.0.0.0", "127.0.0.1")
        assert Path(f"/proc/{gateway.pid}/status").read_text().count(f"Uid:\t{ACCOUNT}") == 1
        assert httpx.get(f"{address}/healthz").text == "ok\n"
        assert httpx.get(f"{address}/readyz").status_code == 200
        assert asked(address, "another") == 401
        assert asked(address) == 200
        assert "zantara_mirror_sampled_total 1.0" in httpx.get(f"{address}/metrics").text
        gateway.send_signal(signal.SIGTERM)
        while httpx.get(f"{address}/readyz").status_code == 200:
            assert gateway.poll() is None
        assert httpx.get(f"{address}/healthz").status_code == 200
        assert asked(address) == 200
        assert gateway.stdout is not None
        said = gateway.stdout.read()
        assert gateway.wait(60) == 0, said
    assert re.search(r"^ +compared +2\b", said, re.MULTILINE), said


def test_a_second_controller_is_refused(container: Container) -> None:
    with container.started("controller") as first:
        hears(first, "watching")
        with container.started("controller") as second:
            hears(second, "another controller watches this rollout")
            assert second.wait(60) == 1
        assert first.poll() is None
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0


def test_nothing_else_can_be_written(container: Container) -> None:
    """Not even /tmp of the root, which any account may write to elsewhere."""
    elsewhere = ("stage=check", "gate=dataset", "rollout.watch=false", "paths.reports=/tmp/reports")
    with container.started("controller", *elsewhere, "gate.traffic.simulations=200") as process:
        hears(process, "Read-only file system")
        assert process.wait(60) == 1
