"""Apache Spark, by `engine=spark`: one session of this process, local or on the cluster that `engine.master` names.

Nothing of pyspark is imported before somebody asks for the session.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from zantara_exp.core.errors import MissingRequirementError, ZantaraError

Item = TypeVar("Item")
Made = TypeVar("Made")
Row = dict[str, Any]
_ROWS = 200
"""Handed over at once; a row may hold a long chat."""
_LOGGING = Path(__file__).with_name("spark.properties")
FEW_PARTITIONS = "4"
"""A few groups come out of every query of the analysis: two hundred partitions of them would only cost time."""
_TOLD = re.compile(r"zantara-told:(\{\"message\".*\})")


def spark_lacks() -> str:
    """What engine=spark lacks on this machine; empty where it can run."""
    if find_spec("pyspark") is None:
        return "the package pyspark"
    java = Path(os.environ["JAVA_HOME"]) / "bin" / "java" if os.environ.get("JAVA_HOME") else None
    return "" if (java and java.is_file()) or shutil.which("java") else "Java (17 or newer)"


def session(master: str, state: Path) -> Any:
    """The session of this process, begun where there is none: that takes seconds, so it stays for whoever asks next.

    `state` is where one on this machine keeps what does not fit its memory, encrypted. Raises MissingRequirementError
    where Spark cannot run here, ZantaraError where it cannot begin.
    """
    if lacking := spark_lacks():
        raise MissingRequirementError(
            f"engine=spark needs {lacking}",
            "pip install 'zantara-exp[spark]' and a Java 17 runtime, or take engine=duckdb",
        )
    os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    settings = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": FEW_PARTITIONS,
        "spark.driver.memory": "1g",
    }
    if re.match(r"local(\[|$)", master):
        scratch = state / "spark"
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        settings["spark.local.dir"] = str(scratch)
        settings["spark.io.encryption.enabled"] = "true"  # what it spills is of chats
        # its Python is ours, and finds what we find
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        settings["spark.executorEnv.PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.appName("zantara_exp").master(master)
    for name, value in settings.items():
        builder = builder.config(name, value)
    with asking(f"begin on engine.master={master}"):
        return builder.getOrCreate()


def each(spark: Any, function: Callable[[Item], Made], items: Sequence[Item]) -> list[Made]:
    """What the workers' `function` makes of each item, in their order. Raises as `asking`."""
    if not items:
        return []
    asked = spark.range(0, len(items), 1, len(items))
    with asking("run"):
        found = asked.mapInArrow(partial(_made, function, items), "at long, made binary").collect()
    return [pickle.loads(made) for _, made in sorted((row["at"], bytes(row["made"])) for row in found)]  # noqa: S301 - ours


def _made(function: Callable[[Any], Any], items: Sequence[Any], batches: Iterator[Any]) -> Iterator[Any]:
    import pyarrow as pa

    for batch in batches:
        for at in batch.column(0).to_pylist():
            with telling():
                made = pickle.dumps(function(items[at]))
            yield pa.RecordBatch.from_pydict({"at": [at], "made": [made]})


def mapped(frame: Any, function: Callable[[Iterator[Row]], Iterator[Row]], schema: str) -> Any:
    """A frame of the rows that the workers' `function` makes of a partition's, one by one, in their order.

    `schema` is written as in SQL. What a user can mend is raised as `asking` says.
    """
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.sql.types import StructType

    arrow = to_arrow_schema(StructType.fromDDL(schema))
    return frame.mapInArrow(partial(_by_rows, function, arrow), schema)


def _by_rows(function: Callable[[Iterator[Row]], Iterator[Row]], schema: Any, batches: Iterator[Any]) -> Iterator[Any]:
    import pyarrow as pa

    with telling():
        made = function(row for batch in batches for row in batch.to_pylist())
        while some := list(islice(made, _ROWS)):
            yield pa.RecordBatch.from_pylist(some, schema=schema)


@contextmanager
def telling() -> Iterator[None]:
    """In a worker: an error that a user can mend is told, since Spark carries words alone to who asked."""
    try:
        yield
    except ZantaraError as error:
        said = json.dumps({"message": error.message, "hint": error.hint})
        raise RuntimeError(f"zantara-told:{said}") from None
    except OSError as trouble:
        if trouble.filename is None:
            raise
        said = json.dumps(
            {
                "message": f"a worker of Spark cannot use {trouble.filename}: {trouble.strerror}",
                "hint": "all workers and this machine must see the same folders: paths.dataset, and source.path",
            }
        )
        raise RuntimeError(f"zantara-told:{said}") from None


@contextmanager
def asking(what: str) -> Iterator[None]:
    """Raise as ZantaraError what a worker told, and that the cluster is lost; anything else as it is."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (PySparkException, Py4JError) as broken:
        if found := _TOLD.search(str(broken)):
            said = json.loads(found[1])
            raise ZantaraError(said["message"], said["hint"]) from None
        if "ModuleNotFoundError" in str(broken) or "zantara_exp" not in str(broken):
            raise ZantaraError(
                f"engine=spark could not {what}: {_last_line(str(broken))}",
                "check engine.master, that its workers have this package and see the same folders, or take "
                "engine=duckdb",
            ) from broken
        raise


def _last_line(text: str) -> str:
    """What went wrong, without the way there."""
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("at ")]
    errors = [line for line in lines if re.match(r"[\w.$]*(?:Error|Exception)\b", line)]
    return (errors or lines or [""])[-1][:300]
