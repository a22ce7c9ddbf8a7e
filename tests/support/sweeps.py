"""Sweeps: one rule asked at every point of a journey. `make test` asks it at some points, `make test-all` at all."""

from __future__ import annotations

import pytest


def every(some: int, *, closest: int = 1) -> pytest.MarkDecorator:
    """Give a test the argument `every`: at every which point it asks.

    Args:
        some: In `make test`.
        closest: In `make test-all`, where the test is marked as a sweep.
    """
    swept = pytest.param(closest, id="every", marks=pytest.mark.sweep)
    return pytest.mark.parametrize("every", [swept, pytest.param(some, id="some")])
