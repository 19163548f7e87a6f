"""Texts as such: one form for what looks the same, patterns, flaws of answers, likeness in meaning, counts in words."""
