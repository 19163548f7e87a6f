"""What works on the project and no user runs: benchmarks, and the page of config keys. It is not in the wheel."""
