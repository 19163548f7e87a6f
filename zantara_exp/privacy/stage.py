"""`stage=forget`: removes users, or what is older than the retention, from everything this project wrote.

    python -m zantara_exp stage=forget privacy.users_file=ids.txt privacy.reason='request 41' privacy.dry_run=true
    python -m zantara_exp stage=forget privacy.retention_days=365

What goes first and last is chosen for a kill in between: users are refused from the first moment on, and the logs,
which say what of theirs lies elsewhere, go last. The same command again finds what is left.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

from zantara_exp.config.schema import Config
from zantara_exp.core.layout import Layout
from zantara_exp.core.next_command import command
from zantara_exp.core.stage import Context, StageResult, Table
from zantara_exp.dataset.forgotten import forgotten_users, save
from zantara_exp.privacy import copies, dataset, logs, reviews
from zantara_exp.privacy.record import earlier, note, proof
from zantara_exp.privacy.what_goes import Whose, whose
from zantara_exp.text.wording import agreed, counted


def forget(config: Config, context: Context) -> StageResult:
    """Remove what the config names; with `privacy.dry_run` count it.

    Raises ConfigError where nothing is named, ZantaraError where a database cannot be used.
    """
    at, gone, dry = context.layout, whose(config), config.privacy.dry_run
    before = list(map(str, earlier(at, gone.users, gone.key)))
    if not dry:
        save(at, gone.key, {*forgotten_users(at, gone.key), *gone.users})
        note(at, "begun", _asked(config, gone))
    dataset.learn(at, gone)
    unreadable = logs.learn(config, at, gone)
    learnt, pairs = dataset.trained_on(at, gone), reviews.affected(at, gone)
    # Tracking first: a store that is away ends the stage while everything can still be found again.
    in_mlflow = copies.forget_in_mlflow(config, at, gone, pairs, dry)
    counts = Counter({"runs waiting for MLflow": copies.forget_pending(at, gone, dry)})
    counts["artifacts and traces in MLflow"] = in_mlflow.total()
    counts["reviewed pairs"] = sum(map(len, pairs.values()))
    moved = {} if dry else reviews.forget(at, gone)
    removed_pages = copies.forget_pages(at, gone, dry)
    counts["pages"] = len(removed_pages)
    counts += dataset.forget(at, gone, dry)
    counts["imported rows"] = dataset.forget_imported(config, at, gone, dry)
    counts += logs.forget(config, at, gone, dry)
    if not dry:
        copies.forget_caches(logs.caches(at))
        unreadable = logs.learn(config, at, gone)  # those that named one of them are blank by now
    left = _left(config, at, gone, learnt, 0 if config.privacy.unreadable == "blank" else unreadable, moved)
    if not dry:
        shown = {"proof": proof(gone.users, gone.key)} if gone.users else {}
        note(at, "removed", {**_asked(config, gone), **shown, "counts": +counts, "samples": moved, "left": left})
    result = _result(config, gone, +counts, in_mlflow, left, at)
    return replace(result, summary={**result.summary, "removed before": "; ".join(before)}) if before else result


def _asked(config: Config, gone: Whose) -> dict[str, object]:
    before = gone.before.date().isoformat() if gone.before else None
    return {"users": len(gone.users), "older_than": before, "reason": config.privacy.reason}


def _left(config: Config, at: Layout, gone: Whose, learnt: int, unreadable: int, moved: Mapping[str, str]) -> list[str]:
    """What this command cannot remove, or what changed its meaning; each is said to a person and noted."""
    said = []
    if learnt:
        went = counted(learnt, "training example")
        said.append(f"{went} went: models trained on them still hold what they learnt; train anew")
    if waiting := logs.waiting_in_spools(at, gone):
        stand = agreed(waiting, "line stands", "lines stand")
        said.append(f"{stand} in spools of running processes: stop those, and run this again")
    if unreadable:
        said.append(
            f"{counted(unreadable, 'line')} of the log cannot be read, so whose they are is not known: "
            "privacy.unreadable=blank takes their text out"
        )
    for old, new in moved.items():
        said.append(
            f"review sample {old} is {new} now: texts are gone, verdicts stay; a one-look gate has spent its look"
        )
    if config.source.kind == "postgres":
        said.append(f"the product's database ({config.source.url_env}) is only read: remove the users there as well")
    if config.tracking.name == "server":
        said.append("the MLflow server's own backups are not reached from here")
    return said


def _result(
    config: Config, gone: Whose, counts: Mapping[str, int], in_mlflow: Mapping[str, int], left: list[str], at: Layout
) -> StageResult:
    dry = config.privacy.dry_run
    what = counted(len(gone.users), "user") if gone.users else ""
    older = f"all older than {gone.before.date()}" if gone.before else ""
    rows = [[name, str(count)] for name, count in counts.items()]
    tables = [Table("would go" if dry else "removed", ["what", "lines or files"], rows)] if rows else []
    if in_mlflow:
        tables.append(Table("in MLflow", ["run", "artifacts"], [[run, str(n)] for run, n in in_mlflow.items()]))
    return StageResult(
        summary={
            "asked for": " and ".join(filter(None, (what, older))),
            "found": f"{sum(counts.values())} lines, rows, pairs and files" + (" (nothing was changed)" if dry else ""),
            **({} if dry else {"noted in": str(at.removals)}),
            **{f"left {number}": line for number, line in enumerate(left, 1)},
        },
        metrics={"forget/removed": 0.0 if dry else float(sum(counts.values()))},
        tables=tables,
        next_command=command("stage=prepare") if any(n.endswith(".jsonl") for n in counts) and not dry else "",
    )
