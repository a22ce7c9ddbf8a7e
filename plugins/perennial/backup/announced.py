"""Points that are announced for a volume's snapshot: their runs come for it in one of their next steps.

Whoever writes the list of a shared snapshot meanwhile puts them on it, too: of tenants that come one after the other,
each some moments after its point was opened, only a few need a write of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from include.rules.backup.sharing import Candidate
from include.rules.points.shared_snapshots import SharedSnapshot
from perennial.backup.asker import Asker
from perennial.hooks.vault.memory import clock

SOON: Final = 60.0
"""Seconds for which a point is awaited: a run that has not come by then has ended, or goes on in another triggerer."""


@dataclass
class _Announced:
    """A point as the step that announced it knew it, until when it is awaited, and what it is on the list of."""

    candidate: Candidate
    until: float
    joined: SharedSnapshot | None = None


class AnnouncedPoints:
    """The points that are announced for one volume; one whose halves are both on it has one place at a time."""

    def __init__(self) -> None:
        self._by_point: dict[tuple[str, str], _Announced] = {}

    def add(self, candidate: Candidate) -> None:
        """Await a point; one that is announced again keeps its place."""
        self._forget_absent()
        before = self._by_point.pop(_key(candidate), None)
        announced = _Announced(candidate.after(before.candidate) if before else candidate, clock() + SOON)
        self._by_point[_key(candidate)] = announced
        if before and before.joined:
            self.deliver(before.joined)

    def hand_over(self, asker: Asker) -> None:
        """Give a point that has come its place, and what it was put on the list of meanwhile."""
        announced = self._by_point.pop(_key(asker.candidate), None)
        if announced is None:
            return
        asker.candidate = asker.candidate.after(announced.candidate)
        joined = announced.joined
        if joined and asker.candidate.is_on(joined) and asker.candidate.may_join(joined):
            asker.joined = joined

    def without_snapshot(self) -> Iterator[Candidate]:
        """Those that are on no list yet."""
        self._forget_absent()
        return (one.candidate for one in self._by_point.values() if one.joined is None)

    def deliver(self, document: SharedSnapshot) -> None:
        """Note who is on the list of a shared snapshot that was just written."""
        for one in self._by_point.values():
            if one.candidate.is_on(document):
                one.joined = document

    def _forget_absent(self) -> None:
        now = clock()
        self._by_point = {key: one for key, one in self._by_point.items() if now < one.until}


def _key(candidate: Candidate) -> tuple[str, str]:
    return candidate.tenant, candidate.point
