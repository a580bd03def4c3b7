"""Label budgets: how many of the target's labelled training images may be seen with their labels."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from udas_tf.errors import UserError

Budget = Fraction | int  # a share of the labelled images, or a number of them


def parse(texts: Sequence[str]) -> list[Budget]:
    """The budgets that a user writes: each `all`, a share such as `1/6`, or a number of images.

    Raises:
      UserError: there is none, one is something else, or a share is 0 or above 1.
    """
    return [_parse(text.strip()) for text in texts or [""]]


def _parse(text: str) -> Budget:
    numerator, slash, denominator = text.partition("/")
    if text == "all":
        return Fraction(1)
    if numerator.isdecimal() and not slash:
        return int(numerator)
    if numerator.isdecimal() and denominator.isdecimal() and 0 < int(numerator) <= int(denominator):
        return Fraction(int(numerator), int(denominator))
    raise UserError(f"label budget {text!r}; expected all, a share such as 1/6, or a number of images such as 12")


def images(budget: Budget, available: int) -> int:
    """The number of images of a budget; shares are rounded, half up.

    Args:
      available: number of labelled images.

    Raises:
      UserError: the budget is more than there are, or a share that rounds to none.
    """
    if isinstance(budget, int):
        if budget > available:
            raise UserError(f"label budget {budget}, and {available} target images have labels; expected at most these")
        return budget
    count = int(budget * available + Fraction(1, 2))
    if count == 0:
        raise UserError(f"label budget {budget} of {available} labelled target images is none; write 0 for none")
    return count


def numbers(texts: Sequence[str], what: str) -> list[int]:
    """Different whole numbers from 0, as a user writes them.

    Args:
      what: name of the flag, for the error.

    Raises:
      UserError: there is none, one is something else, or one stands there twice.
    """
    values = [int(text) for text in texts if text.strip().isdecimal()]
    if not texts or len(set(values)) < len(texts):
        raise UserError(f"{what}={','.join(texts)}; expected different whole numbers from 0, such as 1,2,3")
    return values
