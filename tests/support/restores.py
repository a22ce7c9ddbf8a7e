"""What the tests of restores share: a tenant with a recovery point, ways to wreck it, and what has to be true after."""

from __future__ import annotations

from typing import Any

import pytest

from include.rules.restore.record import RestoreRecord
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from tests.support.steps import TODAY
from tests.support.trees import fingerprint, furnish, wreck_files
from tests.support.world import World

POINT = "acme-daily-20261123"

State = tuple[dict[str, tuple[object, ...]], list[tuple[Any, ...]]]


@pytest.fixture
def backed_up(world: World) -> World:
    """A tenant with real files and rows, and one verified recovery point of it."""
    furnish(world.site("acme"))
    world.back_up(TODAY)
    return world


def state(world: World, tenant: str = "acme") -> State:
    """All files and all rows of a tenant."""
    return fingerprint(world.site(tenant)), world.rows(tenant)


def database(world: World, tenant: str = "acme") -> str:
    """Name of the tenant's database."""
    return str(world.entries[tenant]["database"]["name"])


def wreck(world: World, tenant: str = "acme") -> State:
    """Wreck the tenant's files and change its rows; returns what is left."""
    wreck_files(world.site(tenant))
    world.sql.run("DELETE FROM dbo.orders WHERE id > 20", database=database(world, tenant))
    return state(world, tenant)


def damage(world: World) -> None:
    """Flip a byte of the data in the .bak of today, so that it can still be opened; its size stays."""
    (key,) = world.files(TODAY)
    body = bytearray(world.read_file(key))
    header = int.from_bytes(body[8:12], "little")  # lab/sqlserver/backup_media/backup_file.py
    body[header + 100] ^= 0xFF
    world.write_file(key, bytes(body))


def record(world: World, **form: Any) -> RestoreRecord:
    """The record of the restore that the form asks for."""
    found = world.restore_record(**form)
    assert found, "the restore has no record"
    return found


def volumes_left(world: World) -> list[str]:
    """Volumes that any restore of this vault has left."""
    filters = [{"Name": "tag-key", "Values": ["perennial:restore"]}]
    filters.append({"Name": "tag:perennial:vault", "Values": [world.vault.settings.vault]})
    found = world.cloud.client("ec2").describe_volumes(Filters=filters)["Volumes"]
    return [volume["VolumeId"] for volume in found]


def access(world: World, tenant: str = "acme") -> tuple[object, ...]:
    """State and access of the tenant's database."""
    name = database(world, tenant)
    return world.sql.run(f"SELECT state_desc, user_access_desc FROM sys.databases WHERE name = N'{name}'")[0]


def is_offline(world: World, tenant: str = "acme") -> bool:
    """True while the offline marker lies in the tenant's folder."""
    return (world.site(tenant) / OFFLINE_MARKER).exists()


def assert_nothing_is_left(world: World, tenant: str = "acme") -> None:
    """No volume, no mount, no lease, nobody kept out, no reader, and the site online."""
    assert volumes_left(world) == []
    for host in ("web", "database"):
        temporary = world.cloud.host_path(world.entries[tenant][host]["instance"], "/tmp")
        assert not temporary.exists() or list(temporary.iterdir()) == []
    assert world.lease(tenant).owner is None
    assert access(world, tenant) == ("ONLINE", "MULTI_USER")
    assert not is_offline(world, tenant)
    assert world.manifest(TODAY).readers == ()


def assert_all_is_back(world: World, before: State, tenant: str = "acme") -> None:
    """Files and rows are as they were, and nothing of the restore is left."""
    assert state(world, tenant) == before
    assert_nothing_is_left(world, tenant)
