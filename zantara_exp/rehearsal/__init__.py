"""The plan's weeks in minutes: simulated users, through the real gateway, logs, gate and controller."""
