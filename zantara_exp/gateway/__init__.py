"""The gateway (`stage=serve`): forwards to the primary, shows a sample to the mirror, and routes by the rollout."""
