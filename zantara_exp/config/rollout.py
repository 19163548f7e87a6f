"""Schema of the gradual rollout: its steps, who is routed, what it is watched by, and how a router keeps up with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from zantara_exp.config.fields import setting

ACTIONS = ("status", "start", "advance", "pause", "resume", "widen", "rollback")
SAFE = ("status", "pause", "rollback")
"""Those that raise nothing."""
WORSE = "worse"
MEASURES = ("error", "fallback", "timeout", "slow", "complaint", "cost", WORSE)
OUTAGE_MEASURES = ("error", "fallback", "timeout", "slow")
"""What an outage shows in within the hour; complaints come later, and costs are no outage."""
EVENTS = ("verdict", "step", "pause", "rollback")
EXCLUDABLE = ("language", "category")
"""What an excluded part of the traffic is named by: what is known of each request before it is answered."""
DECLARED = "declared"


def part_name(part: Mapping[str, str]) -> str:
    """A slice or an excluded part as files and sentences name it: `language=id, category=NAME`."""
    others = (name for name in part if name not in (*EXCLUDABLE, DECLARED))
    return ", ".join(f"{name}={part[name]}" for name in (*EXCLUDABLE, *others) if name in part)


@dataclass
class Guardrail:
    """What of a user's requests counts as bad, and how much of it ends the rollout."""

    measure: str = setting("error", "What counts as bad (docs/rollout.md).", choices=MEASURES)
    limit: float | None = setting(None, "Users' mean share of bad requests beyond which the rollout ends.", gt=0, lt=1)
    over_control: float | None = setting(
        None, "How much more of it than users of the primary at the same time; null: not compared.", ge=0, lt=1
    )
    slower_ms: float = setting(1500.0, "measure=slow: a request is bad from this on, in ms; so is a failed one.", gt=0)
    unit_usd: float = setting(0.01, "measure=cost: a request that costs this or more counts as wholly bad.", gt=0)
    by_language: bool = setting(False, "Whether each of rollout.languages is held to the limit as well.")

    def rules(self) -> Iterator[tuple[str, str]]:
        """Something to compare with."""
        if self.limit is None and self.over_control is None:
            yield "limit", "neither limit nor over_control is given; such as limit: 0.05"
        if self.by_language and self.limit is None:
            yield "by_language", "holds each language to the limit: give it one"
        if self.measure == WORSE and self.over_control is not None:
            yield (
                "over_control",
                "the primary's own users have no second answer to compare with; give measure=worse a limit",
            )


@dataclass
class Outage:
    """Config node `rollout.outage`: what is done when most requests of some hours fail at once."""

    answer: str = setting(
        "pause",
        "pause: the primary answers until the candidate passes its test; rollback: for good; ignore: not watched.",
        choices=["pause", "rollback", "ignore"],
    )
    share: float = setting(
        0.3, "Users' mean share of bad requests, over the last hours, that an outage has at least.", gt=0, lt=1
    )
    wait_minutes: float | None = setting(
        30.0, "From the pause to the test, and from test to test; null: only a person resumes.", ge=1, le=10_080
    )
    give_up_hours: float | None = setting(
        24.0, "A pause of an outage that lasts longer is rolled back; null: never.", gt=0, le=8760
    )
    most_per_week: int = setting(3, "Outages within 7 days that are answered by a pause; the next rolls back.", ge=0)

    def rules(self) -> Iterator[tuple[str, str]]:
        """A test comes before the end of patience."""
        if self.wait_minutes and self.give_up_hours and self.wait_minutes > 60 * self.give_up_hours:
            yield "wait_minutes", f"{self.wait_minutes:g} min is longer than give_up_hours ({self.give_up_hours:g} h)"


@dataclass
class Notify:
    """Config node `rollout.notify`: a webhook that hears of verdicts, steps and rollbacks."""

    url_env: str | None = setting(
        None, "Environment variable with the webhook's URL, which may hold its secret; null: nobody is told."
    )
    events: list[str] = setting(list(EVENTS), "What it hears of.", choices=EVENTS)
    timeout_seconds: float = setting(5.0, "How long one attempt may take.", gt=0, le=60)
    attempts: int = setting(4, "Attempts, with growing waits in between.", ge=1, le=10)
    allow_insecure: bool = setting(False, "Allow http:// to other machines, and addresses of private networks.")


