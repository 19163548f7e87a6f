"""Which requests the candidate answers too: a share of the users, and a user is always in or always out."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

from zantara_exp.config.traffic import Shadow as ShadowConfig
from zantara_exp.shadow.record import BY_HASH, Sampling

_SALT = "shadow"
"""Of its own, so that the users mirrored are not the users a rollout begins with."""


def user_percentile(user: str, salt: str = _SALT) -> float:
    """Where a user stands in [0, 100), uniform over users and the same on every machine."""
    head = hashlib.sha256(f"{salt}\n{user}".encode()).digest()[:8]
    return (int.from_bytes(head, "big") >> 11) / 2**53 * 100  # 53 bits: a float holds no more, and never reaches 100


def repeated(request_id: str, percent: float) -> bool:
    """Whether a request belongs to the share that the primary answers twice, the A/A arm."""
    return user_percentile(request_id, salt="aa") < percent


def in_reverse(request_id: str, percent: float) -> bool:
    """Whether a request that the candidate answered belongs to the share that the primary is asked about too."""
    return user_percentile(request_id, salt="reverse") < percent


@dataclass(frozen=True)
class Sampler:
    """The rule of one config."""

    config: ShadowConfig

    def choose(self, user: str, category: str | None) -> Sampling | None:
        """What chose this request, or None when it is not in the sample."""
        return self.sampling if self.takes_category(category) and self.takes_user(user) else None

    def takes_category(self, category: str | None) -> bool:
        """Whether requests of a category may be in the sample; one still unknown may."""
        return not self.config.categories or category is None or category in self.config.categories

    def takes_user(self, user: str) -> bool:
        """Whether a user's requests are in the sample."""
        return user_percentile(user) < self.config.traffic_percent

    @cached_property
    def sampling(self) -> Sampling:
        """What stands in the log of every request that was chosen."""
        return Sampling(self.config.traffic_percent, BY_HASH)
