"""uv, told what pip is told on this machine: uv reads no pip.conf and no PIP_ variable. Standard library only.

What an index, a folder of wheels, a constraint or a certificate is for pip, it is for uv as well. It goes through the
environment, so that no password of an address is seen in the list of processes, and failures are printed without hosts.
"""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
LOCKS = ROOT / "locks"

_MEANT = {  # pip's setting: uv's variable, and what stands between several values
    "index-url": ("UV_DEFAULT_INDEX", " "),
    "extra-index-url": ("UV_INDEX", " "),
    "find-links": ("UV_FIND_LINKS", ","),
    "constraint": ("UV_CONSTRAINT", " "),
    "trusted-host": ("UV_INSECURE_HOST", " "),
    "proxy": ("ALL_PROXY", " "),
    "cert": ("SSL_CERT_FILE", " "),
    "client-cert": ("SSL_CLIENT_CERT", " "),
    "retries": ("UV_HTTP_RETRIES", " "),
    "default-timeout": ("UV_HTTP_TIMEOUT", " "),
    "timeout": ("UV_HTTP_TIMEOUT", " "),
}
_STRONGER = ("global", "install", ":env:")  # sections of pip's configuration; a later one wins
_HINTS = (  # what uv or pip say, what it means, what to do
    ("No space left|os error 28|Disk quota", "the disk is full", "make room (df -h), then the same command again"),
    (
        "nvalidCertificate|UnknownIssuer|CERTIFICATE_VERIFY",
        "a certificate is not trusted",
        "export PIP_CERT=FILE with the authority's certificate, or UV_SYSTEM_CERTS=true, then the same command again",
    ),
    (
        "dns error|onnect|timed out|tunnel|resolution|NewConnectionError|No matching distribution",
        "no package index could be reached, or it lacks this part",
        "check the network; an index of your own: .venv/bin/pip config set global.index-url URL (uv is told as well)",
    ),
    (
        "ash mismatch|DO NOT MATCH THE HASHES",
        "a file is not the one that the lock names",
        "uv cache clean, then the same command again; if it stays, ask who serves the package index",
    ),
)


def pip_settings(python: Path) -> dict[str, list[str]]:
    """What this environment's own pip is configured with, from its files and from PIP_ variables."""
    command = [str(python), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found: dict[tuple[int, str], list[str]] = {}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in _STRONGER:
            found[_STRONGER.index(section), key] = str(ast.literal_eval(value)).split()
    return {key: found[rank, key] for rank, key in sorted(found)}


def told(settings: dict[str, list[str]]) -> dict[str, str]:
    """The environment in which uv does as pip would; what is set for uv itself stays."""
    environment = {**os.environ, "NO_COLOR": "1"}
    environment.setdefault("UV_INDEX_STRATEGY", "unsafe-best-match")  # the best version of all indexes, as pip takes it
    for key, (variable, between) in _MEANT.items():
        values = settings.get(key, [])
        if key == "find-links":  # pip passes over a folder that is not there
            values = [value for value in values if "://" in value or Path(value).exists()]
        if values:
            environment.setdefault(variable, between.join(values))
    return environment


class Uv:
    """The uv of one environment; put there by pip where it is missing, in the version of the lock.

    It is told what pip is told, but for the settings named in `unlike_pip`.
    """

    def __init__(self, venv: Path = VENV, unlike_pip: tuple[str, ...] = ()) -> None:
        self._program = venv / "bin" / "uv"
        python = venv / "bin" / "python"
        if not self._program.exists():
            words = ("install", "--quiet", "--require-hashes", "--no-compile", "--requirement", "/dev/stdin")
            command = [str(python), "-m", "pip", *words]
            _finish(subprocess.run(command, input=locked("dev")["uv"], capture_output=True, text=True))
        settings = {key: values for key, values in pip_settings(python).items() if key not in unlike_pip}
        self.alone = settings.get("no-index", ["no"])[0].lower() in ("1", "true", "yes", "on")
        self._environment = told(settings)

    def __call__(self, *arguments: str | Path, hint: tuple[str, str] | None = None) -> None:
        """Run it. Ends the script where it fails, saying what is wrong and what to do (`hint`, if it is known)."""
        _finish(self._run(arguments, {}), hint)

    def succeeds(self, *arguments: str | Path) -> bool:
        """Whether it can; a network that does not answer is asked once."""
        return self._run(arguments, {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "10"}).returncode == 0

    def install_locked(self, venv: Path, name: str) -> None:
        """What the lock of this name says and nothing else, each file checked against its hash."""
        lock = LOCKS / f"{name}.txt"
        words = ("pip", "install", "--python", venv, "--no-deps", "--requirements", lock)
        self(*words, "--dry-run")  # under pip's constraints, which the next one does not take unless they have hashes
        _finish(self._run((*words, *_hashed()), {"UV_CONSTRAINT": ""}))

    def build_locked(self, folder: Path) -> None:
        """The project as a wheel in `folder`; what builds it is checked against its hash as well."""
        _finish(self._run(("build", "--wheel", "--out-dir", folder, *_hashed()), {"UV_CONSTRAINT": ""}))

    def _run(self, arguments: tuple[str | Path, ...], more: dict[str, str]) -> subprocess.CompletedProcess[str]:
        words = [*map(str, arguments), *(["--no-index"] if self.alone else [])]
        environment = {**self._environment, **more}
        return subprocess.run([str(self._program), *words], env=environment, cwd=ROOT, capture_output=True, text=True)


def _hashed() -> tuple[str | Path, ...]:
    """That every file has to be the one which a lock names, those that build a package included."""
    return "--require-hashes", "--build-constraints", LOCKS / "dev.txt"


def locked(name: str) -> dict[str, str]:
    """Package -> its lines in the lock of this name."""
    return blocks_of((LOCKS / f"{name}.txt").read_text(encoding="utf-8"))


def blocks_of(text: str) -> dict[str, str]:
    """Package -> its lines in the text of a lock."""
    blocks = re.split(r"\n(?=\S)", text.strip())
    return {block.partition("==")[0]: block + "\n" for block in blocks if not block.startswith("#")}


def _finish(ended: subprocess.CompletedProcess[str], hint: tuple[str, str] | None = None) -> None:
    if not ended.returncode:
        return
    said = (ended.stderr + ended.stdout).strip()
    lines = [line for line in said.splitlines() if line.strip() and "sha256:" not in line]
    last = re.sub(r"(\w+://)[^/\s`'\"]+", r"\1...", "\n".join(lines[-12:]))
    hints = ((wrong, do) for pattern, wrong, do in _HINTS if re.search(pattern, said))
    wrong, do = hint or next(hints, ("a package could not be installed", "the same command again"))
    sys.exit(f"{last}\n{Path(sys.argv[0]).name}: {wrong}\n  next: {do}")
