"""The files that stages hand to one another. Every path that two stages share is named here, once."""

from __future__ import annotations

from copy import copy
from pathlib import Path

from zantara_exp.config.schema import Config


class Layout:
    """Absolute paths of the data contracts, for one config."""

    def __init__(self, config: Config) -> None:
        paths = config.paths
        self.dataset = Path(paths.dataset).absolute()
        self.models = Path(paths.models).absolute()
        self.logs = Path(paths.logs).absolute()
        base = Path(paths.reports).absolute()
        # Of several candidates each has its verdict in a folder of its own; what people and judges say of the first
        # lies where it lay before there were others.
        named = config.candidate is not None and bool(config.endpoints)
        own = Path("candidates", str(config.candidate)) if named else Path()
        beside = own if config.candidate in config.endpoints else Path()
        self.reports = base / beside
        self.state = Path(paths.state).absolute()
        self.mlruns = Path(paths.mlruns).absolute()

        # extract
        self.raw_conversations = self.dataset / "raw_conversations.jsonl"
        self.quarantine = self.dataset / "quarantine.jsonl"
        self.extract_summary = self.dataset / "extract.json"
        self.labelled = self.dataset / "labelled.jsonl"
        # analyze
        self.analysis = self.dataset / "analysis.json"
        self.to_label = self.dataset / "to_label.jsonl"
        # prepare
        self.train = self.dataset / "train.jsonl"
        self.val = self.dataset / "val.jsonl"
        self.test = self.dataset / "test.jsonl"
        self.rejected = self.dataset / "rejected.jsonl"
        self.rejected_turns = self.dataset / "rejected_turns.jsonl"
        self.splits = self.dataset / "splits.json"
        self.prepare_summary = self.dataset / "prepare.json"
        # train: a merged model that transformers loads, with train.json beside its weights
        self.model = self.models / config.model.output
        self.train_summary = self.model / "train.json"
        # shadow: what serving the candidate here needs; an endpoint elsewhere needs no file of ours
        self.candidate = [self.train_summary] if config.endpoint.kind == "local" else []
        # log=postgres: lines on their way to the database; readers then need no file to be there
        self.log_spool = self.state / "log_spool"
        self.served_spool = self.state / "served_spool"
        self.comparisons = [self.logs] if config.log.kind == "jsonl" else []
        # serve: what each gateway of this machine has seen
        self.gateway = self.state / "gateway"
        # rollout.watch: its time is that of the newest look
        self.controller = self.state / "rollout" / "controller"
        # evaluate
        self.evaluation = self.model / "evaluation.json"
        self.evaluation_rows = self.model / "evaluation.jsonl"
        # judge, review: what was found worse, to learn from
        self.preferences = self.dataset / "preferences.jsonl"
        # and whose chats were looked at: they stay out of the test split
        self.reviewed = self.dataset / "reviewed.jsonl"
        self._opinions(beside)
        # written by the team: errors that users met, and the days somebody looked
        self.incidents = base / "incidents.jsonl"
        # forget: users whom extract and prepare refuse, and what was removed when; no cache, to be kept
        self.forgotten = self.state / "privacy" / "forgotten.json"
        self.removals = self.state / "privacy" / "removals.jsonl"
        # slices: where the candidate is worse
        self.slices = self.reports / "slices.json"
        # and some comparisons there, by slice: one of a user who is forgotten takes the file with it
        self.slice_pairs = self.reports / "slice_pairs.json"
        # certify: which requests may move, the looks at labels that said so, and the routing curve
        self.certificate = self.state / "routing" / "certificate.json"
        self.certificate_looks = self.state / "routing" / "looks.jsonl"
        self.routing = self.reports / "routing.json"
        # gate, report
        self.looks = self.state / "looks" / "looks.jsonl"
        # and what signs verdicts and the rollout's state, where the environment has no key
        self.signing_key = self.state / "signing_key"
        self.verdict = base / own / "verdict.json"
        self.report = self.reports / "report.html"

    def _opinions(self, beside: Path) -> None:
        """What a judge and people say of a candidate's answers."""
        # judge: what it says of comparisons of the log
        self.judged = self.reports / "judged.jsonl"
        # and of what a rollout's candidate answered users
        self.judged_moved = self.reports / "judged_moved.jsonl"
        # review
        self.review_labels = self.reports / "review.jsonl"
        self.review_sheet = self.reports / "review_sheet.csv"
        # the sample with the key to its sides lies apart from what reviewers open
        self.review_sample = self.state / "review" / beside / "sample.json"

    def family(self) -> list[Layout]:
        """This one, and for each candidate that has a folder below it one with the opinions of that."""
        made, folders = [self], (self.reports, self.state / "review")
        for name in sorted({path.name for folder in folders for path in folder.glob("candidates/*")}):
            other, beside = copy(self), Path("candidates", name)
            other.reports = self.reports / beside
            other._opinions(beside)
            made.append(other)
        return made
