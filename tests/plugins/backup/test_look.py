"""The look before a snapshot: what the register says of volumes is not believed."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import pytest

from include.rules.errors import PartError
from include.rules.points.transitions import State
from tests.support.steps import CLOSE, DATABASE, OPEN, TODAY, WEB, chain_before
from tests.support.volumes import (
    a_file,
    attached_to_another_host,
    attached_to_nothing,
    detaching,
    empty_but_for_the_marker,
    host_replaced,
    linked_to_the_root_disk,
    look,
    missing,
    mounted_elsewhere,
    moved_to_a_new_volume,
    unmount,
    users_write_to_the_root_disk,
    web,
)
from tests.support.world import PLANS, World

pytestmark = pytest.mark.lab

GLOBEX = "globex|daily|2026-11-23"


WRONG: list[tuple[Callable[[World], None], str]] = [
    (users_write_to_the_root_disk, "nothing is mounted on"),
    (attached_to_nothing, "is attached to nothing"),
    (moved_to_a_new_volume, "is attached to nothing"),
    (attached_to_another_host, r"is attached to i-\w+ \(attached\)"),
    (detaching, "is busy, at i-"),
    (mounted_elsewhere, "nothing is mounted on"),
    (linked_to_the_root_disk, r"lies on volume vol-\w+ \(it is really"),
    (a_file, "is no folder"),
    (missing, "there is no folder"),
    (empty_but_for_the_marker, "is empty"),
    (host_replaced, "is attached to i-"),
]


ALWAYS = (users_write_to_the_root_disk, moved_to_a_new_volume, linked_to_the_root_disk, host_replaced)
"""The others are judged by the same rules (tests/unit/register/test_volumes.py)."""


@pytest.mark.parametrize(
    ("make_wrong", "fact"),
    [
        pytest.param(make, fact, id=make.__name__, marks=[] if make in ALWAYS else pytest.mark.sweep)
        for make, fact in WRONG
    ],
)
def test_a_web_volume_that_is_not_what_the_register_says_is_never_snapshotted(
    world: World, make_wrong: Callable[[World], None], fact: str
) -> None:
    make_wrong(world)
    world.run(OPEN, TODAY)
    with pytest.raises(PartError, match=rf"of tenant acme was not snapshotted: .*{fact}.*the register says that web"):
        world.run(WEB, TODAY)
    with pytest.raises(PartError, match="was not snapshotted"):
        world.run(CLOSE, TODAY)
    assert world.snapshots(TODAY) == []
    assert world.manifest(TODAY).state is State.FAILED
    assert world.lease("acme").owner is None


def test_two_tenants_whose_volumes_were_swapped_both_fail(world: World) -> None:
    world.add_tenant("globex")
    acme, globex = web(world), web(world, "globex")
    acme["volume"], globex["volume"] = globex["volume"], acme["volume"]
    world.write_register()
    for request in (TODAY, GLOBEX):
        world.run(OPEN, request)
        with pytest.raises(PartError, match=r"was not snapshotted: volume .* is attached to i-"):
            world.run(WEB, request)


def test_a_database_whose_log_lies_on_another_disk_fails_its_part_and_the_web_part_stands(world: World) -> None:
    name, data = world.entries["acme"]["database"]["name"], world.database_host.folder
    elsewhere = world.cloud.host_path(world.database_host.instance, "/logs")
    elsewhere.mkdir()
    world.sql.run(f"ALTER DATABASE [{name}] SET OFFLINE", f"DROP DATABASE [{name}]")
    for part in data.glob(f"{name}_log.ldf*"):
        shutil.move(part, elsewhere / part.name)
    world.sql.attach(name, data / f"{name}.mdf", elsewhere / f"{name}_log.ldf")
    for step in chain_before(DATABASE):
        world.run(step, TODAY)
    with pytest.raises(PartError, match=rf"files of database {name} lie elsewhere: \S+_log\.ldf, and the register"):
        world.run(DATABASE, TODAY)
    assert world.manifest(TODAY).parts.names == ("web_snapshot",)


def test_a_database_volume_that_is_not_mounted_fails_although_its_server_runs(world: World) -> None:
    data = world.database_host.folder
    copy = world.cloud.host_path(world.database_host.instance, "/root-disk")
    shutil.copytree(f"{data}/", copy)  # what SQL Server would find again below the mount point after a reboot
    unmount(world, "database")
    for file in copy.iterdir():
        shutil.move(file, data / file.name)
    for step in chain_before(DATABASE):
        world.run(step, TODAY)
    with pytest.raises(PartError, match=r"nothing is mounted on .*the register says that database\.mount"):
        world.run(DATABASE, TODAY)


def test_a_mount_that_the_register_leaves_out_is_named_and_fails_nothing(world: World) -> None:
    del world.entries["acme"]["database"]["mount"]
    world.write_register()
    manifest = world.back_up(TODAY)
    assert manifest.verification
    assert manifest.verification.level == 2
    assert ["is not in the register" in note for note in look(world, "db_snapshot").notes] == [True]


def test_an_empty_folder_is_backed_up_where_the_plan_allows_it(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PLANS, "standard", {**PLANS["standard"], "allow_empty_folder": True})
    world.write_register()
    (world.site("acme") / "index.html").unlink()
    manifest = world.back_up(TODAY)
    assert manifest.state is State.VERIFIED
    assert "is empty" in look(world, "web_snapshot").notes[0]
