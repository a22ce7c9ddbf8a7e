"""Claims of shared snapshots: written before AWS is asked, kept alive while it refuses, and begun with its answer."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import suppress
from secrets import token_hex

from include.rules.errors import ConflictError, LeaseLostError, PerennialError
from include.rules.points.shared_snapshots import SharedSnapshot, ShareState, SnapshotUser
from perennial.backup.asker import Asker
from perennial.backup.volume_looks import common_tags, tenants_on
from perennial.hooks import waits
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import Snapshot, claim_tags
from perennial.hooks.aws.errors import AWS_ERRORS, error_code, is_throttled, is_transient
from perennial.hooks.aws.host_look import FRESH_SECONDS
from perennial.hooks.vault.collection import Versioned

log = logging.getLogger(__name__)

USABLE = frozenset({"pending", "completed"})

HEARTBEAT = 120.0
"""Seconds after which a claim that AWS does not grant is written again: another process takes a silent one over."""

Version = Versioned[SharedSnapshot]
Joining = Callable[[SharedSnapshot], Iterable[SnapshotUser]]
"""Who joins a shared snapshot in the same write in which it begins."""


def _new_nonce() -> str:
    """So long that no two volumes' claims of a day ever carry the same tag."""
    return token_hex(16)


def _leaves_doubt(error: Exception) -> bool:
    """True when the call may have been carried out all the same. What AWS says to a later call, be it that it refuses
    that one, tells nothing of this one: only a look does.
    """
    return is_transient(error) and not is_throttled(error)


class SnapshotRefusedError(Exception):
    """AWS has refused a snapshot for good, or not granted it in time.

    Args:
        last_word: What AWS has said last.
    """

    def __init__(self, last_word: Exception) -> None:
        super().__init__(str(last_word))
        self.last_word = last_word

    @property
    def is_for_good(self) -> bool:
        """True when AWS would say the same to whoever asked next."""
        return not is_transient(self.last_word)


