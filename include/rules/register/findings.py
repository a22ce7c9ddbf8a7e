"""What a look at the real world has found about an entry of the register, and the table that shows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """How much a finding weighs; the heaviest first."""

    DIFFERENCE = "difference"
    """What is there is not what the register says: a backup would keep something else, or a restore would fail."""
    NOT_LOOKED_AT = "not looked at"
    """It could not be looked at, so that nobody knows."""
    NOTE = "note"
    """Worth knowing; nothing fails for it."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    Attributes:
        fact: What is so; begins in small letters and ends without a full stop.
        register: What the register says instead, for instance `web.mount is /srv/acme`; empty where it says nothing.
        todo: What to do about it, a sentence.
    """

    weight: Weight
    fact: str
    register: str = ""
    todo: str = ""

    @property
    def text(self) -> str:
        """Fact and register's word, for a message."""
        return f"{self.fact}, and the register says that {self.register}" if self.register else self.fact


def of_weight(weight: Weight, findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those of the findings that weigh that much."""
    return tuple(finding for finding in findings if finding.weight is weight)


def nothing_looked_at(findings: Mapping[tuple[str, str], Sequence[Finding]]) -> str:
    """Why nothing could be looked at: the first reason, where all that the checks have found is that they could not
    look; empty where one has looked at anything.
    """
    is_blind = all(found and of_weight(Weight.NOT_LOOKED_AT, found) == tuple(found) for found in findings.values())
    return next((one.fact for found in findings.values() for one in found), "") if is_blind else ""


def findings_table(findings: Mapping[tuple[str, str], Iterable[Finding]]) -> str:
    """The findings as a Markdown table, the heaviest first; what was checked without one is named below it.

    Args:
        findings: By tenant and name of the check.
    """
    rows = [
        (str(one.weight), tenant, check, one.fact, one.register or "-", one.todo or "-")
        for weight in Weight
        for (tenant, check), found in findings.items()
        for one in of_weight(weight, found)
    ]
    head = ("weight", "tenant", "check", "what is so", "the register says", "what to do")
    lines = [_line(head), _line("---" for _ in head), *(_line(row) for row in rows)] if rows else ["Nothing was found."]
    sound = sorted({tenant for tenant, _ in findings} - {row[1] for row in rows})
    if sound and rows:
        lines += ["", f"Nothing was found of: {', '.join(sound)}."]
    return "\n".join(lines)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(' '.join(cell.split()).replace('|', chr(92) + '|') for cell in cells)} |"