@dataclass
class Probe:
    """Config node `rollout.probe`: the load and cold-start test of the candidate before each step."""

    enabled: bool = setting(True, "Whether start, advance and resume test the candidate first.")
    cold_seconds: float = setting(10.0, "How long the first answer may take, as after a cold start.", gt=0, le=600)
    seconds: float = setting(20.0, "How long the load lasts, after the first answer.", gt=0, le=600)
    peak_factor: float = setting(
        4.0, "Load of the busiest minutes over the mean of cost.monthly_requests.", ge=1, le=1000
    )
    requests: int = setting(20, "Requests at least, however little traffic the step has.", ge=5, le=10_000)
    max_failed: float = setting(0.05, "Share of failed answers above which the step is held.", ge=0, lt=1)
    p95_ms: float = setting(1500.0, "95 % of the answers must be faster, in ms.", gt=0)


@dataclass
class Certify:
    """Config node `rollout.certify`: what stage=certify has to show of the requests that `route: learned` moves."""

    quality: float = setting(0.8, "Share that is answered, and as well as by the primary or better.", gt=0, lt=1)
    alpha: float = setting(0.05, "Probability of a wrong certificate, over all looks at one candidate.", gt=0, le=0.25)
    max_age_days: float = setting(30.0, "A certificate older than this raises nothing.", gt=0, le=365)
    requests: int = setting(20_000, "Requests of the log that are read at most.", ge=100, le=1_000_000)


