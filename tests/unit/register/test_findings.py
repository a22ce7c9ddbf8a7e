"""The table of what was found: the heaviest first, and nobody is left out."""

from __future__ import annotations

from include.rules.register.findings import Finding, Weight, findings_table, nothing_looked_at


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


def test_a_look_is_blind_where_every_check_of_every_tenant_could_not_look() -> None:
    blind, note = Finding(Weight.NOT_LOOKED_AT, "no host answers"), Finding(Weight.NOTE, "a")
    everywhere = {("acme", "volumes"): (blind, blind), ("acme", "restorable"): (blind,)}
    assert nothing_looked_at(everywhere) == "no host answers"
    assert nothing_looked_at({**everywhere, ("globex", "volumes"): ()}) == ""
    assert nothing_looked_at({**everywhere, ("globex", "volumes"): (blind, note)}) == ""
    assert nothing_looked_at({}) == "", "where there is no tenant, there is nothing to look at"
