"""Metrics as local `evaluate` modules: `evaluate.load` of a name would fetch a script from the hub.

Each folder also loads by itself, `evaluate.load("zantara_exp/evaluation/modules/exact_match")`, and returns the mean
over all pairs beside the score of each.
"""
