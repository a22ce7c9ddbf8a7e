"""Sweeps: one rule asked at every point of a journey. `make test` asks it at some points, `make test-all` at all."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

WHOLE = ("tests/lab", "tests/stack")
"""Folders of which `make test` asks every case, where it asks them at all."""


def every(some: int, *, closest: int = 1) -> pytest.MarkDecorator:
    """Give a test the argument `every`: at every which point it asks.

    Args:
        some: In `make test`.
        closest: In `make test-all`, where the test is marked as a sweep.
    """
    swept = pytest.param(closest, id="every", marks=pytest.mark.sweep)
    return pytest.mark.parametrize("every", [swept, pytest.param(some, id="some")])


def mark_further_cases(items: Iterable[pytest.Item]) -> None:
    """Mark as sweeps all cases but the first of each test on the lab's servers, which takes seconds for each case.

    The first is the first that is no sweep already: the cases of a test are in the order of their importance.
    """
    seen = set[str]()
    for item in items:
        on_lab = item.get_closest_marker("lab") and not item.nodeid.startswith(WHOLE)
        if on_lab and not item.get_closest_marker("sweep"):
            test = item.nodeid.partition("[")[0]
            if test in seen:
                item.add_marker(pytest.mark.sweep)
            seen.add(test)
