"""What a run of retention did, tenant by tenant, in words for whoever reads its log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.rules.retention.objections import Guard, Refusal

FOR_A_PERSON = frozenset(
    {Guard.NOTHING_KEPT, Guard.MAX_DELETE, Guard.UNKNOWN_TENANT, Guard.OFFBOARDED, Guard.PARTS_LOST}
)
"""Guards whose refusal nobody else lifts. A stale tenant has been named by `confirm_daily_backups` (or is suspended on
purpose), and a plan that has changed is made again the next day."""


@dataclass(frozen=True)
class Trouble:
    """Something that was not done.

    Attributes:
        said: What, to whom, why it matters, what to do.
        for_person: False when the next run tries again by itself and nobody has to do anything.
    """

    said: str
    for_person: bool


@dataclass
class TenantReport:
    """What became of one tenant's recovery points.

    Attributes:
        tenant: Its id.
        explained: One line for every point: what the plan says of it, and why.
        kept: How many points stay.
        done: Ids of points by what was done with them: `marked`, `taken back`, `failed`, `deleted`.
        swept: Snapshots and files that were no part of any point any more and are gone.
        troubles: What was not done.
    """

    tenant: str
    explained: tuple[str, ...] = ()
    kept: int = 0
    done: dict[str, list[str]] = field(default_factory=dict)
    swept: list[str] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)

    def did(self, what: str, point_id: str) -> None:
        """Something was done with a point."""
        self.done.setdefault(what, []).append(point_id)

    def refused(self, refusals: Iterable[Refusal]) -> None:
        """Guards have stopped what takes something away."""
        for refusal in refusals:
            self.not_done(refusal, for_person=refusal.for_person or refusal.guard in FOR_A_PERSON)

    def not_done(self, error: object, *, for_person: bool) -> None:
        """Something went wrong with this tenant; everything else went on."""
        self.troubles.append(Trouble(str(error), for_person))

    def text(self) -> str:
        """The whole report of the tenant, for the log."""
        lines = [f"Tenant {self.tenant}: {self.summary()}", *(f"  {line}" for line in self.explained)]
        return "\n".join([*lines, *(f"  NOT DONE: {trouble.said}" for trouble in self.troubles)])

    def summary(self) -> str:
        """In one line, how many points stayed and what was done."""
        did = [f"{len(points)} {what}" for what, points in self.done.items()]
        swept = [f"{len(self.swept)} left-over parts deleted"] if self.swept else []
        return ", ".join([f"{self.kept} kept", *did, *swept]) + "."


@dataclass(frozen=True)
class FleetReport:
    """The reports of all tenants, and what stopped the whole fleet."""

    tenants: Mapping[str, TenantReport]
    fleet: tuple[Refusal, ...] = ()

    def for_a_person(self) -> list[str]:
        """What nobody but a person can settle; a run that has any of it fails at its end."""
        own = [t.said for report in self.tenants.values() for t in report.troubles if t.for_person]
        return [*(str(refusal) for refusal in self.fleet), *own]

    def not_done(self) -> list[str]:
        """Everything that was not done, whether it needs a person or not."""
        own = [trouble.said for report in self.tenants.values() for trouble in report.troubles]
        return [*(str(refusal) for refusal in self.fleet), *own]

    def summary(self) -> str:
        """In one line, how many points stayed and what was done."""
        whole = TenantReport("", kept=sum(report.kept for report in self.tenants.values()))
        for report in self.tenants.values():
            for what, points in report.done.items():
                whole.done.setdefault(what, []).extend(points)
            whole.swept += report.swept
        return whole.summary()

    def said(self) -> dict[str, Any]:
        """JSON for Airflow: numbers, and whatever was done or not done; the log has the reasons of what stays."""
        reports = self.tenants.values()
        done: dict[str, list[str]] = {}
        for report in reports:
            for what, points in report.done.items():
                done.setdefault(what, []).extend(points)
        return {
            "tenants": len(self.tenants),
            "kept": sum(report.kept for report in reports),
            **{what.replace(" ", "_"): points for what, points in done.items()},
            "swept": [name for report in reports for name in report.swept],
            "not_done": self.not_done(),
        }
