"""`engine=spark`, for chats that one machine does not hold: stages extract and prepare, spread over workers.

The functions that read, redact, label, filter and choose are those of `engine=duckdb`; what is here only says which
rows a worker takes. So both write the same bytes.
"""
