"""One live page: what the log says now, how far the evidence is, what a rollout does, and the pairs behind numbers."""