class Claim:
    """One claim in the hands of the step that makes it.

    Whoever takes it over meanwhile changes its document, and the next write of this one conflicts.

    Args:
        asker: Whose step it is.
        joining: Who else uses the snapshot as soon as it is there.

    Attributes:
        document: The claim as it was last written; None before.
    """

    def __init__(self, asker: Asker, joining: Joining) -> None:
        self._asker, self._joining = asker, joining
        self._point, self._vault = asker.point, asker.point.vault
        self._ebs = Ebs.of(self._vault.settings)
        self._version: Version | None = None

    @property
    def document(self) -> SharedSnapshot | None:
        return self._version.value if self._version else None

    async def make(self, claim: str) -> Version:
        """Write a new claim of this name, and have AWS make its snapshot.

        Raises:
            ConflictError: when somebody else has claimed that name, or has taken this claim over.
            SnapshotRefusedError: when AWS refuses.
            PartError, RefusedError: when the volume is not what the register says.
        """
        document = SharedSnapshot(
            volume=self._asker.volume,
            id=claim,
            nonce=_new_nonce(),
            state=ShareState.CLAIMED,
            owner=self._point.lease.owner,
            looks=await self._asker.look(),
            users=(self._asker.candidate.user,),
        )
        await self._point.lease.check()
        self._version = await self._vault.shared_snapshots.create(document)
        return await self._finish(self._version)

    async def take_over(self, found: Version) -> Version:
        """Go on with a claim whose claimer is gone: with the snapshot that it has asked for, or with a new one.

        Raises:
            As `make`; PartError, too, when there is none, and AWS has refused another claim for good.
        """
        self._version = found
        if adopted := await self._adopt(found):
            return adopted
        self._asker.check_not_refused()
        looks = await self._asker.look()
        # Its claimer may have been ended in the middle of its call a moment ago, and AWS carry that out only now. What
        # it does not show even yet is not waited for: with a former nonce nobody ever takes it for theirs, and
        # retention sweeps it. That is one too many; to wait until the claim is silent would hold up the whole volume.
        if adopted := await self._adopt(found):
            return adopted
        user = self._asker.candidate.user
        document = found.value.taken_over(self._point.lease.owner, user, looks, _new_nonce())
        await self._point.lease.check()
        self._version = await self._replace(found, document)
        return await self._finish(self._version)

    async def _adopt(self, found: Version) -> Version | None:
        """Begin with the snapshot that an earlier claimer has asked for; None when there is none that can be used."""
        look = self._asker.candidate.look_in(found.value)
        if look is None or look.not_looked_at:
            return None
        snapshot = await self._find(found.value)
        if snapshot is None:
            return None
        log.info("Adopting snapshot %s, which was asked for by claim %s.", snapshot.id, found.value.id)
        return await self._begin(found, snapshot)

    async def _finish(self, version: Version) -> Version:
        try:
            version, snapshot = await self._ask(version)
        except (ConflictError, LeaseLostError):
            raise
        except (PerennialError, SnapshotRefusedError):
            await self._give_up()
            raise
        return await self._begin(version, snapshot)

    async def _ask(self, version: Version) -> tuple[Version, Snapshot]:
        """Ask AWS until it grants the snapshot; returns the claim as it was last written."""
        volume, loop = self._asker.volume, asyncio.get_running_loop()
        written = looked = loop.time()
        granted_by, in_doubt = 0.0, False
        billing = common_tags([tenant for tenant, _ in await tenants_on(self._vault.settings, volume)])
        while True:
            if loop.time() - looked >= FRESH_SECONDS:
                looks = await self._asker.look()
                # With another nonce nobody would find any more what was asked for before.
                if in_doubt and (snapshot := await self._find(version.value)):
                    return version, snapshot
                version = await self._replace(version, version.value.seen_anew(looks, _new_nonce()))
                written = looked = loop.time()
                in_doubt = False
            elif loop.time() - written >= HEARTBEAT:
                alive = version.value.kept_alive(version.written_at)
                version, written = await self._replace(version, alive), loop.time()
            self._version = version
            await self._point.lease.check()
            try:
                tags = claim_tags(version.value, billing)
                return version, await self._ebs.create_snapshot(volume, tags, f"Perennial {version.value.id}")
            except AWS_ERRORS as error:
                last_word = error
            granted_by = granted_by or loop.time() + waits.SNAPSHOT_GRANTED.seconds
            is_over = not is_transient(last_word) or loop.time() >= granted_by
            in_doubt = in_doubt or _leaves_doubt(last_word)
            if in_doubt or not is_over:
                await self._pause(last_word)
            if in_doubt and (snapshot := await self._find(version.value)):
                return version, snapshot
            if is_over:
                raise SnapshotRefusedError(last_word) from last_word

    async def _pause(self, last_word: Exception) -> None:
        log.warning("AWS says %s for volume %s; trying again.", error_code(last_word), self._asker.volume)
        waits.note(f"a snapshot of volume {self._asker.volume}: AWS says {error_code(last_word)}")
        poll = self._vault.settings.poll.total_seconds()
        await asyncio.sleep(poll * random.uniform(1, 2))  # noqa: S311 - spreads processes

    async def _find(self, document: SharedSnapshot) -> Snapshot | None:
        """The oldest usable snapshot that was asked for after the claim's last look."""
        found = (await self._ebs.snapshots_of_claims([document.tag])).get(document.tag, ())
        usable = (one for one in found if one.state in USABLE and one.volume_id == document.volume)
        return next(usable, None)

    async def _begin(self, version: Version, snapshot: Snapshot) -> Version:
        claimed_at = version.value.claimed_at or version.written_at
        document = version.value.begun(snapshot.id, snapshot.started_at, snapshot.size_gib, claimed_at=claimed_at)
        return await self._replace(version, document.joined(self._joining(document)))

    async def _replace(self, version: Version, document: SharedSnapshot) -> Version:
        return await self._vault.shared_snapshots.replace(document, version.etag)

    async def _give_up(self) -> None:
        """Leave the claim to retention; no trouble with that hides why it was given up."""
        if self._version:
            with suppress(PerennialError):
                await self._replace(self._version, self._version.value.given_up())
