from __future__ import annotations

import pytest

from zantara_exp.text.wording import counted, usd


@pytest.mark.parametrize(
    ("amount", "written"),
    [
        (0, "USD 0"), (2e-5, "USD 0.00002"), (-0.0000153, "USD -0.000015"), (1e-9, "USD 0.000000001"),
        (0.02, "USD 0.02"), (0.5, "USD 0.50"), (0.996, "USD 1.00"), (1, "USD 1.00"), (-1234.5, "USD -1,234.50"),
        (float("inf"), "USD inf"),
    ],
)  # fmt: skip
def test_money_has_no_exponent(amount: float, written: str) -> None:
    assert usd(amount) == written


def test_one_is_one() -> None:
    counts = [counted(number, "user") for number in (0, 1, 2, 1200, 1.0)]
    assert counts == ["0 users", "1 user", "2 users", "1,200 users", "1 user"]
