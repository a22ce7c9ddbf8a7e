"""The lab's tests stand on the lab alone: `make test` leaves them out while nothing of that has changed."""

from __future__ import annotations

from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
OF_THE_LAB = "tests.support.labs"
"""Fixtures that start the lab's servers and know nothing else; the stamp has them."""


def test_no_test_of_the_lab_asks_for_a_fixture_that_stands_on_the_product(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        if isinstance(item, pytest.Function) and item.path.is_relative_to(TESTS / "lab"):
            assert modules_of_fixtures(item) <= {OF_THE_LAB}, item.nodeid


def modules_of_fixtures(item: pytest.Function) -> set[str]:
    """The modules of tests/support that the fixtures of a test, and those that they ask for, are defined in."""
    fixtures = [definitions[-1] for definitions in item._fixtureinfo.name2fixturedefs.values()]
    return {name for fixture in fixtures if (name := fixture.func.__module__).startswith("tests.support.")}
