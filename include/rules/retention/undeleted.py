"""What it means when a part of a recovery point, or a shared snapshot, cannot be deleted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.rules.points.transitions import State

AGAIN = {
    State.EXPIRING: "The point stays `expiring` and counts for nothing; the next `retention` tries again.",
    State.EXPIRED: "Nothing else is left of the point, which is `expired`; the next `retention` tries again.",
}
OF_NO_POINT = "It is no part of the point any more, which is as it was; the next `retention` tries again."
OF_NOBODY = "No recovery point uses it any more; the next `retention` tries again."
LOCK_HOLDS = "a lock holds it"
LOCK_WORDS = (LOCK_HOLDS, "object lock", "is locked")
"""What AWS says of a lock, always with a blank: messages quote names, and a tenant may be called `blockbuster`."""


@dataclass(frozen=True)
class UndeletedPart:
    """A part of a recovery point, or a shared snapshot, that AWS has refused to delete.

    Attributes:
        part: What was to be deleted, for instance `snapshot snap-0123` or the key of a file.
        code, message: AWS's own words; without a code it was not asked, and the message says why.
        locked_until: Until when a lock is known to hold the part, a moment to come; None when none is known.
        transient: True when the same call may succeed a little later.
        legal_hold: True when the store has a legal hold on it, which holds until somebody lifts it.
    """

    part: str
    code: str
    message: str
    locked_until: datetime | None = None
    transient: bool = False
    legal_hold: bool = False

    @property
    def locked(self) -> bool:
        """True when a lock is the reason: nobody has to do anything but wait.

        The code of a locked snapshot's refusal is not documented; what was seen is `SnapshotLocked`.
        """
        message = self.message.lower()
        known = self.legal_hold or self.locked_until is not None
        return known or "Locked" in self.code or any(words in message for words in LOCK_WORDS)

    @property
    def needs_operator(self) -> bool:
        """True when no later run gets any further before somebody has done something."""
        return not (self.locked or self.transient)

    def describe(self, tenant: str, point_id: str, state: State) -> str:
        """What happened, to which point (now in which state) of which tenant, and what to do."""
        return self.describe_part(f"recovery point {point_id} of tenant {tenant}", AGAIN.get(state, OF_NO_POINT))

    def describe_part(self, whole: str, afterwards: str) -> str:
        """What happened to the part of what, how that stays meanwhile, and what to do."""
        name = "LOCKED: " if self.locked else ""
        answer = f"AWS answered {self.code} ({self.message})" if self.code else self.message
        return f"{name}{self.part} of {whole} was not deleted: {answer}. {afterwards} {self._todo()}"

    def _todo(self) -> str:
        if self.legal_hold:
            return (
                "The store has a legal hold on it (S3 Object Lock): it goes once whoever has placed it has lifted it "
                "(PutObjectLegalHold, OFF)."
            )
        if self.locked_until:
            return f"Its lock ends on {self.locked_until:%Y-%m-%d %H:%MZ}; nothing has to be done."
        if self.locked:
            return "Nothing has to be done until its lock ends."
        if not self.code:
            return "Correct its tags, or delete it by hand."
        if "InUse" in self.code:
            return "An image (AMI) uses it: deregister the image."
        if "AWS Backup" in self.message:
            return "It was handed over to AWS Backup: delete it there."
        if self.transient:
            return "Nothing has to be done."
        return "Compare the rights of the AWS identity with docs/iam-policy.json."
