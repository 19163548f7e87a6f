"""Chooses the requests that the candidate answers too: those of a share of the users, by a hash of the user."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from zantara_exp.config.traffic import Shadow as ShadowConfig
from zantara_exp.shadow.record import BY_HASH, Sampling

_SALT = "shadow"
"""Another salt than the rollout's, so that the mirrored users are not those with whom a rollout begins."""


def user_percentile(user: str, salt: str = _SALT) -> float:
    """The user's place in [0, 100): uniform over users, and the same on every machine."""
    head = hashlib.sha256(f"{salt}\n{user}".encode()).digest()[:8]
    return (int.from_bytes(head, "big") >> 11) / 2**53 * 100  # 53 bits: a float holds no more, and never reaches 100


def repeated(request_id: str, percent: float) -> bool:
    """Whether a request is in the A/A arm, the share that the primary answers twice."""
    return user_percentile(request_id, salt="aa") < percent


def in_reverse(request_id: str, percent: float) -> bool:
    """Whether the primary is asked the same too, for a request that the candidate answered."""
    return user_percentile(request_id, salt="reverse") < percent


@dataclass(frozen=True)
class Sampler:
    """The rule of one config."""

    config: ShadowConfig

    def choose(self, user: str, category: str | None) -> Sampling | None:
        """The sampling of this request, or None if it is not in the sample."""
        return self.sampling if self.takes_category(category) and self.takes_user(user) else None

    def takes_category(self, category: str | None) -> bool:
        """Whether requests of a category may be in the sample; a category that is not known yet may."""
        return not self.config.categories or category is None or category in self.config.categories

    def takes_user(self, user: str) -> bool:
        """Whether a user's requests are in the sample."""
        return user_percentile(user) < self.config.traffic_percent

    @cached_property
    def sampling(self) -> Sampling:
        """What the log notes for every chosen request."""
        return Sampling(self.config.traffic_percent, BY_HASH)
