import numpy as np

from zantara_exp.gates.detector import detector_path

THRESHOLD = np.log(3000 / (0.05 / 4))


def first_alarm(shares, p0=0.95):
    return int(np.argmax(detector_path(shares, p0) >= THRESHOLD))


def test_a_total_outage_after_three_thousand_good_users_is_seen_within_eight():
    path = detector_path(np.r_[np.ones(3000), np.zeros(10)], 0.95)
    assert (path[:3000] < THRESHOLD).all()
    assert first_alarm(np.r_[np.ones(3000), np.zeros(10)]) - 2999 <= 8


def test_a_slow_decline_is_seen():
    rng = np.random.default_rng(2)
    delays = []
    for _ in range(30):
        shares = np.r_[np.ones(500), rng.beta(0.85 * 4, 0.15 * 4, 1500)]
        delays.append(first_alarm(shares) - 499)
    assert np.median(delays) <= 110  # 86 were measured after 3,000 good users


def test_healthy_ramps_rarely_alarm():
    rng = np.random.default_rng(3)
    # A user's share: beta with ICC 0.2 and mean 0.95.
    shares = rng.beta(0.95 * 4, 0.05 * 4, (200, 3000))
    alarms = (detector_path(shares, 0.95) >= THRESHOLD).any(axis=1)
    assert alarms.mean() <= 0.05


def test_a_long_outage_has_a_value_that_can_be_written_down():
    path = detector_path(np.zeros(5000), 0.95)
    assert np.isfinite(path).all()
    assert (np.diff(path) >= 0).all()


def test_nobody_is_no_path():
    assert detector_path(np.empty((3, 0)), 0.95).shape == (3, 0)
    assert detector_path(np.empty(0), 0.95).shape == (0,)
