"""Blind human review of sampled pairs."""
