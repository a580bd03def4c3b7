"""Label budgets as a user writes them, and the images that they are."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from udas_tf.errors import UserError
from udas_tf.runs import budgets


def test_what_a_user_writes():
    assert budgets.parse(["all", "1/3", " 2/6 ", "12", "0"]) == [1, Fraction(1, 3), Fraction(1, 3), 12, 0]


@pytest.mark.parametrize("text", ["", "some", "1/0", "0/3", "4/3", "1/", "/3", "-1", "0.5", "1/3/2", "1/a"])
def test_what_is_no_budget(text):
    with pytest.raises(UserError, match="expected all, a share such as 1/6"):
        budgets.parse([text])


def test_no_budget_at_all_is_an_error():
    with pytest.raises(UserError, match="label budget ''"):
        budgets.parse([])


def test_the_budgets_of_camvid():
    """367 / 3 = 122.3, / 6 = 61.2, / 30 = 12.2."""
    found = [budgets.images(budget, 367) for budget in budgets.parse(["all", "1/3", "1/6", "1/30", "0"])]
    assert found == [367, 122, 61, 12, 0]


def test_halves_are_rounded_up():
    assert [budgets.images(Fraction(1, 2), available) for available in (1, 3, 4, 5)] == [1, 2, 2, 3]


def test_one_is_an_image_and_all_are_all():
    one, everything = budgets.parse(["1", "all"])
    assert (budgets.images(one, 40), budgets.images(everything, 40)) == (1, 40)


@given(st.integers(1, 10_000), st.integers(1, 50), st.integers(1, 50))
def test_a_larger_share_is_no_fewer_images(available, a, b):
    shares = sorted(Fraction(min(a, b), max(a, b)) * Fraction(1, n) for n in (1, 2, 3))
    counts = []
    for share in shares:
        try:
            counts.append(budgets.images(share, available))
        except UserError:
            counts.append(0)
    assert counts == sorted(counts) and counts[-1] <= available
    assert all(abs(count - share * available) <= Fraction(1, 2) for count, share in zip(counts, shares, strict=True))


@pytest.mark.parametrize(
    ("budget", "available", "message"),
    [
        (13, 12, "label budget 13, and 12 target images have labels"),
        (Fraction(1, 30), 14, "label budget 1/30 of 14 labelled target images is none; write 0"),
    ],
)
def test_budgets_that_cannot_be_had(budget, available, message):
    with pytest.raises(UserError, match=message):
        budgets.images(budget, available)


def test_seeds():
    assert budgets.numbers(["1", " 2", "0"], "--seeds") == [1, 2, 0]
    for texts in ([], ["1", "1"], ["1", "01"], ["-1"], ["a"], ["1", ""]):
        with pytest.raises(UserError, match=r"--seeds=.*expected different whole numbers"):
            budgets.numbers(texts, "--seeds")
