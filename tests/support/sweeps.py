"""Sweeps: one rule asked at every point of a journey. `make test` asks it at some points, `make test-all` at all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest


def every(some: int, *, closest: int = 1) -> pytest.MarkDecorator:
    """Give a test the argument `every`: at every which point it asks.

    Args:
        some: In `make test`.
        closest: In `make test-all`, where the test is marked as a sweep.
    """
    swept = pytest.param(closest, id="every", marks=pytest.mark.sweep)
    return pytest.mark.parametrize("every", [swept, pytest.param(some, id="some")])


def of(cases: Sequence[Any], *, some: int = 1) -> list[Any]:
    """Cases of one rule, each a whole journey of its own: `make test` asks the first ones, `make test-all` all of them.

    Args:
        cases: As pytest.mark.parametrize takes them.
        some: How many are asked in `make test`.
    """
    rest = (case if isinstance(case, tuple) else (case,) for case in cases[some:])
    return [*cases[:some], *(pytest.param(*values, marks=pytest.mark.sweep) for values in rest)]
