"""The lab's tests stand on the lab alone: `make test` leaves them out while nothing of that has changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FIXTURE = re.compile(r"^@pytest\.fixture.*?^def (\w+)", re.MULTILINE | re.DOTALL)


def test_no_test_of_the_lab_asks_for_a_fixture_that_stands_on_the_product(request: pytest.FixtureRequest) -> None:
    files = set((TESTS / "support").glob("*.py")) - {TESTS / "support" / "labs.py"}  # the lab's, and in the stamp
    of_product = {name for file in files for name in FIXTURE.findall(file.read_text())}
    assert {"world", "stack", "weed_vault"} <= of_product
    for item in request.session.items:
        if item.path.is_relative_to(TESTS / "lab"):
            assert not of_product & set(getattr(item, "fixturenames", ())), item.nodeid
