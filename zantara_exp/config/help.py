"""What `zantara-exp --help` prints. Hydra's own reads the whole schema once per config group, which takes seconds."""

from __future__ import annotations

from pathlib import Path

from zantara_exp.config.diagnostics import groups_in
from zantara_exp.config.folders import CONF, folders

_HEAD = """\
zantara_exp: from production chats to a GO / NO-GO on a fine-tuned model, and through its rollout.

  python -m zantara_exp                                    the whole pipeline on embedded defaults
  python -m zantara_exp stage=train model=llama8b          one stage, other parts by config group
  python -m zantara_exp stage=gate gate=go_no_go as_of=2025-11-03
  python -m zantara_exp -m stage=train trainer.learning_rate=1e-4,2e-4   a sweep, compared in the MLflow UI
  zantara-exp init DIR                                     a folder of your own config, for --config-dir DIR

Stages (stage=NAME):
"""
_TAIL = """\
Everything else is key=value. --cfg job prints all keys as composed, --cfg job --package trainer one group.
--config-dir DIR adds a folder of your own config groups; -m runs a sweep; --hydra-help explains the other switches.
ZANTARA_CONFIG_DIR=DIR and ZANTARA_EXPERIMENT=NAME in the environment name folder and experiment for all commands.
Exit status: 0 done (stage=gate: GO), 1 failed, 2 the config is wrong, 3 NO_GO, 4 INCONCLUSIVE.
"""


_OWN = ("stage", "hydra")
"""Groups that the page shows elsewhere, or not at all."""


def help_text(config_dir: str | None = None) -> str:
    """The help page; `config_dir` is a further folder of config groups."""
    stages = {p.stem: _purpose(p) for p in sorted((CONF / "stage").glob("*.yaml"))}
    lines = [f"  {name:<10} {purpose}" for name, purpose in stages.items()]
    groups = groups_in(folders(config_dir))
    chosen = [f"  {name + '=':<12}{' | '.join(options)}" for name, options in groups.items() if name not in _OWN]
    return "\n".join([_HEAD.rstrip("\n"), *lines, "", "Config groups (group=option):", *chosen, "", _TAIL.rstrip("\n")])


def _purpose(path: Path) -> str:
    """The first sentence of the comment that a config file opens with."""
    with path.open(encoding="utf-8") as file:
        return file.readline().lstrip("# ").split("  Run:")[0].strip()
