"""What is wrong with hosts, volumes and snapshots is found in the preview, or while the site is still online."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.rules.errors import ConfigurationError, PartError, RefusedError, UnavailableError
from include.rules.points.parts import SnapshotRole
from include.rules.restore.record import Site
from lab.cloud.data_plane import PARTITION_TABLE
from lab.faults.control import LabFaults
from perennial.restore.attach import AttachVolumesTrigger
from tests.support.restores import assert_all_is_back, backed_up, is_offline, record, state
from tests.support.steps import RESTORE, TODAY, Step, steps_until
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

PREVIEW, CLOSE_RESTORE = RESTORE[0], RESTORE[-1]
ATTACH: Step = (AttachVolumesTrigger, {})
DATABASE_ONLY: dict[str, Any] = {"what": "database"}
FROM_SNAPSHOT: dict[str, Any] = {"what": "database", "database_from": "snapshot"}


def snapshot(world: World, role: SnapshotRole) -> str:
    part = world.manifest(TODAY).snapshot(role)
    assert part
    return part.snapshot_id


def refused_by_preview(world: World, match: str, error: type[Exception] = RefusedError, **form: Any) -> None:
    before = state(world)
    with pytest.raises(error, match=match):
        world.run_restore_step(PREVIEW, **form)
    assert state(world) == before
    assert not is_offline(world)
    assert world.lease("acme").owner is None


def found_while_online(world: World, match: str, error: type[Exception] = PartError, **form: Any) -> None:
    """The step before the site goes offline refuses; after `close` all is as it was."""
    before = state(world)
    world.carry_out(steps_until(AttachVolumesTrigger), **form)
    with pytest.raises(error, match=match):
        world.run_restore_step(ATTACH, **form)
    assert not is_offline(world)
    assert (record(world, **form).site, record(world, **form).begun) == (Site.UNTOUCHED, {})
    with pytest.raises(PartError, match=match):
        world.run_restore_step(CLOSE_RESTORE, **form)
    assert_all_is_back(world, before)


def test_the_volumes_are_looked_at_before_the_site_goes_offline() -> None:
    names = [trigger.step for trigger, _ in RESTORE if hasattr(trigger, "step")]
    assert names.index("attach_volumes") < names.index("take_site_offline") < names.index("copy_files")


def test_a_host_in_another_zone_than_the_register_says(lent_world: World) -> None:
    for role, form in (("web", {"what": "files"}), ("database", FROM_SNAPSHOT)):
        entry = lent_world.entries["acme"][role]
        zone, entry["zone"] = entry["zone"], "eu-central-1c"
        lent_world.write_register()
        refused_by_preview(lent_world, rf"and {role}\.zone of tenant acme says eu-central-1c", **form)
        entry["zone"] = zone


def test_a_zone_that_matters_to_no_volume_refuses_nothing(lent_world: World) -> None:
    lent_world.entries["acme"]["database"]["zone"] = "eu-central-1c"
    lent_world.write_register()
    assert "OVERWRITTEN" in lent_world.run_restore_step(PREVIEW)["preview"]


def take_names(world: World, letters: str, *, shown: bool) -> None:
    """Occupy device names of the web host: with volumes, or with disks that no volume shows."""
    host = world.entries["acme"]["web"]["instance"]
    for letter in letters:
        if shown:
            world.cloud.make_volume(host, f"/dev/sd{letter}")
        else:
            world.cloud.host_path(host, f"/dev/sd{letter}").touch()


def test_a_host_without_a_free_device_name(backed_up: World) -> None:
    take_names(backed_up, "ghijklmnop", shown=True)
    refused_by_preview(backed_up, "has no free device names for 1 volumes", what="files")


def test_a_device_name_that_no_volume_shows_as_taken_is_passed_over(backed_up: World) -> None:
    before = state(backed_up)
    take_names(backed_up, "gh", shown=False)
    (backed_up.site("acme") / "index.html").write_text("HACKED")
    backed_up.restore(what="files")
    assert_all_is_back(backed_up, before)


def test_no_device_name_that_aws_takes_is_found_while_the_site_is_online(backed_up: World) -> None:
    take_names(backed_up, "ghijklmnop", shown=False)
    found_while_online(backed_up, "no free device name", RefusedError, what="files")


def archive(world: World, snapshot_id: str) -> None:
    world.cloud.client("ec2").modify_snapshot_tier(SnapshotId=snapshot_id, StorageTier="archive")


def delete(world: World, snapshot_id: str) -> None:
    world.cloud.client("ec2").delete_snapshot(SnapshotId=snapshot_id)


def fail(world: World, snapshot_id: str) -> None:
    LabFaults(world.cloud.settings).hold_snapshot(snapshot_id, "error")


def hang(world: World, snapshot_id: str) -> None:
    LabFaults(world.cloud.settings).hold_snapshot(snapshot_id, "pending")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (archive, "is in the archive tier: bring it back first"),
        (delete, "is gone"),
        (fail, "is error"),
        (hang, "is pending: it is not complete yet"),
    ],
)
def test_a_snapshot_of_which_no_volume_can_be_made(
    backed_up: World, spoil: Callable[[World, str], None], words: str
) -> None:
    for role, form in ((SnapshotRole.WEB, {"what": "files"}), (SnapshotRole.DATABASE, FROM_SNAPSHOT)):
        spoil(backed_up, snapshot(backed_up, role))
        refused_by_preview(backed_up, words, **form)


def test_a_snapshot_that_is_out_of_the_archive_for_a_while_is_used_as_long_as_it_is(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive(backed_up, web := snapshot(backed_up, SnapshotRole.WEB))
    backed_up.cloud.client("ec2").restore_snapshot_tier(SnapshotId=web, TemporaryRestoreDays=2)
    before = state(backed_up)
    (backed_up.site("acme") / "index.html").write_text("HACKED")
    backed_up.restore(what="files")
    assert_all_is_back(backed_up, before)
    monkeypatch.setattr("perennial.hooks.aws.ebs_items.LONG_ENOUGH", timedelta(days=3))
    refused_by_preview(backed_up, "goes into the archive tier again at", what="files", moment="2026-11-23T14:00:00Z")


def test_a_web_host_that_does_not_run_is_found_also_when_only_the_database_comes_back(backed_up: World) -> None:
    host = backed_up.entries["acme"]["web"]["instance"]
    backed_up.cloud.client("ec2").stop_instances(InstanceIds=[host])
    try:
        with pytest.raises(UnavailableError, match=f"(?s)could not be looked at|could not be sent to host {host}"):
            backed_up.run_restore_step(PREVIEW, **DATABASE_ONLY)
    finally:
        backed_up.hosts.forget_lent()


def test_a_site_that_cannot_be_taken_offline_is_found_also_when_only_the_database_comes_back(
    lent_world: World,
) -> None:
    site = lent_world.site("acme")
    if subprocess.run(["/usr/bin/chattr", "+i", site], capture_output=True).returncode:
        pytest.skip("this file system, or this user, locks no files")
    try:
        refused_by_preview(lent_world, "the site cannot be taken offline: nothing can be written into", **DATABASE_ONLY)
        refused_by_preview(lent_world, "nothing can be written into", what="files")
    finally:
        subprocess.run(["/usr/bin/chattr", "-i", site], check=True)


def test_a_volume_that_no_safety_point_would_hold_is_found_by_the_preview(lent_world: World) -> None:
    """The register names a volume that is attached to nothing: its snapshot would be no way back."""
    for role, what in (("web", "files"), ("database", "database")):
        entry = lent_world.entries["acme"][role]
        attached, entry["volume"] = entry["volume"], lent_world.cloud.make_volume()
        lent_world.write_register()
        refused_by_preview(lent_world, "cannot be kept safe", what=what)
        entry["volume"] = attached


def test_a_chosen_path_that_the_snapshot_does_not_have(lent_world: World) -> None:
    found_while_online(lent_world, "The snapshot has no 'never-there'", what="files", paths=["never-there"])


def test_a_file_that_is_locked(lent_world: World) -> None:
    page = lent_world.site("acme") / "index.html"
    if subprocess.run(["/usr/bin/chattr", "+i", page], capture_output=True).returncode:
        pytest.skip("this file system, or this user, locks no files")
    try:
        found_while_online(lent_world, "'index.html' in .* cannot be replaced: it is locked", what="files")
    finally:
        subprocess.run(["/usr/bin/chattr", "-i", page], check=True)


def test_a_database_file_that_its_volume_does_not_have(backed_up: World) -> None:
    part = backed_up.cloud.snapshot_path(snapshot(backed_up, SnapshotRole.DATABASE))
    (log,) = part.rglob("*.ldf")
    log.rename(log.with_suffix(".gone"))
    found_while_online(backed_up, r"has no file .*\.ldf", **FROM_SNAPSHOT)


def test_a_file_system_that_the_host_cannot_mount(backed_up: World) -> None:
    host = backed_up.entries["acme"]["web"]["instance"]
    kinds = backed_up.cloud.host_path(host, "/etc/fstype")
    kinds.mkdir(parents=True)
    (kinds / "sdg").write_text("LVM2_member")
    found_while_online(backed_up, "is LVM, of which a host cannot have a copy beside the original", what="files")


@pytest.mark.parametrize("has_serial", [True, False])
def test_a_site_in_a_partition_of_its_volume_comes_back(backed_up: World, has_serial: bool) -> None:
    web = backed_up.cloud.snapshot_path(snapshot(backed_up, SnapshotRole.WEB))
    before = state(backed_up)
    everything = list(web.iterdir())
    for part in ("p1", "p2"):
        (web / part).mkdir()
    for path in everything:
        path.rename(web / "p2" / path.name)
    (web / PARTITION_TABLE).touch()
    if not has_serial:
        etc: Path = backed_up.cloud.host_path(backed_up.entries["acme"]["web"]["instance"], "/etc")
        etc.mkdir(exist_ok=True)
        (etc / "xen").touch()
    (backed_up.site("acme") / "index.html").write_text("HACKED")
    backed_up.restore(what="files")
    assert_all_is_back(backed_up, before)


def test_a_volume_that_aws_does_not_make(lent_world: World) -> None:
    lent_world.cloud.add_fault("ec2:CreateVolume", code="VolumeLimitExceeded", status=400, times=None)
    found_while_online(lent_world, "VolumeLimitExceeded", UnavailableError, what="files")


def test_more_chosen_paths_than_a_command_takes_are_refused_by_the_form(lent_world: World) -> None:
    paths = [f"{number:03}-{'n' * 196}" for number in range(110)]
    refused_by_preview(lent_world, "the chosen paths have 22,110 bytes", ConfigurationError, what="files", paths=paths)
