"""Whether users fall into arms, or into tenths of a sample, as was declared: sample ratio mismatch (SRM).

A comparison of two arms takes for granted that chance alone put the users there. Arms of the wrong size say that
something else did: a replica with another share, an app that shows some users only, a log that loses one side. Then the
comparison is worth nothing, whatever it says, and the candidate may be good or bad.

Users are counted once, in the order in which they are first seen. With x_i of n users in part i, where p_i was
declared, the evidence against the declared shares p is the ratio of a Dirichlet mixture's likelihood to theirs:

    E_n = B(a + x) / B(a) / prod p_i ^ x_i,    a = CONCENTRATION p,    B(a) = prod Gamma(a_i) / Gamma(sum a_i)

While the shares are as declared and users are independent, E_n is a test martingale that begins at 1, so it ever
reaches 1/alpha with probability at most alpha (Ville 1939), however often it is looked at; min_n 1/E_n is a p-value at
all looks together. For two parts it is the beta-binomial.

Source: Lindon & Malek 2022, Anytime-Valid Inference for Multinomial Count Data (NeurIPS 35), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from zantara_exp.gates.evidence import Drawn, Sampled

Floats = NDArray[np.float64]

CONCENTRATION = 100.0
"""Users that the mixture's prior is worth: at a declared half it expects shares within 5 points, twice that at times.

With it 60 : 40 in place of 50 : 50 is found after some 470 users at an alpha of 0.0005 (median), 90 : 10 after 62."""
UNTESTED = "whether the users are the declared sample was not tested"
TENTHS = 10
"""Parts that a sample is divided into: few enough for a hundred users, enough to see a rule that goes by the hash."""


@dataclass(frozen=True)
class Ratio:
    """How users fell into parts of declared shares."""

    counts: tuple[int, ...]
    expected: tuple[float, ...]
    """Users that the declared shares would have on average."""
    p_value: float
    """Of the declared shares, at all looks together; 0 to 1."""
    alpha: float
    """At which it is a mismatch."""

    @property
    def users(self) -> int:
        """All of them."""
        return sum(self.counts)

    @property
    def mismatch(self) -> bool:
        """Whether chance alone does not explain the counts."""
        return self.p_value <= self.alpha


@dataclass(frozen=True)
class SampleStep:
    """The users of a sample at one declared share."""

    percent: float
    users: int
    beyond: int
    """Users whose place lies outside of the share: it cannot be this sampling that took them."""
    tenths: tuple[int, ...]
    """The others by tenth of the share; each expects as many."""
    p_value: float
    alpha: float
    mismatch: str
    """What is wrong, with its figures; empty where nothing is."""


@dataclass(frozen=True)
class SampleRatio:
    """Whether the users of a sample are those that its declared shares take."""

    alpha: float
    """Probability of a false mismatch, over all looks and shares; 0: not tested."""
    steps: tuple[SampleStep, ...]
    """In the order in which the shares were first used."""
    untested: int
    """Users of lines that no hash of theirs put into the sample: version 1, imported, or hashed anew."""
    mismatch: str
    """One plain sentence; empty where nothing is wrong."""


def log_evidence(counts: ArrayLike, shares: ArrayLike) -> Floats:
    """Log of E_n for counts of shape (..., parts), against the declared shares of shape (parts,), which sum to 1."""
    from scipy.special import gammaln  # a rollout's status, which needs `ratio`, does not wait for scipy

    found, declared = np.asarray(counts, dtype=np.float64), np.asarray(shares, dtype=np.float64)
    prior = CONCENTRATION * declared
    mixture = (gammaln(prior + found) - gammaln(prior)).sum(axis=-1)
    mixture += gammaln(CONCENTRATION) - gammaln(CONCENTRATION + found.sum(axis=-1))
    return np.asarray(mixture - (found * np.log(declared)).sum(axis=-1))


def log_evidence_path(part: ArrayLike, shares: ArrayLike) -> Floats:
    """Log of E_1 ... E_n for users' parts of shape (..., n), numbered from 0, in the order in which they came.

    A user multiplies the evidence by what the mixture, having seen the others, gives the user's part over the
    declared share.
    """
    codes, declared = np.asarray(part, dtype=np.int64), np.asarray(shares, dtype=np.float64)
    before = np.empty(codes.shape, dtype=np.float64)
    for number in range(declared.size):
        here = codes == number
        before[here] = (np.cumsum(here, axis=-1) - 1)[here]
    predicted = (CONCENTRATION * declared[codes] + before) / (CONCENTRATION + np.arange(codes.shape[-1]))
    return np.asarray(np.cumsum(np.log(predicted / declared[codes]), axis=-1))


def ratio(part: ArrayLike, shares: ArrayLike, alpha: float) -> Ratio:
    """Test users' parts, shape (n,), in the order in which they were first seen, against the declared shares."""
    codes, declared = np.asarray(part, dtype=np.int64), np.asarray(shares, dtype=np.float64)
    counts = np.bincount(codes, minlength=declared.size)
    most = max(float(log_evidence_path(codes, declared).max(initial=0.0)), 0.0)
    return Ratio(
        counts=tuple(int(count) for count in counts),
        expected=tuple(float(share) for share in codes.size * declared),
        p_value=float(np.exp(-most)),
        alpha=alpha,
    )


def share_of_alpha(alpha: float, number: int) -> float:
    """What the count `number`, from 1 on, has of `alpha`: alpha / (number (number + 1)), which add up to alpha.

    A user stays where the hash puts him, so the next count meets many of the same users: their evidence does not
    multiply, as that of independent counts would. The sum of error rates holds whatever they have in common.
    """
    return alpha / (number * (number + 1))


def shown_p(p_value: float) -> str:
    """`p = 0.31`, `p < 1e-12`."""
    return f"p = {p_value:.2g}" if p_value >= 1e-12 else "p < 1e-12"


def sample_ratio(found: Sampled, alpha: float) -> SampleRatio:
    """Test each declared share of a sample on its own; with an alpha of 0 nothing is tested."""
    steps = [_step(each, share_of_alpha(alpha, 1 + number)) for number, each in enumerate(found.drawn) if alpha > 0]
    wrong = "; ".join(step.mismatch for step in steps if step.mismatch)
    return SampleRatio(alpha, tuple(steps), found.untested, f"sample ratio mismatch: {wrong}" if wrong else "")


def _step(drawn: Drawn, alpha: float) -> SampleStep:
    inside = drawn.places[drawn.places < drawn.percent]
    beyond = drawn.places.size - inside.size
    tenth = np.minimum((inside / drawn.percent * TENTHS).astype(np.int64), TENTHS - 1)
    found = ratio(tenth, np.full(TENTHS, 1 / TENTHS), alpha)
    step = SampleStep(drawn.percent, drawn.places.size, beyond, found.counts, found.p_value, alpha, "")
    wrong = [_outside(step)] if beyond else []
    wrong += [_uneven(step)] if found.mismatch else []
    return replace(step, mismatch="; ".join(wrong))


def _outside(step: SampleStep) -> str:
    return f"{step.beyond:,} of {step.users:,} users lie outside of the sampled {step.percent:g} %"


def _uneven(step: SampleStep) -> str:
    inside = step.users - step.beyond
    return (
        f"{inside:,} users do not fill the sampled {step.percent:g} % evenly: {min(step.tenths):,} to "
        f"{max(step.tenths):,} in a tenth of it, where {inside / TENTHS:,.1f} are expected ({shown_p(step.p_value)})"
    )
