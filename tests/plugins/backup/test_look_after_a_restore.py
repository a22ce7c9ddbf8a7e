"""Looks around a restore: what a safety point lets pass, and what was seen before the end, counts for no backup."""

from __future__ import annotations

import pytest

from include.rules.points.looks import fingerprint_of
from include.rules.points.manifest import Manifest
from include.rules.points.parts import PartName, SnapshotRole
from include.rules.points.shared_snapshots import SharedSnapshot
from perennial.backup.volume_looks import look_at_all
from perennial.restore.files import CopyFilesTrigger
from tests.support.neighbours import Neighbours, by_hand, daily
from tests.support.restores import record
from tests.support.steps import DATABASE, OPEN, steps_until

pytestmark = [pytest.mark.lab, pytest.mark.timeout(400)]

ACME = daily("acme")


def test_nobody_but_a_safety_point_relies_on_its_look_at_a_folder_that_was_missing(neighbours: Neighbours) -> None:
    world = neighbours.world
    world.back_up(by_hand("acme"))
    for path in (world.site("acme") / "index.html", world.site("acme")):
        path.unlink() if path.is_file() else path.rmdir()
    world.carry_out(steps_until(CopyFilesTrigger), what="files")
    safety = record(world, what="files").safety_request
    (shared,) = world.shared_snapshots(safety)
    web = world.manifest(safety).source.web
    assert fingerprint_of(web) in shared.looks
    assert seen_by(shared, world.manifest(safety)) is not None
    assert seen_by(shared, world.manifest(by_hand("acme"))) is None


def seen_by(shared: SharedSnapshot, point: Manifest) -> object:
    """What was seen of the point's web folder, as far as the point may rely on it."""
    return shared.look_at(point.tenant, point.id, point.source.web)


def test_what_was_seen_before_a_restore_is_filed_for_neither_half_of_its_tenant(neighbours: Neighbours) -> None:
    world, data = neighbours.world, neighbours.world.database_host
    site = data.folder / "www"
    site.mkdir()
    (site / "index.html").write_text("welcome")
    place = {"instance": data.instance, "volume": data.volume, "mount": str(data.folder), "path": str(site)}
    world.entries["acme"]["web"] |= place
    world.write_register()
    world.run(OPEN, ACME)
    settings, manifest = world.vault.settings, world.manifest(ACME)
    halves = [fingerprint_of(half) for half in (manifest.source.web, manifest.source.database)]
    for role, anew, seen in (("database", False, halves), ("web", False, halves), ("web", True, halves[:1])):
        looking = look_at_all(settings, manifest, SnapshotRole[role.upper()], anew=anew)
        assert set(world.runner.run(looking)) == set(seen)


def test_where_a_database_lies_is_asked_anew_after_a_restore(neighbours: Neighbours) -> None:
    world, name = neighbours.world, neighbours.world.entries["acme"]["database"]["name"]
    neighbours.add("globex")
    world.back_up(by_hand("acme"))
    world.restore(what="database")
    world.back_up(by_hand("globex"))  # its server has just said where all files lie
    world.sql.drop_database(name)
    world.sql.run(f"CREATE DATABASE [{name}]")  # where the server lays it, which is not on the tenant's volume
    world.run(OPEN, ACME)
    world.run(DATABASE, ACME)
    assert world.manifest(ACME).looks[PartName.DB_SNAPSHOT].not_looked_at, (
        "the host of the lab does not show that folder"
    )
