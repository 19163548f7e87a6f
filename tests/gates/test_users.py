import numpy as np

from tests.gates.evidence import DAY, crowd, user_days
from zantara_exp.config.gate import Criterion
from zantara_exp.gates import users as us
from zantara_exp.gates.kinds.proportion import SHARE_METHODS
from zantara_exp.gates.methods import Clusters
from zantara_exp.gates.share_methods import NO_GO_SIDE
from zantara_exp.gates.user_visits import of_log


def by_user(days):
    of = of_log(days, DAY + 99)
    return of.at.by_user(of.at.trials).tolist(), of.at.by_user(of.total).tolist()


def test_days_of_a_user_are_added():
    days = user_days([(7, 0, 2, 1), (9, 0, 1, 1), (8, 2, 0, 0), (7, 3, 4, 4)])
    assert by_user(days) == ([6, 1], [5, 1])
    assert of_log(days, DAY + 99).at.users == 2


def test_codes_may_be_anything():
    assert by_user(user_days([(-5, 0, 2, 1), (2**60, 0, 1, 1), (-5, 1, 1, 0)])) == ([3, 1], [1, 1])


def chosen(method, days, last, **how):
    of = SHARE_METHODS[method](Criterion("m", method=method, **how), Clusters()).chosen(
        of_log(us.between(days, None, last), last)
    )
    return of.at.by_user(of.at.trials).tolist(), of.at.by_user(of.total).tolist()


def test_first_days_wait_until_they_are_over():
    days = user_days([(1, 0, 1, 1), (1, 2, 1, 0), (1, 3, 1, 1), (2, 1, 5, 5)])
    assert chosen("strict", days, DAY + 2, first_days=3) == ([2], [1])
    assert chosen("strict", days, DAY + 3, first_days=3) == ([2, 5], [1, 5])
    assert chosen("strict", days, DAY + 1, first_days=3) == ([], [])


def test_a_detector_sees_each_user_once_by_the_first_day():
    days = user_days([(1, 5, 1, 0), (2, 0, 4, 3), (1, 6, 9, 9), (3, 2, 1, 1), (3, 2, 1, 1)])
    assert chosen("detector", days, DAY + 9) == ([1, 4, 2], [0, 3, 2])
    early, late = (alarm([(1, day, 1, 0), *((u, 3, 1, 1) for u in range(2, 40))]) for day in (0, 5))
    assert early < late  # whoever came first was seen first, and much good has followed since


def alarm(rows):
    """The last value of a detector: one that is not the highest tells the order."""
    rows = [(user, day, 1, good) for user, day, _, good in rows]
    of = of_log(user_days(rows), DAY + 9)
    method = SHARE_METHODS["detector"](Criterion("m", method="detector"), Clusters())
    sums = method.sums_of(of, of.total)
    return float(method.evidence(NO_GO_SIDE, sums, 0.9)[0, 0])


def test_segments_choose_rows_and_an_unknown_one_is_a_sentence():
    days = user_days([(1, 0, 1, 1), (2, 0, 1, 0)], segments={"language": np.array(["it", "en"])})
    assert us.where(days, {"language": ["it", "id"]}).total.tolist() == [1]
    assert us.where(days, {"category": ["casual"]}) == "the evidence is not split by category"


def test_what_was_lost_counts_in_its_days_only():
    days = crowd(20, 1, 1, lost_per_day={DAY: 3.0, DAY + 9: 2.0})
    assert us.lost(us.between(days, None, DAY + 5)) == 3
    assert us.lost_share(us.between(days, DAY + 9, None)) == 2 / (2 + 2)
