"""Benchmarks: what the project claims, measured again. Run them by `scripts/bench NAME`."""
