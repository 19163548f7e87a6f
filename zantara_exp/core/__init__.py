"""What every stage stands on: what a stage is, the table of stages, where files lie, reuse, errors, the clock."""
