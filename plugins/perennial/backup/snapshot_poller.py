"""One poller for all triggers that wait for snapshots: the number of calls does not grow with the tenants waiting."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict

from perennial.hooks import waits
from perennial.hooks.asynchronous import PerLoop
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import Snapshot
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
            # An answer that does not come is asked for again: the steps' own deadlines end the waiting.
            try:
                self._notify(await self._ebs.snapshots(list(self._waiting)))
            except AwsRejectedError as error:
                if not error.is_transient:
                    self._give_up(error)
            except Exception as error:
                log.warning("AWS could not be asked for snapshots; asking again: %s", error)
            await asyncio.sleep(self._pause)

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
