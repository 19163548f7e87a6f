"""Data protection: forgetting users, retention, and a new hash key."""
