"""One poller for all triggers that wait for snapshots: the number of calls does not grow with the tenants waiting.

However many wait, there is one DescribeSnapshots for each pause: a look that took more is followed by as many pauses.
An answer is read in one callback of the event loop, so that its size is limited (`ITEMS_PER_PAGE`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from math import ceil

from perennial.hooks import waits
from perennial.hooks.asynchronous import PerLoop
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import Snapshot
from perennial.hooks.aws.ebs_snapshots import IDS_PER_CALL, ITEMS_PER_PAGE
from perennial.hooks.aws.errors import AwsRejectedError
from perennial.settings import Settings

log = logging.getLogger(__name__)


class SnapshotPoller:
    """Watches snapshots of one deployment until they are no longer pending.

    Args:
        settings: Say how AWS is reached, and how long to pause between two looks.
    """

    def __init__(self, settings: Settings) -> None:
        self._ebs, self._pause = Ebs.of(settings), settings.poll.total_seconds()
        self._waiting: defaultdict[str, set[asyncio.Future[Snapshot | None]]] = defaultdict(set)
        self._unseen_since: dict[str, float] = {}
        self._watch: asyncio.Task[None] | None = None

    async def wait_until_settled(self, snapshot_id: str) -> Snapshot | None:
        """Wait until the snapshot is completed or in error; None when AWS does not show it for SNAPSHOT_SHOWN.

        Raises:
            AwsRejectedError: when AWS refuses to say.
        """
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[Snapshot | None] = loop.create_future()
        self._waiting[snapshot_id].add(outcome)
        waits.note(f"snapshot {snapshot_id} to be completed")
        if self._watch is None or self._watch.done():
            self._watch = loop.create_task(self._look_until_settled(), name="watch pending snapshots")
        try:
            return await outcome
        finally:
            self._waiting[snapshot_id].discard(outcome)
            if not self._waiting[snapshot_id]:
                del self._waiting[snapshot_id]
                self._unseen_since.pop(snapshot_id, None)

    async def _look_until_settled(self) -> None:
        while self._waiting:
            calls = 1
            # An answer that does not come is asked for again: the steps' own deadlines end the waiting.
            try:
                seen, calls = await self._look(list(self._waiting))
                self._notify(seen)
            except AwsRejectedError as error:
                if not error.is_transient:
                    self._give_up(error)
            except Exception as error:
                log.warning("AWS could not be asked for snapshots; asking again: %s", error)
            await asyncio.sleep(calls * self._pause)

    async def _look(self, snapshot_ids: list[str]) -> tuple[dict[str, Snapshot], int]:
        """These snapshots as AWS shows them, and how many calls that took.

        More than one call takes are looked for among all pending ones of the vault, which needs no ids; by their ids
        only those that are not pending any more, which each of them is once.
        """
        if len(snapshot_ids) <= IDS_PER_CALL:
            return await self._ebs.snapshots(snapshot_ids), 1
        pending = {snapshot.id: snapshot for snapshot in await self._ebs.pending_snapshots()}
        others = [snapshot_id for snapshot_id in snapshot_ids if snapshot_id not in pending]
        calls = max(1, ceil(len(pending) / ITEMS_PER_PAGE)) + ceil(len(others) / IDS_PER_CALL)
        return pending | await self._ebs.snapshots(others), calls

    def _notify(self, seen: dict[str, Snapshot]) -> None:
        now = asyncio.get_running_loop().time()
        for snapshot_id, waiters in list(self._waiting.items()):
            snapshot = seen.get(snapshot_id)
            # Look-ups lag behind creation; what AWS did not answer says nothing.
            unseen = 0.0 if snapshot else now - self._unseen_since.setdefault(snapshot_id, now)
            if unseen > waits.SNAPSHOT_SHOWN.seconds or (snapshot and snapshot.state != "pending"):
                for waiter in waiters:
                    if not waiter.done():
                        waiter.set_result(snapshot)
            elif snapshot:
                self._unseen_since.pop(snapshot_id, None)
                log.info("Snapshot %s is %s (%s).", snapshot_id, snapshot.state, snapshot.progress)

    def _give_up(self, error: AwsRejectedError) -> None:
        for waiters in self._waiting.values():
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error)


_pollers: PerLoop[dict[Settings, SnapshotPoller]] = PerLoop(dict)


def poller(settings: Settings) -> SnapshotPoller:
    """The running loop's poller for this deployment."""
    return _pollers.get().setdefault(settings, SnapshotPoller(settings))
