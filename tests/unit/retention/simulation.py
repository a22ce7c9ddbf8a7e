"""A tenant's backups and retention, day after day: what fails, what is missing, what the guards object to.

Only the rules are asked, as the run at noon asks them: 1,300 days take a second.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random

from include.rules.points.manifest import Expiry
from include.rules.points.requests import Kind
from include.rules.points.transitions import State
from include.rules.register.register import Register
from include.rules.register.tenants import RetentionPolicy, Tenant
from include.rules.retention.fleet import FleetPlan, plan_fleet
from include.rules.retention.guards import applied_after
from include.rules.retention.objections import Guard
from include.rules.retention.plan import Action, Circumstances, RetentionPlan
from include.rules.retention.records import AppliedPolicy
from include.rules.retention.timeline import TimelinePoint
from tests.unit.builders import tenant
from tests.unit.retention.timelines import DAY, POLICY, moment, point

START = moment("2023-10-01")
HOUR = timedelta(hours=1)


@dataclass
class SimulatedTenant:
    """One tenant's points, and what retention remembers of it.

    Attributes:
        objections: By day number, which guards spoke on it.
    """

    seed: int = 1
    policy: RetentionPolicy = POLICY
    hourly: bool = False
    suspended: bool = False
    points: list[TimelinePoint] = field(default_factory=list)
    applied: AppliedPolicy | None = None
    last_run: datetime | None = None
    objections: dict[int, list[Guard]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)  # noqa: S311 - not a secret

    def live(self, first: int, count: int, *, failing: float = 0.3, outages: bool = True, manual: int = 30) -> None:
        """Some days of backups and retention, from day number `first` on.

        Args:
            failing: The share of backups that fail.
            outages: Whether now and then nothing works for 1 to 20 days.
            manual: Backups by hand in 30 days; several may fall on one day.
        """
        out_until = first
        for number in range(first, first + count):
            if outages and number >= out_until and self.random.random() < 0.02:
                out_until = number + self.random.randint(1, 20)
            down = number < out_until
            if not self.suspended:
                self.points += self._backups(START + number * DAY, 1.0 if down else failing, manual)
            self.retain(number)

    def _backups(self, day: datetime, failing: float, manual: int) -> Iterator[TimelinePoint]:
        times = [(Kind.DAILY, day + 2 * HOUR)]
        times += [
            (Kind.MANUAL, day + HOUR * self.random.uniform(0, 12))
            for _ in range(30)
            if self.random.random() < manual / 900
        ]
        if self.hourly:
            times += [(Kind.HOURLY, day + hour * HOUR - DAY / 2) for hour in range(24)]
        for kind, time in times:
            luck = self.random.random()
            state = State.FAILED if luck < failing else State.PENDING if luck < failing + 0.01 else State.VERIFIED
            yield point(time, kind, state, id=f"acme-{kind}-{time:%Y%m%dT%H%M%S%f}")

    def entry(self) -> Tenant:
        """The tenant as the register has it today."""
        cadence = {"cadence": "hourly", "rpo_hours": 2} if self.hourly else {"cadence": "daily", "rpo_hours": 26}
        entry = tenant(plan={"name": "p", "manual_backups_per_month": 30, **cadence}, suspended=self.suspended)
        return entry.model_copy(update={"plan": entry.plan.model_copy(update={"retention": self.policy})})

    def review(self, number: int) -> FleetPlan:
        """What the run at noon of a day plans, and what speaks against it."""
        around = {"acme": Circumstances(applied=self.applied)}
        now, register = START + number * DAY + DAY / 2, Register({"acme": self.entry()})
        return plan_fleet(self.points, register, now, last_run=self.last_run, circumstances=around)

    def retain(self, number: int, *, approving: Collection[Guard] = ()) -> list[Guard]:
        """Retention's run at noon of a day, with the approval of what these guards object to.

        Returns:
            The guards that have stopped it.
        """
        review = self.review(number)
        stopping = [it.guard for it in review.objections if not (it.approvable and it.guard in approving)]
        plan = review.plans.get("acme")
        if stopping:
            self.objections[number] = stopping
        if plan:
            self.points = list(acted_on(plan, stopped=bool(stopping)))
            if not stopping:
                record = applied_after(plan, self.entry(), now=plan.now, owner="test")
                self.applied = record or self.applied
            self.last_run = plan.now  # also when the tenant was stopped: the run has looked at the whole fleet
        return stopping

    def days_of(self, guard: Guard) -> list[int]:
        """On which days a guard spoke."""
        return [number for number, guards in self.objections.items() if guard in guards]


def acted_on(plan: RetentionPlan, *, stopped: bool = False) -> Iterator[TimelinePoint]:
    """What is left once the plan has been carried out; where it is stopped, only what takes nothing away is."""
    for verdict in plan.verdicts.values():
        it = verdict.point
        if verdict.action is Action.EXPIRE and not stopped:
            yield replace(it, state=State.EXPIRING, expiry=Expiry(marked_at=plan.now, previous_state=it.state))
        elif verdict.action is Action.TAKE_BACK and it.expiry:
            yield replace(it, state=it.expiry.previous_state, expiry=None)
        elif verdict.action is not Action.DELETE or stopped:
            yield it
