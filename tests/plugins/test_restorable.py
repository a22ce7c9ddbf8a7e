"""check_register says long before a restore whether a tenant's hosts could do their part of it."""

from __future__ import annotations

import shutil

import pytest

from include.rules.register.findings import Finding, Weight
from include.rules.register.tenants import Tenant
from lab.cloud.hosts import SYSTEM_PATH
from perennial.hooks.register import read_register
from perennial.register_check.checks import CHECKS
from perennial.register_check.restorable import check_restorable
from tests.support.world import World

pytestmark = pytest.mark.lab


def looked(world: World) -> dict[str, tuple[Finding, ...]]:
    async def look() -> dict[str, tuple[Finding, ...]]:
        settings = world.vault.settings
        tenants: list[Tenant] = list((await read_register(settings)).tenants.values())
        return {tenant.id: await check_restorable(tenant, settings) for tenant in tenants}

    return world.runner.run(look())


def commands(world: World, host: str) -> int:
    pages = world.cloud.client("ssm").get_paginator("list_command_invocations").paginate(InstanceId=host)
    return sum(len(page["CommandInvocations"]) for page in pages)


def test_hosts_that_have_everything_are_asked_once_for_all_their_tenants(world: World) -> None:
    world.add_tenant("globex")
    database_host = world.entries["acme"]["database"]["instance"]
    assert database_host == world.entries["globex"]["database"]["instance"]
    before = commands(world, database_host)
    found = looked(world)
    if shutil.which("rsync", path=SYSTEM_PATH):
        assert found == {"acme": (), "globex": ()}
    assert commands(world, database_host) == before + 1


def test_a_host_that_does_not_answer_is_named_and_nothing_is_said_of_it(world: World) -> None:
    host = world.entries["acme"]["web"]["instance"]
    world.cloud.client("ec2").stop_instances(InstanceIds=[host])
    world.hosts.forget_lent()
    tenant = world.runner.run(read_register(world.vault.settings)).tenants["acme"]
    (check,) = [check for check in CHECKS if check.name == "restorable"]
    (found,) = world.runner.run(check.findings(tenant, world.vault.settings))
    assert found.weight is Weight.NOT_LOOKED_AT
    assert host in found.fact
