"""The steps of `zantara_exp.dataset.choosing` for conversations that no memory holds: their texts are read where they
lie, by ranges of the file, once to learn what each step asks of them and once to write what became of them.

Between the two only facts are sorted and exchanged: names, times, labels, hashes of users and turns, keys under which
near-duplicates are looked for, and the words of those that have one. The process that asks holds two numbers of each
conversation that shares such a key, and the conversations that are left at last: as many as can become examples.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from zantara_exp import spark
from zantara_exp.config.schema import Config
from zantara_exp.core.errors import ZantaraError
from zantara_exp.core.layout import Layout
from zantara_exp.dataset import balance, records, same_answers
from zantara_exp.dataset.choosing import DUPLICATE, MIX, Chosen, most_of, quotas_of
from zantara_exp.dataset.duplicates import draw, surplus
from zantara_exp.dataset.findings import FEWEST_USERS
from zantara_exp.dataset.forgotten import forgotten_users
from zantara_exp.dataset.growing_rows import CONTINUED, Told, continued
from zantara_exp.dataset.on_spark import reading
from zantara_exp.dataset.on_spark.components import components
from zantara_exp.dataset.on_spark.scratch import scratch
from zantara_exp.dataset.same_answers import SAME_ANSWER
from zantara_exp.dataset.selection import Before, Selection
from zantara_exp.dataset.summary import Dated
from zantara_exp.spark import Row

_ORDER = ("time", "name", "at")
"""The order of `Selection`; `at` is where a line begins, and tells apart what shares time and name."""


@contextmanager
def chosen(config: Config, layout: Layout) -> Iterator[Chosen]:
    """As `zantara_exp.dataset.choosing.choose`, and the same outcome; the lines it gives can be read within."""
    records.require(layout.raw_conversations, "extract")
    session = spark.session(config.engine.master, layout.state)
    ranges = reading.ranges_of(layout.raw_conversations, session.sparkContext.defaultParallelism)
    few, many = spark.FEW_PARTITIONS, str(max(len(ranges), int(spark.FEW_PARTITIONS)))
    session.conf.set("spark.sql.shuffle.partitions", many)
    try:
        with scratch(layout.dataset, "prepare") as folder:
            yield _Choosing(config, layout, session, folder, ranges).chosen()
    finally:
        session.conf.set("spark.sql.shuffle.partitions", few)


class _Choosing:
    """One run; each step is a method that says what goes and why."""

    def __init__(self, config: Config, layout: Layout, session: Any, folder: Path, ranges: list[reading.Lines]) -> None:
        from pyspark.sql import functions

        self._config, self._layout, self._session, self._folder = config, layout, session, folder
        self._ranges, self._f = ranges, functions

    def chosen(self) -> Chosen:
        try:
            facts = self._kept("facts", self._facts())
        except ZantaraError:  # a line that is broken: its number is known to who reads from the begin
            for _ in records.read_conversations(self._layout.raw_conversations):
                pass
            raise
        with spark.asking("choose conversations"):
            known = self._kept("known", self._known(facts))
            verdicts, clean, passed, note = self._verdicts(facts, known)
            lines = self._kept("lines", self._lines(verdicts))
            kept = [orjson.loads(row["line"]) for row in lines.where("kind = 'kept'").orderBy("at").collect()]
            selection = Selection(kept, self._before(known, lines))
        rejected, turns = (self._sorted(lines.where(f"kind = '{kind}'")) for kind in ("rejected", "turn"))
        return Chosen(selection, clean, passed, note, rejected, turns)

    def _kept(self, name: str, frame: Any) -> Any:
        """The frame, worked out once: it is read again and again."""
        path = (self._folder / name).as_uri()
        with spark.asking("choose conversations"):
            frame.write.parquet(path)
        return self._session.read.parquet(path)

    def _spread(self, frame: Any, *keys: str) -> Any:
        """All rows of a key together, in the order of `Selection` within it."""
        return frame.repartition(len(self._ranges), *keys).sortWithinPartitions(*keys, *_ORDER)

    def _facts(self) -> Any:
        refused = forgotten_users(self._layout, None)
        numbers = self._session.range(0, len(self._ranges), 1, len(self._ranges))
        return spark.mapped(numbers, partial(reading.facts, self._config, refused, self._ranges), reading.FACTS)

    def _known(self, facts: Any) -> Any:
        """What all steps ask: small facts. Conversations of one id get names of their own, as in `records`."""
        from pyspark.sql import Window

        f = self._f
        nth = f.row_number().over(Window.partitionBy("id").orderBy("at"))
        named = facts.drop("words", "keys", "said").withColumn("nth", nth)
        name = f.when(f.col("nth") == 1, f.col("id")).otherwise(f.concat("id", f.lit("#"), f.col("nth").cast("string")))
        return named.withColumn("name", name).where("not forgotten").drop("nth", "id", "forgotten")

    def _verdicts(self, facts: Any, known: Any) -> tuple[Any, Counter[Dated], int, str]:
        """Of each conversation at which step it went, why, and what turns of it had gone; step 0 is left."""
        f = self._f
        goes_on = self._kept("goes_on", self._continued(known))
        left = known.join(goes_on, "at", "left_anti")
        refused, left = left.where("reason != ''"), left.where("reason = ''")
        passed = left.count()
        copies = self._kept("copies", self._copies(facts, left))
        left = left.join(copies, "at", "left_anti")
        over = self._kept("over", self._same_answers(facts, left))
        left = left.join(over, "at", "left").withColumn("over", f.coalesce("over", f.array().cast("array<int>")))
        emptied, left = left.where("size(over) = turns"), left.where("size(over) < turns")
        clean = self._clean(left)
        mixed, note = self._mixed(left, clean)
        mixed = self._kept("mixed", mixed)

        def gone(step: int, frame: Any, reason: Any, of: Any) -> Any:
            whole = frame if "over" in frame.columns else frame.withColumn("over", f.array().cast("array<int>"))
            told = whole.withColumn("step", f.lit(step)).withColumn("why", reason).withColumn("of", of)
            return told.select(*_ORDER, "dropped", "over", "step", "why", "of")

        none = f.lit(None).cast("string")
        rest = left.join(mixed, "at", "left_anti")
        found = [
            gone(1, known.join(goes_on, "at"), f.lit(CONTINUED), f.col("of")),
            gone(2, refused, f.col("reason"), none),
            gone(3, known.join(copies, "at"), f.lit(DUPLICATE), f.col("of")),
            gone(4, emptied, f.lit(SAME_ANSWER), none),
            gone(5, rest, f.lit(MIX), none),
            gone(0, left.join(mixed, "at", "left_semi"), f.lit(""), none),
        ]
        whole = found[0]
        for each in found[1:]:
            whole = whole.unionByName(each)
        return whole, clean, passed, note

    def _continued(self, known: Any) -> Any:
        rows = self._spread(known.select("user", "session", "told", *_ORDER), "user")
        return spark.mapped(rows, _continued, "at long, of string")

    def _copies(self, facts: Any, left: Any) -> Any:
        """Near-duplicates are proposed by keys; what is linked by them is compared by one worker, in order."""
        f, dataset = self._f, self._config.dataset
        keys = facts.select("at", "keys").join(left.select("at"), "at").select("at", f.explode("keys").alias("key"))
        first = keys.groupBy("key").agg(f.min("at").alias("first"), f.count("*").alias("count")).where("count > 1")
        pairs = keys.join(first, "key").where("at != first").select("at", "first").distinct().toArrow()
        linked = self._session.createDataFrame(components(pairs))
        words = facts.select("at", "words").join(linked, "at").join(left.select(*_ORDER), "at")
        rows = words.repartition(len(self._ranges), "component").sortWithinPartitions(*_ORDER)
        copies = partial(_copies, dataset.near_duplicate_jaccard, dataset.copies)
        return spark.mapped(rows.select("name", "at", "words"), copies, "at long, of string")

    def _same_answers(self, facts: Any, left: Any) -> Any:
        """Of each conversation the turns over the cap, by the keys of their answers and questions."""
        f, config = self._f, self._config
        turns = int(left.agg(f.coalesce(f.sum("turns"), f.lit(0))).collect()[0][0])
        said = facts.select("at", f.explode("said").alias("said")).join(left.select(*_ORDER), "at")
        said = said.select(*_ORDER, "said.place", "said.answer", "said.question")
        place = f.struct(*_ORDER, "place")
        asked = said.groupBy("answer", "question").agg(f.min(place).alias("first")).select("answer", "first.*")
        most = same_answers.most_of(turns, config.dataset)
        common = asked.groupBy("answer").count().where(f.col("count") > most).select("answer")
        rows = asked.join(common, "answer").repartition(len(self._ranges), "answer")
        rows = rows.sortWithinPartitions("answer", *_ORDER, "place")
        over = spark.mapped(rows, partial(_surplus_of_answers, most, config.seed), "at long, place int")
        return over.groupBy("at").agg(f.sort_array(f.collect_list("place")).alias("over"))

    def _clean(self, left: Any) -> Counter[Dated]:
        f = self._f
        cells = left.groupBy("day", "language", "category")
        found = cells.agg(f.count("*").alias("count"), f.min(f.struct(*_ORDER)).alias("first")).collect()
        ordered = sorted(found, key=lambda row: tuple(row["first"]))  # as if they were counted one by one
        return Counter({(row["day"], (row["language"], row["category"])): row["count"] for row in ordered})

    def _mixed(self, left: Any, clean: Mapping[Dated, int]) -> tuple[Any, str]:
        """Those that stay for the mix."""
        from pyspark.sql import Window

        cells: Counter[balance.Cell] = Counter()
        for (_, cell), count in clean.items():
            cells[cell] += count
        f, most = self._f, most_of(self._config)
        quotas, note = quotas_of(cells, self._config, most)
        narrow = left.select(*_ORDER, "language", "category")
        schema = "time string, name string, at long, language string, category string, draw binary"
        drawn = spark.mapped(narrow, partial(_drawn, self._config.seed), schema)
        if quotas is None:
            return drawn.orderBy("draw", *_ORDER).limit(most).select("at"), note
        rows = [(language, category, quota) for (language, category), quota in quotas.items()]
        asked = self._session.createDataFrame(rows, "language string, category string, quota long")
        rank = f.row_number().over(Window.partitionBy("language", "category").orderBy("draw", *_ORDER))
        ranked = drawn.withColumn("rank", rank).join(f.broadcast(asked), ["language", "category"])
        return ranked.where("rank <= quota").select("at"), note

    def _lines(self, verdicts: Any) -> Any:
        """What becomes of each conversation, as lines; texts are read where they lie, from begin to end."""
        near = verdicts.repartitionByRange(len(self._ranges), "at").sortWithinPartitions("at")
        return spark.mapped(near, partial(reading.lines, self._layout.raw_conversations), reading.LINES)

    def _before(self, known: Any, lines: Any) -> Before:
        f = self._f
        first = f.min(f.struct("step", *_ORDER, "place")).alias("first")
        found = (
            lines.where("kind != 'kept'")
            .groupBy("kind", "why")
            .agg(f.count("*").alias("count"), f.sum("turns").alias("turns"), first)
        )
        ordered = sorted(found.collect(), key=lambda row: tuple(row["first"]))  # as if they were counted one by one
        chats = [row for row in ordered if row["kind"] == "rejected"]
        users = known.select("user").distinct().limit(FEWEST_USERS).collect()
        return Before(
            Counter({row["why"]: row["count"] for row in chats}),
            sum(row["turns"] for row in chats),
            Counter({row["why"]: row["count"] for row in ordered if row["kind"] == "turn"}),
            frozenset(row["user"] for row in users),
        )

    def _sorted(self, lines: Any) -> Iterator[bytes]:
        with spark.asking("sort what was rejected"):
            for row in lines.orderBy("step", *_ORDER, "place").select("line").toLocalIterator(prefetchPartitions=True):
                yield bytes(row["line"])


def _continued(rows: Iterator[Row]) -> Iterator[Row]:
    """Of one user after the other."""
    for user, theirs in groupby(rows, lambda row: row["user"]):
        held = {row["name"]: row for row in theirs}
        told = (Told(name, user, row["session"], tuple(row["told"])) for name, row in held.items())
        yield from ({"at": held[name]["at"], "of": of} for name, of in continued(told).items())


def _copies(threshold: float, copies: int, rows: Iterator[Row]) -> Iterator[Row]:
    places: dict[str, int] = {}

    def named() -> Iterator[tuple[str, frozenset[str]]]:
        for row in rows:
            places[row["name"]] = row["at"]
            yield row["name"], frozenset(row["words"])

    for name, of in surplus(named(), threshold, copies).items():
        yield {"at": places[name], "of": of}


def _surplus_of_answers(most: int, seed: int, rows: Iterator[Row]) -> Iterator[Row]:
    for _, group in groupby(rows, lambda row: row["answer"]):
        places = [(row["name"], row["place"], row["at"]) for row in group]
        where = {name: at for name, _, at in places}
        same = same_answers.Same("", [(name, place) for name, place, _ in places])
        for name, over in same_answers.surplus([same], most, seed).items():
            yield from ({"at": where[name], "place": place} for place in over)


def _drawn(seed: int, rows: Iterator[Row]) -> Iterator[Row]:
    return ({**row, "draw": draw(seed, row["name"])} for row in rows)
