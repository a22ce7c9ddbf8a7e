"""What it means when a part of a recovery point cannot be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

AGAIN = "The point stays `expiring` and counts for nothing; the next `retention` tries again."


@dataclass(frozen=True)
class Refused:
    """A deletion that AWS has refused.

    Attributes:
        part: What was to be deleted, for instance `snapshot snap-0123` or the key of a file.
        code, message: AWS's own words; without a code it was not asked, and the message says why.
        locked_until: Until when a lock is known to hold the part; None when none is known.
        transient: True when the same call may succeed a little later.
    """

    part: str
    code: str
    message: str
    locked_until: datetime | None = None
    transient: bool = False

    @property
    def locked(self) -> bool:
        """True when a lock is the reason: nobody has to do anything but wait.

        The codes of a locked snapshot's refusal are not documented; all names that were seen have "lock" in them.
        """
        return self.locked_until is not None or "lock" in f"{self.code} {self.message}".lower()

    @property
    def for_person(self) -> bool:
        """True when no later run gets any further before somebody has done something."""
        return not (self.locked or self.transient)

    def said(self, tenant: str, point_id: str) -> str:
        """What happened, to which point of which tenant, and what to do."""
        name = "LOCKED: " if self.locked else ""
        answer = f"AWS answered {self.code} ({self.message})" if self.code else self.message
        return (
            f"{name}{self.part} of recovery point {point_id} of tenant {tenant} was not deleted: {answer}. "
            f"{AGAIN} {self._todo()}"
        )

    def _todo(self) -> str:
        if self.locked_until:
            return f"Its lock ends on {self.locked_until:%Y-%m-%d %H:%MZ}; nothing has to be done."
        if self.locked:
            return "Nothing has to be done until its lock ends."
        if not self.code:
            return "Tag it again, or delete it by hand."
        if "InUse" in self.code:
            return "An image (AMI) uses it: deregister the image."
        if "AWS Backup" in self.message:
            return "It was handed over to AWS Backup: delete it there."
        if self.transient:
            return "Nothing has to be done."
        return "Compare the rights of the AWS identity with docs/iam-policy.json."
