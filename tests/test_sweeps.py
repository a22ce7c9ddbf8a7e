"""Which tests `make test` leaves to `make test-all`."""

from __future__ import annotations

import pytest

from tests.support.sweeps import mark_further_cases


class Item:
    """A test as pytest has collected it, with the marks of these names."""

    def __init__(self, nodeid: str, *marks: str) -> None:
        self.nodeid, self.marks = nodeid, set(marks)

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marks else None

    def add_marker(self, marker: pytest.MarkDecorator) -> None:
        self.marks.add(marker.name)


def test_of_a_test_on_the_labs_servers_make_test_asks_the_first_case_that_is_no_sweep() -> None:
    items = [
        Item("tests/plugins/a.py::one[every]", "lab", "sweep"),
        Item("tests/plugins/a.py::one[some]", "lab"),
        Item("tests/plugins/a.py::one[more]", "lab"),
        Item("tests/plugins/a.py::two", "lab"),
        Item("tests/unit/b.py::three[1]"),
        Item("tests/unit/b.py::three[2]"),
        Item("tests/lab/c.py::four[1]", "lab"),
        Item("tests/lab/c.py::four[2]", "lab"),
    ]
    mark_further_cases(items)  # type: ignore[arg-type]
    assert [item.nodeid for item in items if "sweep" in item.marks] == [
        "tests/plugins/a.py::one[every]",
        "tests/plugins/a.py::one[more]",
    ]
