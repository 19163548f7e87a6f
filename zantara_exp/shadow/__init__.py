"""The mirror beside the primary, and the comparison log it writes."""
