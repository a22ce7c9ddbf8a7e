"""Tenants that share a web volume and a database volume, and backups of many of them at the same time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import uuid4

import pytest

from include.rules.points.parts import Parts
from lab.settings import ZONE
from perennial.steps.trigger import StepResult
from tests.support.steps import CHAIN, Step
from tests.support.world import PLANS, World

DAY = "2026-11-23"


def daily(tenant: str) -> str:
    """The request for the tenant's daily point."""
    return f"{tenant}|daily|{DAY}"


def by_hand(tenant: str) -> str:
    """The request for a point of the tenant that somebody has asked for."""
    return f"{tenant}|manual|{DAY}T10:00:00Z"


class Neighbours:
    """A world whose tenants live on one web volume and one database volume.

    Attributes:
        tenants: Their ids; `acme` is the first one.
    """

    def __init__(self, world: World) -> None:
        self.world, self.tenants = world, list[str]()
        self.web = world.hosts.lend("/srv/shared")
        del world.entries["acme"]
        self.add("acme")

    def add(self, *tenants: str) -> None:
        """Give tenants a folder on the shared web volume and a database on the shared database volume."""
        world, data = self.world, self.world.database_host
        for tenant in tenants:
            site = self.web.folder / tenant / "site"
            site.mkdir(parents=True)
            (site / "index.html").write_text(f"welcome to {tenant}")
            database = f"shop_{tenant}_{uuid4().hex[:8]}"
            world.sql.run(f"CREATE DATABASE [{database}]")
            world.sql.move_files(database, data.folder)
            web = {"instance": self.web.instance, "volume": self.web.volume, "zone": ZONE}
            host = {"instance": data.instance, "volume": data.volume, "zone": ZONE, "mount": str(data.folder)}
            world.entries[tenant] = {
                "id": tenant,
                "plan": "standard",
                "web": {**web, "mount": str(self.web.folder), "path": str(site)},
                "database": {"connection": "sql_server_lab", "name": database, **host},
                "tags": {"cost-centre": "4711", "customer": tenant},
            }
            self.tenants.append(tenant)
        world.write_register()

    @property
    def volumes(self) -> tuple[str, str]:
        """The web volume and the database volume."""
        return self.web.volume, self.world.database_host.volume

    def at_once(
        self,
        steps: list[Step] = CHAIN,
        tenants: list[str] | None = None,
        run_id: str = "run-1",
        request: Callable[[str], str] = daily,
    ) -> None:
        """Take some steps of the backups of all tenants, side by side as in a triggerer."""

        async def chain(tenant: str) -> None:
            for step in steps:
                await self.work(step, request(tenant), run_id)

        async def all_of_them() -> None:
            await asyncio.gather(*map(chain, tenants or self.tenants))

        self.world.runner.run(all_of_them())

    def work(self, step: Step, request: str, run_id: str = "run-1") -> Coroutine[Any, Any, StepResult]:
        """One step of one backup, for a test that says itself when it begins."""
        return self.world.step(step, request, f"{run_id}-{request.partition('|')[0]}").work_within_deadline()

    async def aws_is_asked(self) -> None:
        """Wait for the first call that meets a fault."""
        while await asyncio.sleep(0.05, not self.world.cloud.fault_hits()):
            pass

    async def while_aws_keeps_waiting(
        self, first: Coroutine[Any, Any, Any], second: Coroutine[Any, Any, Any]
    ) -> list[Any]:
        """What becomes of two steps, or their errors; the second begins once AWS, by a fault's delay, thinks about the
        first one's call.
        """
        claiming = asyncio.create_task(first)
        await self.aws_is_asked()
        return list(await asyncio.gather(claiming, second, return_exceptions=True))

    def snapshots_of(self, volume: str) -> list[dict[str, str]]:
        """The tags of all snapshots of a volume that were taken for this vault."""
        filters = [
            {"Name": "volume-id", "Values": [volume]},
            {"Name": "tag:perennial:vault", "Values": [self.world.vault.settings.vault]},
        ]
        found = self.world.cloud.client("ec2").describe_snapshots(Filters=filters)["Snapshots"]
        return [{tag["Key"]: tag["Value"] for tag in one["Tags"]} for one in found]

    def forget_snapshots(self, *tenants: str) -> None:
        """Let there be no shared snapshot and no part yet, as if the tenants' points had just been opened."""
        self.world.forget_shared_snapshots()
        for tenant in tenants:
            self.world.change_manifest(daily(tenant), lambda m: m.model_copy(update={"parts": Parts(), "looks": {}}))

    def count_calls(self) -> None:
        """Count the calls of EC2 and Systems Manager from now on."""
        self.world.cloud.clear_faults()
        for service in ("ec2", "ssm"):
            self.world.cloud.add_fault(f"{service}:*", delay=0.001, times=None)

    def calls(self) -> Counter[str]:
        """The calls since then, by action."""
        return Counter(hit["call"].split(" ")[0] for hit in self.world.cloud.fault_hits())


@pytest.fixture
def neighbours(world: World, monkeypatch: pytest.MonkeyPatch) -> Neighbours:
    """One tenant on volumes that others may share, and the plans' own window."""
    monkeypatch.setitem(PLANS, "standard", {**PLANS["standard"], "snapshot_window_minutes": 15})
    return Neighbours(world)
