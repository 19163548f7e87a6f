"""Answers of a model on the test split, scored."""
