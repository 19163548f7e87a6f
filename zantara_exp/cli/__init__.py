"""The command: composes the config, dispatches the stage, prints what it found, ends with its exit status."""
