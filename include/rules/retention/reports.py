"""What a run of retention did, tenant by tenant, in words for whoever reads its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from include.rules.retention.objections import Guard, Objection

NEEDS_OPERATOR = frozenset(
    {Guard.NOTHING_KEPT, Guard.MAX_DELETE, Guard.UNKNOWN_TENANT, Guard.OFFBOARDED, Guard.PARTS_LOST}
)
"""Guards whose objection nobody else lifts. A stale tenant has been named by `confirm_daily_backups` (or is suspended
on purpose), and a plan that has changed is made again the next day."""
NAMED = 10
"""How many points or shared snapshots a message names."""


class Deed(StrEnum):
    """What retention has done with a recovery point, as its report names it."""

    MARKED = "marked"
    TAKEN_BACK = "taken back"
    FAILED = "failed"
    DELETED = "deleted"


@dataclass(frozen=True)
class Trouble:
    """Something that was not done.

    Attributes:
        message: What, to whom, why it matters, what to do.
        needs_operator: False when the next run tries again by itself and nobody has to do anything.
    """

    message: str
    needs_operator: bool


@dataclass
class TenantReport:
    """What became of one tenant's recovery points.

    Attributes:
        tenant: Its id.
        explained: One line for every point: what the plan says of it, and why.
        kept: How many points stay.
        done: Ids of points by what was done with them.
        swept: Snapshots and files that were no part of any point any more and are gone.
        notes: What else there is to say.
        troubles: What was not done.
    """

    tenant: str
    explained: tuple[str, ...] = ()
    kept: int = 0
    done: dict[Deed, list[str]] = field(default_factory=dict)
    swept: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def did(self, deed: Deed, point_id: str) -> None:
        """Something was done with a point."""
        self.done.setdefault(deed, []).append(point_id)

    def stopped_by(self, objections: Iterable[Objection]) -> None:
        """Guards have stopped what takes something away."""
        for objection in objections:
            self.not_done(objection, needs_operator=objection.needs_operator or objection.guard in NEEDS_OPERATOR)

    def not_done(self, error: object, *, needs_operator: bool) -> None:
        """Something went wrong with this tenant; everything else went on."""
        self.troubles.append(Trouble(str(error), needs_operator))

    def text(self) -> str:
        """The whole report of the tenant, for the log."""
        lines = [f"Tenant {self.tenant}: {self.summary()}", *(f"  {line}" for line in (*self.explained, *self.notes))]
        return "\n".join([*lines, *(f"  NOT DONE: {trouble.message}" for trouble in self.troubles)])

    def summary(self) -> str:
        """In one line, how many points stayed and what was done."""
        did = [f"{len(points)} {deed}" for deed, points in self.done.items()]
        swept = [f"{len(self.swept)} left-over parts deleted"] if self.swept else []
        return ", ".join([f"{self.kept} kept", *did, *swept]) + "."


@dataclass
class SharedReport:
    """What became of shared snapshots that no recovery point uses any more.

    Attributes:
        deleted: Snapshots that are gone.
        waiting: Those that a lock keeps: nobody has to do anything, and a later run deletes them.
        notes: Which go with the next run of the fleet; whose bytes are still in some although the tenant has left.
        troubles: What was not done.
    """

    deleted: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def add(self, other: SharedReport) -> None:
        """Take over what became of others."""
        self.deleted += other.deleted
        self.waiting += other.waiting
        self.notes += other.notes
        self.troubles += other.troubles

    def text(self) -> str:
        """The whole report, for the log; empty where there is nothing to say."""
        deleted = [f"  deleted: {name}" for name in self.deleted]
        waiting = [f"  WAITING: {message}" for message in self.waiting]
        undone = [f"  NOT DONE: {trouble.message}" for trouble in self.troubles]
        lines = [*deleted, *waiting, *(f"  {note}" for note in self.notes), *undone]
        return "\n".join(["Shared snapshots:", *lines]) if lines else ""


@dataclass(frozen=True)
class FleetReport:
    """The reports of all tenants, and what stopped the whole fleet."""

    tenants: Mapping[str, TenantReport]
    fleet: tuple[Objection, ...] = ()
    shared: SharedReport = field(default_factory=SharedReport)

    def needing_operator(self) -> list[str]:
        """What nobody but a person can settle; a run that has any of it fails at its end."""
        return [*(str(objection) for objection in self.fleet), *(t.message for t in self._troubles if t.needs_operator)]

    def not_done(self) -> list[str]:
        """Everything that was not done, whether it needs a person or not."""
        return [*(str(objection) for objection in self.fleet), *(trouble.message for trouble in self._troubles)]

    @property
    def _troubles(self) -> list[Trouble]:
        return [*(t for report in self.tenants.values() for t in report.troubles), *self.shared.troubles]

    def summary(self) -> str:
        """In one line, how many points stayed and what was done."""
        deleted = len(self.shared.deleted)
        return f"{self._total().summary()}{f' {deleted} shared snapshots deleted.' if deleted else ''}"

    def to_json(self) -> dict[str, Any]:
        """For Airflow: numbers, and whatever was done or not done; the log has the reasons of what stays."""
        total = self._total()
        return {
            "tenants": len(self.tenants),
            "kept": total.kept,
            **{deed.replace(" ", "_"): points for deed, points in total.done.items()},
            "swept": total.swept,
            "shared_snapshots_deleted": self.shared.deleted,
            "waiting_for_locks": self.shared.waiting,
            "not_done": self.not_done(),
        }

    def _total(self) -> TenantReport:
        """All that was kept, done and swept, as if it were one tenant's."""
        total = TenantReport("", kept=sum(report.kept for report in self.tenants.values()))
        for report in self.tenants.values():
            for deed, points in report.done.items():
                total.done.setdefault(deed, []).extend(points)
            total.swept += report.swept
        return total


def first_named(names: Sequence[str]) -> str:
    """The first of them, as many as a message names, and how many there are more."""
    more = [f"{len(names) - NAMED} more"] if len(names) > NAMED else []
    return ", ".join([*names[:NAMED], *more])
