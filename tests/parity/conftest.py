"""What the comparisons share: the numbers they measure are printed (`pytest -rP tests/parity`)."""

import pytest


@pytest.fixture
def within(request):
    """within(deviation, limit): prints the deviation measured, and fails where it is beyond the limit."""

    def check(deviation, limit):
        print(f"parity: {request.node.name}: {deviation:.2g} (limit {limit:g})")
        assert deviation <= limit

    return check
