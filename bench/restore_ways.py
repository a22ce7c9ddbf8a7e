"""`python -m bench.restore_ways WAY SITES`: the files of a host's tenants brought back, measured in this process.

together   the product's steps, all tenants at once
in-turn    the same, one tenant after the other
bare       a script, all tenants at once: volume, attach, rsync, detach, delete; it looks at nothing
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import aiobotocore.session

from bench.measuring.alone import measure_here
from include.rules.restore.record import RestoreRecord
from lab.settings import REGION, ZONE, LabSettings
from perennial.hooks.aws.clients import closing_clients
from perennial.hooks.vault.vault import Vault
from perennial.restore.attach import AttachVolumesTrigger
from perennial.restore.close import CloseRestoreTrigger
from perennial.restore.database import CheckRestoreTrigger, RestoreDatabaseTrigger
from perennial.restore.database_preparation import PrepareDatabaseTrigger
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.open import OpenRestoreTrigger
from perennial.restore.preview import PreviewRestoreTrigger
from perennial.restore.safety_point import TakeSafetyPointTrigger
from perennial.restore.site import BringSiteOnlineTrigger, TakeSiteOfflineTrigger
from perennial.restore.step import RestoreTrigger
from perennial.restore.volumes import RemoveVolumesTrigger
from perennial.settings import Settings

STEPS: tuple[type[RestoreTrigger], ...] = (
    PreviewRestoreTrigger,
    OpenRestoreTrigger,
    AttachVolumesTrigger,
    PrepareDatabaseTrigger,
    TakeSiteOfflineTrigger,
    TakeSafetyPointTrigger,
    CopyFilesTrigger,
    RestoreDatabaseTrigger,
    CheckRestoreTrigger,
    BringSiteOnlineTrigger,
    RemoveVolumesTrigger,
    CloseRestoreTrigger,
)
"""Of the DAG `restore`, in its order."""
DEVICES = [f"/dev/sd{letter}" for letter in "ghijklmnop"]


async def by_steps(tenants: list[str], *, together: bool) -> dict[str, Any]:
    """Every tenant's files in place, by the steps of the DAG; for how long a site was offline at most."""
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    gate = asyncio.Semaphore(len(tenants) if together else 1)
    async with closing_clients():
        outcomes = await asyncio.gather(*(_restore(tenant, moment, gate) for tenant in tenants), return_exceptions=True)
        vault = Vault(Settings.from_environment())
        records = [record for tenant in tenants for record in await vault.latest_restores(tenant, 1)]
    offline = [seconds for record in records if (seconds := _offline(record)) is not None]
    return {
        "failures": [str(outcome) for outcome in outcomes if isinstance(outcome, BaseException)],
        "offline": max(offline, default=0.0),
        "steps": _steps(records),
    }


async def _restore(tenant: str, moment: str, gate: asyncio.Semaphore) -> None:
    form = json.dumps({"tenant": tenant, "what": "files", "confirm": tenant})
    async with gate:
        for step in STEPS:
            fields = {"approval_task": "approval"} if step is PreviewRestoreTrigger else {}
            trigger = step(form=form, moment=moment, deadline=3600, **fields)
            run = SimpleNamespace(task_id=step.__name__, dag_id="restore", run_id=f"bench-{tenant}")
            trigger.task_instance = run  # type: ignore[assignment]
            await trigger.work_within_deadline()


def _offline(record: RestoreRecord) -> float | None:
    """Seconds from the step that takes the site offline to the end of the one that brings it online."""
    steps = {step.name: step for step in record.steps}
    began, ended = steps.get(TakeSiteOfflineTrigger.step), steps.get(BringSiteOnlineTrigger.step)
    return (ended.at - began.began_at).total_seconds() if began and ended else None


def _steps(records: list[RestoreRecord]) -> dict[str, float]:
    """By step, the seconds that it took of the tenant that waited longest."""
    longest: dict[str, float] = {}
    for record in records:
        for step in record.steps:
            longest[step.name] = round(max(longest.get(step.name, 0.0), step.seconds), 1)
    return longest


async def bare(place: dict[str, Any]) -> dict[str, Any]:
    """What a script does that believes everything: a volume for each tenant, under a device name of its own."""
    lab, session = LabSettings.from_environment(), aiobotocore.session.get_session()
    options = {
        "region_name": REGION,
        "endpoint_url": lab.cloud_url,
        "aws_access_key_id": lab.access_key,
        "aws_secret_access_key": lab.secret_key,
    }
    async with session.create_client("ec2", **options) as ec2, session.create_client("ssm", **options) as ssm:

        async def state(volume: str) -> str:
            shown = (await ec2.describe_volumes(VolumeIds=[volume]))["Volumes"][0]
            return str(next((one["State"] for one in shown["Attachments"]), shown["State"]))

        async def until(volume: str, wanted: str) -> None:
            while await state(volume) != wanted:  # noqa: ASYNC110 - AWS sends no event
                await asyncio.sleep(0.5)

        async def restore(folder: str, device: str) -> None:
            answer = await ec2.create_volume(SnapshotId=place["snapshot"], AvailabilityZone=ZONE, VolumeType="gp3")
            volume, instance = answer["VolumeId"], place["instance"]
            await until(volume, "available")
            await ec2.attach_volume(VolumeId=volume, InstanceId=instance, Device=device)
            await until(volume, "attached")
            name, at = folder.rsplit("/", 1)[-1], f"$HOST_ROOT/mnt/{volume}"
            lines = [f'at="{place["root"]}/mnt/{volume}"; mkdir -p "$at"', f'mount "{place["root"]}{device}" "$at"']
            lines += [f'rsync -a --delete "$at/{name}/" "{folder}/"', 'umount "$at"']
            sent = await ssm.send_command(
                InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": ["set -e", *lines]}
            )
            command, status = sent["Command"]["CommandId"], "Pending"
            while status in ("Pending", "InProgress"):
                await asyncio.sleep(0.5)
                told = await ssm.get_command_invocation(CommandId=command, InstanceId=instance)
                status = told["Status"]
            if status != "Success":
                raise RuntimeError(f"{folder}: {status} {told['StandardErrorContent']} {at}")
            await ec2.detach_volume(VolumeId=volume)
            await until(volume, "available")
            await ec2.delete_volume(VolumeId=volume)

        pairs = zip(place["folders"], DEVICES, strict=False)
        outcomes = await asyncio.gather(*(restore(*pair) for pair in pairs), return_exceptions=True)
    return {"failures": [str(outcome) for outcome in outcomes if outcome is not None]}


def main() -> None:
    """Measure the way that the command line names."""
    way, place = sys.argv[1], json.loads(sys.argv[2])
    ways: dict[str, Callable[[], Awaitable[dict[str, Any]]]] = {
        "together": lambda: by_steps(place["tenants"], together=True),
        "in-turn": lambda: by_steps(place["tenants"], together=False),
        "bare": lambda: bare(place),
    }
    measure_here(ways[way])


if __name__ == "__main__":
    main()
