"""The gradual rollout: ramp, router, guardrails, state."""
