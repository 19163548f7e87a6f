"""What clients of Node are asked to do: one process of Node, told by a line what to ask and answering by a line."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clients.official import PATIENCE_SECONDS
from tests.clients.stub import BREAKS, CACHED, SLOW, TEXT, THINKING, TOOL
from tests.clients.ways import BREAKS_OFF, FAILS, KEY, QUESTION, Call, Heard

FOLDER = Path(__file__).with_name("node")
MISSING = (
    "Node is not installed here; next: apt-get install nodejs npm, then scripts/extras node"
    if shutil.which("node") is None
    else "the clients of Node are not installed here; next: scripts/extras node"
)
_SCENES = {"cached": CACHED, "thinking": THINKING, "tool call": TOOL, "waits": SLOW, "stream breaks off": BREAKS}
_STAYING = ("count_tokens", "embeddings")


class Node:
    """The process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._told, self._said = process.stdin, process.stdout
        self.names: list[tuple[str, str]] = [tuple(each) for each in json.loads(self._said.readline())]

    def call(self, client: str, name: str) -> Call:
        def ask(base: str, user: str) -> Heard:
            self._told.write(json.dumps({"call": f"{client}|{name}", "base": base, "user": user}) + "\n")
            self._told.flush()
            found = json.loads(self._said.readline())
            tokens = found.get("tokens")
            return Heard(**{**found, "tokens": tokens and tuple(tokens), "said": json.dumps(found.get("said"))})

        return Call(client, name, ask, _scene(name), moves=_moves(name))


def _scene(name: str) -> str:
    what = name.rpartition(": ")[2]
    if what in (FAILS, BREAKS_OFF):
        return what
    if what.startswith("refused with "):
        return what.removeprefix("refused with ")
    return next((scene for word, scene in _SCENES.items() if word in what), TEXT)


def _moves(name: str) -> bool:
    return name not in _STAYING and not (_scene(name).isdecimal() or _scene(name) in (SLOW, BREAKS))


@contextmanager
def node() -> Iterator[Node]:
    told = json.dumps({"key": KEY, "question": QUESTION, "patience": PATIENCE_SECONDS * 1000})
    command = ["node", str(FOLDER / "calls.mjs"), told]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Node(process)
        finally:
            process.kill()
