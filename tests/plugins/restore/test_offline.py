"""The site is offline while a restore overwrites it, and online again after it."""

from __future__ import annotations

import threading
import time

import pytest

from include.rules.errors import PerennialError
from include.rules.restore.record import Site
from perennial.hooks.aws.host_scripts import OFFLINE_MARKER
from perennial.restore.files import CopyFilesTrigger
from tests.support.restores import (
    assert_all_is_back,
    assert_nothing_is_left,
    backed_up,
    is_offline,
    record,
    wreck,
)
from tests.support.steps import RESTORE
from tests.support.world import World

__all__ = ["backed_up"]

pytestmark = pytest.mark.lab

NAMES = [cls for cls, _ in RESTORE]


def test_a_marker_that_was_part_of_the_snapshot_does_not_come_back(world: World) -> None:
    (world.site("acme") / OFFLINE_MARKER).write_text("an update was going on")
    world.back_up("acme|daily|2026-11-23")
    (world.site("acme") / OFFLINE_MARKER).unlink()
    world.restore(what="files")
    assert_nothing_is_left(world)


def test_a_site_that_somebody_else_has_taken_offline_stays_so_and_never_counts_as_online(backed_up: World) -> None:
    marker = backed_up.site("acme") / OFFLINE_MARKER
    marker.write_text("an update is going on")
    (backed_up.site("acme") / "index.html").write_text("HACKED")
    result = backed_up.restore(what="files")
    assert marker.read_text() == "an update is going on"
    assert (backed_up.site("acme") / "index.html").read_text() == "welcome to acme"
    assert "was offline already" in result["steps"]["take_site_offline"]
    assert "stays OFFLINE" in result["steps"]["bring_site_online"]
    assert (result["site"], record(backed_up, what="files").site) == ("offline", Site.OFFLINE)


def test_a_restore_that_fails_before_it_overwrites_anything_brings_the_site_online_again(backed_up: World) -> None:
    wrecked = wreck(backed_up)
    backed_up.cloud.add_fault("ec2:CreateSnapshot", code="UnauthorizedOperation", status=403, times=None)
    with pytest.raises(PerennialError, match="UnauthorizedOperation"):
        backed_up.restore()
    assert is_offline(backed_up)
    with pytest.raises(PerennialError, match="Tenant acme is as it was: nothing was overwritten"):
        backed_up.run_restore_step(RESTORE[-1])
    assert_all_is_back(backed_up, wrecked)
    assert record(backed_up).site is Site.ONLINE


def test_no_write_is_lost_between_the_safety_point_and_the_copy(backed_up: World) -> None:
    """Somebody uploads for as long as the site is online: every upload is in the live site or in the safety point."""
    site, stop, written = backed_up.site("acme"), threading.Event(), list[str]()
    form = {"what": "files"}

    def upload() -> None:
        number = 0
        while not stop.is_set():
            # As an application does that its server shuts down while the marker is there.
            if not is_offline(backed_up):
                name = f"upload-{number}.txt"
                (site / name).write_text(name)
                written.append(name)
                number += 1
            time.sleep(0.005)

    uploads = threading.Thread(target=upload)
    uploads.start()
    try:
        backed_up.carry_out(RESTORE[: NAMES.index(CopyFilesTrigger)], **form)
    finally:
        stop.set()
        uploads.join()
    backed_up.carry_out(RESTORE[NAMES.index(CopyFilesTrigger) :], **form)
    assert len(written) > 10
    safety = record(backed_up, **form).safety_point
    backed_up.restore(recovery_point=safety, moment="2026-11-23T13:00:00Z", **form)
    missing_files = [name for name in written if not (site / name).exists()]
    assert missing_files in ([], written[-1:])  # the last one may have been written in the moment the marker came
