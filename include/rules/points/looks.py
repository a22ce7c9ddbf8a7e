"""What was seen of a volume before its snapshot was taken, as a recovery point remembers it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta

from pydantic import AwareDatetime

from include.rules.register.findings import Finding, Weight, of_weight
from include.rules.register.tenants import DatabaseHost, Strict, TenantId, WebHost

BELIEVED = timedelta(minutes=5)
"""For how long tenants of a host share what was seen there: a look may be so much older than the claim that has it."""


class VolumeLook(Strict):
    """One look at a volume that has found no difference to the register.

    Attributes:
        at: When it was over; the snapshot was asked for afterwards.
        not_looked_at: Why not all of it could be looked at; empty when all of it was seen.
        notes: What else was found.
        folder: Where the tenant's folder is on the volume, seen from its root, when links or mounts lead there; empty
            when it is where its path says, and for a database.
    """

    at: AwareDatetime
    not_looked_at: str = ""
    notes: tuple[str, ...] = ()
    folder: str = ""

    @classmethod
    def of(cls, findings: Iterable[Finding], at: datetime, folder: str = "") -> VolumeLook:
        """The look that has found this."""
        found = tuple(findings)
        return cls(
            at=at,
            not_looked_at="; ".join(one.text for one in of_weight(Weight.NOT_LOOKED_AT, found)),
            notes=tuple(one.text for one in of_weight(Weight.NOTE, found)),
            folder=folder,
        )


class TenantLook(Strict):
    """A look at one tenant of the volume that has found no difference.

    Attributes:
        only_for: The only point that may rely on it; empty where all of the tenant's may. A safety point lets pass what
            a backup does not: a folder that is missing has nothing to lose to a restore.
    """

    tenant: TenantId
    look: VolumeLook
    only_for: str = ""


def fingerprint_of(host: WebHost | DatabaseHost) -> str:
    """What tells one host entry of the register from another, or from what it was before."""
    return hashlib.sha256(host.model_dump_json().encode()).hexdigest()[:16]
