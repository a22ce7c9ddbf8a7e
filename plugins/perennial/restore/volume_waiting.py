"""Waiting for a volume of a restore: until it is made, or attached, or until nobody can believe in it any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from include.rules.errors import PartError, UnavailableError
from perennial.hooks import waits
from perennial.hooks.aws.ebs import Ebs
from perennial.hooks.aws.ebs_items import Volume
from perennial.hooks.vault.leased import LeasedRestore


async def wait_for_volume(ebs: Ebs, restore: LeasedRestore, volume_id: str, is_ready: Callable[[Volume], bool]) -> None:
    """Wait until the volume is as it has to be.

    Raises:
        PartError: when it has failed, or is not shown for VOLUME_SHOWN.
        UnavailableError: when it is not ready within VOLUME_READY.
    """
    tenant, loop = restore.record.tenant, asyncio.get_running_loop()
    seen_at, state = loop.time(), "not shown"
    async for _ in waits.looks(waits.VOLUME_READY, restore.vault.settings.poll.total_seconds()):
        volume = await ebs.volume(volume_id)
        if volume and is_ready(volume):
            return
        if volume and volume.state in ("error", "deleting", "deleted"):
            raise PartError(
                f"A volume for the restore of tenant {tenant} is {volume.state}.",
                why="Nothing was overwritten.",
                todo="Clear the task `open` of this run: it makes another one.",
                volume=volume_id,
            )
        if volume:
            seen_at, state = loop.time(), f"{volume.state} {volume.attachment}".strip()
        elif loop.time() - seen_at > waits.VOLUME_SHOWN.seconds:
            raise PartError(
                f"EC2 has made a volume for the restore of tenant {tenant}, and does not show it for "
                f"{waits.VOLUME_SHOWN}: it drops without a word one whose KMS key may not be used.",
                why="Nothing was overwritten.",
                todo="Let the AWS identity use the key of the snapshot (kms:CreateGrant, kms:Decrypt, kms:DescribeKey, "
                "kms:GenerateDataKeyWithoutPlaintext, kms:ReEncrypt*), and see that the key is enabled; then clear the "
                "task `open` of this run.",
                volume=volume_id,
            )
    raise UnavailableError(
        f"A volume for the restore of tenant {tenant} is still {state} after {waits.VOLUME_READY}.",
        why="Nothing was overwritten.",
        todo="See in the EC2 console what it waits for, then clear the task `open` of this run.",
        volume=volume_id,
    )
