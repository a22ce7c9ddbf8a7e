"""Deletes shared snapshots that no recovery point uses any more, and their documents.

A document whose list is empty is in state `deleting`, and nobody can join it any more. So nothing has to be fenced:
two runs that do this at once, or a second one after the first has died anywhere, do what one would have done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from include.rules.errors import PartError, PerennialError, UnavailableError
from include.rules.points.parts import ClaimName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.register.register import Register
from include.rules.retention.reports import SharedReport, Trouble
from include.rules.retention.shared import is_extra, may_be_forgotten, to_go_note
from include.rules.retention.shared_errors import (
    contested_error,
    in_doubt_error,
    misfit_error,
    not_shown_error,
    still_used_error,
)
from include.rules.retention.undeleted import OF_NOBODY, UndeletedPart
from include.rules.retention.wanted import volumes_in_doubt
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import CLAIM_TAG, Snapshot
from perennial.hooks.vault.collection import Versioned
from perennial.retention.forgetting import forget, is_known_to_be_gone
from perennial.retention.shared_looks import SharedLooks, SnapshotListing
from perennial.retention.strays import find_unknown_claims, stray_objects
from perennial.retention.troubles import trouble_of, undeleted_part

log = logging.getLogger(__name__)

AT_ONCE = 50
"""Documents that are looked at together; each has the looks at all tenants of its volume in it."""


class Dissolution:
    """The deletion of shared snapshots that nobody uses, by one run of retention.

    Args:
        looks: What the run has seen, whose lists it has emptied, and what points need.
        register: Says on which volumes tenants are that could not be looked at.

    Attributes:
        report: What became of them.
    """

    def __init__(self, looks: SharedLooks, register: Register) -> None:
        self.vault, self._looks, self._register = looks.vault, looks, register
        self._ebs = Ebs.of(looks.vault.settings)
        self.report = SharedReport()

    async def delete_unused(self) -> None:
        """Delete the snapshots of all claims that nobody uses, and the documents of those that are gone.

        Only after a look at the points of all tenants: a list may have been edited by hand. One whose list is empty
        although a point needs it is left alone, and reported with the point; so is one that may be needed by a tenant
        that could not be looked at.
        """
        seen = self._looks.latest.entries.values()
        names = self._looks.emptied | {entry.name for entry in seen if entry.state is ShareState.DELETING}
        in_order = self._without_doubtful(sorted(names - self._looks.wanted.claims))
        for start in range(0, len(in_order), AT_ONCE):
            try:
                await self._dissolve(in_order[start : start + AT_ONCE])
            except PerennialError as error:
                self._trouble(error)

    def leave_to_fleet(self) -> None:
        """Say that the snapshots whose lists this run has emptied go with the next run that looks at all tenants."""
        self.report.notes += [to_go_note(name) for name in sorted(self._looks.emptied)]

    def _without_doubtful(self, names: list[ClaimName]) -> list[ClaimName]:
        """Those of them that no tenant can need which could not be looked at; the others are reported."""
        in_doubt = self._volumes_in_doubt()
        left = [name for name in names if name.volume in in_doubt]
        if left:
            tenants = {tenant for name in left for tenant in in_doubt[name.volume]}
            self.report.troubles.append(Trouble(str(in_doubt_error(left, tenants)), needs_operator=False))
        return [name for name in names if name.volume not in in_doubt]

    def _volumes_in_doubt(self) -> dict[str, set[str]]:
        listing, unsure = self._looks.latest, self._looks.wanted.unsure
        return volumes_in_doubt(unsure, listing.entries.values(), listing.unread, self._register)

    def report_problems(self) -> None:
        """Report documents that could not be read, and what lies among them and is none."""
        for problem in stray_objects("Among the documents of shared snapshots", self._looks.latest.strays):
            self._report(problem)
        for name, error in sorted(self._looks.latest.unread.items()):
            self.report.troubles.append(trouble_of(error, f"Shared snapshot {name} stays, and whoever uses it"))

    async def look_for_strays(self) -> None:
        """Delete what a claim has asked for besides its snapshot, and report snapshots that fit no document.

        Only after a look at the whole vault.
        """
        try:
            await self._delete_extras(self._looks.latest)
            for problem in await find_unknown_claims(self.vault, self._looks.latest):
                self._report(problem)
        except PerennialError as error:
            self._trouble(error)

    async def _dissolve(self, names: Iterable[ClaimName]) -> None:
        versions = await self._unused(names)
        by_tag = await self._ebs.snapshots_of_claims(tag for version in versions for tag in version.value.tags)
        found = [[s for tag in v.value.tags for s in by_tag.get(tag, ()) if self._is_of(v.value, s)] for v in versions]
        shown = {snapshot.id for of_claim in found for snapshot in of_claim}
        hidden = {v.value.snapshot_id for v in versions if v.value.snapshot_id} - shown
        by_id = await self._ebs.snapshots(hidden)
        for version, of_claim in zip(versions, found, strict=True):
            document = version.value
            try:
                deleted = [snapshot.id for snapshot in of_claim if await self._delete(document, snapshot)]
                misfit = by_id.get(document.snapshot_id or "")
                if misfit:
                    self._report_misfit(document, misfit)
                elif len(deleted) == len(of_claim):
                    await self._forget(version, deleted)
            except PerennialError as error:
                self._trouble(error)

    async def _unused(self, names: Iterable[ClaimName]) -> list[Versioned[SharedSnapshot]]:
        """Those of the documents that say, at this moment, that nobody uses the snapshot."""
        versions = []
        for name in names:
            try:
                version = await self.vault.shared_snapshot(*name)
            except PerennialError as error:
                self._trouble(error)
                continue
            if version is None or version.value.state is not ShareState.DELETING:
                continue
            if version.value.users:
                self._report(still_used_error(version.value))
            else:
                versions.append(version)
        return versions

    async def _delete(self, document: SharedSnapshot, snapshot: Snapshot) -> bool:
        """Delete a snapshot that was just seen to carry the tags of this vault and the claim; False when it stays."""
        try:
            await self._ebs.delete_snapshot(snapshot.id)
        except UnavailableError as error:
            part = undeleted_part(f"snapshot {snapshot.id}", error)
            if part.locked:
                with suppress(UnavailableError):  # then what it has said when it refused is all that is known
                    locks = await self._ebs.locked_snapshots([snapshot.id])
                    part = replace(part, locked_until=locks.get(snapshot.id))
            self._undeleted(document, part)
            return False
        self.report.deleted.append(f"{snapshot.id} of {document.name}")
        return True

    async def _forget(self, version: Versioned[SharedSnapshot], deleted: list[str]) -> None:
        """Delete the document, once its name cannot come again and its snapshot is known to be gone."""
        document = version.value
        if not may_be_forgotten(document, version.written_at, version.seen_at):
            return
        if await is_known_to_be_gone(self._ebs, document, deleted):
            await forget(self.vault, document)
        else:
            self._report(not_shown_error(document))

    async def _delete_extras(self, listing: SnapshotListing) -> None:
        """But for what a recovery point names by its id, or may name for all that is known."""
        in_doubt = self._volumes_in_doubt()
        for entry in listing.entries.values():
            volume = entry.name.volume
            ids = {name for tag in entry.tags for name in listing.claimed.get((volume, tag), ())} - {entry.snapshot_id}
            if not ids or entry.snapshot_id is None or entry.state is ShareState.DELETING or volume in in_doubt:
                continue
            version = await self.vault.shared_snapshot(*entry.name)
            if version is None:
                continue
            if contested := ids & self._looks.wanted.snapshot_ids:
                self._report(contested_error(version.value, contested))
            for snapshot in (await self._ebs.snapshots(ids - contested)).values():
                is_old = is_extra(snapshot.id, snapshot.started_at, version.value, version.seen_at)
                if is_old and self._is_of(version.value, snapshot):
                    await self._delete(version.value, snapshot)

    def _is_of(self, document: SharedSnapshot, snapshot: Snapshot) -> bool:
        """True for a snapshot of the document's volume that carries the tags of this vault and of the claim."""
        is_tagged = self._ebs.is_ours(snapshot) and snapshot.tags.get(CLAIM_TAG) in document.tags
        return is_tagged and snapshot.volume_id == document.volume

    def _report_misfit(self, document: SharedSnapshot, snapshot: Snapshot) -> None:
        """Report a snapshot that the document names, and that does not say that it is the one of the claim."""
        if snapshot.volume_id == document.volume:
            what = "it no longer carries the tags of this vault and this claim"
            self._undeleted(document, UndeletedPart(f"snapshot {snapshot.id}", "", what))
        else:
            self._report(misfit_error(document.name, snapshot.volume_id, [snapshot.id]))

    def _undeleted(self, document: SharedSnapshot, part: UndeletedPart) -> None:
        message = part.describe_part(f"shared snapshot {document.name}", OF_NOBODY)
        if part.locked:
            self.report.waiting.append(message)
        else:
            self.report.troubles.append(Trouble(message, needs_operator=part.needs_operator))

    def _report(self, problem: PartError) -> None:
        """Only a person can settle it."""
        self.report.troubles.append(Trouble(str(problem), needs_operator=True))

    def _trouble(self, error: PerennialError) -> None:
        log.warning("Shared snapshots: %s", error)
        self.report.troubles.append(trouble_of(error, "Shared snapshots"))
