"""The page of results: each part rewrites its own section, and limits that are missed say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.conditions import conditions
from bench.results import Check, Section, commit, figure, replace_section, table, write_section


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "results.md"


def test_parts_keep_each_others_sections(page: Path) -> None:
    write_section("one", Section("One", "written before"), "as before", page)
    write_section("two", Section("Two", "second"), "as before", page)
    write_section("one", Section("One", "again"), "with 8 workers", page)
    text = page.read_text()
    assert text.startswith("# What `make bench` has measured")
    assert "written before" not in text
    assert text.index("again") < text.index("second")
    assert text.count("<!-- begin: one -->") == text.count("<!-- end: two -->") == 1


def test_the_head_says_under_which_conditions_all_parts_measure(page: Path) -> None:
    write_section("one", Section("One", "first"), "as before", page)
    write_section("two", Section("Two", "second"), conditions(), page)
    head, _, sections = page.read_text().partition("<!-- begin")
    assert "as before" not in head
    for said in ("after 1 s", "pending for 2 s", "21 rows", "8 workers", "32 is Airflow's default", "=40`"):
        assert said in " ".join(head.split())
    assert "first" in sections
    assert "second" in sections


def test_a_section_is_found_by_its_whole_name() -> None:
    page = replace_section("# Page\n", "fleet300", "of three hundred")
    page = replace_section(page, "fleet", "of a hundred")
    assert "of three hundred" in page
    assert "of a hundred" in page
    assert "of three hundred" in replace_section(page, "fleet", "anew")
    assert "of a hundred" not in replace_section(page, "fleet", "anew")


@pytest.mark.parametrize(
    ("check", "is_met"),
    [
        (Check("ratio", 0.35, 0.35), True),
        (Check("ratio", 0.351, 0.35), False),
        (Check("rate", 0.9, 0.9, at_least=True), True),
        (Check("rate", 0.89, 0.9, at_least=True), False),
        (Check("rate", None, 0.9), False),
    ],
)
def test_a_limit_is_met_or_missed(check: Check, is_met: bool) -> None:
    assert check.is_met is is_met
    assert check.row[3] == ("met" if is_met else "**missed**")
    assert Section("T", "", [check]).is_met is is_met


def test_what_was_not_measured_says_so_and_misses_its_limit() -> None:
    assert Check("PSS", None, 600, " MB").row == ("PSS", "at most 600 MB", "not measured", "**missed**")


def test_a_section_says_when_and_on_what_machine_and_names_no_host(monkeypatch: pytest.MonkeyPatch) -> None:
    text = Section("T", "text", [Check("a", 1, 2, " s")]).markdown()
    assert "cores" in text
    assert f"UTC, commit {commit()}, " in text
    assert "| a | at most 2 s | 1 s | met |" in text
    import socket

    assert socket.gethostname() not in text


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.284, "0.28"), (12.34, "12.3"), (1234.5, "1,234"), (3, "3"), (-0.5, "-0.50")]
)
def test_figures_have_three_digits_that_count(value: float, text: str) -> None:
    assert figure(value) == text


def test_a_table_leaves_empty_what_is_not_there() -> None:
    assert table(("a", "b"), [(1, None)]) == "| a | b |\n| --- | --- |\n| 1 |  |"
