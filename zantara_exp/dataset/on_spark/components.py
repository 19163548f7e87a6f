"""Connected components of pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa


def components(pairs: pa.Table) -> pa.Table:
    """`at` of each member of a pair (columns `at`, `first`: 64-bit integers) with the number of its component."""
    import numpy as np
    import pyarrow as pa
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    ends = [pairs.column(name).to_numpy() for name in ("at", "first")]
    members, numbers = np.unique(np.concatenate(ends), return_inverse=True)
    one, other = np.split(numbers.reshape(-1), 2)
    links = coo_array((np.ones(len(one), dtype=np.int8), (one, other)), shape=(len(members), len(members)))
    found = connected_components(links, directed=False)[1] if len(members) else members
    return pa.table({"at": members.astype(np.int64), "component": found.astype(np.int64)})
