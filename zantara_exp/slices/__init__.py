"""Where the candidate is worse: the log cut into slices, searched and confirmed (`stage=slices`)."""
