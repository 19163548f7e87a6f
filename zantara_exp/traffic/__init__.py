"""One request of the product's traffic: whether it would move, what counts as its answer, why it was not mirrored."""
