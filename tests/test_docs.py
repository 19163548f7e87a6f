"""What the pages print is true: links lead somewhere, files and keys exist, commands compose."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from zantara_exp.cli.init import init
from zantara_exp.config import CONF, Config, compose
from zantara_exp.core.errors import ZantaraError

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAM = re.compile(r"(?:^|[ =])(?:\S*python3? -m zantara_exp|zantara-exp) (.*)")
SAID = ("zantara-exp: ", "next: ")
NO_KEYS = ("shadow.stats", "shadow.observe", "primary.error")  # a program's names, and a field of the log
FILES = (".py", ".yaml", ".json", ".jsonl", ".html", ".csv")


def names(page: Path) -> str:
    return str(page.relative_to(ROOT))


def commands(page: Path) -> Iterator[str]:
    """The lines of a page's indented and fenced blocks, as a shell gets them."""
    fenced = False
    for line in page.read_text().replace("\\\n", " ").splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip().removeprefix("$ ")


def words_of(line: str) -> list[str]:
    """The arguments of a command of ours; none where the line is another command, or what one prints."""
    found = PROGRAM.search(line)
    if not found or line.startswith(SAID) or "=NAME" in line:
        return []
    return [word for word in shlex.split(found[1], comments=True) if word != "..."]


def anchors(page: Path) -> set[str]:
    """The headings, as GitHub and GitLab turn them into anchors."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        assert other.exists(), f"{target}: no such file"
        assert not anchor or anchor in anchors(other), f"{target}: no such heading"


def test_every_page_is_found_from_the_readme() -> None:
    seen, ahead = set(), [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        ahead += [(page.parent / found).resolve() for found in re.findall(r"\]\(([^)#:]+\.md)", page.read_text())]
    assert set(PAGES) <= seen


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_file_of_ours_that_is_named_exists(page: Path) -> None:
    named = r"`((?:[\w.-]+/)*[\w.-]+\.(?:py|jinja|toml)|(?:conf|tests|scripts|examples)/[\w./-]+)`"
    for name in re.findall(named, page.read_text()):
        there = any((folder / name).exists() for folder in (ROOT, ROOT / "zantara_exp", *(ROOT / "tests").iterdir()))
        assert there or "NAME" in name, f"{name} is named, and is not there"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_key_that_is_named_exists(page: Path) -> None:
    config = Config()
    in_text = re.findall(r"`([a-z_]+(?:\.[a-z_]+)+)(?:=[^`]*)?`", page.read_text())
    in_commands = [word.partition("=")[0] for line in commands(page) for word in words_of(line)]
    for name in in_text + in_commands:
        group, *keys = name.split(".")
        if not hasattr(config, group) or name.endswith(FILES) or name.startswith(NO_KEYS):
            continue
        node: object = getattr(config, group)
        for key in keys:
            if not is_dataclass(node):
                break  # the keys of a dictionary are its writer's
            assert hasattr(node, key), f"{name} is named, and is no key"
            node = getattr(node, key)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder as `zantara-exp init` writes it, with the endpoint that stage=publish adds."""
    folder = tmp_path_factory.mktemp("docs") / "conf-ours"
    init([str(folder)])
    shutil.copy(CONF / "endpoint" / "openai.yaml", folder / "endpoint" / "candidate.yaml")
    return str(folder)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=names)
def test_every_command_composes(page: Path, own: str) -> None:
    for line in {" ".join(words_of(line)): line for line in commands(page)}.values():
        words = words_of(line)
        if "-m" in words:  # a sweep: its first run
            words = [word.split(",")[0] for word in words if not word.startswith("hydra")]
        try:
            compose([word for word in words if "=" in word and not word.startswith("-")], own)
        except ZantaraError as error:
            pytest.fail(f"{line}\n{error}")


def test_every_option_of_a_script_is_known() -> None:
    for page in PAGES:
        for line in commands(page):
            if named := re.match(r"(scripts/\w+\.py) (.*)", line):
                known = (ROOT / named[1]).read_text()
                assert all(f'"{option}"' in known for option in re.findall(r"--[\w-]+", named[2])), line
