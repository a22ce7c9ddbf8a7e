"""Deletes shared snapshots that no recovery point uses any more, and their documents.

A document whose list is empty is in state `deleting`, and nobody can join it any more. So nothing has to be fenced:
two runs that do this at once, or a second one after the first has died anywhere, do what one would have done.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import replace

from include.rules.errors import PartError, PerennialError, UnavailableError
from include.rules.points.parts import ClaimName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.register.register import Register
from include.rules.retention.reports import SharedReport, Trouble
from include.rules.retention.shared import is_extra, may_be_forgotten, to_go_note, unknown_claim_error
from include.rules.retention.undeleted import OF_NOBODY, UndeletedPart
from include.rules.retention.wanted import in_doubt_error, volumes_in_doubt
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import Snapshot
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.object_versions import delete_version, versions_below
from perennial.retention.shared_looks import SharedLooks, SnapshotListing
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
        in_doubt = volumes_in_doubt(self._looks.wanted.unsure, self._looks.latest.entries.values(), self._register)
        left = [name for name in names if name.volume in in_doubt]
        if left:
            tenants = {tenant for name in left for tenant in in_doubt[name.volume]}
            self.report.troubles.append(Trouble(str(in_doubt_error(left, tenants)), needs_operator=False))
        return [name for name in names if name.volume not in in_doubt]

    def report_problems(self) -> None:
        """Report documents that could not be read."""
        for name, error in sorted(self._looks.latest.unread.items()):
            self.report.troubles.append(trouble_of(error, f"Shared snapshot {name} stays, and whoever uses it"))

    async def look_for_strays(self) -> None:
        """Delete what a claim has asked for besides its snapshot, and report snapshots of claims without a document.

        Only after a look at the whole vault.
        """
        listing = self._looks.latest
        known = {tag for entry in listing.entries.values() for tag in entry.tags}
        try:
            await self._delete_extras(listing)
            for tag, (volume, snapshot_ids) in sorted(listing.claimed.items()):
                if tag not in known and ClaimName(volume, tag.partition(".")[0]) not in listing.unread:
                    await self._report_unknown(tag, volume, snapshot_ids)
        except PerennialError as error:
            self._trouble(error)

    async def _dissolve(self, names: Iterable[ClaimName]) -> None:
        versions = [version for name in names if (version := await self.vault.shared_snapshot(*name))]
        versions = [version for version in versions if version.value.state is ShareState.DELETING]
        by_tag = await self._ebs.snapshots_of_claims(tag for version in versions for tag in version.value.tags)
        shown = {snapshot.id for of_claim in by_tag.values() for snapshot in of_claim}
        hidden = {v.value.snapshot_id for v in versions if v.value.snapshot_id} - shown
        by_id = await self._ebs.snapshots(hidden)
        for version in versions:
            document = version.value
            found = [snapshot for tag in document.tags for snapshot in by_tag.get(tag, ())]
            untagged = by_id.get(document.snapshot_id or "")
            gone = [await self._delete(document, snapshot) for snapshot in found]
            if untagged:
                what = "it no longer carries the tags of this vault and this claim"
                self._undeleted(document, UndeletedPart(f"snapshot {untagged.id}", "", what))
            elif all(gone):
                await self._forget(version)

    async def _delete(self, document: SharedSnapshot, snapshot: Snapshot) -> bool:
        """Delete a snapshot that was just seen to carry the tags of this vault and the claim; False when it stays."""
        try:
            await self._ebs.delete_snapshot(snapshot.id)
        except UnavailableError as error:
            part = undeleted_part(f"snapshot {snapshot.id}", error)
            if part.locked:
                locks = await self._ebs.locked_snapshots([snapshot.id])
                part = replace(part, locked_until=locks.get(snapshot.id))
            self._undeleted(document, part)
            return False
        self.report.deleted.append(f"{snapshot.id} of {document.name}")
        return True

    async def _forget(self, version: Versioned[SharedSnapshot]) -> None:
        """Delete the document in all its versions, once its name cannot come again."""
        document = version.value
        if not may_be_forgotten(document, version.written_at, version.seen_at):
            return
        key = self.vault.shared_snapshots.key(document.volume, document.id)
        for stored in await versions_below(self.vault.documents, key):
            if stored.key == key:
                await delete_version(self.vault.documents, stored)

    async def _delete_extras(self, listing: SnapshotListing) -> None:
        for entry in listing.entries.values():
            ids = {name for tag in entry.tags for name in listing.claimed.get(tag, ("", []))[1]} - {entry.snapshot_id}
            if not ids or entry.snapshot_id is None or entry.state is ShareState.DELETING:
                continue
            version = await self.vault.shared_snapshot(*entry.name)
            for snapshot in (await self._ebs.snapshots(ids)).values() if version else ():
                if version and is_extra(snapshot.id, snapshot.started_at, version.value, version.seen_at):
                    await self._delete(version.value, snapshot)

    async def _report_unknown(self, tag: str, volume: str, snapshot_ids: Iterable[str]) -> None:
        """Report snapshots of a claim that has no document, unless another run has deleted both meanwhile."""
        try:
            version = await self.vault.shared_snapshot(volume, tag.partition(".")[0])
        except PartError:  # it is reported as such
            return
        if version and tag in version.value.tags:
            return
        shown = await self._ebs.snapshots(snapshot_ids)
        if shown:
            self.report.troubles.append(Trouble(str(unknown_claim_error(tag, volume, shown)), needs_operator=True))

    def _undeleted(self, document: SharedSnapshot, part: UndeletedPart) -> None:
        message = part.describe_part(f"shared snapshot {document.name}", OF_NOBODY)
        if part.locked:
            self.report.waiting.append(message)
        else:
            self.report.troubles.append(Trouble(message, needs_operator=part.needs_operator))

    def _trouble(self, error: PerennialError) -> None:
        log.warning("Shared snapshots: %s", error)
        self.report.troubles.append(trouble_of(error, "Shared snapshots"))
