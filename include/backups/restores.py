"""Restoring: which recovery point, and the record of what was done."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import AwareDatetime

from include.backups.errors import ConfigurationError, PartError, RefusedError
from include.backups.recovery_points import BackupFilePart, Manifest, SnapshotPart, State
from include.backups.requests import parse_moment
from include.backups.tenants import TENANT_ID, Platform, Strict, Tenant


class RestoreState(StrEnum):
    """How far a restore is: running, done (all is back and checked), or failed (the record says what is where)."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class RestoreStep(Strict):
    """One step that is done: its name, what it says of itself, and when it ended."""

    name: str
    said: str
    at: AwareDatetime


class RestoreRecord(Strict):
    """What one restore is about and how far it has come; kept in the vault for good.

    Attributes:
        target: The tenant as the register describes it now: where its files and its database go.
        token: Fencing token of the lease under which the record was last written.
        volume: The volume made from the web snapshot, while it exists.
        in_doubt: What may be partly old and partly restored because a step has begun on it and not ended.
        steps: What has been done, in order.
    """

    version: int = 1
    id: str
    tenant: str
    recovery_point: str
    target: Tenant
    state: RestoreState = RestoreState.RUNNING
    owner: str
    token: int
    opened_at: AwareDatetime
    closed_at: AwareDatetime | None = None
    volume: str | None = None
    in_doubt: str = ""
    steps: tuple[RestoreStep, ...] = ()
    failure: str | None = None

    def parts_of(self, manifest: Manifest) -> tuple[SnapshotPart, BackupFilePart]:
        """The parts of the recovery point that this restore brings back.

        Raises:
            PartError: when one is missing; a verified point has them all.
        """
        web, bak = manifest.parts.web_snapshot, manifest.parts.bak
        if web is None or bak is None:
            raise PartError(
                f"Recovery point {manifest.id} of tenant {self.tenant} has no {', '.join(manifest.parts.missing())}.",
                why="It cannot be brought back whole.",
                todo="Choose another recovery point.",
            )
        return web, bak

    def with_step(self, name: str, said: str, now: datetime) -> RestoreRecord:
        """Record that a step is done; a step done again stands once, at its latest time, and an earlier failure of it
        no longer matters.
        """
        before = tuple(step for step in self.steps if step.name != name)
        return self.model_copy(
            update={"steps": (*before, RestoreStep(name=name, said=said, at=now)), "in_doubt": "", "failure": None}
        )

    def beginning_on(self, what: str) -> RestoreRecord:
        """Record, before the first change, what a step is about to overwrite."""
        return self.model_copy(update={"in_doubt": f"{what} may be partly old and partly restored."})

    def has_done(self, name: str) -> bool:
        """True when the step `name` is done."""
        return any(step.name == name for step in self.steps)


class RestoreRequest(Strict):
    """What the form of the restore DAG asks for; `moment` is when it was asked, the restore's own slot."""

    tenant: str
    recovery_point: str = ""
    moment: AwareDatetime

    @property
    def restore_id(self) -> str:
        """Id of the restore, for instance `acme-restore-20261123T101502Z`."""
        return f"{self.tenant}-restore-{self.moment:%Y%m%dT%H%M%SZ}"

    @classmethod
    def parse(cls, *, tenant: str, recovery_point: str, confirm: str, moment: str) -> RestoreRequest:
        """Read the form.

        Raises:
            ConfigurationError: when the tenant is not one, or the confirmation does not repeat its name.
        """
        if not TENANT_ID.fullmatch(tenant):
            raise ConfigurationError(
                f"{tenant!r} is not a tenant id.", why="Nothing was restored.", todo="Choose a tenant of the register."
            )
        if confirm != tenant:
            raise ConfigurationError(
                f"The confirmation {confirm!r} does not repeat the tenant's name {tenant!r}.",
                why="A restore in place overwrites the tenant's files and database; nothing was restored.",
                todo="Start the restore again and type the tenant's name into `confirm`.",
            )
        return cls(tenant=tenant, recovery_point=recovery_point.strip(), moment=parse_moment(moment))


def choose_point(manifests: Iterable[Manifest], tenant: str, wanted: str) -> Manifest:
    """The recovery point to restore: the one that was asked for, or else the newest verified one.

    Raises:
        RefusedError: when it is not this tenant's, not there, or not verified; the message names the newest that is.
    """
    own = [manifest for manifest in manifests if manifest.tenant == tenant]
    verified = sorted((m for m in own if m.state is State.VERIFIED), key=lambda m: (m.time or m.opened_at, m.id))
    newest = f"The newest verified one is {verified[-1].id}." if verified else "The tenant has no verified one."
    if not wanted:
        if verified:
            return verified[-1]
        raise RefusedError(
            f"Tenant {tenant} has no verified recovery point.",
            why="There is nothing that is known to come back; nothing was restored.",
            todo="Look at the tenant's failed backups, and mend what they say.",
        )
    chosen = next((manifest for manifest in own if manifest.id == wanted), None)
    if chosen is None:
        raise RefusedError(
            f"Tenant {tenant} has no recovery point {wanted!r}.", why="Nothing was restored.", todo=newest
        )
    if chosen.state is not State.VERIFIED:
        raise RefusedError(
            f"Recovery point {wanted} of tenant {tenant} is {chosen.state}, not verified.",
            why="It may not be whole; nothing was restored.",
            todo=newest,
        )
    return chosen


def check_platform(target: Tenant) -> None:
    """Refuse what this version cannot copy.

    Raises:
        RefusedError: for a web host on Windows.
    """
    if target.web.platform is not Platform.LINUX:
        raise RefusedError(
            f"The web host of tenant {target.id} runs {target.web.platform}.",
            why="This version copies files back on Linux hosts only; nothing was restored.",
            todo="Make a volume from the web snapshot by hand; the manifest names it.",
        )


def free_device(in_use: Iterable[str]) -> str:
    """A device name for another volume, from those that Amazon recommends for data (/dev/sdf to /dev/sdp).

    Source: docs.aws.amazon.com, "Device names for volumes on Amazon EC2 instances".

    Raises:
        RefusedError: when all of them are taken.
    """
    taken = {re.sub(r"^/dev/(xvd|sd)", "", device) for device in in_use}
    for letter in "fghijklmnop":
        if letter not in taken:
            return f"/dev/sd{letter}"
    raise RefusedError(
        "The host has no free device name from /dev/sdf to /dev/sdp.",
        why="The volume with the files cannot be attached; nothing was overwritten.",
        todo="Detach a volume that the host no longer needs.",
    )


def finished(record: RestoreRecord, now: datetime, failure: str | None) -> RestoreRecord:
    """Close the record: done when nothing failed."""
    state = RestoreState.FAILED if failure else RestoreState.DONE
    return record.model_copy(update={"state": state, "closed_at": now, "failure": failure})