@dataclass
class Rollout:
    """Config group `rollout`: the gradual rollout."""

    action: str = setting("status", "What stage=rollout does.", choices=ACTIONS)
    steps_percent: list[float] = setting(
        [10.0, 25.0, 50.0, 100.0], "Share of users per step, in percent, growing.", gt=0, le=100
    )
    hold_days: list[float] = setting([7.0, 7.0, 7.0, 7.0], "How long each step is held, in days.", ge=0, le=365)
    categories: list[str] = setting([], "Categories the candidate may answer, of domain.moves.")
    route: str = setting(
        "segment",
        "Which of their requests: segment, all that the GO covers; learned, those with a certified score.",
        choices=["segment", "learned"],
    )
    certify: Certify = setting(Certify(), "What route=learned has to have shown.")
    longest_chat: int = setting(
        4000, "Characters of message and history beyond which a chat stays with the primary.", ge=1, le=1_000_000
    )
    exclude: list[dict[str, str]] = setting(
        [],
        "Parts that stay with the primary, as stage=slices prints them, such as {language: id, category: NAME}; one "
        "that it did not confirm also says when it was declared, declared: 2025-10-20.",
    )
    languages: list[str] = setting([], "Languages that guardrails may look at one by one.")
    candidate: str | None = setting(None, "Of several candidates, the one that is moved to; start needs it.")
    actor: str | None = setting(None, "Who changes the rollout, for its history; default: $USER.")
    reason: str = setting("", "Why, for its history; asked for where something stands against a move.")
    go_max_age_days: int = setting(
        0, "start, widen: complete days that the evidence of the GO may be older than the log's newest.", ge=0, le=365
    )
    log_max_age_days: int = setting(
        7, "A log whose last complete day lies further back than this stands against a start.", ge=0, le=3650
    )
    state: str = setting(
        "file",
        "Where state and served log lie: file, under paths.state and paths.logs; postgres, for several machines.",
        choices=["file", "postgres"],
    )
    state_url_env: str = setting("ROLLOUT_DATABASE_URL", "state=postgres: environment variable with the URL.")
    refresh_seconds: float = setting(0.5, "How often a router looks at the state.", ge=0.05, le=1)
    last_known_seconds: float = setting(
        30.0, "How long a router trusts the last state it read; then the primary answers everyone.", ge=1, le=3600
    )

    guardrails: dict[str, Guardrail] = setting(
        {"error": Guardrail("error", 0.02), "fallback": Guardrail("fallback", 0.02)}, "What ends the rollout, by name."
    )
    block_hours: int = setting(
        4, "A rollback needs evidence over blocks of so many hours too, each one voice; divides 24.", ge=1, le=24
    )
    reverse_percent: float = setting(
        0.0, "Share of the requests answered by the candidate that primary.endpoint answers too, unseen.", ge=0, le=100
    )
    outage: Outage = setting(Outage(), "What is done about an outage.")
    critical_bugs: bool = setting(True, "Whether a blocking error noted in reports/incidents.jsonl ends it as well.")
    alpha: float = setting(
        0.05, "Probability of a false alarm over the planned ramp, all guardrails together.", gt=0, le=0.25
    )
    sample_ratio_alpha: float = setting(
        0.001,
        "Probability over a rollout of finding the arms to be of other sizes than the share says where they are not; "
        "what is found pauses it. 0: not tested.",
        ge=0,
        le=0.05,
    )
    min_users: int = setting(
        100, "Users of the candidate whom a step must have served before the next one.", ge=1, le=1_000_000
    )
    watch: bool = setting(False, "Look at the guardrails again and again, and roll back when one is breached.")
    alone: bool = setting(
        False, "watch: refuse to be a second controller of one rollout; several are safe, and tell twice."
    )
    auto_advance: bool = setting(False, "watch: go to the next step by itself once nothing stands against it.")
    every_seconds: float = setting(60.0, "watch: time from look to look.", gt=0, le=3600)
    looks: int | None = setting(None, "watch: stop after so many looks; null: watch until interrupted.", ge=1)
    blind_looks: int = setting(5, "watch: pause after so many looks in a row that could not be made.", ge=1, le=1000)
    silent_hours: float = setting(
        24.0,
        "watch: a time without any request, in either arm, that counts as a look not made; and how long what was moved "
        "may wait for a judge before the step waits for it.",
        gt=0,
        le=8760,
    )
    notify: Notify = setting(Notify(), "The webhook.")
    probe: Probe = setting(Probe(), "The test before each step.")

    @property
    def judged(self) -> list[str]:
        """The guardrails that a judge's verdicts decide."""
        return [name for name, guardrail in self.guardrails.items() if guardrail.measure == WORSE]

    def rules(self) -> Iterator[tuple[str, str]]:
        """Steps that grow, a time for each, something to be watched by, and categories."""
        steps = self.steps_percent
        if not steps or any(later <= earlier for earlier, later in zip(steps, steps[1:], strict=False)):
            yield "steps_percent", f"{steps} must grow from step to step, such as [10, 25, 50, 100]"
        if len(self.hold_days) != len(steps):
            yield "hold_days", f"has {len(self.hold_days)} times for {len(steps)} steps; give one for each"
        if not self.categories:
            yield "categories", "is empty: name at least one of domain.moves"
        yield from self._wrong_parts()
        if not self.guardrails:
            yield "guardrails", "is empty: a rollout that nothing watches is refused"
        if self.judged and not self.reverse_percent:
            yield (
                "reverse_percent",
                "is 0, and a guardrail measures what is worse: a judge needs both answers, such as 5",
            )
        if 24 % self.block_hours:
            yield "block_hours", f"{self.block_hours} does not divide a day: 1, 2, 3, 4, 6, 8, 12 or 24"
        if any(guardrail.by_language for guardrail in self.guardrails.values()) and not self.languages:
            yield "languages", "is empty, and a guardrail looks at each language; such as [it, en, id]"
        if self.watch and self.action != "status":
            yield "watch", f"moves by itself: leave out rollout.action={self.action}"
        if self.auto_advance and not self.watch:
            yield "auto_advance", "is what a watching controller does: add rollout.watch=true"
        if self.actor is not None and not self.actor.strip():
            yield "actor", "is empty: name who changes the rollout, or leave it out"

    def _wrong_parts(self) -> Iterator[tuple[str, str]]:
        """Excluded parts that name nothing, or something else."""
        for place, part in enumerate(self.exclude):
            if strange := [name for name in part if name not in (*EXCLUDABLE, DECLARED)]:
                yield f"exclude[{place}]", f"knows no {strange[0]} (valid: {', '.join((*EXCLUDABLE, DECLARED))})"
            elif not part_name(part):
                yield f"exclude[{place}]", "names no part; such as {language: id, category: NAME}"
            try:
                date.fromisoformat(part.get(DECLARED, "2025-10-20"))
            except ValueError:
                yield f"exclude[{place}].{DECLARED}", f"{part[DECLARED]} is not a day, such as 2025-10-20"
