"""`stage=rehearsal`: plays scenarios one after the other and writes a report of each.

python -m zantara_exp experiment=rehearsal
"""

from __future__ import annotations

from pathlib import Path

from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.rehearsal.play import play
from zantara_exp.rehearsal.played import Played
from zantara_exp.rehearsal.report import page
from zantara_exp.rehearsal.scenarios import SCENARIOS


def rehearsal(config: Config, context: Context) -> StageResult:
    """Play `rehearsal.scenarios`. Raises ZantaraError when one did not end as it should; its report is written."""
    folder = Path(config.rehearsal.folder).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    pages, ended = [], []
    for name in config.rehearsal.scenarios:
        scenario = SCENARIOS[name]
        context.say(f"{scenario.title}: {scenario.story}")
        played = play(scenario, config, context)
        pages.append(folder / f"{name}.md")
        pages[-1].write_text(page(played), encoding="utf-8")
        ended.append(played)
        context.say(f"  ended: {played.ending}, after {played.seconds:.0f} s")
    wrong = [each for each in ended if not each.as_it_should]
    if wrong:
        which = "; ".join(f"{each.scenario.name} ended as {each.ending}" for each in wrong)
        raise ZantaraError(f"not as it should: {which}", f"read {config.rehearsal.folder}/{wrong[0].scenario.name}.md")
    rows = [_row(each) for each in ended]
    return StageResult(
        summary={"played": f"{len(ended)} scenarios, each ended as it should", "reports": config.rehearsal.folder},
        metrics={f"rehearsal/{each.scenario.name}_seconds": each.seconds for each in ended},
        tables=[Table("Endings", ["scenario", "verdict", "rollout", "requests", "without an answer"], rows)],
        artifacts=pages,
    )


def _row(played: Played) -> list[str]:
    verdict = str(played.verdict.get("verdict"))
    return [played.scenario.title, verdict, played.state.words, str(played.asked), str(played.unanswered)]
