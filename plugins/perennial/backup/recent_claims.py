"""The claims of a volume that a recovery point may have to do with, read from the vault."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from include.rules.backup.sharing import Candidate, SeenClaim, days_of_use, earliest_of_use
from include.rules.errors import PartError
from include.rules.points.claim_ids import next_claim_id
from include.rules.points.shared_snapshots import SharedSnapshot
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import Vault

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RecentClaims:
    """Claims of one volume, the newest first.

    Attributes:
        today: The UTC day of a claim that is made now.
        ids: Names of all claims that may matter, also of those that could not be read.
    """

    versions: Sequence[Versioned[SharedSnapshot]]
    today: date
    ids: Sequence[str]

    def next_id(self, latest: str) -> str:
        """The name of the volume's next claim, which comes after `latest`, too."""
        return next_claim_id(self.today, [*self.ids, latest])

    @property
    def seen(self) -> list[SeenClaim]:
        """The claims as the rules take them."""
        return [SeenClaim(one.value, one.written_at, one.seen_at) for one in self.versions]

    def version_of(self, seen: SeenClaim | None) -> Versioned[SharedSnapshot] | None:
        """The document that was read of a claim."""
        return next((one for one in self.versions if seen and one.value.id == seen.document.id), None)


async def read_recent(vault: Vault, volume: str, candidate: Candidate, now: datetime) -> RecentClaims:
    """Read the claims of a volume from the newest on, as far back as one can be of use.

    One that cannot be read is left out: it costs the volume another snapshot, and no tenant its backup.
    """
    today, *before = days_of_use(candidate, now)
    ids = await vault.shared_snapshot_ids(volume, today)
    for day in before:
        ids = [*await vault.shared_snapshot_ids(volume, day), *ids]
    versions = []
    for claim in reversed(ids):
        try:
            version = await vault.shared_snapshot(volume, claim)
        except PartError as error:
            log.warning("Left out: %s", error)
            continue
        if version is None:  # retention has deleted it since it was listed
            continue
        if (version.value.claimed_at or version.written_at) < earliest_of_use(candidate, now):
            break
        versions.append(version)
    return RecentClaims(versions, today, ids)
