"""The table of what was found: the heaviest first, and nobody is left out."""

from __future__ import annotations

from include.rules.register.findings import Finding, Weight, findings_table


def test_the_table_shows_the_heaviest_first_and_names_who_has_nothing() -> None:
    note, difference = Finding(Weight.NOTE, "a | b"), Finding(Weight.DIFFERENCE, "c", "d", "e")
    table = findings_table({("acme", "volumes"): (note, difference), ("globex", "volumes"): ()}).splitlines()
    assert table[2:] == [
        "| difference | acme | volumes | c | d | e |",
        "| note | acme | volumes | a \\| b | - | - |",
        "",
        "Nothing was found of: globex.",
    ]
    assert findings_table({("acme", "volumes"): ()}) == "Nothing was found."
