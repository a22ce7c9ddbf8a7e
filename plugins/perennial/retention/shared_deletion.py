"""Deletes the snapshots of one shared snapshot, and its document: what becomes of it stands in a report of its own."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from include.rules.errors import PartError, PerennialError, UnavailableError
from include.rules.points.shared_snapshots import SharedSnapshot
from include.rules.retention.reports import SharedReport, Trouble
from include.rules.retention.shared import is_extra, may_be_forgotten
from include.rules.retention.shared_errors import contested_error, misfit_error, not_shown_error
from include.rules.retention.undeleted import OF_NOBODY, UndeletedPart
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import CLAIM_TAG, Snapshot
from perennial.hooks.vault.collection import Versioned
from perennial.hooks.vault.vault import Vault
from perennial.retention.forgetting import forget, is_known_to_be_gone
from perennial.retention.troubles import trouble_of, undeleted_part

log = logging.getLogger(__name__)


class SharedDeletion:
    """The deletion of one shared snapshot, or of what its claim has asked for besides.

    Args:
        version: The document as it was just read.
        report: Gets what becomes of it.
    """

    def __init__(self, vault: Vault, version: Versioned[SharedSnapshot], report: SharedReport) -> None:
        self._vault, self._ebs = vault, Ebs.of(vault.settings)
        self._version, self._document, self._report = version, version.value, report

    async def dissolve(self, of_claim: Sequence[Snapshot], misfit: Snapshot | None) -> None:
        """Delete what the claim has asked for, and the document once all of it is known to be gone.

        Args:
            of_claim: What `is_of_claim`.
            misfit: The snapshot that the document names, where it is not.
        """
        deleted = [snapshot.id for snapshot in of_claim if await self._delete(snapshot)]
        if misfit:
            self._report_misfit(misfit)
        elif len(deleted) == len(of_claim):
            await self._forget(deleted)

    async def delete_extras(self, snapshot_ids: Collection[str], wanted: Collection[str]) -> None:
        """Delete what carries the tag of the claim and is not its snapshot, but for what recovery points name.

        Args:
            wanted: Ids of the shared snapshots that manifests name.
        """
        if contested := {name for name in snapshot_ids if name in wanted}:
            self._report_problem(contested_error(self._document, contested))
        for snapshot in (await self._ebs.snapshots(set(snapshot_ids) - contested)).values():
            is_old = is_extra(snapshot.id, snapshot.started_at, self._document, self._version.seen_at)
            if is_old and is_of_claim(self._ebs, self._document, snapshot):
                await self._delete(snapshot)

    async def _delete(self, snapshot: Snapshot) -> bool:
        """Delete a snapshot that was just seen to carry the tags of this vault and the claim; False when it stays."""
        try:
            await self._ebs.delete_snapshot(snapshot.id)
        except UnavailableError as error:
            part = undeleted_part(f"snapshot {snapshot.id}", error)
            if part.locked:
                with suppress(UnavailableError):  # then what it has said when it refused is all that is known
                    locks = await self._ebs.locked_snapshots([snapshot.id])
                    part = replace(part, locked_until=locks.get(snapshot.id))
            self._report_undeleted(part)
            return False
        self._report.deleted.append(f"{snapshot.id} of {self._document.name}")
        return True

    async def _forget(self, deleted: list[str]) -> None:
        """Delete the document, once its name cannot come again and its snapshot is known to be gone."""
        if not may_be_forgotten(self._document, self._version.written_at, self._version.seen_at):
            return
        if await is_known_to_be_gone(self._ebs, self._document, deleted):
            await forget(self._vault, self._document)
        else:
            self._report_problem(not_shown_error(self._document))

    def _report_misfit(self, snapshot: Snapshot) -> None:
        """Report a snapshot that the document names, and that does not say that it is the one of the claim."""
        if snapshot.volume_id == self._document.volume:
            what = "it no longer carries the tags of this vault and this claim"
            self._report_undeleted(UndeletedPart(f"snapshot {snapshot.id}", "", what))
        else:
            self._report_problem(misfit_error(self._document.name, snapshot.volume_id, [snapshot.id]))

    def _report_undeleted(self, part: UndeletedPart) -> None:
        message = part.describe_part(f"shared snapshot {self._document.name}", OF_NOBODY)
        if part.locked:
            self._report.waiting.append(message)
        else:
            self._report.troubles.append(Trouble(message, needs_operator=part.needs_operator))

    def _report_problem(self, problem: PartError) -> None:
        """Only a person can settle it."""
        self._report.troubles.append(Trouble(str(problem), needs_operator=True))


def is_of_claim(ebs: Ebs, document: SharedSnapshot, snapshot: Snapshot) -> bool:
    """True for a snapshot of the document's volume that carries the tags of this vault and of the claim."""
    is_tagged = ebs.is_ours(snapshot) and snapshot.tags.get(CLAIM_TAG) in document.tags
    return is_tagged and snapshot.volume_id == document.volume


async def stopping_nobody(work: Awaitable[None], report: SharedReport) -> None:
    """Do the work on one shared snapshot; what stops it goes into the report, and stops no other."""
    try:
        await work
    except PerennialError as error:
        note_trouble(error, report)
    except Exception as error:
        log.exception("This is an error in Perennial itself: please report it with these lines.")
        report.troubles.append(Trouble(f"Shared snapshots: {type(error).__name__}: {error}", needs_operator=True))


def note_trouble(error: PerennialError, report: SharedReport) -> None:
    """Say what was not done, in the log at once: the report may never be written."""
    log.warning("Shared snapshots: %s", error)
    report.troubles.append(trouble_of(error, "Shared snapshots"))
