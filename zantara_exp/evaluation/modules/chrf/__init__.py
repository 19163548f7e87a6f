"""One `evaluate` module."""
