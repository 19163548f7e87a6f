"""From the comparison log to tables and the report."""
