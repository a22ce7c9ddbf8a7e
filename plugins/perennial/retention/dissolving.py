"""Deletes shared snapshots that no recovery point uses any more, and their documents.

A document whose list is empty is in state `deleting`, and nobody can join it any more. So nothing has to be fenced:
two runs that do this at once, or a second one after the first has died anywhere, do what one would have done.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from include.rules.errors import PartError, PerennialError
from include.rules.points.parts import ClaimName
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState
from include.rules.register.register import Register
from include.rules.retention.reports import SharedReport, Trouble
from include.rules.retention.shared import SharedEntry, to_go_note
from include.rules.retention.shared_errors import in_doubt_error, still_used_error
from include.rules.retention.wanted import volumes_in_doubt
from perennial.hooks.asynchronous import in_order
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.vault.collection import Versioned
from perennial.retention.shared_deletion import SharedDeletion, is_of_claim, note_trouble, stopping_nobody
from perennial.retention.shared_looks import SharedLooks
from perennial.retention.strays import find_unknown_claims, stray_objects
from perennial.retention.troubles import trouble_of

Item = TypeVar("Item")

READ_TOGETHER = 50
"""Documents that are kept in memory together; each has the looks at all tenants of its volume in it."""
AT_ONCE = 16
"""Documents that are worked on at the same time. A fleet whose tenants have volumes of their own loses a snapshot of
each on every day, and of one another they want nothing.
"""


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
        unwanted = self._without_doubtful(sorted(names - self._looks.wanted.claims))
        for start in range(0, len(unwanted), READ_TOGETHER):
            try:
                await self._dissolve(unwanted[start : start + READ_TOGETHER])
            except PerennialError as error:
                note_trouble(error, self.report)

    def leave_to_fleet(self) -> None:
        """Say that the snapshots whose lists this run has emptied go with the next run that looks at all tenants."""
        self.report.notes += [to_go_note(name) for name in sorted(self._looks.emptied)]

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
            await self._delete_extras()
            for problem in await find_unknown_claims(self.vault, self._looks.latest):
                self._report(problem)
        except PerennialError as error:
            note_trouble(error, self.report)

    async def _dissolve(self, names: Sequence[ClaimName]) -> None:
        versions = list[Versioned[SharedSnapshot]]()

        async def read(name: ClaimName, report: SharedReport) -> None:
            if version := await self._unused(name, report):
                versions.append(version)

        await self._each(names, read)
        versions.sort(key=lambda version: version.value.name)
        by_tag = await self._ebs.snapshots_of_claims(tag for version in versions for tag in version.value.tags)
        found = {
            v.value.name: [s for tag in v.value.tags for s in by_tag.get(tag, ()) if is_of_claim(self._ebs, v.value, s)]
            for v in versions
        }
        shown = {snapshot.id for of_claim in found.values() for snapshot in of_claim}
        hidden = await self._ebs.snapshots({v.value.snapshot_id for v in versions if v.value.snapshot_id} - shown)

        async def dissolve(version: Versioned[SharedSnapshot], report: SharedReport) -> None:
            misfit = hidden.get(version.value.snapshot_id or "")
            await SharedDeletion(self.vault, version, report).dissolve(found[version.value.name], misfit)

        await self._each(versions, dissolve)

    async def _unused(self, name: ClaimName, report: SharedReport) -> Versioned[SharedSnapshot] | None:
        """The document, if it says at this moment that nobody uses the snapshot."""
        version = await self.vault.shared_snapshot(*name)
        if version is None or version.value.state is not ShareState.DELETING:
            return None
        if version.value.users:
            report.troubles.append(Trouble(str(still_used_error(version.value)), needs_operator=True))
            return None
        return version

    async def _delete_extras(self) -> None:
        """But for what a recovery point names by its id, or may name for all that is known."""
        in_doubt = self._volumes_in_doubt()
        suspects = dict[ClaimName, set[str]]()
        for entry in self._looks.latest.entries.values():
            settled = entry.snapshot_id is not None and entry.state is not ShareState.DELETING
            if settled and entry.name.volume not in in_doubt and (ids := self._besides(entry)):
                suspects[entry.name] = ids

        async def delete(name: ClaimName, report: SharedReport) -> None:
            if version := await self.vault.shared_snapshot(*name):
                deletion = SharedDeletion(self.vault, version, report)
                await deletion.delete_extras(suspects[name], self._looks.wanted.snapshot_ids)

        await self._each(sorted(suspects), delete)

    def _besides(self, entry: SharedEntry) -> set[str]:
        """Ids of what carries the tag of the claim and is not its snapshot."""
        claimed = self._looks.latest.claimed
        of_claim = (claimed.get((entry.name.volume, tag), ()) for tag in entry.tags)
        return {name for ids in of_claim for name in ids} - {entry.snapshot_id or ""}

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

    def _report(self, problem: PartError) -> None:
        """Only a person can settle it."""
        self.report.troubles.append(Trouble(str(problem), needs_operator=True))

    async def _each(self, items: Iterable[Item], work: Callable[[Item, SharedReport], Awaitable[None]]) -> None:
        """Work on some of them at a time; what one has to say stands in the report in their order, whichever was the
        first, and also where the run is cut off.
        """
        pairs = [(item, SharedReport()) for item in items]

        async def one(pair: tuple[Item, SharedReport]) -> None:
            await stopping_nobody(work(*pair), pair[1])

        try:
            async for _ in in_order(pairs, one, at_once=AT_ONCE):
                pass
        finally:
            for _, report in pairs:
                self.report.add(report)
