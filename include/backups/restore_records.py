"""The record of a restore: its plan, how far it has come, what is in doubt, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from include.backups.requests import Kind
from include.backups.restore_plans import RestorePlan
from include.backups.tenants import Strict

COPY_FILES, RESTORE_DATABASE, CHECK = "copy_files", "restore_database", "check"
INTERRUPTED = "The run was ended before it was done."


class RestoreState(StrEnum):
    """How far a restore is: planned (nothing is touched), running, done (all is back and checked), or failed."""

    PLANNED = "planned"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Site(StrEnum):
    """What the restore has made of the tenant's site: untouched, offline, or online again."""

    UNTOUCHED = "untouched"
    OFFLINE = "offline"
    ONLINE = "online"


class RestoreStep(Strict):
    """One step that is done: its name, what it says of itself, when it began and ended, the bytes it brought back."""

    name: str
    said: str
    began_at: AwareDatetime
    at: AwareDatetime
    bytes: int = 0

    @property
    def seconds(self) -> float:
        return (self.at - self.began_at).total_seconds()


class RestoreRecord(Strict):
    """What one restore is about and how far it has come; kept in the vault for good.

    Attributes:
        tenant: Whose place the restore goes to, and whose lease it holds.
        preview: What the operator was shown before anything was touched.
        owner, token: The run, and the fencing token under which the record was last written.
        volumes: The volumes made from snapshots, by the part's name, while they exist.
        asked_volumes: The client tokens of volumes that were asked for and not yet answered, by the part's name; asked
            for again under its token it is the same volume.
        safety_moment: Slot of the safety point: the moment from which on the site was offline for this restore.
        safety_point: The recovery point that was taken before anything was overwritten.
        begun: What a step has begun to overwrite, by the step's name; never forgotten, whatever came of it.
        steps: What has been done, in order.
    """

    version: Literal[2] = 2
    id: str
    tenant: str
    plan: RestorePlan
    preview: str = ""
    state: RestoreState = RestoreState.PLANNED
    owner: str
    token: int = 0
    planned_at: AwareDatetime
    opened_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    volumes: dict[str, str] = Field(default_factory=dict)
    asked_volumes: dict[str, str] = Field(default_factory=dict)
    site: Site = Site.UNTOUCHED
    safety_moment: AwareDatetime | None = None
    safety_point: str | None = None
    begun: dict[str, str] = Field(default_factory=dict)
    steps: tuple[RestoreStep, ...] = ()
    failure: str | None = None

    def opened(self, *, owner: str, token: int, now: datetime) -> RestoreRecord:
        """Begin to carry the plan out, or begin again: all steps are done anew.

        What an earlier attempt has left (volumes, a site offline, what it had begun on) stays known. Its safety point
        is the one to go back to once the site was changed; before that, users may have worked on since: take another.
        """
        keeps_safety_point = self.has_changed_the_site and self.safety_moment
        return self.model_copy(
            update={
                "safety_moment": self.safety_moment if keeps_safety_point else now,
                "safety_point": self.safety_point if keeps_safety_point else None,
                "state": RestoreState.RUNNING,
                "owner": owner,
                "token": token,
                "opened_at": now,
                "closed_at": None,
                "steps": (),
                "failure": None,
            }
        )

    @property
    def safety_request(self) -> str:
        """The request for the safety point; empty when this restore overwrites nothing and needs none."""
        if not self.plan.overwrites or self.safety_moment is None:
            return ""
        return f"{self.tenant}|{Kind.SAFETY}|{self.safety_moment.isoformat()}"

    def with_step(self, step: RestoreStep) -> RestoreRecord:
        """Record that a step is done; a step done again stands once, at its latest time, and an earlier failure of it
        no longer matters.
        """
        before = tuple(done for done in self.steps if done.name != step.name)
        return self.model_copy(update={"steps": (*before, step), "failure": None})

    def asking_for_volume(self, part: str, token: str) -> RestoreRecord:
        """Record, before the call, that a volume is asked for."""
        return self.model_copy(update={"asked_volumes": {**self.asked_volumes, part: token}})

    def with_volume(self, part: str, volume: str) -> RestoreRecord:
        """The record with the volume that was made from a part."""
        answered = self.without_asked_volume(part)
        return answered.model_copy(update={"volumes": {**self.volumes, part: volume}})

    def without_asked_volume(self, part: str) -> RestoreRecord:
        """Take back what `asking_for_volume` has recorded: the call was answered."""
        unanswered = {name: token for name, token in self.asked_volumes.items() if name != part}
        return self.model_copy(update={"asked_volumes": unanswered})

    def beginning_on(self, step: str, what: str) -> RestoreRecord:
        """Record, before the first change, what a step is about to overwrite."""
        return self.model_copy(update={"begun": {**self.begun, step: what}})

    def not_begun_on(self, step: str) -> RestoreRecord:
        """Take back what `beginning_on` has recorded: the step was refused before it changed anything."""
        return self.model_copy(update={"begun": {name: what for name, what in self.begun.items() if name != step}})

    def has_done(self, name: str) -> bool:
        """True when the step `name` is done."""
        return any(step.name == name for step in self.steps)

    @property
    def in_doubt(self) -> tuple[str, ...]:
        """What may be partly old and partly restored, because a step has begun on it and not ended."""
        return tuple(what for step, what in self.begun.items() if not self.has_done(step))

    @property
    def has_changed_the_site(self) -> bool:
        """True when the tenant's own files or database are no longer, or perhaps no longer, what they were."""
        return (self.plan.replaces_files and COPY_FILES in self.begun) or (
            self.plan.replaces_database and RESTORE_DATABASE in self.begun
        )

    @property
    def may_go_online(self) -> bool:
        """True when the site shows one consistent state: all of the old one, or all of the restored one."""
        return self.has_done(CHECK) or not self.has_changed_the_site


def finished(record: RestoreRecord, now: datetime, left: Sequence[str] = ()) -> RestoreRecord:
    """Close the record: done when the check has passed, else failed with everything an operator has to know.

    Args:
        left: Sentences about what could not be cleaned up.
    """
    if record.has_done(CHECK):
        state, failure = RestoreState.DONE, " ".join(left) or None
        return record.model_copy(update={"state": state, "closed_at": now, "failure": failure})
    doubts = [f"{what} may be partly old and partly restored." for what in record.in_doubt]
    parts = [record.failure or INTERRUPTED, *doubts, *left, _what_is_where(record)]
    return record.model_copy(
        update={
            "state": RestoreState.FAILED,
            "closed_at": now,
            "failure": " ".join(part for part in parts if part),
        }
    )


def _what_is_where(record: RestoreRecord) -> str:
    said = []
    if record.plan.overwrites and not record.has_changed_the_site:
        said.append(f"Tenant {record.tenant} is as it was: nothing was overwritten.")
    if record.site is Site.OFFLINE:
        said.append(f"The site of tenant {record.tenant} is still OFFLINE (app_offline.htm in its folder).")
    if record.has_changed_the_site and record.safety_point:
        said.append(
            f"The state before this restore is in the safety point {record.safety_point}: restore it to go back."
        )
    return " ".join(said)
