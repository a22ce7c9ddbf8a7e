"""A restore on hosts that hang, or have changed since the preview: what is refused, and what is never left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.rules.errors import PartError, RefusedError, UnavailableError
from perennial.hooks.aws import retries
from perennial.hooks.aws.ebs import Ebs
from perennial.restore import close
from perennial.restore.attach import AttachVolumesTrigger
from perennial.restore.files import CopyFilesTrigger
from perennial.restore.step import RestoreTrigger
from tests.support.restores import assert_nothing_is_left, backed_up, record, state, volumes_left
from tests.support.steps import RESTORE, Step
from tests.support.waits import shorten
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

PREVIEW, CLOSE_RESTORE = RESTORE[0], RESTORE[-1]
LATER = "2026-11-23T13:00:00Z"


def steps_until(last: type[RestoreTrigger]) -> list[Step]:
    """The steps of a restore before `last`."""
    return RESTORE[: [cls for cls, _ in RESTORE].index(last)]


def closed(world: World, **form: Any) -> str:
    """Close a restore that was not completed; returns what it says."""
    with pytest.raises(PartError) as caught:
        world.run_restore_step(CLOSE_RESTORE, **form)
    return str(caught.value)


def test_a_folder_that_was_filled_after_the_preview_is_not_overwritten(backed_up: World) -> None:
    folder = backed_up.site("acme").parent / "old"
    form = {"what": "files", "folder": str(folder)}
    backed_up.run_restore_step(PREVIEW, **form)
    folder.mkdir()
    (folder / "important.txt").write_text("somebody else's")
    with pytest.raises(PartError, match=r"is not empty any more.*Nothing was overwritten by it"):
        backed_up.carry_out(RESTORE[1:], **form)
    assert "may be partly old" not in closed(backed_up, **form)
    assert [path.name for path in folder.iterdir()] == ["important.txt"]


def test_two_restores_into_one_new_folder_do_not_overwrite_each_other(backed_up: World) -> None:
    form = {"what": "files", "folder": str(backed_up.site("acme").parent / "old")}
    backed_up.run_restore_step(PREVIEW, **form)
    backed_up.run_restore_step(PREVIEW, "restore-2", moment=LATER, **form)
    backed_up.carry_out(RESTORE[1:], **form)
    with pytest.raises(PartError, match="is not empty any more"):
        backed_up.carry_out(RESTORE[1:], "restore-2", moment=LATER, **form)


def test_a_plain_file_is_no_place_for_a_folder(lent_world: World) -> None:
    plain = lent_world.site("acme").parent / "plain"
    plain.write_text("important")
    with pytest.raises(RefusedError, match=r"plain on i-[0-9a-f]+ is no folder"):
        lent_world.run_restore_step(PREVIEW, what="files", folder=str(plain))
    assert plain.read_text() == "important"
    plain.unlink()


def test_a_site_that_is_a_link_is_shown_with_where_it_leads(backed_up: World) -> None:
    site = backed_up.site("acme")
    site.rename(site.parent / "release")
    site.symlink_to("release")
    preview = backed_up.run_restore_step(PREVIEW, what="files")["preview"]
    assert f"A symbolic link leads from {site} to {site.resolve()}: that is where files change." in preview
    assert "GiB free on its disk) is OVERWRITTEN" in preview


def test_a_copy_that_was_never_sent_has_changed_nothing(lent_world: World) -> None:
    before = state(lent_world)
    lent_world.carry_out(steps_until(CopyFilesTrigger))
    lent_world.cloud.add_fault("ssm:SendCommand", match="MUST_BE_NEW", code="InvalidInstanceId", status=400)
    with pytest.raises(PartError, match="Nothing was overwritten by it"):
        lent_world.run_restore_step((CopyFilesTrigger, {}))
    assert record(lent_world).begun == {}
    assert "Tenant acme is as it was: nothing was overwritten" in closed(lent_world)
    assert state(lent_world) == before
    assert_nothing_is_left(lent_world)


def test_a_host_that_does_not_say_whose_folder_it_overwrites_is_not_sent_the_copy(lent_world: World) -> None:
    before = state(lent_world)
    lent_world.carry_out(steps_until(CopyFilesTrigger))
    lent_world.cloud.add_fault("ssm:SendCommand", match="FOLDERS", code="InvalidInstanceId", status=400)
    with pytest.raises(RefusedError, match=r"could not be asked: .* Nothing was overwritten by it"):
        lent_world.run_restore_step((CopyFilesTrigger, {}))
    assert "Tenant acme is as it was: nothing was overwritten" in closed(lent_world)
    assert state(lent_world) == before
    assert_nothing_is_left(lent_world)


def test_a_volume_that_is_never_shown_ends_the_step_with_the_likely_reason(
    lent_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """EC2 answers CreateVolume, and then drops a volume whose KMS key it may not use."""
    lent_world.carry_out(steps_until(AttachVolumesTrigger))
    shorten(monkeypatch, "VOLUME_SHOWN", 1)
    lent_world.cloud.add_fault("ec2:DescribeVolumes", lag=600.0, times=None)
    with pytest.raises(PartError, match=r"does not show it for 1 s.*KMS key.*kms:CreateGrant"):
        lent_world.run_restore_step((AttachVolumesTrigger, {}))
    message = closed(lent_world)
    assert "KMS key" in message
    lent_world.cloud.clear_faults()
    assert_nothing_is_left(lent_world)


def test_a_volume_that_does_not_get_ready_ends_the_step(lent_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    lent_world.carry_out(steps_until(AttachVolumesTrigger))
    shorten(monkeypatch, "VOLUME_READY", 0)
    with pytest.raises(UnavailableError, match=r"is still creating after 0 s"):
        lent_world.run_restore_step((AttachVolumesTrigger, {}))
    assert "is still creating" in closed(lent_world)
    assert_nothing_is_left(lent_world)


def test_look_ups_that_are_throttled_do_not_fail_a_restore(lent_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "LONGEST_PAUSE", 0.2)
    lent_world.carry_out(steps_until(AttachVolumesTrigger))
    lent_world.cloud.add_fault("ec2:DescribeVolumes", code="RequestLimitExceeded", status=503, times=7)
    lent_world.run_restore_step((AttachVolumesTrigger, {}))
    closed(lent_world)
    assert_nothing_is_left(lent_world)


def test_a_new_volume_that_is_not_known_everywhere_yet_is_attached_a_little_later(lent_world: World) -> None:
    lent_world.carry_out(steps_until(AttachVolumesTrigger))
    lent_world.cloud.add_fault("ec2:AttachVolume", code="InvalidVolume.NotFound", times=4)
    lent_world.run_restore_step((AttachVolumesTrigger, {}))
    assert len(lent_world.cloud.fault_hits()) == 4
    closed(lent_world)
    assert_nothing_is_left(lent_world)


@pytest.mark.parametrize("is_made", [True, False])
def test_a_volume_whose_id_was_never_heard_and_that_look_ups_do_not_show_is_removed(
    lent_world: World, monkeypatch: pytest.MonkeyPatch, is_made: bool
) -> None:
    lent_world.carry_out(steps_until(AttachVolumesTrigger))
    answered = Ebs.create_volume

    async def killed(*args: Any, **kwargs: Any) -> None:
        if is_made:
            await answered(*args, **kwargs)
        raise asyncio.CancelledError

    monkeypatch.setattr(Ebs, "create_volume", killed)
    with pytest.raises(asyncio.CancelledError):
        lent_world.run_restore_step((AttachVolumesTrigger, {}))
    monkeypatch.setattr(Ebs, "create_volume", answered)
    assert len(volumes_left(lent_world)) == int(is_made)
    lent_world.cloud.add_fault("ec2:DescribeVolumes", lag=60.0, times=None)
    closed(lent_world)
    lent_world.cloud.clear_faults()
    assert_nothing_is_left(lent_world)


def test_a_volume_that_is_attached_and_that_look_ups_do_not_show_is_removed(lent_world: World) -> None:
    lent_world.carry_out(steps_until(CopyFilesTrigger))
    lent_world.cloud.add_fault("ec2:DescribeVolumes", lag=60.0, times=None)
    closed(lent_world)
    lent_world.cloud.clear_faults()
    assert_nothing_is_left(lent_world)
    assert record(lent_world).volumes == {}


def test_a_host_that_hangs_keeps_no_volume_no_lease_and_no_database(
    backed_up: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    backed_up.carry_out(steps_until(CopyFilesTrigger))
    shorten(monkeypatch, "HOST_UNMOUNTED", 2)
    quick = [(what, clean_up, seconds / 100) for what, clean_up, seconds in close.CLEAN_UPS]
    monkeypatch.setattr(close, "CLEAN_UPS", quick)
    # Nobody says how a script on it has ended.
    backed_up.cloud.add_fault("ssm:GetCommandInvocation", code="InvocationDoesNotExist", status=400, times=None)
    message = closed(backed_up)
    assert "Bringing the site online did not come to its end within" in message
    assert volumes_left(backed_up) == []
    assert backed_up.lease("acme").owner is None


def test_a_volume_that_is_mounted_after_the_host_has_let_go_of_it_is_let_go_of_again(
    lent_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy whose command was under way when its run was ended begins after `unmount` has looked."""
    lent_world.carry_out(steps_until(CopyFilesTrigger))
    shorten(monkeypatch, "VOLUME_LET_GO", 1)
    (volume,) = volumes_left(lent_world)
    host = lent_world.entries["acme"]["web"]["instance"]
    attachment = lent_world.cloud.client("ec2").describe_volumes(VolumeIds=[volume])["Volumes"][0]["Attachments"][0]
    device, mount = lent_world.cloud.host_path(host, attachment["Device"]), f'"${{TMPDIR:-/tmp}}/perennial-{volume}"'
    lent_world.cloud.add_fault("ec2:DetachVolume", delay=4)
    late = lent_world.cloud.send(host, "sleep 2", f"mkdir -p {mount}", f"mount {device} {mount}")
    assert "nothing was overwritten" in closed(lent_world)
    assert lent_world.cloud.await_command(late, host).status == "Success"
    assert_nothing_is_left(lent_world)


def test_users_are_let_in_before_volumes_are_seen_to() -> None:
    assert [clean_up.__name__ for _, clean_up, _ in close.CLEAN_UPS][-1] == "remove_volumes"
    assert sum(seconds for _, _, seconds in close.CLEAN_UPS) < 3600
