"""Conversations from a source to a dataset: filter, redact, label, deduplicate, balance, split."""
