"""Where the YAML lies: the shipped config groups, and a folder of one's own before them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from zantara_exp.config._yaml_safety import names_code, unfolded
from zantara_exp.config.validation import suggestion
from zantara_exp.core.errors import ConfigError
from zantara_exp.core.next_command import EXPERIMENT, OWN_FOLDER, start

_PACKAGED = Path(__file__).resolve().parents[1] / "conf"
CONF = _PACKAGED if _PACKAGED.is_dir() else Path(__file__).resolve().parents[2] / "conf"
"""The shipped YAML: inside the package in a wheel, at the top level of a checkout."""


_MOST_VALUES = 100_000
_looking_in: ContextVar[str] = ContextVar("looking_in", default="")


@contextmanager
def looking_in(config_dir: str | None) -> Iterator[None]:
    """Within, what is looked up by name is looked up in this folder, and not in the one that the environment names."""
    before = _looking_in.set(config_dir or _looking_in.get())
    try:
        yield
    finally:
        _looking_in.reset(before)


def own_folder() -> str:
    """The folder of one's own config groups that counts here; "" for none."""
    return _looking_in.get() or os.environ.get(OWN_FOLDER, "")


def folders(config_dir: str | Path | None = None) -> list[Path]:
    """Where config groups lie: a folder of one's own first, whose files stand for shipped ones of the same name.

    `config_dir` defaults to what `looking_in` or the environment variable ZANTARA_CONFIG_DIR names. Raises ConfigError
    when it is no folder.
    """
    own = config_dir or own_folder()
    if not own:
        return [CONF]
    if not Path(own).is_dir():
        raise ConfigError(f"--config-dir={own}: is no folder", f"{start(str(own))}   # a new one")
    for path in sorted(Path(own).rglob("*.yaml")):
        if (size := unfolded(path)) > _MOST_VALUES:
            raise ConfigError(
                f"{path}: its anchors unfold to {size:,} values; a config holds {_MOST_VALUES:,} at most",
                "write the values out, or take the file away",
            )
        if names_code(path):
            raise ConfigError(f"{path}: _target_: a config names no code here", "remove the key, or take the file away")
    return [Path(own).absolute(), CONF]


def with_experiment(arguments: Sequence[str], config_dir: str | Path | None = None) -> list[str]:
    """A command line with the experiment that ZANTARA_EXPERIMENT names.

    An `experiment=` of its own wins; `experiment=null` is none at all, which Hydra has no word for. Raises ConfigError
    for a name that no folder has.
    """
    if {"-sc", "--shell-completion"} & {*arguments}:
        return list(arguments)  # its words are no overrides
    own = [text for text in arguments if text.lstrip("+").startswith(("experiment=", "experiment@"))]
    if own:
        return [text for text in arguments if text not in ("experiment=null", "experiment=")]
    named = os.environ.get(EXPERIMENT, "").strip()
    if not named:
        return list(arguments)
    searched = folders(config_dir)
    known = sorted({path.stem for folder in searched for path in (folder / "experiment").glob("*.yaml")})
    if named not in known:
        where = " or ".join(filter(None, [str(config_dir or os.environ.get(OWN_FOLDER, "")), "conf"]))
        raise ConfigError(
            f"{EXPERIMENT}={named}: no such experiment in {where}; {suggestion(named, known)}",
            f"export {EXPERIMENT}=NAME, or --config-dir=DIR with experiment/{named}.yaml, or unset {EXPERIMENT}",
        )
    # Before the first override: what is written before may be a switch of Hydra's with a value of its own.
    place = next((place for place, text in enumerate(arguments) if "=" in text and text[0] not in "-"), 0)
    return [*arguments[:place], f"experiment={named}", *arguments[place:]]


def options(group: str) -> dict[str, Path]:
    """The options of a config group by name, for what is looked up after composing, such as `endpoint.fallback`."""
    return {path.stem: path for folder in reversed(folders()) for path in sorted((folder / group).glob("*.yaml"))}
