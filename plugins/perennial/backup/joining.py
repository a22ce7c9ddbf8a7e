"""The queue for a volume's shared snapshot: one step at a time reads, claims and joins, for all that wait and will."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

from include.rules.backup.sharing import Candidate, Choice, decide, is_over, left_behind
from include.rules.errors import ConflictError, UnavailableError
from include.rules.points.looks import fingerprint_of
from include.rules.points.parts import SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot, SnapshotUser
from perennial.backup.announced import AnnouncedPoints
from perennial.backup.asker import Asker, candidate_of
from perennial.backup.claim import Claim, SnapshotRefusedError, Version
from perennial.backup.leaving import leave
from perennial.backup.recent_claims import RecentClaims, read_recent
from perennial.hooks import waits
from perennial.hooks.asynchronous import PerLoop, poll_pauses
from perennial.hooks.vault.collection import Kept, Versioned
from perennial.hooks.vault.leased import LeasedPoint
from perennial.settings import Settings

log = logging.getLogger(__name__)


class VolumeQueue:
    """All steps of a triggerer that need a snapshot of one volume.

    Whoever is first acts for the others; when it is ended, the next one goes on where it was.
    """

    def __init__(self) -> None:
        self._waiting, self._announced = list[Asker](), AnnouncedPoints()
        self._turn, self._claiming = asyncio.Lock(), asyncio.Lock()
        self._latest: Kept | None = None
        self._last_name = ""  # of the claim that was made last
        self._gone: set[str] = set()  # tags of claims whose claimer was ended in this triggerer

    def announce(self, candidate: Candidate) -> None:
        """Let a point that comes soon be put on the list of a shared snapshot together with others."""
        if candidate.joins_others:
            self._announced.add(candidate)

    async def serve(self, asker: Asker) -> SharedSnapshot:
        """Put the asker's point on the list of a shared snapshot that is there.

        Raises:
            PartError, RefusedError: when there is none to be had, or the volume is not what the register says.
            LeaseLostError: when a later step has taken over.
        """
        self._announced.hand_over(asker)
        if asker.joined:
            return asker.joined
        self._waiting.append(asker)
        try:
            if not asker.candidate.joins_others:
                return await self._until_joined(asker)
            async with self._turn:
                return await self._until_joined(asker)
        finally:
            self._waiting.remove(asker)

    async def _until_joined(self, asker: Asker) -> SharedSnapshot:
        pauses = poll_pauses(asker.point.vault.settings.poll.total_seconds())
        while asker.joined is None:
            # A conflict: somebody else was faster; what they have written is read anew.
            with suppress(ConflictError):
                if not await self._join_latest(asker) and not await self._go_on(asker):
                    await asyncio.sleep(next(pauses))
        return asker.joined

    async def _join_latest(self, asker: Asker) -> bool:
        """Join what this triggerer wrote last, if the asker may; only a conflict says that it has changed since."""
        kept, self._latest = self._latest, None
        latest = Versioned.of_kept(SharedSnapshot, kept) if kept else None
        if latest is None or not asker.candidate.may_join(latest.value):
            self._latest = kept
            return False
        await self._join(asker, latest)
        return True

    async def _go_on(self, asker: Asker) -> bool:
        """Do what is next; False when there is nothing to do but to wait."""
        recent = await read_recent(asker.point.vault, asker.volume, asker.candidate, asker.now)
        choice, seen = decide(asker.candidate, recent.seen, self._gone)
        found = recent.version_of(seen)
        if choice is Choice.WAIT and found:
            waits.note(f"the snapshot of volume {asker.volume} that {found.value.owner} has claimed")
            return False
        if choice in (Choice.ADOPT, Choice.JOIN) and found:
            await self._join(asker, found)
        elif choice is Choice.LOOK and await self._sees_nothing(asker):
            asker.saw_nothing()
        elif choice in (Choice.RESUME, Choice.TAKE_OVER) and found:
            await self._claim(asker, lambda claim: claim.take_over(found))
        else:
            await self._claim(asker, lambda claim: self._make(asker, claim, recent))
        if asker.joined:
            await self._tidy(asker, asker.joined, recent)
        return True

    async def _sees_nothing(self, asker: Asker) -> bool:
        """Whether its tenant cannot be seen on the volume either now."""
        return bool((await asker.look())[fingerprint_of(asker.candidate.host)].look.not_looked_at)

    async def _join(self, asker: Asker, found: Version) -> None:
        users = [asker.candidate.user, *self._joining(found.value)]
        self._deliver(await asker.point.vault.shared_snapshots.replace(found.value.joined(users), found.etag))
        if asker.joined is None:  # a later step of its run is on the list: this one would write it for ever
            await asker.point.lease.check()

    def _joining(self, document: SharedSnapshot) -> Iterable[SnapshotUser]:
        """All that wait or come soon, and may use it."""
        waiting = (one.candidate for one in self._waiting if one.joined is None)
        candidates = (*waiting, *self._announced.without_snapshot())
        return [candidate.user for candidate in candidates if candidate.may_join(document)]

    def _deliver(self, version: Version) -> None:
        """Tell those that are on the list."""
        self._latest = version.kept()
        self._announced.deliver(version.value)
        for asker in self._waiting:
            if asker.candidate.is_on(version.value):
                asker.joined = version.value

    async def _claim(self, asker: Asker, go: Callable[[Claim], Awaitable[Version]]) -> None:
        """One claim of a volume at a time: AWS limits how often and how many snapshots of it may be asked for."""
        async with self._claiming:
            if asker.joined:  # a point that joins nobody has meanwhile had one made
                return
            claim = Claim(asker, self._joining)
            try:
                version = await go(claim)
                self._deliver(version)
            except SnapshotRefusedError as refused:
                self._pass_on(refused)
                raise asker.refused_error(refused.last_word) from refused.last_word
            except BaseException:
                if claim.document:
                    self._gone.add(claim.document.tag)
                raise
        # Whoever cannot get on the list of its own claim must not claim one after the other.
        if asker.candidate.look_in(version.value) is None:
            raise asker.unseen_error(version.value)
        if asker.joined is None:  # as in `_join`; or it was adopted for the one who had claimed it, and is joined next
            await asker.point.lease.check()

    def _pass_on(self, refused: SnapshotRefusedError) -> None:
        """Let those who wait not ask AWS for what it has refused for good; what passes each asks for itself."""
        if refused.is_for_good:
            for one in self._waiting:
                if one.candidate.joins_others:
                    one.refusal = refused.last_word

    async def _make(self, asker: Asker, claim: Claim, recent: RecentClaims) -> Version:
        """Make a claim under a name that nobody who was before it in this queue has taken."""
        asker.check_not_refused()
        self._last_name = recent.next_id(self._last_name)
        return await claim.make(self._last_name)

    async def _tidy(self, asker: Asker, joined: SharedSnapshot, recent: RecentClaims) -> None:
        """Leave what earlier attempts of the point have joined, and seal what nobody needs to join any more.

        The point has what it came for: whatever cannot be tidied up is left to the next one, or to retention.
        """
        kept = {joined.name, *asker.point.manifest.parts.claims}
        for document in left_behind(asker.candidate, recent.seen, kept):
            await leave(asker.point, document.volume, document.id)
        for seen in recent.seen:
            found = recent.version_of(seen)
            if found and is_over(asker.candidate, seen):
                try:
                    await asker.point.vault.shared_snapshots.replace(found.value.sealed(), found.etag)
                except ConflictError:
                    pass  # whoever has changed it meanwhile has had a reason to
                except UnavailableError as error:
                    log.warning("Shared snapshot %s was not sealed: %s", found.value.name, error.what)


_queues: PerLoop[defaultdict[tuple[Settings, str], VolumeQueue]] = PerLoop(lambda: defaultdict(VolumeQueue))


def announce(point: LeasedPoint) -> None:
    """Say for which volumes a later step of the point's run needs a snapshot."""
    manifest = point.manifest
    for role in SnapshotRole:
        if role.value not in manifest.left_out and manifest.snapshot(role) is None:
            queue_for(point, manifest.volume_of(role)).announce(candidate_of(point, role))


def queue_for(point: LeasedPoint, volume: str) -> VolumeQueue:
    """The running loop's queue for a volume."""
    return _queues.get()[point.vault.settings, volume]
