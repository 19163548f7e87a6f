import numpy as np

from tests.gates.evidence import DAY, crowd, user_days
from zantara_exp.gates import users as us


def test_days_of_a_user_are_added():
    users = us.per_user(user_days([(7, 0, 2, 1), (9, 0, 1, 1), (7, 3, 4, 4)]))
    assert users.trials.tolist() == [6, 1]
    assert users.total.tolist() == [5, 1]
    assert (users.count, users.requests) == (2, 7)


def test_codes_may_be_anything():
    rows = [(-5, 0, 2, 1), (2**60, 0, 1, 1), (-5, 1, 1, 0)]
    assert us.per_user(user_days(rows)).trials.tolist() == [3, 1]


def test_first_days_wait_until_they_are_over():
    days = user_days([(1, 0, 1, 1), (1, 2, 1, 0), (1, 3, 1, 1), (2, 1, 5, 5)])
    closed = us.first_days(days, 3, DAY + 2)
    assert closed.trials.tolist() == [2]
    assert us.first_days(days, 3, DAY + 3).trials.tolist() == [2, 5]
    assert us.first_days(days, 3, DAY + 1).count == 0


def test_a_detector_sees_each_user_once_in_order_of_arrival():
    days = user_days([(1, 5, 1, 0), (2, 0, 4, 3), (1, 6, 9, 9), (3, 2, 2, 2)])
    ordered = us.in_order(days)
    assert ordered.trials.tolist() == [4, 2, 1]
    assert ordered.total.tolist() == [3, 2, 0]


def test_segments_choose_rows_and_an_unknown_one_is_a_sentence():
    days = user_days([(1, 0, 1, 1), (2, 0, 1, 0)], segments={"language": np.array(["it", "en"])})
    assert us.per_user(us.where(days, {"language": ["it", "id"]})).total.tolist() == [1]
    assert us.where(days, {"category": ["casual"]}) == "the evidence is not split by category"


def test_what_was_lost_counts_in_its_days_only():
    days = crowd(20, 1, 1, lost_per_day={DAY: 3.0, DAY + 9: 2.0})
    assert us.lost(us.between(days, None, DAY + 5)) == 3
    assert us.lost_share(us.between(days, DAY + 9, None)) == 2 / (2 + 2)
