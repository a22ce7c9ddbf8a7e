"""What people and accidents do to a tenant's volumes while the register says what it always said."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from include.rules.points.looks import VolumeLook
from include.rules.points.parts import PartName
from lab.testing.cloud import SCRIPT_SECONDS
from lab.testing.deadlines import within
from tests.support.steps import TODAY
from tests.support.world import World


def look(world: World, part: str) -> VolumeLook:
    """What the manifest of today remembers of a look."""
    return world.manifest(TODAY).looks[PartName(part)]


def web(world: World, tenant: str = "acme") -> dict[str, Any]:
    entry: dict[str, Any] = world.entries[tenant]["web"]
    return entry


def unmount(world: World, half: str = "web", tenant: str = "acme") -> Path:
    """Unmount a volume as an administrator does; returns the folder that is left."""
    entry = world.entries[tenant][half]
    done = world.cloud.run(entry["instance"], f"umount {entry['mount']}", seconds=round(within(SCRIPT_SECONDS)))
    assert done.status == "Success", done.stderr
    return Path(entry["mount"])


def users_write_to_the_root_disk(world: World) -> None:
    (unmount(world) / "site").mkdir()
    (world.site("acme") / "order.json").write_text("from a user")


def attached_to_nothing(world: World) -> None:
    unmount(world)
    world.cloud.detach(web(world)["volume"])


def moved_to_a_new_volume(world: World) -> None:
    attached_to_nothing(world)
    Path(web(world)["mount"]).rmdir()
    new = world.cloud.make_volume(web(world)["instance"], "/dev/sdf", "/srv/acme")
    (world.cloud.volume_path(new) / "site").mkdir()
    (world.site("acme") / "index.html").write_text("on the new volume")


def attached_to_another_host(world: World) -> None:
    attached_to_nothing(world)
    other = world.cloud.make_instance()
    world.cloud.client("ec2").attach_volume(VolumeId=web(world)["volume"], InstanceId=other, Device="/dev/sdf")
    world.cloud.await_volume(web(world)["volume"], "in-use", "attached")


def detaching(world: World) -> None:
    world.cloud.client("ec2").detach_volume(VolumeId=web(world)["volume"])  # still mounted: it stays busy
    world.cloud.await_volume(web(world)["volume"], "in-use", "busy")


def mounted_elsewhere(world: World) -> None:
    unmount(world)
    instance = web(world)["instance"]
    elsewhere = world.cloud.host_path(instance, "/mnt/acme")
    done = world.cloud.run(
        instance, f"mkdir -p {elsewhere}", f"mount {world.cloud.host_path(instance, '/dev/sdf')} {elsewhere}"
    )
    assert done.status == "Success", done.stderr


def linked_to_the_root_disk(world: World) -> None:
    elsewhere = world.cloud.host_path(web(world)["instance"], "/var/www/acme")
    elsewhere.parent.mkdir(parents=True)
    shutil.move(world.site("acme"), elsewhere)
    world.site("acme").symlink_to(elsewhere)


def a_file(world: World) -> None:
    shutil.rmtree(world.site("acme"))
    world.site("acme").write_text("no folder")


def missing(world: World) -> None:
    shutil.rmtree(world.site("acme"))


def empty_but_for_the_marker(world: World) -> None:
    (world.site("acme") / "index.html").unlink()
    (world.site("acme") / "app_offline.htm").write_text("back soon")


def host_replaced(world: World) -> None:
    """Another host has the volume now, and the register still names the terminated one."""
    world.cloud.client("ec2").terminate_instances(InstanceIds=[web(world)["instance"]])
    world.cloud.await_volume(web(world)["volume"], "available")
    other = world.cloud.make_instance()
    world.cloud.client("ec2").attach_volume(VolumeId=web(world)["volume"], InstanceId=other, Device="/dev/sdf")
    world.cloud.await_volume(web(world)["volume"], "in-use", "attached")


def mount_again(world: World) -> None:
    """Mount a web volume where the register says."""
    instance, folder = web(world)["instance"], web(world)["mount"]
    done = world.cloud.run(instance, f"mount {world.cloud.host_path(instance, '/dev/sdf')} {folder}")
    assert done.status == "Success", done.stderr
