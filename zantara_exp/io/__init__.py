"""What is written and read again: the event log, in files by day or in PostgreSQL."""
