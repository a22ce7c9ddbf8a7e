"""The fixture `lent_world`: a tenant with a recovery point, lent to one test after the other.

Making one takes a second of processor time. It is for tests of what is refused, only shown, or called off: these leave
the tenant as it was. Register and vault are put back after each test, all but the lease's token, which only ever grows.
Where anything else is not as it was, nobody sees that world again, and the next test gets a new one. A test that
overwrites something or adds a tenant takes `backed_up`.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pymssql
import pytest

from include.rules.points.leases import Lease
from perennial.hooks.aws.clients import close_clients
from perennial.hooks.vault.memory import memories
from tests.support.hosts import Hosts, Loan
from tests.support.restores import access, state, volumes_left
from tests.support.servers import Servers, set_world
from tests.support.steps import TODAY
from tests.support.trees import furnish
from tests.support.world import World

Documents = dict[str, tuple[str, bytes]]
"""The ETag and the content of all that a vault holds, by key."""


@dataclass(frozen=True)
class _Kept:
    """A world to lend, the name of its vault, and what it was when it was made."""

    world: World
    vault: str
    entries: dict[str, Any]
    documents: Documents
    picture: object


class WorldLender:
    """The world that is lent; there is none before the first test, and after one that has left it changed."""

    def __init__(self, hosts: Hosts, folder: Path, kept_databases: set[str]) -> None:
        self._hosts, self._folder, self._databases = hosts, folder, kept_databases
        self._runner = asyncio.Runner()
        self._kept: _Kept | None = None

    def lend(self, monkeypatch: pytest.MonkeyPatch, servers: Servers) -> World:
        """The world, with Perennial's settings pointing at it for the test."""
        if self._kept is None:
            self._kept = self._make(monkeypatch, servers)
        kept = self._kept
        set_world(monkeypatch, kept.world.config, servers, kept.vault)
        return kept.world

    def take_back(self) -> None:
        """The test is over, and its settings still hold: clean up what can be lent again."""
        kept = self._kept
        assert kept
        world = kept.world
        world.entries = copy.deepcopy(kept.entries)
        world.write_register()
        _put_back(world, kept.documents)
        self._runner.run(_free(world))
        if _picture(world) != kept.picture:
            self._kept = None
            self._databases.clear()
        world.drop_databases(but=self._databases)
        if self._kept is None:
            world.hosts.give_back()

    def close(self) -> None:
        """The tests are over, and their servers soon."""
        self._runner.run(close_clients())
        self._runner.close()

    def _make(self, monkeypatch: pytest.MonkeyPatch, servers: Servers) -> _Kept:
        vault = uuid4().hex[:12]
        config = self._folder / vault
        config.mkdir()
        set_world(monkeypatch, config, servers, vault)
        world = World(servers.cloud, servers.storage, self._runner, servers.sql, Loan(self._hosts), config)
        entry = world.add_tenant("acme")
        furnish(world.site("acme"))
        world.back_up(TODAY)
        self._databases.add(entry["database"]["name"])
        return _Kept(world, vault, copy.deepcopy(world.entries), _documents(world), _picture(world))


def _picture(world: World) -> object:
    """All that has to be as it was, but for register and vault; None where files or rows cannot be read any more."""
    ours = {"Name": "snapshot-id", "Values": list(world.manifest(TODAY).parts.snapshot_ids)}
    snapshots = world.cloud.client("ec2").describe_snapshots(Filters=[ours])["Snapshots"]
    try:
        files_and_rows = state(world)
    except (OSError, pymssql.Error):
        return None
    return (
        files_and_rows,
        access(world),
        [(snapshot["SnapshotId"], snapshot["State"], snapshot.get("StorageTier")) for snapshot in snapshots],
        volumes_left(world),
        world.hosts.are_as_made(),
    )


def _documents(world: World) -> Documents:
    place, s3 = world.vault.documents, world.storage.client()
    return {
        key: (etag, s3.get_object(Bucket=place.bucket, Key=key)["Body"].read()) for key, etag in _listed(world).items()
    }


def _listed(world: World) -> dict[str, str]:
    """The ETag of everything but leases, by key."""
    place = world.vault.documents
    answer = world.storage.client().list_objects_v2(Bucket=place.bucket, Prefix=place.prefix)
    listed = {found["Key"]: found["ETag"] for found in answer["Contents"]}
    return {key: etag for key, etag in listed.items() if not key.startswith(f"{place.prefix}leases/")}


def _put_back(world: World, documents: Documents) -> None:
    """Let the vault hold what it held: what is new is deleted, what has changed or gone is written."""
    bucket, s3, now = world.vault.documents.bucket, world.storage.client(), _listed(world)
    for key in now.keys() - documents.keys():
        s3.delete_object(Bucket=bucket, Key=key)
    for key, (etag, body) in documents.items():
        if now.get(key) != etag:
            s3.put_object(Bucket=bucket, Key=key, Body=body)


async def _free(world: World) -> None:
    """Nobody holds the tenant, and nobody in this process remembers the documents that are no more."""
    memories.pop()

    def freed(lease: Lease | None) -> Lease:
        assert lease
        return lease.model_copy(update={"owner": None, "purpose": "", "incarnation": ""})

    await world.vault.change_lease("acme", freed)


@pytest.fixture(scope="session")
def kept_databases() -> set[str]:
    """Databases that outlive the tests: that of `lent_world`."""
    return set()


@pytest.fixture(scope="session")
def world_lender(
    all_hosts: Hosts, tmp_path_factory: pytest.TempPathFactory, kept_databases: set[str]
) -> Iterator[WorldLender]:
    """The world that this process lends; take `lent_world` instead."""
    made = WorldLender(all_hosts, tmp_path_factory.mktemp("lent-world"), kept_databases)
    yield made
    made.close()


@pytest.fixture
def lent_world(monkeypatch: pytest.MonkeyPatch, servers: Servers, world_lender: WorldLender) -> Iterator[World]:
    """A tenant with real files and rows, and one verified recovery point of it; the test leaves them as they are."""
    yield world_lender.lend(monkeypatch, servers)
    servers.sql.ensure_running()
    servers.cloud.ensure_running()
    servers.cloud.clear_faults()
    world_lender.take_back()
