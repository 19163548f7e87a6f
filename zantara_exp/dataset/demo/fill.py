"""Fills a database with the demo's conversations, in production's schema."""

from __future__ import annotations

from dataclasses import asdict
from hashlib import sha256
from typing import TYPE_CHECKING

import orjson

from zantara_exp.config.data import Demo
from zantara_exp.dataset.conversations import TABLE, fill
from zantara_exp.dataset.demo.generate import VERSION, rows
from zantara_exp.dataset.demo.phrases import Product

if TYPE_CHECKING:
    from psycopg import Connection

_LOCK = 731_204
"""Advisory lock: several processes that start at once fill the demo once."""


def ensure_demo(connection: Connection, product: Product, demo: Demo, seed: int) -> bool:
    """Fill the demo's table unless it already holds just these conversations; return whether it was filled."""
    wanted = sha256(orjson.dumps([VERSION, product.digest, seed, asdict(demo)])).hexdigest()
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        connection.execute("create table if not exists zantara_demo (hash text)")
        found = connection.execute("select hash from zantara_demo").fetchone()
        if found is not None and found[0] == wanted:
            return False
        connection.execute("drop table if exists conversations")
        connection.execute(TABLE)
        fill(connection, rows(product, demo, seed))
        connection.execute("create index on conversations (created_at)")
        connection.execute("truncate zantara_demo")
        connection.execute("insert into zantara_demo values (%s)", [wanted])
    connection.execute("analyze conversations")
    return True
