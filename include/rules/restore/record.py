"""The record of a restore: its plan, how far it has come, what is in doubt, and how it ended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from include.rules.points.failures import StepFailure, with_failures, without_step
from include.rules.points.requests import Kind
from include.rules.register.tenants import Strict
from include.rules.restore.database_identity import DatabaseIdentity
from include.rules.restore.plan import RestorePlan
from include.rules.restore.request import RestoreScope

PREPARE_DATABASE, COPY_FILES = "prepare_database", "copy_files"
RESTORE_DATABASE, CHECK = "restore_database", "check"


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
    """One step that is done.

    Attributes:
        message: What it says of itself; stored as `said`.
        began_at, at: When (UTC) it began and ended.
        bytes: How many it brought back.
    """

    name: str
    message: str = Field(validation_alias="said", serialization_alias="said")
    began_at: AwareDatetime
    at: AwareDatetime
    bytes: int = 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return (self.at - self.began_at).total_seconds()


class RestoreRecord(Strict):
    """What one restore is about and how far it has come; kept in the vault for good.

    Attributes:
        tenant: Whose place the restore goes to, and whose lease it holds.
        registered: True when the register knew the tenant as the plan was made.
        preview: What the operator was shown before anything was touched.
        earlier_plans: Plans that were shown before the present one, by their seal.
        owner, token: The run, and the fencing token under which the record was last written.
        volumes: The volumes made from snapshots, by the part's name, while they exist.
        files_from: Where in the web snapshot the files are, relative to its volume's root, as a look at it has found;
            empty before.
        copied_files: Where the database's files were, or are being, copied to from the snapshot of its volume.
        asked_volumes: The client tokens of volumes that were asked for and not yet answered, by the part's name; asked
            for again under its token it is the same volume.
        asked_snapshots: Of which snapshots those were asked for: the recovery point may be gone when it is asked again.
            Records of before have none.
        safety_moment: Slot of the safety point: the moment from which on the site was offline for this restore.
        safety_point: The recovery point that was taken before anything was overwritten.
        why_unsavable: Why no safety point could keep the database that is overwritten; empty when one does. Stored as
            `lost_database`.
        begun: What a step has begun to overwrite, by the step's name; forgotten only when it is known that nothing
            was.
        database_before: The database as the server described it when this restore first began on it; None when nobody
            has noted it.
        inherited: What an earlier restore of the tenant had left half restored under the marker that lay there, by the
            step's name; the site goes online only when this restore has brought all of it back.
        steps: What has been done, in order.
        failure: Why the restore is failing, its first cause first; once it is closed, everything that an operator has
            to know with it.
        failures: Step by step, in the order in which it became known, what has gone wrong in this attempt.
    """

    version: Literal[2] = 2
    id: str
    tenant: str
    plan: RestorePlan
    registered: bool = False
    preview: str = ""
    earlier_plans: dict[str, RestorePlan] = Field(default_factory=dict)
    state: RestoreState = RestoreState.PLANNED
    owner: str
    token: int = 0
    planned_at: AwareDatetime
    opened_at: AwareDatetime | None = None
    closed_at: AwareDatetime | None = None
    volumes: dict[str, str] = Field(default_factory=dict)
    files_from: str = ""
    copied_files: tuple[str, ...] = ()
    asked_volumes: dict[str, str] = Field(default_factory=dict)
    asked_snapshots: dict[str, str] = Field(default_factory=dict)
    site: Site = Site.UNTOUCHED
    safety_moment: AwareDatetime | None = None
    safety_point: str | None = None
    why_unsavable: str = Field(default="", validation_alias="lost_database", serialization_alias="lost_database")
    begun: dict[str, str] = Field(default_factory=dict)
    database_before: DatabaseIdentity | None = None
    inherited: dict[str, str] = Field(default_factory=dict)
    steps: tuple[RestoreStep, ...] = ()
    failure: str | None = None
    failures: tuple[StepFailure, ...] = ()

    def opened(
        self, *, owner: str, token: int, now: datetime, inherited: Mapping[str, str] | None = None
    ) -> RestoreRecord:
        """Begin to carry the plan out, or begin again: all steps are done anew.

        What an earlier attempt has left (volumes, a site offline, what it had begun on) stays known. Its safety point
        is the one to go back to once the site was changed; before that, users may have worked on since: take another.

        Args:
            inherited: What an earlier restore has left half restored, when the site is offline by its marker.
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
                "inherited": {**self.inherited, **(inherited or {})},
                "closed_at": None,
                "files_from": "",
                "steps": (),
                "failure": None,
                "failures": (),
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
        no longer matters. What has gone wrong in other steps does.
        """
        before = tuple(done for done in self.steps if done.name != step.name)
        return self.model_copy(update={"steps": (*before, step), **without_step(self, step.name)})

    def with_failure(self, reason: str, step: str = "") -> RestoreRecord:
        """Remember why the restore is failing, and in which step; the first cause stays first."""
        return self.model_copy(update=with_failures(self, [StepFailure(step=step, message=reason)]))

    def beginning_on(self, step: str, what: str) -> RestoreRecord:
        """Record, before the first change, what a step is about to overwrite."""
        return self.model_copy(update={"begun": {**self.begun, step: what}})

    def beginning_on_database(self, before: DatabaseIdentity) -> RestoreRecord:
        """The same of the database, as the server describes it `before`; that of an earlier attempt stands."""
        known = self.database_before if RESTORE_DATABASE in self.begun else before
        begun = self.beginning_on(RESTORE_DATABASE, f"Database {self.plan.database}")
        return begun.model_copy(update={"database_before": known})

    def not_begun_on(self, step: str) -> RestoreRecord:
        """Take back what `beginning_on` has recorded: it is known that nothing was changed."""
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
        return not self.half_restored

    @property
    def half_restored(self) -> dict[str, str]:
        """What of the tenant's own is not, or may not be, in one consistent state with the rest, by the step's name."""
        return self._inherited_and_not_mended() | self._begun_and_not_checked()

    def _begun_and_not_checked(self) -> dict[str, str]:
        """What this restore has begun to overwrite: all of it is in doubt until the check has passed."""
        if self.has_done(CHECK):
            return {}
        return {step: what for step, what in self.begun.items() if self._replaces(step)}

    def _inherited_and_not_mended(self) -> dict[str, str]:
        """What an earlier restore has left half restored; a whole half that was brought back and checked is mended."""
        if not self.has_done(CHECK):
            return dict(self.inherited)
        return {
            step: what
            for step, what in self.inherited.items()
            if not self._replaces(step) or (step == COPY_FILES and self.plan.paths)  # single paths mend no half
        }

    def _replaces(self, step: str) -> bool:
        """True when it is the plan that this step overwrites the tenant's own."""
        replaced = {COPY_FILES: self.plan.replaces_files, RESTORE_DATABASE: self.plan.replaces_database}
        return replaced.get(step, False)

    @property
    def undo_form(self) -> str:
        """The form, as JSON, of a restore of the safety point: it holds what this restore overwrites, and no more.

        Empty when nothing leads back.
        """
        files, database = self.plan.replaces_files, self.plan.replaces_database and not self.why_unsavable
        if not (files or database) or not self.safety_point:
            return ""
        what = {} if files and database else {"what": RestoreScope.FILES if files else RestoreScope.DATABASE}
        form = {"tenant": self.tenant, "recovery_point": self.safety_point, **what, "confirm": self.tenant}
        return json.dumps(form)
